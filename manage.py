#!/usr/bin/env python
"""The desk's command line: starts what the command needs, then hands over to Django."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from collections_desk import embedded


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "collections_desk.settings")
    try:
        embedded.ensure_running()
    except embedded.CannotStart as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(2) from None
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
