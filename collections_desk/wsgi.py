"""What a web server serves: `granian --interface wsgi collections_desk.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from agents import streams
from collections_desk import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collections_desk.settings")
embedded.ensure_running()
application = get_wsgi_application()
streams.OPEN.stop_on_signals()
