"""The one family of answers that are not errors: the desk understood, and says no, in words for a person."""

from __future__ import annotations


class Refused(Exception):
    """An operation that may not be done. Subclasses are named ``Cannot<Verb>`` and live beside what refuses.

    ``code`` is one of the interface's: invalid, not_found, forbidden, conflict, blocked, refused.
    """

    code = "refused"

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(text)
        if code is not None:
            self.code = code
