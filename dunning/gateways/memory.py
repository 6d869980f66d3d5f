"""The road that `replay` and the tests of other rooms take: everything arrives the moment it is handed over."""

from __future__ import annotations

from dunning.gateways.base import Message, NetworkOrder, Outcome


class MemoryGateway:
    """Keeps what it was given, in order. The same key again is answered as before and kept once."""

    knows_keys = True

    def __init__(self) -> None:
        self.handed: list[Message | NetworkOrder] = []
        self.keys: set[str] = set()

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        if handed.key not in self.keys:
            self.keys.add(handed.key)
            self.handed.append(handed)
        reference = f"memory:{handed.key}"
        return Outcome("confirmed" if isinstance(handed, NetworkOrder) else "delivered", reference)

    @property
    def messages(self) -> list[Message]:
        return [one for one in self.handed if isinstance(one, Message)]

    @property
    def orders(self) -> list[NetworkOrder]:
        return [one for one in self.handed if isinstance(one, NetworkOrder)]

    def close(self) -> None:
        """Nothing is open."""
