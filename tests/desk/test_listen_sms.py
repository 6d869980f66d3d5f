"""When who listens for receipts and replies hears the end."""

from __future__ import annotations

import signal

import pytest

from collections_desk.management.commands.listen_sms import End


def test_the_end_comes_at_once_while_nothing_is_kept() -> None:
    end = End()

    with pytest.raises(KeyboardInterrupt):
        end.hear(signal.SIGTERM, None)

    assert end.told


def test_what_is_being_kept_is_kept_first() -> None:
    end, kept = End(), False

    with end.later():
        end.hear(signal.SIGTERM, None)
        kept = True

    assert end.told
    assert kept


def test_what_fails_while_it_is_kept_does_not_put_off_the_next_end() -> None:
    end = End()
    with pytest.raises(ValueError, match="torn"), end.later():
        raise ValueError("torn")

    with pytest.raises(KeyboardInterrupt):
        end.hear(signal.SIGINT, None)
