"""The building: what the rooms share and how they are run.

settings        one file, driven by the environment
environment     reads one variable, or stops the start with a sentence
embedded        PostgreSQL and Redis from wheels, for whoever brings neither
processes       web, worker and beat under one supervisor
clock           the one place that reads the time
celery          the task queue
content_policy  what a page may load
resource        an account as every interface shows it
api, portal     the doors for machines, and for customers
webhooks        telling others of events
health          the three pages that machines ask
urls, wsgi      the front door
apps            makes the building itself known to Django
"""
