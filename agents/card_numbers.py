"""No card number is kept: what somebody typed is refused, and said back masked, to be saved like that (PCI-01)."""

from __future__ import annotations

from accounts.refusals import Refused
from dunning.gate.checks.cards import masked


class CannotKeepCard(Refused):
    """The text holds a card number or its code; ``masked`` is what may be kept instead."""

    def __init__(self, proposal: str) -> None:
        super().__init__(f"There is a card number in the text, and none may be kept. Save this instead: {proposal}")
        self.masked = proposal


def without_cards(text: str) -> str:
    """The text itself. Raises ``CannotKeepCard`` where it holds a card number."""
    proposal, found = masked(text)
    if found:
        raise CannotKeepCard(proposal)
    return text
