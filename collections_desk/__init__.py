"""The building: what the rooms share and how they are run.

``journey``       a bill's path on one page: the day's run, and who reacts to what
``tasks``         what beat starts and workers carry
``crew``          the same, spread over processes of one machine
``dry_runs``      a policy tried on the live book
``replay``        a book and a policy day by day, in a scratch database
``book``          every file an operator may bring
``resource``      an account as every interface shows it
``api``, ``portal``  the doors for machines, and for customers
``mail_callbacks``  what mail providers tell
``webhooks``      telling others of events
``management``    the commands
``demo``          a made-up operator, to look around
``settings``, ``environment``  one file, driven by the environment
``embedded``      PostgreSQL and Redis from wheels, for whoever brings neither
``processes``     web, worker and beat under one supervisor
``celery``        the task queue
``clock``         the one place that reads the time
``content_policy``  what a page may load; ``uploads`` how much a form may bring
``admin_app``, ``admin_site``, ``admin_navigation``  the admin's frame
``static_files``  scripts and styles as they are served: small
``health``        the three pages that machines ask
``urls``, ``wsgi``  the front door
"""
