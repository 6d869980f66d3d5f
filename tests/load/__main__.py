"""``python -m tests.load [--url U] [--agents N] [--seconds S] [--accounts N] [--pace S] [--pages]``.

Drives agents against a desk that runs on the same ``DATABASE_URL``: for a desk that is there to be tried, never one in
use, because every account served is closed with the outcome ``load``. Exits 1 when an account was held by two at once,
or lost.
"""

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
    # By name: what it compares are models, which can only be imported now.
    sys.exit(import_string("tests.load.run.main")(sys.argv[1:]))
