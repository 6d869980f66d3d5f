"""Stays bound to the message centre that DESK_SMS_URL names, and keeps what it brings: receipts and replies."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from accounts.business_day import business_date
from collections_desk import clock
from dunning import inbound
from dunning.gateways.base import Incoming
from dunning.gateways.receipts import Receipt
from dunning.gateways.sms_smpp import Centre, SmppListener
from dunning.listening import Keeper

#: Between two attempts to bind again: doubling up to the second.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Listen for SMS receipts and replies over SMPP until told to stop (needs an smpp:// DESK_SMS_URL)."

    def handle(self, *args: Any, **options: Any) -> None:
        url = settings.GATEWAYS["sms"]["url"]
        if not url.startswith(("smpp://", "smpps://")):
            raise CommandError("DESK_SMS_URL names no message centre: smpp://user:password@host:port")
        keeper = Keeper(now=clock.business_now, business_date=lambda at: business_date(at=at), door=take)

        end = End()

        def keep(one: Receipt | Incoming) -> bool:
            with end.later():
                close_old_connections()  # the database may have gone away since the last one
                return keeper.keep(one)

        listener = SmppListener(Centre.from_url(url), now=clock.business_now, keep=keep)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end.hear)
        pause = SHORTEST_PAUSE_SECONDS
        try:
            while not end.told:
                try:
                    listener.listen()
                    pause = SHORTEST_PAUSE_SECONDS
                except ConnectionError as problem:
                    log.warning("The message centre does not answer: %s", problem)
                    time.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        except KeyboardInterrupt:
            pass
        finally:
            listener.close()


def take(message: Incoming) -> None:
    """The inbound door."""
    at = clock.business_now()
    inbound.receive(message, as_of=business_date(at=at), at=at)


class End:
    """The end as it is told by a signal: at once while we wait, and only afterwards while something is kept.

    Raised in the middle of a statement it would leave the connection with half an answer, and whoever then fails for
    that reason would take the end for a failure of the database and go on.
    """

    def __init__(self) -> None:
        self.told = self._keeping = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        self.told = True
        if not self._keeping:
            raise KeyboardInterrupt

    @contextmanager
    def later(self) -> Iterator[None]:
        self._keeping = True
        try:
            yield
        finally:
            self._keeping = False
