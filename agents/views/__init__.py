"""The desk in the browser: thin views, one call into the domain each.

``session``       signing in, where each person lands, light and dark
``queue``         what comes next, what I hold
``account_page``  everything one account's page shows
``account``       what is done on it: calls, promises, plans, disputes, notes, holds
``hands``         a slip taken back, the palette's list, news, the summary, one's own day, language and hints
``disputes``      what is contested and by when it is answered, one dispute with its evidence, the decision
``search``        by phone, name, e-mail or any number
``network``       orders nobody confirmed, services that stand elsewhere
``approvals``     what waits for somebody's word, decided; who decides in whose place
``quality``       reviews to do, one piece of work beside its card; ``calibrations`` reviewers compared
``quality_people`` teams and one person over time, what they are told and answer
``supervise``     figures, rejected rows
``write_offs``    what was given up, and what would have had to be different
"""
