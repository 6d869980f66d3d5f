"""A whole shift by keyboard alone: thirty accounts as the desk serves them, and all that comes between.

No mouse moves here and nothing is put into a field but by its keys. Every key is counted, from one served account to
the next; ``-s`` shows how many each took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts import holds
from accounts.models import Account, Hold
from agents.models import (
    Agent,
    Disposition,
    Dispute,
    IdentityCheck,
    Interaction,
    LiveCall,
    Plan,
    Promise,
    Settlement,
    Suggestion,
    Undo,
    WorkItem,
)
from tests.agents.test_views_browser import HEIGHT, WIDTH, browser, desk
from tests.agents.test_views_call import _where_it_is_noon
from tests.factories import make_agent, make_customer, make_item, make_service, owing

__all__ = ["browser", "desk"]

ACCOUNTS = 30
#: "No answer, next" takes no more than that.
MOST_KEYS = 12
#: A busy machine is slow, and no less right.
PATIENCE = 30_000
PASSWORD = "opens the desk in the morning"

#: What happens beside the outcome, on these.
PAYDAY, READ_BACK, UNCHECKED = "by payday", "read back", "unchecked first"
ACCEPTED, DECLINED = "accepts", "declines"
SLIP, LOST, CLOSED, OFFLINE = "a slip", "lost lease", "closed laptop", "no network"
INCIDENTS = (
    ("rpc_plan", PAYDAY), ("rpc_promise", READ_BACK), ("rpc_refused", UNCHECKED),
    ("no_answer", ACCEPTED), ("busy", DECLINED), ("voicemail", SLIP),
    ("no_answer", LOST), ("voicemail", CLOSED), ("no_answer", OFFLINE),
)  # fmt: skip
Asks = Disposition.Asks


@dataclass
class Turn:
    """One account: what its call comes to, what happens meanwhile, and how many keys it took."""

    account: Account
    outcome: Disposition
    incident: str = ""
    keys: int = 0

    @property
    def name(self) -> str:
        return str(self.account.customer.name)


@dataclass
class Hands:
    """A keyboard that counts."""

    page: Page
    pressed: int = 0

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.pressed += 1

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.pressed += len(text)

    def on(self, selector: str) -> Locator:
        """What has the focus there; waited for."""
        found = self.page.locator(f"{selector}:focus")
        expect(found).to_have_count(1)
        return found

    def reach(self, selector: str, key: str = "Tab") -> None:
        """Press ``key`` until the focus is there."""
        wanted = self.page.locator(selector).first
        expect(wanted).to_be_visible()
        for _ in range(60):
            if wanted.evaluate("one => one === document.activeElement"):
                return
            self.press(key)
        pytest.fail(f"{selector} is not reached by {key}")

    def settled(self) -> None:
        """Nothing is under way any more: every answer is in its place."""
        self.page.wait_for_function(
            """() => document.readyState === "complete" && !document.body.classList.contains("waiting")
                && !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")"""
        )


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def own_outcome(committed: None) -> Iterator[Disposition]:
    """An outcome that an administrator added: worked like any other, with no line of code."""
    row, _ = Disposition.objects.update_or_create(
        code="asks_for_letter",
        defaults={
            "label": "Wants it in writing", "position": 300, "connected": True, "conversation": True,
            "right_party": True, "result": "answered_right_party", "phone": "good", "next_contact_hours": 96,
        },
    )  # fmt: skip
    yield row
    row.delete()


@pytest.fixture
def turns(committed: None, own_outcome: Disposition) -> list[Turn]:
    """The book: every active outcome once, what happens besides, and for the rest nobody answers."""
    known = {row.code: row for row in Disposition.objects.filter(active=True).order_by("position", "code")}
    assert own_outcome.code in known
    wanted = [(row, "") for row in known.values()]
    wanted += [(known[code], incident) for code, incident in INCIDENTS]
    wanted += [(known["no_answer"], "")] * (ACCOUNTS - len(wanted))
    noon = _where_it_is_noon()
    return [
        Turn(late_account(place, outcome, noon, score=10_000 - place), outcome, incident)
        for place, (outcome, incident) in enumerate(wanted)
    ]


def late_account(place: int, outcome: Disposition, noon: str, *, score: int) -> Account:
    """Somebody who may be called at this hour, wherever that is, on a number that is nobody else's."""
    customer = make_customer(
        name=f"Frida {place + 1:02}", country="BR", timezone=noon, phone=f"+5511987654{place:03}",
        postal_code="01310-100", email=f"frida{place}@example.org", language="en",
    )  # fmt: skip
    owed = ("1000.00",) if outcome.asks == Asks.SETTLEMENT else ("100.00", "60.00")
    account = owing(*owed, as_of=timezone.now().date(), customer=customer)
    # As much a month as is owed: the desk suggests a call rather than instalments.
    make_service(account, number=f"+551133334{place:03}", monthly_fee=Decimal("1000.00"))
    make_item(account, score=score)
    return account


def somebody(username: str, name: str) -> Agent:
    person = make_agent(username=username, first_name=name)
    person.set_password(PASSWORD)
    person.save(update_fields=["password"])
    return person


class Shift:
    """An agent at the keyboard, from signing in to the empty queue."""

    def __init__(self, browser: Any, desk: str, turns: list[Turn]) -> None:
        self.browser, self.desk, self.turns = browser, desk, turns
        self.errors: list[str] = []
        self.nadia, self.luis = somebody("nadia", "Nadia"), somebody("luis", "Luis")
        self.hands = self.signed_in(self.nadia)

    @property
    def page(self) -> Page:
        return self.hands.page

    def signed_in(self, person: Agent) -> Hands:
        """A machine of its own, where that person types name and password."""
        context = self.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{self.desk}/login/")
        hands = Hands(page)
        hands.reach("#id_username")
        hands.type(person.username)
        hands.reach("#id_password")
        hands.type(PASSWORD)
        hands.press("Enter")
        page.wait_for_url("**/queue/")
        hands.on("[data-key=n]")
        hands.settled()
        return hands

    # --- from one account to the next ---------------------------------------------------------------------------------

    def work(self) -> None:
        print()
        self.hands.press("n")
        for place, turn in enumerate(self.turns):
            self.served(turn)
            self.hands.pressed, began = 0, time.monotonic()
            following = self.turns[place + 1] if place + 1 < len(self.turns) else None
            self.talk(turn, following)
            if following is None:
                self.page.wait_for_url("**/queue/")
            else:
                self.served(following)
            turn.keys = self.hands.pressed
            took = time.monotonic() - began
            print(f"{turn.name}  {turn.outcome.label:26} {turn.incident:16} {turn.keys:3} keys {took:5.1f} s")

    def served(self, turn: Turn) -> None:
        """That account is on the screen, and everything listens."""
        expect(self.page.locator("h1")).to_have_text(turn.name)
        self.hands.settled()

    def talk(self, turn: Turn, following: Turn | None) -> None:
        hands, outcome = self.hands, turn.outcome
        if turn.incident in (ACCEPTED, DECLINED):
            self.answer_suggestion(turn)
        if turn.incident == LOST:
            self.lose_and_regain(turn)
        elif turn.incident != ACCEPTED:
            hands.press("c")
        self.dial()
        if turn.incident == UNCHECKED:
            self.refused_unchecked(turn)
        if outcome.right_party:
            self.check_identity()
            if turn.incident == READ_BACK:
                self.promise()
            hands.press("a")
            expect(self.page.locator("[data-live=ended]")).to_be_visible()
            hands.settled()
        if turn.incident == SLIP:
            self.slip(turn, following)
        self.choose(outcome)
        self.fill(turn)
        if turn.incident == CLOSED:
            self.close_laptop(turn)
        if turn.incident == OFFLINE:
            self.save_offline(turn)
            return
        self.hands.press("Control+Enter")
        if outcome.asks in FOLLOWED:
            FOLLOWED[outcome.asks](self, turn)

    # --- the call -----------------------------------------------------------------------------------------------------

    def dial(self) -> None:
        expect(self.page.locator("[data-dial]")).to_be_visible()
        self.hands.settled()
        self.hands.press("Enter")
        expect(self.page.locator("[data-live=dialled]")).to_be_visible()
        self.hands.settled()
        self.hands.on("#outcome [name=disposition]")

    def check_identity(self) -> None:
        """The name, and as many details as the desk wants; nothing is disclosed before."""
        self.hands.press("v")
        self.hands.on("#identity-form [data-detail=full_name] input")
        for _ in range(1 + settings.DESK_IDENTITY_DETAILS):
            self.hands.press("m")
        expect(self.page.locator("#live")).to_contain_text("Verified")
        self.hands.settled()
        self.hands.on("#outcome [name=disposition]")

    def choose(self, outcome: Disposition) -> None:
        """By its digit; without one, by Shift and its first letter as often as it takes."""
        if outcome.key:
            self.hands.press(outcome.key)
        for _ in range(12):
            chosen = self.page.evaluate("(document.querySelector('#outcome [name=disposition]:checked') || {}).value")
            if chosen == outcome.code:
                break
            self.hands.press(f"Shift+{outcome.label[0].upper()}")
        self.hands.on(f"#outcome [name=disposition][value={outcome.code}]:checked")

    def fill(self, turn: Turn) -> None:
        hands, outcome = self.hands, turn.outcome
        if outcome.asks == Asks.PROMISE and turn.incident != READ_BACK:
            hands.reach("#outcome [name=amount]")
            hands.type("40.00")
            self.day("#outcome [name=due_on]", timezone.now().date() + timedelta(days=5))
        if outcome.asks == Asks.CALLBACK:
            tomorrow = timezone.now().date() + timedelta(days=1)
            hands.reach("#outcome [name=callback_at]")
            hands.type(f"{tomorrow:%m%d%Y}")
            hands.press("Tab")
            hands.type("0130P")
            expect(self.page.locator("#outcome [name=callback_at]")).to_have_value(f"{tomorrow.isoformat()}T13:30")
        if outcome.asks_reason:
            hands.reach("#id_nonpayment_reason")
            hands.press("L")
            expect(self.page.locator("#id_nonpayment_reason")).to_have_value("job_lost")

    def day(self, selector: str, on: date) -> None:
        self.hands.reach(selector)
        self.hands.type(f"{on:%m%d%Y}")
        expect(self.page.locator(selector)).to_have_value(on.isoformat())

    def promise(self) -> None:
        """Read back and agreed to while they are on the line; what the call came to is said afterwards."""
        self.hands.press("p")
        self.panel("promise")
        self.hands.on("#id_amount")
        self.hands.type("40.00")
        expect(self.page.locator(".readback")).to_contain_text("40.00")
        self.agreed()
        expect(self.page.locator(".toast", has_text="Promise noted")).to_be_visible()
        self.panel("call")
        self.hands.on("#outcome [name=disposition]")

    # --- what an outcome opens ----------------------------------------------------------------------------------------

    def panel(self, act: str) -> None:
        expect(self.page.locator(f"#work-form[data-act={act}]")).to_be_visible()
        self.hands.settled()

    def agreed(self) -> None:
        """It was read to them, and they say yes."""
        expect(self.page.locator(".readback")).to_be_visible()
        self.hands.settled()
        self.hands.press("a")
        expect(self.page.locator("#id_agreed")).to_be_checked()
        self.hands.press("Control+Enter")

    def plan(self, turn: Turn) -> None:
        hands = self.hands
        self.panel("plan")
        hands.on("#id_count")
        if turn.incident == PAYDAY:
            hands.reach("[name=by]:checked", "Shift+Tab")
            for _ in range(3):
                hands.press("ArrowRight")
                if self.page.locator("[name=by][value=payday]").is_checked():
                    break
            hands.reach("#id_count")
        hands.press("Control+a")
        hands.type("2" if turn.incident == PAYDAY else "4")
        if turn.incident == PAYDAY:
            hands.reach("#id_payday")
            hands.type("28")
        expect(self.page.locator(".schedule tr")).to_have_count(2 if turn.incident == PAYDAY else 4)
        self.agreed()

    def dispute(self, turn: Turn) -> None:
        self.panel("dispute")
        self.hands.on("#id_bill")
        self.hands.reach("#work-form #id_note")
        self.hands.type("I was on a ferry")
        self.hands.press("Control+Enter")

    def hardship(self, turn: Turn) -> None:
        self.panel("hardship")
        # A day's letters are keys of it: the yes is said from there.
        self.hands.on("#id_review_on")
        self.agreed()

    def settlement(self, turn: Turn) -> None:
        self.panel("settlement")
        self.hands.on("#id_amount")
        self.hands.press("Control+a")
        self.hands.type("600.00")
        expect(self.page.locator("#quote")).to_contain_text("40.00 % off")
        expect(self.page.locator("#quote")).to_contain_text("must agree; everything holds meanwhile")
        self.agreed()

    # --- what comes between -------------------------------------------------------------------------------------------

    def answer_suggestion(self, turn: Turn) -> None:
        expect(self.page.locator("#suggestion")).to_contain_text("Call now")
        if turn.incident == ACCEPTED:
            self.hands.press("y")
            expect(self.page.locator("#suggestion")).to_contain_text("Accepted at")
            return
        self.hands.press("x")
        expect(self.page.locator("#suggestion")).to_contain_text("Declined at")
        self.hands.settled()
        self.hands.reach("#suggestion [name=because][value=not_now]")
        self.hands.press("Enter")
        expect(self.page.locator("#suggestion [name=because]")).to_have_count(0)
        self.hands.settled()

    def refused_unchecked(self, turn: Turn) -> None:
        """Nobody was asked who they are: the desk keeps nothing of a conversation with them."""
        self.choose(turn.outcome)
        self.hands.press("Control+Enter")
        expect(self.page.locator("#work-form [role=alert]")).to_contain_text("Nobody is verified in this call yet")
        assert not Interaction.objects.filter(account=turn.account).exists()
        self.hands.settled()
        self.hands.on("#outcome [name=disposition]")

    def slip(self, turn: Turn, following: Turn | None) -> None:
        """Saved as "no answer", seen from the next account, taken back."""
        assert following is not None
        self.hands.press("1")
        self.hands.press("Control+Enter")
        self.served(following)
        self.hands.press("Control+z")
        expect(self.page.locator(".toast", has_text="Taken back: Call logged: no answer")).to_be_visible()
        self.hands.press("g")
        self.served(turn)
        expect(self.page.locator("[data-live=ended]")).to_be_visible()
        self.hands.on("#outcome [name=disposition]")

    def kept(self, hands: Hands, words: str, write: Callable[[], None]) -> None:
        """What was typed has reached the desk."""

        def holds_it(response: Any) -> bool:
            return response.url.endswith("/keep/") and response.ok and words in (response.request.post_data or "")

        with hands.page.expect_response(holds_it):
            write()

    def close_laptop(self, turn: Turn) -> None:
        words = "Left word with a neighbour"
        self.hands.reach("#id_note")
        self.kept(self.hands, words, lambda: self.hands.type(words))
        self.page.context.close()

        counted = self.hands.pressed
        self.hands = self.signed_in(self.nadia)
        self.hands.pressed += counted
        expect(self.page.locator(".note.warn")).to_contain_text(f"You were on the phone with {turn.name}")
        self.hands.press("n")
        self.served(turn)
        expect(self.page.locator("#id_note")).to_have_value(words)
        expect(self.page.locator(f"#outcome [value={turn.outcome.code}]")).to_be_checked()

    def lose_and_regain(self, turn: Turn) -> None:
        """Her quarter of an hour is over and a colleague opens the account: told by whom, and no word is lost."""
        words, more = "Try her sister", " after six"
        self.hands.press("c")
        expect(self.page.locator("[data-dial]")).to_be_visible()
        self.hands.settled()
        self.hands.reach("#id_note")
        self.kept(self.hands, words, lambda: self.hands.type(words))
        WorkItem.objects.filter(account=turn.account).update(lease_until=timezone.now() - timedelta(seconds=1))

        luis = self.signed_in(self.luis)
        luis.press("Control+k")
        luis.type(turn.name)
        expect(luis.page.locator("#palette [aria-selected=true]")).to_contain_text(turn.name)
        luis.press("Enter")
        expect(luis.page.locator("h1")).to_have_text(turn.name)
        luis.settled()
        luis.press("c")
        expect(luis.page.locator("#id_note")).to_have_value(words)

        self.hands.type(more)
        told = self.page.locator(".toast.error", has_text="Luis")
        expect(told.first).to_be_visible()
        expect(self.page.locator("#id_note")).to_have_value(words + more)

        luis.press("Escape")
        luis.on("[data-key=c]")
        luis.press("q")
        luis.page.wait_for_url("**/queue/")
        luis.page.context.close()
        self.hands.press("F6")
        self.hands.reach(f".toast a[href='/accounts/{turn.account.ref}/']")
        self.hands.press("Enter")
        expect(self.page.locator(".toast", has_text="Luis took over")).to_be_visible()
        self.served(turn)
        expect(self.page.locator(".toast", has_text="You were typing here")).to_be_visible()
        self.hands.press("f")
        expect(self.page.locator("#id_note")).to_have_value(words + more)

    def save_offline(self, turn: Turn) -> None:
        self.page.context.set_offline(True)
        self.hands.press("Control+Enter")
        expect(self.page.locator(".toast", has_text="Not sent yet")).to_be_visible()
        assert not Interaction.objects.filter(account=turn.account).exists()
        self.page.context.set_offline(False)


FOLLOWED: dict[str, Callable[[Shift, Turn], None]] = {
    Asks.PLAN: Shift.plan,
    Asks.DISPUTE: Shift.dispute,
    Asks.HARDSHIP: Shift.hardship,
    Asks.SETTLEMENT: Shift.settlement,
}


def test_a_shift_of_thirty_accounts_by_keyboard_alone(browser: Any, desk: str, turns: list[Turn]) -> None:
    assert len(turns) >= ACCOUNTS
    began = timezone.now()
    shift = Shift(browser, desk, turns)
    shift.work()

    assert shift.errors == []
    at_most = {turn.name: turn.keys for turn in turns if turn.outcome.code == "no_answer" and not turn.incident}
    assert at_most
    assert max(at_most.values()) <= MOST_KEYS, at_most

    for turn in turns:
        worked_once(turn, shift.nadia)
    assert Interaction.objects.filter(undone_at=None).count() == len(turns)
    assert not LiveCall.objects.exclude(state=LiveCall.State.LOGGED).exists()
    assert not WorkItem.objects.filter(done_at=None).exclude(claimed_by=None).exists()
    what_was_agreed(turns, shift.nadia, began.date())


def worked_once(turn: Turn, nadia: Agent) -> None:
    """One call with its outcome, and somebody or something comes back to the account, or it is done."""
    account, outcome, now = turn.account, turn.outcome, timezone.now()
    calls = Interaction.objects.filter(account=account)
    stands = calls.get(undone_at=None)
    assert (stands.disposition, stands.agent, stands.number) == (outcome.code, nadia, account.customer.phone), turn.name
    assert stands.right_party or not outcome.right_party, turn.name
    assert calls.exclude(pk=stands.pk).count() == (1 if turn.incident == SLIP else 0), turn.name
    assert LiveCall.objects.get(account=account).interaction == stands, turn.name
    checked = IdentityCheck.objects.filter(account=account, agent=nadia, passed=True).exists()
    assert checked == outcome.right_party, turn.name
    assert outcome.right_party or not outcome.asks, "nothing is agreed with a stranger"

    item = WorkItem.objects.get(account=account, kind=WorkItem.Kind.COLLECT)
    assert item.draft == {}, turn.name
    if item.done_at is not None:
        assert item.done_by == nadia, turn.name
        assert item.outcome in {outcome.code, outcome.asks}, turn.name
    else:
        assert item.claimed_by is None, turn.name
        assert item.not_before is not None, turn.name
        assert item.not_before > now, turn.name
        assert item.outcome == outcome.code, turn.name
        hours = outcome.next_contact_hours
        if hours is not None:
            expected = stands.at + timedelta(hours=hours)
            assert abs(item.not_before - expected) < timedelta(minutes=5), turn.name
    if outcome.hold_reason:
        assert in_force(account, outcome.hold_reason), turn.name


def in_force(account: Account, reason: str) -> bool:
    return holds.in_force(account_id=account.pk, as_of=timezone.now().date()).filter(reason=reason).exists()


def what_was_agreed(turns: list[Turn], nadia: Agent, today: date) -> None:
    def whose(asks: str, incident: str = "") -> Account:
        return next(turn.account for turn in turns if (turn.outcome.asks, turn.incident) == (asks, incident))

    by_count = Plan.objects.get(account=whose(Asks.PLAN))
    by_payday = Plan.objects.get(account=whose(Asks.PLAN, PAYDAY))
    for plan in (by_count, by_payday):
        assert (plan.status, plan.agreed_by) == (Plan.Status.ACTIVE, "phone")
        assert plan.read_back
        assert in_force(plan.account, Hold.Reason.PLAN)
    assert by_count.instalments.count() == 4
    assert {row.due_on.day for row in by_payday.instalments.all()} == {28}

    on_the_bar = Promise.objects.get(account=whose(Asks.PROMISE))
    read_back = Promise.objects.get(account=whose(Asks.PROMISE, READ_BACK))
    assert Promise.objects.count() == 2
    for promise in (on_the_bar, read_back):
        assert (promise.amount, promise.status) == (Decimal(40), Promise.Status.OPEN)
        assert in_force(promise.account, Hold.Reason.PROMISE)
    assert read_back.agreed_by == "phone"
    assert read_back.read_back.startswith("You will pay €40.00 by ")

    dispute = Dispute.objects.get()
    assert (dispute.account, dispute.note) == (whose(Asks.DISPUTE), "I was on a ferry")
    assert in_force(dispute.account, Hold.Reason.DISPUTE)

    settlement = Settlement.objects.get()
    assert (settlement.account, settlement.amount) == (whose(Asks.SETTLEMENT), Decimal(600))
    assert settlement.status == Settlement.Status.PENDING_APPROVAL
    assert settlement.hold is not None
    assert settlement.hold.lifted_on is None
    assert in_force(settlement.account, Hold.Reason.PROMISE)
    waits = WorkItem.objects.get(kind=WorkItem.Kind.APPROVAL)
    assert (waits.account, waits.done_at) == (settlement.account, None)

    callback = Interaction.objects.get(account=whose(Asks.CALLBACK))
    item = WorkItem.objects.get(account=callback.account)
    assert (item.not_before, item.kept_for) == (callback.callback_at, nadia)

    answers = Suggestion.objects.exclude(answer="").values_list("account", "answer", "declined_because")
    by_incident = {turn.incident: turn.account.pk for turn in turns}
    assert set(answers) == {(by_incident[ACCEPTED], "accepted", ""), (by_incident[DECLINED], "declined", "not_now")}

    assert Undo.objects.exclude(undone_at=None).get().account_id == by_incident[SLIP]
    notes = dict(Interaction.objects.filter(undone_at=None).exclude(note="").values_list("account", "note"))
    assert notes == {by_incident[LOST]: "Try her sister after six", by_incident[CLOSED]: "Left word with a neighbour"}
