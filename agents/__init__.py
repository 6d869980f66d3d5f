"""The people: who talks to whom, what was agreed.

In the order of an agent's day:

``models``        the rows
``kinds``         the events this room writes
``rights``        who may do and see what
``priority``      why an account is on top (pure)
``queue``         the leased queue: claim, keep, release, complete
``timeline``      an account's history, merged; ``event_words`` kinds of events in words
``calls``         conversations and what came of them
``offering``      the next account whose customer may be called
``answers``       what customers write, as agents work it
``habits``        the calls among what customers answer
``card_numbers``  no card number is kept: refused, and said back masked (pure)
``covered``       which bills a promise or plan is about
``promises``      what a customer undertakes to pay, kept or broken
``instalments``   splitting a debt over dates (pure)
``plans``         instalment plans
``disputes``      contested amounts
``ahead``         what agreements come to by time and by what is written already
``fees``          letting a fee go
``write_offs``    a second pair of eyes before anything is given up
``book``          this room's files
``lessons``, ``post_mortem``  what was written off and why, and what would have had to be different
``period``, ``kpi_formulas``, ``kpis``, ``today``  the figures supervisors judge by
``forms``, ``views``, ``templatetags``, ``urls``   the desk in the browser
``admin``         teams, people and dispositions
"""
