"""``python -m tests.bench [--accounts N [N …]] [--million]``: the table on standard output, progress beside it."""

from __future__ import annotations

import os
import sys

import django
from django.utils.module_loading import import_string

from collections_desk import embedded

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collections_desk.settings")
    os.environ.setdefault("DESK_LOG_LEVEL", "WARNING")
    embedded.ensure_running()
    django.setup()
    # By name: what it measures are models, which can only be imported now.
    import_string("tests.bench.run.main")(sys.argv[1:])
