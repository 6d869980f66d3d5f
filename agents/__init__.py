"""The people: who talks to whom, what was agreed.

In the order of an agent's day:

``instalments`` splitting a debt over dates (pure)
``priority``    why an account is on top (pure)
``kpi_formulas`` the figures supervisors judge by (pure)
``models``      the rows
``rights``      who may do and see what
``queue``       the leased queue: claim, hold, release, complete
``promises``    what a customer undertakes to pay, kept or broken
``plans``       instalment plans
``disputes``    contested amounts
``calls``       conversations and what came of them
``book``        the agents' part of the operator's files
``kpis``        the figures, from the rows
``views``       the desk in the browser
"""
