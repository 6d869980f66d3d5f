"""Static files as a server gives them out: the desk's own without what only people read in them.

Scripts, styles and drawings are written to be read and served small; what libraries bring is served as they bring it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import minify
from django.core.files.base import ContentFile, File
from whitenoise.storage import CompressedManifestStaticFilesStorage

#: Folders of ours.
OURS = ("desk/", "policies/", "portal/")
KINDS = {".css": "text/css", ".js": "application/javascript", ".svg": "image/svg+xml"}


def small(name: str, text: str) -> str:
    """The text of a static file as it is served; the same text for what is not ours, or of another kind."""
    kind = KINDS.get(PurePosixPath(name).suffix)
    return str(minify.string(kind, text)) if kind and name.startswith(OURS) else text


class SmallStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """Named by what is in them, compressed, and made small when they are collected."""

    def _save(self, name: str, content: File[Any]) -> str:
        if PurePosixPath(name).suffix in KINDS and name.startswith(OURS):
            content.seek(0)  # read already, for its name
            written = content.read()
            text = written.decode() if isinstance(written, bytes) else written
            content = ContentFile(small(name, text).encode())
        saved: str = super()._save(name, content)
        return saved
