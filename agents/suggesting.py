"""What to do next with one account: every act that is open now, what it should bring, and why. Pure: no rows, no clock.

An act is worth its chance times what it is about, less what it costs, in the account's currency. The chances are
counted from what such acts brought on this desk (``call_effects``, ``act_effects``); few of them are drawn towards a
first guess that is said to be one. Each reason carries its own worth, and the worths sum to the whole. Exactly one act
is on top; of equal ones that which harms least. Who needs care is offered help, and is never pressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts import money
from agents import instalments
from agents.chances import Chance

# The acts, in the order of the harm they do, least first: of two that are worth the same the first is suggested.
SPECIALIST, HARDSHIP, DISPUTE, WAIT = "specialist", "hardship", "dispute", "wait"
EXTENSION, INSTALMENTS, PROMISE, LINK = "extension", "instalments", "promise", "link"
CALL_NOW, CALL_LATER, LETTER, SETTLEMENT, GIVE_UP = "call_now", "call_later", "letter", "settlement", "give_up"
ACTS = (
    SPECIALIST, HARDSHIP, DISPUTE, WAIT, EXTENSION, INSTALMENTS, PROMISE, LINK, CALL_NOW, CALL_LATER, LETTER,
    SETTLEMENT, GIVE_UP,
)  # fmt: skip
TITLES = {
    SPECIALIST: "Hand to a specialist",
    HARDSHIP: "Offer the hardship programme",
    DISPUTE: "Look into the dispute",
    WAIT: "Wait",
    EXTENSION: "Offer more time",
    INSTALMENTS: "Offer instalments",
    PROMISE: "Ask for a promise",
    LINK: "Send the payment link",
    CALL_NOW: "Call now",
    CALL_LATER: "Call later",
    LETTER: "Write a letter, check the address",
    SETTLEMENT: "Offer a settlement",
    GIVE_UP: "Propose an agency or a write-off",
}
#: What may be suggested for somebody who needs care, or is in hardship.
GENTLE = frozenset({SPECIALIST, HARDSHIP, DISPUTE, WAIT, EXTENSION, INSTALMENTS})

# What effects are counted under.
CURE, MESSAGE, PLAN, ALL = "cure", "message", "plan", "all"
#: A band with few tries is worth so many tries of the first guess.
GUESS_WEIGHS = 20
#: First guesses, as long as nothing is counted: of such acts so many bring the money.
GUESSES: Mapping[str, float] = {
    "call": 0.15, PROMISE: 0.5, PLAN: 0.55, EXTENSION: 0.4, SETTLEMENT: 0.5, MESSAGE: 0.06, "letter": 0.03,
}  # fmt: skip
CURE_GUESSES: Mapping[str, float] = {"1-30": 0.35, "31-60": 0.15, "61-90": 0.07, "91-120": 0.04, "120+": 0.02}
#: Nothing was reached by so many calls in a row.
UNANSWERED = 4
#: What an agency brings of an old debt after its commission.
AGENCY_BRINGS = 0.06
#: Each day that an act waits, its chance is so much less.
A_DAY_LATER = 0.98
SETTLES_FROM_DAYS, GIVES_UP_FROM_DAYS = 90, 150
#: As many instalments as an agent offers alone, and how much of a month's fees one of them may be.
MOST_PARTS, FEES_A_PART = 6, Decimal(2)
PROMISES_WITHIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Share:
    """Of so many tries so many worked."""

    tried: int = 0
    worked: int = 0

    def rate(self, guess: float) -> float:
        """The share, drawn towards the guess as long as there is little behind it."""
        return (self.worked + GUESS_WEIGHS * guess) / (self.tried + GUESS_WEIGHS)

    @property
    def counted(self) -> str:
        return f"{self.worked} of {self.tried}" if self.tried else "a first guess: none was counted yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an account when somebody opens it."""

    as_of: date
    at: datetime
    currency: str
    #: Past due, undisputed.
    overdue: Decimal
    disputed: Decimal = Decimal(0)
    days_past_due: int = 0
    bucket: str = ""
    #: What the services bring in a month.
    monthly_fee: Decimal = Decimal(0)
    #: May they be called now; if not, from when, and why not.
    may_call: bool = False
    call_from: datetime | None = None
    call_because: str = ""
    phones: int = 0
    #: Channels on which they can be written to.
    channels: frozenset[str] = frozenset()
    #: They are on the line, and it is them.
    on_the_line: bool = False
    chance: Chance | None = None
    #: The hour of their day in which they answer best, how well, how well now, and why.
    best_hour: int | None = None
    best_rate: float = 0.0
    rate_now: float = 0.0
    best_why: str = ""
    hour_now: int = 12
    unanswered: int = 0
    promises_kept: int = 0
    promises_broken: int = 0
    #: What stands: amount and day of an open promise, a plan that runs, the last day of more time, of a settlement.
    promise: tuple[Decimal, date] | None = None
    next_instalment: tuple[Decimal, date] | None = None
    extended_until: date | None = None
    settles_by: date | None = None
    #: A payment that is on its way, until when it is waited for.
    in_flight_until: date | None = None
    #: low, medium, high: the needs that are noted.
    care: frozenset[str] = frozenset()
    crisis: bool = False
    in_hardship: bool = False
    #: Why nothing may be asked of them: bankruptcy, a death, a lawyer; empty where something may.
    untouchable: str = ""
    #: They have somebody who speaks for them.
    represented: bool = False
    decide_by: date | None = None
    #: With an agency already, or given up.
    is_placed: bool = False
    has_case: bool = True
    #: What may be let go of alone, in percent.
    may_let_go: Decimal = Decimal(0)
    effects: Mapping[tuple[str, str], Share] = field(default_factory=dict)
    #: What each act costs, in the account's currency.
    costs: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words, and what it is worth in the account's currency."""

    name: str
    text: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """One act that is open: what it should bring, why, and the terms its form begins with."""

    action: str
    says: str
    reasons: tuple[Reason, ...]
    terms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES[self.action]

    @property
    def expected(self) -> Decimal:
        return sum((reason.value for reason in self.reasons), Decimal(0))


def suggest(facts: Facts) -> Candidate:
    """The one act to do next."""
    return candidates(facts)[0]


def candidates(facts: Facts) -> list[Candidate]:
    """Every act that is open, the one to do next first; never none."""
    if (only := _only(facts)) is not None:
        return [only]
    found = [candidate for candidate in _open(facts) if candidate is not None]
    if facts.care or facts.in_hardship:
        found = [candidate for candidate in found if candidate.action in GENTLE]
        help_first = facts.care & {"medium", "high"} or facts.in_hardship
        if help_first:
            found = [candidate for candidate in found if candidate.action in (SPECIALIST, HARDSHIP, DISPUTE)] or found
    return sorted(found, key=lambda one: (-one.expected, ACTS.index(one.action)))


def _only(facts: Facts) -> Candidate | None:
    """What leaves no choice: people come before money, and what is agreed or forbidden is left alone."""
    if facts.crisis:
        return _plainly(SPECIALIST, "Somebody may be in danger: speak to them now, about nothing else.", "crisis")
    if facts.untouchable:
        return _plainly(WAIT, f"{facts.untouchable}: nothing may be asked of them.", "held")
    if facts.represented:
        return _plainly(SPECIALIST, "Somebody speaks for them: what there is to say goes through them.", "represented")
    if facts.is_placed:
        return _plainly(WAIT, "Somebody else collects this.", "placed")
    if facts.overdue <= 0 and facts.disputed <= 0:
        return _plainly(WAIT, "Nothing is past due.", "nothing")
    if facts.in_flight_until is not None:
        return _wait(facts, facts.overdue, 0.8, f"A payment is on its way, waited for until {facts.in_flight_until}")
    if facts.promise is not None:
        amount, due_on = facts.promise
        share = _of_promises(facts)
        said = f"They promised {_said(facts, amount)} by {_day(due_on)}; {_percent(share.rate(_guess(PROMISE)))} of "
        return _wait(
            facts, amount, share.rate(_guess(PROMISE)), f"{said}such promises are kept ({share.counted})", until=due_on
        )
    if facts.next_instalment is not None:
        amount, due_on = facts.next_instalment
        share = facts.effects.get((PLAN, ALL), Share())
        said = f"Their plan runs: {_said(facts, amount)} is due {_day(due_on)}"
        rate = share.rate(_guess(PLAN))
        return _wait(facts, amount, rate, f"{said}; {_percent(rate)} of plans are kept ({share.counted})", until=due_on)
    if (until := facts.settles_by or facts.extended_until) is not None:
        what = "A settlement is offered" if facts.settles_by else "They have time to pay"
        return _wait(facts, facts.overdue, _guess(EXTENSION), f"{what} until {_day(until)}", until=until)
    return None


def _open(facts: Facts) -> list[Candidate | None]:
    always = [_specialist(facts), _hardship(facts), _dispute(facts), _cure(facts)]
    if facts.overdue <= 0:
        return always
    return [
        *always,
        _extension(facts),
        _instalments(facts),
        _promise(facts),
        _link(facts),
        _call_now(facts),
        _call_later(facts),
        _letter(facts),
        _settlement(facts),
        _give_up(facts),
    ]


# Each act -------------------------------------------------------------------------------------------------------------


def _specialist(facts: Facts) -> Candidate | None:
    if "high" not in facts.care:
        return None
    return _plainly(SPECIALIST, "What they need is for a trained person to hear.", "care")


def _hardship(facts: Facts) -> Candidate | None:
    if not (facts.in_hardship or facts.care & {"medium", "high"}):
        return None
    rate = facts.effects.get((PLAN, ALL), Share()).rate(_guess(PLAN))
    reasons = (
        _worth("care", "They need support: what they can pay comes before what they owe", facts.overdue * _d(rate) / 2),
    )
    return Candidate(HARDSHIP, "Smaller instalments, and nothing is asked meanwhile.", reasons)


def _dispute(facts: Facts) -> Candidate | None:
    if facts.disputed <= 0:
        return None
    near = facts.decide_by is not None and facts.decide_by <= facts.as_of + timedelta(days=3)
    # Half of what is contested is owed after all, until this desk knows better.
    reasons = [
        _worth("disputed", f"{_said(facts, facts.disputed)} waits for our answer, about half of it is owed after all",
               facts.disputed / 2),
    ]  # fmt: skip
    if near and facts.decide_by is not None:
        reasons.append(_worth("clock", f"The answer is due {_day(facts.decide_by)}", facts.disputed / 2))
    reasons.append(_cost(facts, DISPUTE))
    return Candidate(DISPUTE, "Find out whether they are right, and answer.", _kept(reasons))


def _cure(facts: Facts) -> Candidate | None:
    share, rate = _cures(facts)
    said = f"{_percent(rate)} of accounts {facts.bucket or 'few'} days past due pay within a fortnight by themselves"
    return _wait(facts, facts.overdue, rate, f"{said} ({share.counted})")


def _cures(facts: Facts) -> tuple[Share, float]:
    share = facts.effects.get((CURE, facts.bucket), Share())
    return share, share.rate(CURE_GUESSES.get(facts.bucket, 0.1))


def _others(facts: Facts, reach: float) -> Reason:
    """Whoever is not reached may pay all the same: an act is worth that on top of what it brings."""
    _, rate = _cures(facts)
    return _worth("cure", f"Of the others {_percent(rate)} pay by themselves", facts.overdue * _d(1 - reach) * _d(rate))


def _extension(facts: Facts) -> Candidate | None:
    if facts.promises_broken or facts.days_past_due > 60 or (reach := _contact(facts)) is None:
        return None
    share = facts.effects.get((EXTENSION, ALL), Share())
    until = facts.as_of + timedelta(days=14)
    reasons = [
        *_reached(facts, reach),
        _less(
            "time", f"{_percent(share.rate(_guess(EXTENSION)))} pay in the time they are given ({share.counted})",
            facts.overdue * _d(reach), share.rate(_guess(EXTENSION)),
        ),
        _others(facts, reach),
        _cost(facts, CALL_NOW, unless=facts.on_the_line),
    ]  # fmt: skip
    return Candidate(EXTENSION, f"Until {_day(until)}: nothing is asked before.", _kept(reasons), {"until": until})


def _instalments(facts: Facts) -> Candidate | None:
    if (reach := _contact(facts)) is None or (parts := _parts(facts)) is None:
        return None
    share = facts.effects.get((PLAN, ALL), Share())
    rate = share.rate(_guess(PLAN))
    reasons = [
        *_reached(facts, reach),
        _less("plan", f"{_percent(rate)} of plans are kept ({share.counted})", facts.overdue * _d(reach), rate),
        _others(facts, reach),
        _cost(facts, CALL_NOW, unless=facts.on_the_line),
    ]
    first = parts[0]
    says = f"{len(parts)} monthly instalments of {_said(facts, first.amount)}, the first on {_day(first.due_on)}"
    terms = {"count": len(parts), "first_on": first.due_on, "every": "month"}
    return Candidate(INSTALMENTS, f"{says}.", _kept(reasons), terms)


def _promise(facts: Facts) -> Candidate | None:
    if not facts.on_the_line:
        return None
    rate, said = _keeps(facts)
    due_on = facts.as_of + PROMISES_WITHIN
    reasons = [_worth("line", f"They are on the line about {_said(facts, facts.overdue)}", facts.overdue)]
    reasons += _keeping(facts, facts.overdue, rate, said)
    says = f"{_said(facts, facts.overdue)} by {_day(due_on)}."
    return Candidate(PROMISE, says, _kept(reasons), {"amount": facts.overdue, "due_on": due_on})


def _link(facts: Facts) -> Candidate | None:
    channel = next((one for one in ("sms", "email") if one in facts.channels), "")
    if not channel or not facts.has_case or facts.on_the_line:
        return None
    share = facts.effects.get((MESSAGE, channel), Share())
    rate = share.rate(_guess(MESSAGE))
    by = {"sms": "text message", "email": "e-mail"}[channel]
    reasons = [
        _worth(
            "message", f"{_percent(rate)} pay within a week of a message by {by} ({share.counted})",
            facts.overdue * _d(rate),
        ),
        _others(facts, rate),
        _cost(facts, channel),
    ]  # fmt: skip
    return Candidate(LINK, f"By {by}: what is open, and how to pay it at once.", _kept(reasons), {"channel": channel})


def _call_now(facts: Facts) -> Candidate | None:
    if not facts.may_call or facts.on_the_line or not facts.phones:
        return None
    says = "They may be called, and it is worth the call."
    others = _others(facts, _call_rate(facts))
    return Candidate(CALL_NOW, says, _kept([*_of_a_call(facts), others, _cost(facts, CALL_NOW)]))


def _call_later(facts: Facts) -> Candidate | None:
    """At the hour in which they answer, or as soon as they may be called again."""
    if facts.on_the_line or not facts.phones:
        return None
    when, why, factor = _later(facts)
    if when is None:
        return None
    reasons = _of_a_call(facts)
    worth = sum((reason.value for reason in reasons), Decimal(0))
    reasons += [
        _worth("hour", why, worth * (_d(factor) - 1)),
        _others(facts, _call_rate(facts)),
        _cost(facts, CALL_NOW),
    ]
    says = f"At {when:%H:%M} on {_day(when.date())}, their time."
    return Candidate(CALL_LATER, says, _kept(reasons), {"not_before": when})


def _later(facts: Facts) -> tuple[datetime | None, str, float]:
    """When, why, and how many times better than now."""
    if not facts.may_call:
        if facts.call_from is None:
            return None, "", 1.0
        days = max(0, (facts.call_from - facts.at).days)
        return facts.call_from, facts.call_because or "They may not be called before", A_DAY_LATER**days
    if facts.best_hour is None or facts.best_hour <= facts.hour_now or facts.best_rate <= facts.rate_now:
        return None, "", 1.0
    factor = min(2.0, facts.best_rate / facts.rate_now) if facts.rate_now else 2.0
    when = facts.at.replace(hour=facts.best_hour, minute=0, second=0, microsecond=0)
    return when, facts.best_why or "They answer better then", factor


def _letter(facts: Facts) -> Candidate | None:
    if facts.on_the_line or (facts.phones and facts.unanswered < UNANSWERED):
        return None
    rate = facts.effects.get((MESSAGE, "letter"), Share()).rate(_guess("letter"))
    lost = facts.unanswered >= UNANSWERED
    why = f"{facts.unanswered} calls in a row were not answered" if lost else "There is no number to call"
    # What cannot be reached otherwise is worth twice as much by post.
    reasons = [
        _worth("letter", f"{_percent(rate)} pay after a letter", facts.overdue * _d(rate)),
        _worth("lost", why, facts.overdue * _d(rate)),
        _others(facts, rate),
        _cost(facts, "letter"),
    ]
    if "letter" in facts.channels:
        return Candidate(LETTER, "A letter finds them where calls do not.", _kept(reasons), {"channel": "letter"})
    return Candidate(LETTER, "There is no address that works: find one.", _kept(reasons))


def _settlement(facts: Facts) -> Candidate | None:
    if facts.days_past_due < SETTLES_FROM_DAYS or facts.may_let_go <= 0 or (reach := _contact(facts)) is None:
        return None
    share = facts.effects.get((SETTLEMENT, ALL), Share())
    rate = share.rate(_guess(SETTLEMENT))
    percent = facts.may_let_go
    amount = money.quantize(facts.overdue * (100 - percent) / 100, facts.currency)
    pay_by = facts.as_of + timedelta(days=14)
    reasons = [
        *_reached(facts, reach),
        _worth("discount", f"{percent:f} % is let go of", -(facts.overdue - amount) * _d(reach)),
        _less("settled", f"{_percent(rate)} of settlements are paid ({share.counted})", amount * _d(reach), rate),
        _others(facts, reach),
        _cost(facts, CALL_NOW, unless=facts.on_the_line),
    ]
    says = f"{_said(facts, amount)} by {_day(pay_by)} for all of it."
    return Candidate(SETTLEMENT, says, _kept(reasons), {"amount": amount, "pay_by": pay_by})


def _give_up(facts: Facts) -> Candidate | None:
    if facts.days_past_due < GIVES_UP_FROM_DAYS or facts.on_the_line:
        return None
    reasons = (
        _worth("agency", f"{facts.days_past_due} days past due: an agency brings about "
               f"{_percent(AGENCY_BRINGS)} after its commission", facts.overdue * _d(AGENCY_BRINGS)),
    )  # fmt: skip
    return Candidate(GIVE_UP, "Little is left to try from here.", reasons)


# What they share ----------------------------------------------------------------------------------------------------


def _contact(facts: Facts) -> float | None:
    """How likely there is a conversation to offer something in; none where there cannot be one."""
    if facts.on_the_line:
        return 1.0
    if not facts.may_call or not facts.phones:
        return None
    return _call_rate(facts)


def _call_rate(facts: Facts) -> float:
    rate = facts.chance.rate if facts.chance is not None else _guess("call")
    # A call that nobody answers brings nothing: each in a row makes the next less likely to.
    return rate * 0.8 ** max(0, facts.unanswered - 1)


def _reached(facts: Facts, reach: float) -> list[Reason]:
    if facts.on_the_line:
        return [_worth("line", f"They are on the line about {_said(facts, facts.overdue)}", facts.overdue)]
    return [_worth("chance", _call_words(facts, reach), facts.overdue * _d(reach))]


def _call_words(facts: Facts, rate: float) -> str:
    if facts.chance is None:
        return f"About {_percent(rate)} of calls bring money or a promise (a first guess: none was counted yet)"
    if facts.unanswered > 1:
        return f"{_percent(rate)}: {facts.chance.words}, and {facts.unanswered} calls in a row were not answered"
    return facts.chance.words


def _of_a_call(facts: Facts) -> list[Reason]:
    """What a call brings: mostly promises, and not all of them are kept."""
    reach = _call_rate(facts)
    rate, said = _keeps(facts)
    return [*_reached(facts, reach), *_keeping(facts, facts.overdue * _d(reach), rate, said)]


def _keeps(facts: Facts) -> tuple[float, str]:
    share = _of_promises(facts)
    rate = share.rate(_guess(PROMISE) * (0.5 if facts.promises_broken > facts.promises_kept else 1))
    before = ""
    if facts.promises_kept or facts.promises_broken:
        before = f"; theirs so far: {facts.promises_kept} kept, {facts.promises_broken} broken"
    return rate, f"{_percent(rate)} of such promises are kept ({share.counted}){before}"


def _keeping(facts: Facts, worth: Decimal, rate: float, said: str) -> list[Reason]:
    reasons = [_less("kept", said, worth, rate)]
    months = facts.overdue / facts.monthly_fee if facts.monthly_fee > 0 else Decimal(0)
    if months > 3:
        # A sum of many months is seldom there at once.
        less = max(Decimal("0.3"), 3 / months)
        text = f"{months:.0f} months of fees at once are hard to find"
        reasons.append(_worth("burden", text, worth * _d(rate) * (less - 1)))
    return reasons


def _of_promises(facts: Facts) -> Share:
    kept, broken = facts.promises_kept, facts.promises_broken
    band = "broken" if broken > kept else "kept" if kept else "none"
    return facts.effects.get((PROMISE, band), Share())


def _parts(facts: Facts) -> list[instalments.Instalment] | None:
    """As few instalments as two months' fees each allow, and no more than an agent may agree; none for a small sum."""
    each = facts.monthly_fee * FEES_A_PART
    needed = -(-facts.overdue // each) if each > 0 else Decimal(3)
    count = min(max(int(needed), 2), MOST_PARTS)
    if each > 0 and facts.overdue <= each / 2:
        return None
    try:
        return instalments.quote(
            total=facts.overdue,
            count=count,
            first_on=facts.as_of + PROMISES_WITHIN,
            every="month",
            currency=facts.currency,
        )
    except instalments.CannotQuote:
        return None


def _wait(facts: Facts, amount: Decimal, rate: float, why: str, *, until: date | None = None) -> Candidate:
    # What has passed its day is not over before the day's run has said so.
    again = max(until, facts.as_of + timedelta(days=1)) if until else facts.as_of + timedelta(days=7)
    return Candidate(WAIT, f"Look again on {_day(again)}.", (_worth("wait", why, amount * _d(rate)),), {"until": again})


def _plainly(action: str, says: str, name: str) -> Candidate:
    """An act that is not weighed in money."""
    return Candidate(action, says, (Reason(name, says, Decimal(0)),))


def _kept(reasons: list[Reason]) -> tuple[Reason, ...]:
    return tuple(reason for reason in reasons if reason.value)


def _worth(name: str, text: str, value: Decimal) -> Reason:
    return Reason(name, text, value.quantize(Decimal("0.01")))


def _less(name: str, text: str, of: Decimal, rate: float) -> Reason:
    """What is not to be had of an amount when only a share of it comes."""
    return _worth(name, text, of * (_d(rate) - 1))


def _cost(facts: Facts, act: str, *, unless: bool = False) -> Reason:
    cost = Decimal(0) if unless else facts.costs.get(act, Decimal(0))
    return _worth("cost", f"It costs about {_said(facts, cost)}", -cost)


def _guess(act: str) -> float:
    return GUESSES[act]


def _d(rate: float) -> Decimal:
    return Decimal(str(round(rate, 6)))


def _percent(rate: float) -> str:
    return f"{round(rate * 100)} %"


def _said(facts: Facts, amount: Decimal) -> str:
    return f"{facts.currency} {money.plain(amount, facts.currency)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
