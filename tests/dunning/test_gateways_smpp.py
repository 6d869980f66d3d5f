"""Text messages over SMPP, against a message centre that runs in a process of its own."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunning.gateways.base import Incoming, Message, NotTaken, Unclear
from dunning.gateways.opening import open_message_gateway
from dunning.gateways.receipts import Receipt
from dunning.gateways.sms_alphabet import GSM7, UCS2, header_of, parts_of, text_of
from dunning.gateways.sms_smpp import Centre, SmppGateway, SmppListener
from dunning.text_messages import sms_segments
from tests.dunning.message_centre import MessageCentre, message_centre, tls_before

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TEXT = Message(
    key="17.warning.0.sms", channel="sms", to="+15550100200", subject="", text="Please pay 10.00 € by Friday.",
    language="en", ref="A-1001",
)  # fmt: skip
LONG = "Your bill of [April] is overdue. Please pay, or call us. " * 6


@pytest.fixture(scope="module")
def running() -> Iterator[MessageCentre]:
    with message_centre() as centre:
        yield centre


@pytest.fixture
def centre(running: MessageCentre) -> MessageCentre:
    running.taken.clear()
    running.brought = running.refused = 0
    return running


@pytest.fixture
def road(centre: MessageCentre) -> Iterator[SmppGateway]:
    with contextlib.closing(SmppGateway(Centre.from_url(centre.url), sender="Northwind Telecom")) as gateway:
        yield gateway


@pytest.fixture
def kept() -> list[Receipt | Incoming]:
    return []


@contextlib.contextmanager
def listening(centre: MessageCentre, keep, options: str = "?timeout=1") -> Iterator[SmppListener]:
    listener = SmppListener(Centre.from_url(centre.url + options), now=lambda: NOW, keep=keep)
    with contextlib.closing(listener):
        yield listener


def listen_until(listener: SmppListener, holds) -> None:
    for _ in range(20):
        listener.listen()
        if holds():
            return
    raise AssertionError("it never came to that")


def read(taken) -> str:
    coding = UCS2 if taken["coding"].endswith("UCS2") else GSM7
    content = bytes.fromhex(taken["content"])
    return text_of(header_of(content)[1] if taken["header"] else content, coding)


# Sending --------------------------------------------------------------------------------------------------------------


def test_a_text_arrives_in_the_alphabet_of_the_network_and_asks_for_a_receipt(centre, road):
    outcome = road.hand_over(TEXT)
    centre.wait(lambda: centre.taken)
    [taken] = centre.taken
    assert outcome.state == "accepted"
    assert outcome.provider_ref == f"smpp:{taken['taken']:x}"
    assert (taken["to"], taken["source"]) == ("15550100200", "NorthwindTe")
    assert read(taken) == TEXT.text
    assert taken["coding"].endswith("SMSC_DEFAULT_ALPHABET")
    assert "NO_" not in taken["receipt"]


def test_another_script_travels_as_ucs2(centre, road):
    road.hand_over(replace(TEXT, text="आपका बिल बकाया है 📱"))
    centre.wait(lambda: centre.taken)
    assert read(centre.taken[0]) == "आपका बिल बकाया है 📱"
    assert centre.taken[0]["coding"].endswith("UCS2")


@pytest.mark.parametrize("text", [LONG, "फ़ोन बिल " * 20])
def test_a_long_text_goes_in_parts_that_are_joined_again_and_has_one_receipt(centre, road, text):
    outcome = road.hand_over(replace(TEXT, text=text))
    parts = sms_segments(text).segments
    centre.wait(lambda: len(centre.taken) == parts)
    assert parts > 1
    assert "".join(read(part) for part in centre.taken) == text
    places = [header_of(bytes.fromhex(part["content"]))[0] for part in centre.taken]
    assert [(place.of, place.number) for place in places] == [(parts, number + 1) for number in range(parts)]
    assert len({place.reference for place in places}) == 1
    assert ["NO_" not in part["receipt"] for part in centre.taken] == [False] * (parts - 1) + [True]
    assert outcome.provider_ref == f"smpp:{centre.taken[-1]['taken']:x}"


@pytest.mark.parametrize(
    ("answer", "wait"),
    [("ESME_RTHROTTLED", timedelta(seconds=30)), ("ESME_RMSGQFUL", timedelta(seconds=30)), ("ESME_RSYSERR", None)],
)
def test_a_busy_centre_is_tried_later(centre, road, answer, wait):
    centre.tell(answers=[answer])
    with pytest.raises(NotTaken) as refused:
        road.hand_over(TEXT)
    assert refused.value.retry_after == wait
    assert road.hand_over(TEXT).state == "accepted"


@pytest.mark.parametrize(
    ("answer", "state"),
    [("ESME_RINVDSTADR", "unreachable"), ("ESME_RINVMSGLEN", "rejected"), ("ESME_RSUBMITFAIL", "rejected")],
)
def test_what_is_wrong_for_good_is_not_tried_again(centre, road, answer, state):
    centre.tell(answers=[answer])
    assert road.hand_over(TEXT).state == state


def test_what_is_no_number_reaches_nobody(centre, road):
    assert road.hand_over(replace(TEXT, to="none")).state == "unreachable"
    assert centre.taken == []


@pytest.mark.parametrize("how", ["cut", "take, cut"])
def test_a_line_cut_in_answering_leaves_it_unclear_and_the_next_one_has_a_new_line(centre, road, how):
    centre.tell(answers=[how])
    with pytest.raises(Unclear):
        road.hand_over(TEXT)
    assert road.hand_over(replace(TEXT, key="another")).state == "accepted"


def test_a_line_that_ended_between_two_messages_is_noticed_before_anything_is_submitted(centre, road):
    assert road.hand_over(TEXT).state == "accepted"
    centre.tell(unbind=True)
    time.sleep(0.3)  # on its way
    assert road.hand_over(replace(TEXT, key="another")).state == "accepted"
    centre.wait(lambda: len(centre.taken) == 2)


def test_a_part_refused_after_the_first_is_unclear_and_a_busy_centre_is_waited_for(centre, road):
    centre.tell(answers=["take", "ESME_RSYSERR"])
    with pytest.raises(Unclear, match="part 2 of"):
        road.hand_over(replace(TEXT, text=LONG))
    centre.taken.clear()
    centre.tell(answers=["take", "ESME_RTHROTTLED"])
    assert road.hand_over(replace(TEXT, text=LONG)).state == "accepted"
    centre.wait(lambda: len(centre.taken) == sms_segments(LONG).segments)


def test_nobody_there_and_a_wrong_password_are_not_the_customers_fault(centre):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"smpp://desk:secret@127.0.0.1:{probe.getsockname()[1]}"
    for url in (closed, centre.url.replace("secret", "wrong")):
        with contextlib.closing(SmppGateway(Centre.from_url(url))) as gateway, pytest.raises(NotTaken):
            gateway.hand_over(TEXT)


def test_the_url_of_the_settings_opens_it():
    road = open_message_gateway("smpp://a:b@localhost:2775", channel="sms", now=lambda: NOW)
    assert isinstance(road, SmppGateway)
    assert not road.knows_keys
    with pytest.raises(ValueError, match="speed"):
        Centre.from_url("smpp://a:b@localhost?speed=9")
    assert "secret" not in repr(Centre.from_url("smpp://a:secret@localhost"))


# Listening ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "state"), [("DELIVRD", "delivered"), ("UNDELIV", "bounced"), ("EXPIRED", "failed"), ("REJECTD", "failed")]
)
def test_a_receipt_names_the_message_as_the_answer_did(centre, road, kept, told, state):
    outcome = road.hand_over(TEXT)
    with listening(centre, lambda one: kept.append(one) is None) as listener:
        listener.listen()
        centre.tell(receipt=outcome.provider_ref.removeprefix("smpp:"), state=told)
        listen_until(listener, lambda: kept)
        centre.wait(lambda: centre.brought == 1)
    [receipt] = kept
    assert (receipt.provider_ref, receipt.state, receipt.at) == (outcome.provider_ref, state, NOW)


def test_a_receipt_that_is_no_end_is_passed_over(centre, kept):
    with listening(centre, lambda one: kept.append(one) is None) as listener:
        listener.listen()
        centre.tell(receipt="5", state="ACCEPTD")
        listen_until(listener, lambda: centre.brought == 1)
    assert kept == []


def test_a_receipt_in_decimal_is_told_as_the_answer_was(centre, kept):
    with listening(centre, lambda one: kept.append(one) is None, "?timeout=1&receipt_ids=decimal") as listener:
        listener.listen()
        centre.tell(receipt="0000000255", state="DELIVRD")
        listen_until(listener, lambda: kept)
    assert kept[0].provider_ref == "smpp:ff"


def test_what_could_not_be_kept_comes_again(centre, kept):
    refusals = iter([False, False, True])

    def keep(one: Receipt | Incoming) -> bool:
        kept.append(one)
        return next(refusals)

    with listening(centre, keep) as listener:
        listener.listen()
        centre.tell(receipt="7", state="DELIVRD")
        listen_until(listener, lambda: len(kept) == 3)
        centre.wait(lambda: centre.brought == 1)
    assert centre.refused == 2
    assert len({receipt.provider_ref for receipt in kept}) == 1


def test_a_reply_is_read_and_one_in_parts_is_joined(centre, kept):
    long = parts_of("ok €[done] " * 20, reference=9).contents
    texts = [
        {"from": "15550100200", "content": b"STOP".hex()},
        {"from": "15550100200", "content": "मैंने भुगतान किया".encode("utf-16-be").hex(), "coding": "UCS2"},
        *({"from": "15550100200", "content": part.hex(), "header": True} for part in reversed(long)),
    ]
    with listening(centre, lambda one: kept.append(one) is None) as listener:
        listener.listen()
        centre.tell(text=texts)
        listen_until(listener, lambda: len(kept) == 3)
        centre.wait(lambda: centre.brought == 2 + len(long))
    assert [one.text for one in kept] == ["STOP", "मैंने भुगतान किया", "ok €[done] " * 20]
    assert {(one.sender, one.recipient, one.channel) for one in kept} == {("+15550100200", "15550199", "sms")}
    assert len({one.provider_ref for one in kept}) == 3


def test_a_centre_that_ends_the_session_is_bound_again(centre, kept):
    with listening(centre, lambda one: kept.append(one) is None) as listener:
        listener.listen()
        centre.tell(unbind=True)
        with pytest.raises(ConnectionError):
            listen_until(listener, lambda: False)
        centre.tell(receipt="9", state="DELIVRD")
        listen_until(listener, lambda: kept)


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def behind_tls(centre, certificate) -> Iterator[str]:
    with tls_before(centre.port, certificate[2]) as port:
        yield f"desk:secret@127.0.0.1:{port}?timeout=3"


def test_a_text_and_its_receipt_travel_over_tls_to_a_centre_whose_certificate_is_known(
    centre, behind_tls, certificate, kept
):
    known = Centre.from_url(f"smpps://{behind_tls}&ca_file={certificate[0]}")
    with contextlib.closing(SmppGateway(known, sender="Northwind")) as road:
        outcomes = [road.hand_over(TEXT), road.hand_over(replace(TEXT, text=LONG))]
        centre.wait(lambda: len(centre.taken) == 1 + sms_segments(LONG).segments)
    listener = SmppListener(known, now=lambda: NOW, keep=lambda one: kept.append(one) is None)
    with contextlib.closing(listener):
        listener.listen()
        centre.tell(receipt=outcomes[0].provider_ref.removeprefix("smpp:"), state="DELIVRD")
        listen_until(listener, lambda: kept)
        centre.wait(lambda: centre.brought == 1)
    assert [outcome.state for outcome in outcomes] == ["accepted", "accepted"]
    assert (kept[0].provider_ref, kept[0].state) == (outcomes[0].provider_ref, "delivered")


def test_a_line_over_tls_that_the_centre_ended_is_bound_again_before_the_next_text(centre, behind_tls, certificate):
    known = Centre.from_url(f"smpps://{behind_tls}&ca_file={certificate[0]}")
    with contextlib.closing(SmppGateway(known, sender="Northwind")) as road:
        road.hand_over(TEXT)
        centre.tell(unbind=True)
        time.sleep(0.2)  # until it has come through
        assert road.hand_over(TEXT).state == "accepted"
        centre.wait(lambda: len(centre.taken) == 2)


def test_nothing_is_said_to_a_centre_whose_certificate_is_not_known_or_of_another_host(centre, behind_tls, certificate):
    trusted, other, _ = certificate
    for url, says in (
        (f"smpps://{behind_tls}&ca_file={other}", "certificate verify failed"),
        (f"smpps://{behind_tls}", "certificate verify failed"),
        (f"smpps://{behind_tls}&ca_file={trusted}".replace("127.0.0.1", "localhost"), "Hostname mismatch"),
    ):
        with contextlib.closing(SmppGateway(Centre.from_url(url))) as road, pytest.raises(NotTaken, match=says):
            road.hand_over(TEXT)
    assert centre.taken == []


def test_a_centre_that_speaks_no_tls_gets_no_password(centre, certificate):
    url = f"{centre.url}?timeout=1&ca_file={certificate[0]}".replace("smpp://", "smpps://")
    with contextlib.closing(SmppGateway(Centre.from_url(url))) as road, pytest.raises(NotTaken, match="no line"):
        road.hand_over(TEXT)
    assert centre.taken == []


# The alphabet ---------------------------------------------------------------------------------------------------------

SIGNS = st.one_of(st.sampled_from("abcXYZ @£§€[]~{}^|\\\n"), st.characters(codec="utf-8", exclude_categories=["Cs"]))


@given(st.text(SIGNS, max_size=400))
def test_a_text_is_sent_in_as_many_parts_as_are_billed_and_reads_as_it_was_written(text):
    parts = parts_of(text, reference=7)
    length = sms_segments(text)
    assert len(parts.contents) == length.segments
    assert (parts.data_coding == GSM7) == (length.alphabet == "GSM-7")
    contents = [header_of(part)[1] if len(parts.contents) > 1 else part for part in parts.contents]
    assert "".join(text_of(part, parts.data_coding) for part in contents) == text
    assert all(len(part) <= 160 for part in parts.contents)
