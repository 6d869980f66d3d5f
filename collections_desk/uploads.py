"""What is larger than any form of the desk is refused by its length, before a byte of it is read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class RefusesFloods(FileUploadHandler):
    """Stands before the handlers that keep files; itself it keeps none."""

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        if content_length > settings.DESK_UPLOAD_MB * 1024 * 1024:
            raise RequestDataTooBig(f"More than {settings.DESK_UPLOAD_MB} MB in one form.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
