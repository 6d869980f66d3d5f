"""From a notice that is due to a far side that refuses, delays, bounces and tells later: what becomes of the row."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import AccountEvent, UnreachableAddress
from collections_desk.replay import LocalMemory
from dunning import deliver, kinds, receipts, resending
from dunning.gateways.base import Incoming, NotTaken
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.letters_sftp import Host, LettersSftpGateway
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.print_run import Run
from dunning.gateways.receipts import Receipt
from dunning.gateways.sms_http import SmsHttpGateway
from dunning.gateways.sms_smpp import Centre, SmppGateway, SmppListener
from dunning.gateways.smtp import Relay, SmtpGateway
from dunning.handing_over import LEASE
from dunning.listening import Keeper
from dunning.models import Notice, PrintRun
from dunning.roads import Roads
from tests.dunning.message_centre import MessageCentre, message_centre
from tests.dunning.test_gateways_http import Provider
from tests.dunning.test_gateways_http import provider as provider
from tests.dunning.test_gateways_letters import seen, serving
from tests.dunning.test_gateways_smtp import PostOffice, relay
from tests.dunning.upcoming import upcoming
from tests.factories import TODAY, moment

pytestmark = pytest.mark.django_db


def roads(**messages: Any) -> Roads:
    return Roads(
        {**dict.fromkeys(("sms", "email", "letter", "in_app", "voice"), LocalMemory()), **messages},
        LocalMemory(),
        careful=False,
    )


def send(given: Roads, *, minutes: int = 0) -> dict[str, int]:
    at = moment() + timedelta(minutes=minutes)
    return dict(deliver.deliver(as_of=TODAY, at=at, roads=given))


def now(notice: Notice) -> Notice:
    return Notice.objects.get(pk=notice.pk)


def on_channel(notice: Notice, channel: str) -> Notice | None:
    return Notice.objects.filter(account=notice.account_id, channel=channel).first()


@pytest.fixture(scope="module")
def centre() -> Iterator[MessageCentre]:
    with message_centre() as running:
        yield running


@pytest.fixture
def smpp(centre: MessageCentre) -> Iterator[SmppGateway]:
    centre.taken.clear()
    gateway = SmppGateway(Centre.from_url(centre.url), sender="Northwind")
    yield gateway
    gateway.close()


# The next channel -----------------------------------------------------------------------------------------------------


def test_a_number_that_the_network_does_not_know_is_marked_and_the_mail_goes_instead(centre, smpp):
    notice = upcoming("sms", "email", "letter")
    centre.tell(answers=["ESME_RINVDSTADR"])
    given = roads(sms=smpp)
    assert send(given)["bounced"] == 1
    assert now(notice).state == "bounced"
    assert UnreachableAddress.objects.filter(kind="phone", value=now(notice).address).exists()
    send(given, minutes=1)
    mail = on_channel(notice, "email")
    assert (mail.state, mail.fallbacks) == ("delivered", ["letter"])
    assert mail.key == f"{notice.account_id}.upcoming.0.email"


def test_a_number_that_an_http_provider_refuses_goes_to_the_next_channel_and_is_not_marked(provider: Provider):
    notice = upcoming("sms", "email")
    provider.answer = lambda request: request.say(400, {"detail": "blocked content"})
    given = roads(sms=SmsHttpGateway(provider.url, secret="s"))
    assert send(given)["failed"] == 1
    send(given, minutes=1)
    assert not UnreachableAddress.objects.exists()
    assert on_channel(notice, "email").state == "delivered"


def test_a_mailbox_that_does_not_exist_is_marked_and_the_letter_goes_instead():
    office, notice = PostOffice(), upcoming("email", "letter")
    office.recipient_answer = "550 5.1.1 no such user"
    with relay(office) as port:
        smtp = SmtpGateway(Relay.from_url(f"smtp://127.0.0.1:{port}?timeout=2"), sender="a@b.example", now=moment)
        given = roads(email=smtp)
        assert send(given)["bounced"] == 1
        assert UnreachableAddress.objects.filter(kind="email", value=now(notice).address).exists()
        send(given, minutes=1)
        smtp.close()
    assert on_channel(notice, "letter").state == "delivered"


def test_a_mailbox_that_is_full_is_tried_again_on_the_same_channel():
    office, notice = PostOffice(), upcoming("email", "letter")
    office.recipient_answer = "452 4.2.2 mailbox full"
    with relay(office) as port:
        smtp = SmtpGateway(Relay.from_url(f"smtp://127.0.0.1:{port}?timeout=2"), sender="a@b.example", now=moment)
        assert send(roads(email=smtp)) == {"waiting": 1}
        assert now(notice).state == "pending"
        assert now(notice).send_at > moment()
        office.recipient_answer = ""
        assert send(roads(email=smtp), minutes=61) == {"sent": 1}
        smtp.close()
    assert on_channel(notice, "letter") is None


def test_a_busy_network_is_tried_later_and_not_again_before_it_asked_to_be(centre, smpp):
    notice = upcoming("sms", "email")
    centre.tell(answers=["ESME_RTHROTTLED"])
    assert send(roads(sms=smpp)) == {"waiting": 1}
    assert now(notice).send_at >= moment() + timedelta(seconds=30)
    assert send(roads(sms=smpp), minutes=2) == {"sent": 1}


def test_a_line_lost_after_submitting_is_in_doubt_over_smpp_and_never_sent_again_by_itself(centre, smpp):
    notice = upcoming("sms", "email")
    centre.tell(answers=["take, cut"])
    assert send(roads(sms=smpp)) == {"doubtful": 1}
    for minutes in (10, 600):
        assert send(roads(sms=smpp), minutes=minutes) == {}
    assert now(notice).state == "doubtful"
    assert len(centre.taken) == 1


def test_a_line_lost_after_posting_is_repeated_with_the_same_key_over_http(provider: Provider):
    notice = upcoming("sms")
    provider.answer = lambda request: request.connection.close()
    sms = SmsHttpGateway(provider.url, secret="s", timeout_seconds=1)
    assert send(roads(sms=sms)) == {"waiting": 1}
    provider.answer = lambda request: request.say(409, {"id": "p-1", "detail": "seen before"})
    assert send(roads(sms=sms), minutes=61) == {"sent": 1}
    assert {json.loads(body)["key"] for _, body in provider.requests} == {notice.key}
    assert len(provider.requests) == 2
    assert now(notice).provider_ref == "p-1"


# What is told later ---------------------------------------------------------------------------------------------------


def receipt(notice: Notice, state: str = "delivered", **more: Any) -> Receipt:
    return Receipt(**{"key": notice.key, "provider_ref": None, "state": state, "at": moment(), **more})


def test_a_receipt_that_comes_before_the_answer_stands_and_the_answer_is_kept_with_it(provider: Provider):
    notice = upcoming("sms")

    told: list[int] = []

    class Sms(SmsHttpGateway):
        """Receives the receipt between posting and reading the answer, as another process would."""

        def hand_over(self, message: Any, /) -> Any:
            outcome = super().hand_over(message)
            told.append(receipts.take([receipt(notice)], as_of=TODAY, at=moment()))
            return outcome

    send(roads(sms=Sms(provider.url, secret="s")))
    assert told == [1]
    assert (now(notice).state, now(notice).provider_ref) == ("delivered", "p-1")
    assert now(notice).sent_at is not None


def test_an_answer_that_promises_and_then_nothing_stays_sent(provider: Provider):
    notice = upcoming("sms")
    provider.answer = lambda request: request.say(202, {})
    assert send(roads(sms=SmsHttpGateway(provider.url, secret="s"))) == {"sent": 1}
    assert send(roads(), minutes=60 * 24 * 5) == {}
    assert now(notice).state == "sent"


def test_the_same_receipt_ten_times_is_one_piece_of_news():
    notice = upcoming("sms", state="sent", sent_at=moment(), send_at=None)
    assert receipts.take([receipt(notice)] * 10, as_of=TODAY, at=moment()) == 1
    assert AccountEvent.objects.filter(kind=kinds.NOTICE_DELIVERED, account=notice.account_id).count() == 1


def test_a_text_that_expired_goes_to_the_next_channel_without_marking_the_number():
    notice = upcoming("sms", "email", state="sent", sent_at=moment(), send_at=None, address="+447900000001")
    assert receipts.take([receipt(notice, "failed", detail="EXPIRED")], as_of=TODAY, at=moment()) == 1
    assert now(notice).state == "failed"
    assert not UnreachableAddress.objects.exists()
    assert on_channel(notice, "email").state == "pending"


def test_a_receipt_over_smpp_finds_its_message_and_one_that_overtakes_the_answer_is_asked_for_again(centre, smpp):
    notice = upcoming("sms")
    heard: list[Incoming] = []
    clock = [moment()]
    keeper = Keeper(now=lambda: clock[0], business_date=lambda at: TODAY, door=heard.append)
    early = receipt(notice, key=None, provider_ref=f"smpp:{len(centre.taken) + 1:x}")
    assert not keeper.keep(early)
    send(roads(sms=smpp))
    listener = SmppListener(Centre.from_url(centre.url + "?timeout=1"), now=moment, keep=keeper.keep)
    listener.listen()
    centre.tell(receipt=now(notice).provider_ref.removeprefix("smpp:"), state="DELIVRD")
    centre.tell(text=[{"from": "447900000001", "content": b"STOP".hex()}])
    for _ in range(10):
        listener.listen()
        if heard and now(notice).state == "delivered":
            break
    listener.close()
    assert now(notice).state == "delivered"
    assert [(one.sender, one.text) for one in heard] == [("+447900000001", "STOP")]


def test_a_receipt_for_nothing_of_ours_is_let_go_after_a_while():
    clock = [moment()]
    keeper = Keeper(now=lambda: clock[0], business_date=lambda at: TODAY, door=lambda one: None)
    strange = Receipt(key=None, provider_ref="smpp:beef", state="delivered", at=moment())
    assert not keeper.keep(strange)
    clock[0] += timedelta(minutes=1)
    assert not keeper.keep(strange)
    clock[0] += timedelta(minutes=2)
    assert keeper.keep(strange)


# Print runs -----------------------------------------------------------------------------------------------------------


def test_the_letters_of_a_pass_leave_in_one_run(tmp_path: Path):
    letters = [upcoming("letter", number=number) for number in range(3)]
    assert send(roads(letter=LettersFolderGateway(tmp_path))) == {"sent": 3}
    run = PrintRun.objects.get()
    assert seen(tmp_path) == [run.name]
    manifest = json.loads((tmp_path / run.name / "manifest.json").read_text())
    assert sorted(row["key"] for row in manifest["letters"]) == sorted(letter.key for letter in letters)
    assert (run.letters, run.sheets, run.handed_over_at) == (3, manifest["sheets"], moment())
    for letter in letters:
        assert (now(letter).print_run, now(letter).state) == (run.name, "sent")
        assert now(letter).provider_ref == run.name
        assert now(letter).counts_from > moment()
    assert send(roads(letter=LettersFolderGateway(tmp_path)), minutes=5) == {}


def test_a_print_house_that_is_down_gets_the_run_later_and_once(tmp_path: Path):
    letter = upcoming("letter")
    (tmp_path / "runs").mkdir()
    with serving(tmp_path) as server:
        house = LettersSftpGateway(Host.from_url(server.url()))
        server.cut_after = 100
        assert send(roads(letter=house)) == {"waiting": 1}
        assert (now(letter).state, now(letter).attempts, now(letter).print_run) == ("pending", 1, "")
        assert PrintRun.objects.count() == 0
        server.cut_after = None
        assert send(roads(letter=house), minutes=61) == {"sent": 1}
        [name] = seen(tmp_path / "runs")
    assert now(letter).provider_ref == name
    with zipfile.ZipFile(tmp_path / "runs" / name) as archive:
        assert len(archive.namelist()) == 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_line_cut_at_the_release_is_settled_by_what_lies_there(tmp_path: Path, when: str):
    letter = upcoming("letter")
    (tmp_path / "runs").mkdir()
    with serving(tmp_path) as server:
        house = LettersSftpGateway(Host.from_url(server.url()))
        server.cut_at_rename = when
        assert send(roads(letter=house)) == {"waiting": 1}
        assert now(letter).state == "handing_over"
        server.cut_at_rename = ""
        minutes = int(LEASE.total_seconds() // 60) + 1
        assert send(roads(letter=house), minutes=minutes)["sent"] == 1
        assert len(seen(tmp_path / "runs")) == 1
    assert now(letter).state == "sent"
    assert PrintRun.objects.get().handed_over_at is not None


def test_a_letter_that_was_withdrawn_while_the_run_was_laid_out_is_not_in_it(tmp_path: Path):
    letters = [upcoming("letter", number=number) for number in range(3)]

    class House(LettersFolderGateway):
        def lay_out(self, run: Run, /) -> None:
            super().lay_out(run)
            Notice.objects.filter(pk=letters[1].pk).update(state="withdrawn", send_at=None)

    assert send(roads(letter=House(tmp_path))) == {"sent": 2}
    [name] = seen(tmp_path)
    manifest = json.loads((tmp_path / name / "manifest.json").read_text())
    assert {row["key"] for row in manifest["letters"]} == {letters[0].key, letters[2].key}
    assert (now(letters[1]).state, now(letters[1]).print_run) == ("withdrawn", "")


# Once more ------------------------------------------------------------------------------------------------------------


def again(notice: Notice, **more: Any) -> Notice:
    return resending.resend(notice_id=notice.pk, actor="agent:sue", as_of=TODAY, at=moment(), **more)


def test_a_failed_message_is_sent_again_as_one_of_its_own():
    notice = upcoming("sms", state="failed", reason="no credit", attempts=12, send_at=None)
    made = again(notice)
    assert (made.state, made.key, made.send_at, made.attempts) == ("pending", f"{notice.key}~", moment(), 0)
    assert now(notice).state == "failed"
    assert send(roads()) == {"delivered": 1}
    assert now(made).state == "delivered"
    event = AccountEvent.objects.get(kind=kinds.NOTICE_RESENT)
    assert (event.actor, event.payload["of"], event.payload["key"]) == ("agent:sue", notice.key, made.key)
    assert list(resending.listed("failed", at=moment())) == []
    with pytest.raises(resending.CannotResend, match="already"):
        again(notice)


def test_a_doubtful_message_is_sent_again_only_where_somebody_takes_it_on_them():
    notice = upcoming("email", state="doubtful", send_at=None)
    with pytest.raises(resending.CannotResend, match="twice"):
        again(notice)
    assert again(notice, confirmed=True).state == "pending"


def test_what_waits_in_vain_may_try_at_once():
    notice = upcoming("sms", attempts=7, send_at=moment() + timedelta(hours=1), reason="503")
    assert again(notice).pk == notice.pk
    assert (now(notice).attempts, now(notice).send_at) == (0, moment())


@pytest.mark.parametrize("state", ["sent", "delivered", "withdrawn", "handing_over"])
def test_what_went_or_does_not_apply_is_not_sent_again(state: str):
    notice = upcoming("sms", state=state, send_at=None, lease_until=moment() + timedelta(minutes=3))
    with pytest.raises(resending.CannotResend):
        again(notice)


def test_what_went_by_another_channel_is_not_sent_again():
    notice = upcoming("sms", state="failed", send_at=None)
    Notice.objects.create(
        account=notice.account, customer=notice.customer, key=f"{notice.account_id}.upcoming.0.email",
        step_code="upcoming", template="upcoming", channel="email", currency="EUR", made_on=TODAY, state="delivered",
    )  # fmt: skip
    with pytest.raises(resending.CannotResend, match="another channel"):
        again(notice)


# How channels fare ----------------------------------------------------------------------------------------------------


class Counting:
    """A pace that only counts, and notices whether it was asked inside a transaction."""

    def __init__(self) -> None:
        self.turns: list[bool] = []
        self.depth = len(connection.savepoint_ids)

    def wait(self) -> None:
        self.turns.append(len(connection.savepoint_ids) > self.depth)

    def close(self) -> None:
        """Nothing is open."""


def test_each_message_takes_a_turn_and_none_is_waited_for_inside_a_transaction(centre, smpp):
    for number in range(3):
        upcoming("sms", number=number)
    given, pace = roads(sms=smpp), Counting()
    given.paces = {"sms": pace}
    assert send(given) == {"sent": 3}
    assert pace.turns == [False, False, False]


def test_a_channel_that_fails_rests_and_the_others_go_on():
    class Broken(MemoryGateway):
        def hand_over(self, handed: Any, /) -> Any:
            calls.append(handed.key)
            raise NotTaken("503")

    calls: list[str] = []
    for number in range(8):
        upcoming("sms", number=number)
    mail = upcoming("email", number=99)
    assert send(roads(sms=Broken())) == {"waiting": 8, "delivered": 1}
    assert len(calls) == 5
    assert now(mail).state == "delivered"
