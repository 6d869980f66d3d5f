from __future__ import annotations

from django.apps import AppConfig

from collections_desk import celery


class CollectionsDeskConfig(AppConfig):
    name = "collections_desk"
    verbose_name = "Collections Desk"
    queue = celery.app  # named here so that every process that loads Django sends to our queue
