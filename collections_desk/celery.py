"""The task queue. Tasks carry ids; the work itself is rows, so losing the queue loses nothing."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import beat_init, worker_init

from collections_desk import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collections_desk.settings")

app = Celery("collections_desk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
@beat_init.connect
def start_what_is_missing(**_: object) -> None:
    """A worker or beat started by hand finds its database and broker like any command."""
    embedded.ensure_running()
