"""Stays bound to the message centre that DESK_SMS_URL names, and keeps what it brings: receipts and replies."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType
from typing import Any, NoReturn

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

        def keep(one: Receipt | Incoming) -> bool:
            close_old_connections()  # the database may have gone away since the last one
            return keeper.keep(one)

        listener = SmppListener(Centre.from_url(url), now=clock.business_now, keep=keep)
        signal.signal(signal.SIGTERM, stop)
        pause = SHORTEST_PAUSE_SECONDS
        try:
            while True:
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


def stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
