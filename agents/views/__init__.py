"""The desk in the browser: thin views, one call into the domain each.

``session``       signing in, where each person lands, light and dark
``queue``         what comes next, what I hold
``account_page``  everything one account's page shows
``account``       what is done on it: calls, promises, plans, disputes, notes, holds
``hands``         a slip taken back, the palette's list, news, the summary, one's own day, language and hints
``disputes``      what is contested and by when it is answered, one dispute with its evidence, the decision
``search``        by phone, name, e-mail or any number
``network``       orders nobody confirmed, services that stand elsewhere
``supervise``     figures, audit, rejected rows, approvals
``write_offs``    what was given up, and what would have had to be different
"""
