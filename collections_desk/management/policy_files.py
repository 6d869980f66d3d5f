"""A policy file named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from dunning import writing


def document_in(file: Path) -> dict[str, Any]:
    """The checked document. Raises ``CommandError`` (2) with file, line and reason."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        document = writing.read(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is not UTF-8 text"
        raise CommandError(f"{file}: {reason}.", returncode=2) from error
    except writing.UnreadablePolicy as error:
        raise CommandError(f"{file}, {error.problem}.", returncode=2) from error
    if problems := writing.located(writing.check(document), text):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CommandError(f"{file}, {problems[0]}{more}.", returncode=2)
    return document
