"""Disputes on their way: the market's clock, whose they are, evidence, decisions for a part, letters, and lateness."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account, Consent
from agents import dispute_desk, disputes, evidence, kinds, queue
from agents.card_numbers import CannotKeepCard
from agents.dispute_clocks import Clocks
from agents.disputes import CannotResolve, CannotWorkDispute
from agents.file_types import CannotTake
from agents.models import Agent, Dispute, DisputeClock, DisputeEvidence, WorkItem
from collections_desk import journey
from dunning.models import Notice
from tests.agents.some_files import pdf, picture
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

NOW: dict[str, Any] = {"as_of": TODAY, "at": moment()}


def customer(**columns: Any) -> Any:
    return make_customer(**{"email": "frida@example.com", "language": "en", **columns})


def contested(amount: str = "30.00", *, of: Account | None = None, actor: str = "agent:nadia", **more: Any) -> Dispute:
    account = of or owing("100.00", customer=customer())
    return disputes.open_dispute(
        account_id=account.pk, bill_ref=account.bills.order_by("due_on")[0].ref, amount=Decimal(amount),
        reason=more.pop("reason", "roaming"), actor=actor, **(NOW | more),
    )  # fmt: skip


def decided(dispute: Dispute, outcome: str = "rejected", **more: Any) -> Dispute:
    return disputes.resolve(dispute_id=dispute.pk, outcome=outcome, **({"actor": "agent:omar"} | NOW | more))


def unreachable() -> Account:
    """An account whose customer has no address, and wants nothing in the app either."""
    silent = make_customer()
    Consent.objects.create(customer=silent, channel="in_app", given=False, at=moment())
    return owing("100.00", customer=silent)


def letters(dispute: Dispute, state: str = "pending") -> list[str]:
    return list(
        Notice.objects.filter(account=dispute.account, step_code="confirmation", state=state)
        .order_by("pk")
        .values_list("template", flat=True)
    )


# The clock ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "opened", "acknowledge_by", "decide_by"),
    [
        ("GB", date(2026, 3, 10), date(2026, 3, 13), date(2026, 5, 5)),  # the 15th is a Sunday: owed on the Friday
        ("IN", date(2026, 3, 10), date(2026, 3, 13), date(2026, 4, 7)),
        ("", date(2026, 3, 10), date(2026, 3, 13), date(2026, 4, 9)),
        ("FR", date(2026, 4, 1), date(2026, 4, 3), date(2026, 4, 30)),  # Easter Monday, Sunday; May Day
    ],
)
def test_the_market_sets_the_clock_and_what_we_owe_is_never_late_for_a_weekend(
    country: str, opened: date, acknowledge_by: date, decide_by: date
) -> None:
    clock = Clocks().clock(country=country, opened_on=opened)

    assert clock is not None
    assert clock[:2] == (acknowledge_by, decide_by)


def test_a_clock_that_an_admin_changed_counts_for_what_is_opened_from_then_on() -> None:
    before = contested("10.00")
    DisputeClock.objects.filter(country="GB").update(acknowledge_days=1, decide_days=1)

    after = contested("10.00", of=before.account)

    assert before.decide_by == date(2026, 5, 5)
    assert (after.acknowledge_by, after.decide_by) == (TODAY + timedelta(days=1),) * 2


def test_a_market_without_any_clock_has_no_date() -> None:
    DisputeClock.objects.all().delete()

    assert contested().decide_by is None


# On its way ---------------------------------------------------------------------------------------------------------


def test_stages_are_moved_while_it_is_open_and_nothing_but_deciding_closes_it() -> None:
    dispute, nadia = contested(), make_agent()

    moved = disputes.move(dispute_id=dispute.pk, stage="billing", agent=nadia, **NOW)
    disputes.move(dispute_id=dispute.pk, stage="billing", agent=nadia, **NOW)

    assert moved.stage == "billing"
    assert kinds_of(dispute.account, kinds.DISPUTE_MOVED) == [kinds.DISPUTE_MOVED], "the same stage again is no news"
    for stage in ("closed", "new", "elsewhere"):
        with pytest.raises(CannotWorkDispute, match="looked into"):
            disputes.move(dispute_id=dispute.pk, stage=stage, agent=nadia, **NOW)
    assert decided(dispute).stage == "closed"
    with pytest.raises(CannotWorkDispute, match="contesting again is a new one"):
        disputes.move(dispute_id=dispute.pk, stage="reviewing", agent=nadia, **NOW)


def assigned(dispute: Dispute, to: Agent | None, by: Agent) -> Agent | None:
    return disputes.assign(dispute_id=dispute.pk, to=to, agent=by, **NOW).assigned_to


def test_everybody_takes_what_nobody_has_and_whoever_decides_gives_it_to_others() -> None:
    dispute, nadia, luis, lead = contested(), make_agent(), make_agent(), make_agent("team_lead")

    assert assigned(dispute, nadia, nadia) == nadia
    with pytest.raises(CannotWorkDispute, match="works on this dispute"):
        assigned(dispute, luis, luis)
    with pytest.raises(CannotWorkDispute, match="whoever decides them"):
        assigned(dispute, luis, nadia)
    assert assigned(dispute, luis, lead) == luis
    assert assigned(dispute, None, luis) is None


def test_it_is_given_to_nobody_who_does_not_see_the_account() -> None:
    north, south = make_team(), make_team()
    dispute = contested()
    make_item(dispute.account, team=north)

    for other in (make_agent(team=south), make_agent("finance"), make_agent(is_active=False)):
        with pytest.raises(CannotWorkDispute, match="does not work on this account"):
            assigned(dispute, other, make_agent("supervisor"))
    mine = make_agent(team=north)
    assert assigned(dispute, mine, make_agent("supervisor")) == mine


def test_notes_belong_to_the_dispute_and_to_the_account_and_hold_no_card() -> None:
    dispute = contested()

    written = disputes.note(dispute_id=dispute.pk, text=" billing says: 4 calls ", actor="agent:nadia", **NOW)

    assert (written.text, written.account, written.dispute) == ("billing says: 4 calls", dispute.account, dispute)
    with pytest.raises(CannotKeepCard):
        disputes.note(dispute_id=dispute.pk, text="paid with 4111 1111 1111 1111", actor="agent:nadia", **NOW)
    with pytest.raises(CannotWorkDispute, match="nothing in the note"):
        disputes.note(dispute_id=dispute.pk, text="  ", actor="agent:nadia", **NOW)


# The decision -------------------------------------------------------------------------------------------------------


def amounts(account: Account) -> Any:
    return Account.objects.values_list("overdue", "disputed").get(pk=account.pk)


def test_upheld_for_a_part_that_part_is_credited_and_the_rest_is_owed_again() -> None:
    dispute = contested("30.00")

    ended = decided(dispute, "upheld", credited=Decimal("12.50"), note="4 of 10 calls", told="Four calls were ours.")

    assert amounts(dispute.account) == (Decimal("87.50"), 0)
    credit = dispute.account.adjustments.get()
    assert (credit.amount, credit.dispute_ref, credit.ref[:12]) == (Decimal("-12.50"), dispute.ref, "desk-credit-")
    assert (ended.credited, ended.told, ended.note) == (Decimal("12.50"), "Four calls were ours.", "4 of 10 calls")
    told = dispute.account.events.get(kind=kinds.DISPUTE_RESOLVED).payload
    assert (told["credited"], told["rest"]) == ("12.50", "17.50")
    assert dispute_desk.credit_of(dispute) == credit


@pytest.mark.parametrize(
    ("outcome", "credited", "words"),
    [
        ("upheld", "30.01", "Only EUR 30.00 was contested"),
        ("upheld", "0", "more than nothing"),
        ("upheld", "1.005", "more decimals"),
        ("rejected", "5.00", "Only what is upheld is credited"),
    ],
)
def test_a_part_is_a_part(outcome: str, credited: str, words: str) -> None:
    dispute = contested("30.00")

    with pytest.raises(CannotResolve, match=words):
        decided(dispute, outcome, credited=Decimal(credited))

    assert amounts(dispute.account) == (70, 30)


def test_above_the_limit_whoever_opened_it_does_not_credit_it_alone(settings: Any) -> None:
    settings.DESK_DISPUTE_ALONE_UP_TO = {"EUR": "20"}
    first, second, third = contested("30.00"), contested("30.00"), contested("30.00")

    with pytest.raises(CannotResolve, match="ask somebody else") as refused:
        decided(first, "upheld", actor="agent:nadia")
    assert refused.value.code == "refused"
    assert decided(first, "upheld", credited=Decimal("20.00"), actor="agent:nadia").credited == 20
    assert decided(second, "rejected", actor="agent:nadia").outcome == "rejected", "nothing is given away"
    assert decided(third, "upheld", actor="agent:omar").credited == 30


def test_the_limit_is_by_currency_and_none_where_none_is_named(settings: Any) -> None:
    dispute = contested("30.00")
    alone: dict[str, Any] = {"dispute": dispute, "amount": Decimal(30), "actor": "agent:nadia"}

    for limits, currency, may in (
        ({"EUR": "30"}, "EUR", True),
        ({"EUR": "29"}, "EUR", False),
        ({"EUR": "29"}, "JPY", True),
        ({"*": "29"}, "JPY", False),
    ):
        settings.DESK_DISPUTE_ALONE_UP_TO = limits
        assert disputes.may_decide_alone(**alone, currency=currency) is may


# Letters ------------------------------------------------------------------------------------------------------------


def test_receipt_is_confirmed_a_minute_later_and_the_outcome_with_it() -> None:
    dispute = contested()

    assert letters(dispute) == ["dispute-received"]
    assert Notice.objects.get().send_at == moment() + timedelta(minutes=1)
    decided(dispute, "rejected")
    assert letters(dispute) == ["dispute-rejected"]
    assert letters(dispute, "withdrawn") == ["dispute-received"], "it had not left: one letter is enough"


def test_whoever_withdraws_knows_and_is_not_written_to() -> None:
    dispute = contested()

    decided(dispute, "withdrawn")

    assert letters(dispute) == []


def test_where_no_channel_reaches_them_a_person_tells_and_says_so() -> None:
    dispute = contested(of=unreachable())

    assert letters(dispute) == []
    disputes.acknowledge(dispute_id=dispute.pk, actor="agent:nadia", **NOW)
    dispute.refresh_from_db()
    assert dispute.acknowledged_on == TODAY


# Evidence -----------------------------------------------------------------------------------------------------------


def add(dispute: Dispute, name: str = "bill.pdf", content: bytes = b"") -> DisputeEvidence:
    return evidence.add(dispute_id=dispute.pk, name=name, content=content or pdf(), actor="agent:nadia", **NOW)


def test_a_file_is_kept_with_its_digest_and_the_same_one_once() -> None:
    dispute = contested()

    first = add(dispute)
    again = add(dispute, "other-name.pdf")

    assert first == again
    assert (first.content_type, first.size, len(first.sha256)) == ("application/pdf", len(pdf()), 64)
    assert kinds_of(dispute.account, kinds.EVIDENCE_ADDED) == [kinds.EVIDENCE_ADDED]
    payload = dispute.account.events.get(kind=kinds.EVIDENCE_ADDED).payload
    assert payload == {"dispute": dispute.ref, "evidence": first.pk, "type": "application/pdf", "size": len(pdf())}
    assert add(contested()).pk != first.pk, "of another dispute it is another"


def test_so_much_and_no_more(settings: Any) -> None:
    settings.DESK_EVIDENCE_FILES, settings.DESK_EVIDENCE_DISPUTE_MB, settings.DESK_EVIDENCE_FILE_MB = 3, 2, 1
    dispute = contested()
    half = pdf(b"(" + b"x" * 700_000 + b")")

    with pytest.raises(CannotTake, match="larger than 1 MB"):
        add(dispute, content=pdf(b"(" + b"x" * 1_100_000 + b")"))
    add(dispute, content=half)
    add(dispute, content=half + b"\n")
    with pytest.raises(CannotTake, match="2 MB at most"):
        add(dispute, content=half + b"\n\n")
    add(dispute, "a.txt", b"a")
    with pytest.raises(CannotTake, match="3 files at most"):
        add(dispute, "b.txt", b"b")


def test_several_files_are_kept_together_or_not_at_all() -> None:
    dispute = contested()
    files = [SimpleUploadedFile("a.txt", b"a"), SimpleUploadedFile("b.pdf", b"MZ")]

    with pytest.raises(CannotTake):
        evidence.add_files(dispute_id=dispute.pk, files=files, actor="agent:nadia", **NOW)

    assert not dispute.evidence.exists()


def test_a_decided_dispute_takes_no_more_files_and_a_text_no_card() -> None:
    dispute = contested()
    with pytest.raises(CannotTake, match=r"card number in a\.txt"):
        add(dispute, "a.txt", b"I paid with 4111 1111 1111 1111")
    decided(dispute)
    with pytest.raises(CannotTake, match="is decided"):
        add(dispute)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_small_picture_is_drawn_anew_without_what_else_was_in_the_file(kind: str) -> None:
    wide = picture(kind, (800, 200))
    kept = add(contested(), f"wide.{kind.lower()}", wide)

    small = evidence.redrawn(kept, longer_side=160)

    assert small is not None
    assert small[8:12] == b"WEBP"
    assert len(small) < 1000
    assert not evidence.has_thumbnail(add(kept.dispute, "b.pdf"))


# The list and its figures -------------------------------------------------------------------------------------------


def test_the_list_is_sorted_by_clock_and_narrowed() -> None:
    nadia = make_agent()
    india = contested("20.00", of=owing("100.00", customer=customer(country="IN")), reason="quality")
    first, second = contested("30.00"), contested("40.00")
    Dispute.objects.filter(pk=second.pk).update(decide_by=None)
    disputes.assign(dispute_id=first.pk, to=nadia, agent=nadia, **NOW)
    gone = contested("50.00")
    decided(gone)

    def refs(**wanted: Any) -> list[Dispute]:
        return list(dispute_desk.shown(nadia, **wanted))

    assert refs() == [india, first, second]
    assert refs(whose="mine") == [first]
    assert refs(whose="unassigned") == [india, second]
    assert refs(whose="closed") == [gone]
    assert refs(country="IN") == refs(reason="quality") == refs(most=Decimal(20)) == [india]
    assert refs(least=Decimal(30)) == [first, second]
    assert india.decide_by is not None
    counts = dispute_desk.counted(nadia, as_of=india.decide_by + timedelta(days=1))
    assert counts == {"mine": 1, "unassigned": 2, "all": 3, "closed": 1, "late": 1, "late_mine": 0}


def test_figures_say_how_long_decisions_took_and_how_many_were_upheld() -> None:
    for days, outcome, reason in ((2, "upheld", "roaming"), (4, "rejected", "roaming"), (90, "rejected", "quality")):
        dispute = contested(reason=reason)
        later = TODAY + timedelta(days=days)
        decided(dispute, outcome, as_of=later, at=moment(later))
    withdrawn = contested()
    decided(withdrawn, "withdrawn")

    every, roaming, quality = dispute_desk.figures(make_agent(), as_of=TODAY + timedelta(days=91))

    assert (every.reason, every.decided, every.median_days, round(every.upheld, 2)) == ("", 3, 4, 0.33)
    assert (roaming.reason, roaming.decided, roaming.median_days, roaming.upheld) == ("roaming", 2, 3, 0.5)
    assert (quality.in_time, round(every.in_time, 2)) == (0, 0.67)
    assert dispute_desk.figures(make_agent(), as_of=TODAY + timedelta(days=400)) == []


# Late ---------------------------------------------------------------------------------------------------------------


def run_day(on: date) -> None:
    journey.run_day(as_of=on, at=moment(on, hour=1))


def test_past_its_date_it_becomes_a_task_on_top_for_whoever_has_it_once() -> None:
    dispute, nadia, luis = contested(), make_agent(), make_agent()
    disputes.assign(dispute_id=dispute.pk, to=nadia, agent=nadia, **NOW)
    disputes.acknowledge(dispute_id=dispute.pk, actor="agent:nadia", **NOW)
    due = dispute.decide_by
    assert due is not None

    run_day(due)
    assert not WorkItem.objects.exists(), "its last day is not over"
    run_day(due + timedelta(days=1))
    run_day(due + timedelta(days=2))

    item = WorkItem.objects.get()
    assert (item.kind, item.kept_for, item.pinned_because) == (
        "task", nadia, f"A dispute of bill {dispute.bill_ref} was to be decided by {due}",
    )  # fmt: skip
    late = moment(due + timedelta(days=1), hour=1)
    assert queue.claim_next(agent=luis, at=late) is None, "theirs first"
    assert queue.claim_next(agent=nadia, at=late) == item
    queue.complete(item_id=item.pk, agent=nadia, at=late, outcome="looked at")
    run_day(due + timedelta(days=3))
    assert not WorkItem.objects.filter(done_at=None).exists(), "once"
    assert kinds_of(dispute.account, kinds.DISPUTE_RUN_OUT) == [kinds.DISPUTE_RUN_OUT]


def test_a_receipt_nobody_confirmed_is_late_too_and_a_letter_that_left_confirms_it() -> None:
    silent = contested(of=unreachable())
    written = contested()
    Notice.objects.filter(account=written.account).update(state="sent", sent_at=moment())
    due = silent.acknowledge_by
    assert due is not None

    run_day(due + timedelta(days=1))

    assert WorkItem.objects.get().account == silent.account
    written.refresh_from_db()
    assert written.acknowledged_on == due + timedelta(days=1)
    assert dispute_desk.late_in_all(as_of=due + timedelta(days=1)) == 0


def test_what_is_decided_is_not_late() -> None:
    dispute = contested()
    decided(dispute)
    assert dispute.decide_by is not None

    assert dispute_desk.tell_late(as_of=dispute.decide_by + timedelta(days=9), at=moment(), actor="desk") == 0
