"""What can be learnt from what was not recovered: one account's course in plain words, many in shares. Pure.

A finding says what happened, or did not, before an account was written off, and what would have had to be different.
The share of the same finding among accounts that paid stands beside it: what both have in common explains nothing.
Even a large difference is an association, not a proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

NOTHING = Decimal(0)

#: A first conversation later than so many days past due is late.
SPOKEN_WITHIN = 45
#: A first limit of the service later than so many days past due is late.
LIMITED_WITHIN = 60
#: So many days on hold are a long time, and so many until a dispute is lost.
HELD_LONG = 30
DISPUTED_LONG = 30
#: An agency gets an account within so many days of its hand-over to agents.
PLACED_WITHIN = 90
#: A first step more than so many days after its day is late.
STARTED_WITHIN = 10
#: After so many broken promises a plan is due.
PROMISES = 2
#: A balance is small when its messages cost at least a tenth of it.
SMALL = 10
#: Shares of fewer accounts than these say nothing.
FEW = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened to one account between the beginning of its dunning and its end; days are dates of the desk."""

    account: int
    #: What was written off; of an account that paid, the most that a notice asked for; none where none did.
    amount: Decimal | None
    #: Due date of the oldest bill its first notice named; else the day its dunning began.
    due_on: date
    ended_on: date
    #: Whether a policy had a case of it, whether steps passed it over, and whether any that presses was meant for it.
    in_policy: bool = True
    passed_over: bool = False
    pressed: bool = True
    #: Days between the day of its first step and the day that step was taken; none where days count otherwise.
    started_late: int | None = None

    notices: int = 0
    delivered: int = 0
    bounced: int = 0
    channels_tried: int = 0
    warnings_delivered: int = 0
    last_message_on: date | None = None
    #: In the account's currency; none where costs are kept in another one.
    messages_cost: Decimal | None = None

    #: Conversations with the customer, not with anybody else.
    conversations: int = 0
    first_spoken_on: date | None = None
    last_spoken_on: date | None = None

    #: Whether the turn of a step that limits came, why nothing was limited, and when something was.
    limit_due: bool = False
    not_limited_for: str = ""
    limited_on: date | None = None

    held_days: int = 0
    held_for: tuple[str, ...] = ()
    promises_broken: int = 0
    plans: int = 0
    #: A plan that was broken before its second instalment was paid.
    plan_broken_early: bool = False
    #: How long the dispute took that the customer lost; none lost: none.
    dispute_lost_after: int | None = None
    handed_over_on: date | None = None
    placed_on: date | None = None

    @property
    def last_contact_on(self) -> date | None:
        """The last conversation; without one the last message that arrived."""
        return self.last_spoken_on or self.last_message_on


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was so on one account, and what would have had to be different."""

    code: str
    title: str
    words: str
    instead: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """One finding over all accounts written off, beside those that paid in the same days."""

    code: str
    title: str
    instead: str
    accounts: int
    of: int
    amount: Decimal
    paid: int
    paid_of: int
    #: The reasons behind it with how often each was given, the most frequent first.
    often: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> Decimal | None:
        """Of the accounts written off, in percent; none where there are too few."""
        return _percent(self.accounts, self.of) if self.of >= FEW else None

    @property
    def paid_share(self) -> Decimal | None:
        """Of those that paid, in percent; none where there are too few."""
        return _percent(self.paid, self.paid_of) if self.paid_of >= FEW else None

    @property
    def difference(self) -> Decimal | None:
        """How much more frequent it was among those written off, in percentage points."""
        if self.share is None or self.paid_share is None:
            return None
        return self.share - self.paid_share

    @property
    def compared(self) -> str:
        """The difference in words; nothing where there are too few."""
        return "" if self.difference is None else _compared(self.difference)

    @property
    def words(self) -> str:
        """The comparison as a sentence, with both numbers of accounts."""
        if self.difference is None:
            few = "written off" if self.share is None else "that paid"
            return (
                f"{self.accounts} of {self.of} written off, {self.paid} of {self.paid_of} that paid: "
                f"too few {few} to compare."
            )
        return (
            f"{self.share:.0f} % of {self.of} written off, {self.paid_share:.0f} % of {self.paid_of} that paid: "
            f"{self.compared}."
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    code: str
    title: str
    instead: str
    #: What it says of one account; nothing where it is not so.
    words: Callable[[Course], str]
    why: Callable[[Course], Collection[str]] = lambda _course: ()


def findings(course: Course) -> list[Finding]:
    """Everything that was found on one account, in the order of a case."""
    return [Finding(rule.code, rule.title, words, rule.instead) for rule in _RULES if (words := rule.words(course))]


def codes(course: Course) -> frozenset[str]:
    """The same, as codes alone."""
    return frozenset(rule.code for rule in _RULES if rule.words(course))


def titles() -> dict[str, str]:
    """Every finding there is, by its code."""
    return {rule.code: rule.title for rule in _RULES}


def learn(written_off: Sequence[Course], paid: Sequence[Course]) -> list[Lesson]:
    """What was found among those written off, beside those that paid; what differs most comes first.

    An account counts once, however often it was written off or paid. What nobody written off shows is left out.
    """
    of, paid_of = len({course.account for course in written_off}), len({course.account for course in paid})
    found = [_lesson(rule, written_off, of, paid, paid_of) for rule in _RULES]
    return sorted(
        (lesson for lesson in found if lesson.accounts),
        key=lambda lesson: (lesson.difference is None, -(lesson.difference or NOTHING), -lesson.accounts),
    )


def _lesson(rule: _Rule, written_off: Sequence[Course], of: int, paid: Sequence[Course], paid_of: int) -> Lesson:
    shown = [course for course in written_off if rule.words(course)]
    why: Counter[str] = Counter(reason for course in shown for reason in rule.why(course))
    return Lesson(
        code=rule.code,
        title=rule.title,
        instead=rule.instead,
        accounts=len({course.account for course in shown}),
        of=of,
        amount=sum((course.amount or NOTHING for course in shown), NOTHING),
        paid=len({course.account for course in paid if rule.words(course)}),
        paid_of=paid_of,
        often=tuple(sorted(why.items(), key=lambda entry: (-entry[1], entry[0]))),
    )


def last_contact(course: Course) -> str:
    """The last contact before the end, in words that accounts are grouped by (``LAST_CONTACTS`` has their order)."""
    if course.last_contact_on is None:
        return LAST_CONTACTS[0]
    before = (course.ended_on - course.last_contact_on).days
    place = 0 if before <= 30 else 1 if before <= 90 else 2
    return LAST_CONTACTS[(4 if course.last_spoken_on else 1) + place]


LAST_CONTACTS = (
    "Never reached",
    "Only messages, the last up to 30 days before",
    "Only messages, the last 31 to 90 days before",
    "Only messages, the last over 90 days before",
    "A conversation up to 30 days before",
    "A conversation 31 to 90 days before",
    "A conversation over 90 days before",
)

_BY_POST = "address"


def reach(kinds: Iterable[str]) -> str:
    """What could reach the customer, in words, from the kinds of contact point that worked."""
    able = set(kinds)
    if {"phone", "email"} <= able:
        return "Phone and e-mail"
    if "phone" in able:
        return "Phone, no e-mail"
    if "email" in able:
        return "E-mail, no phone"
    return "Post alone" if _BY_POST in able else "Nothing that works"


def _never_reached(course: Course) -> str:
    if course.delivered:
        return ""
    return f"None of {_count(course.notices, 'notice')} arrived." if course.notices else "No notice was ever made."


def _never_spoken_to(course: Course) -> str:
    return "" if course.conversations else "Nobody ever spoke with the customer."


def _spoken_to_late(course: Course) -> str:
    late = _days(course.due_on, course.first_spoken_on)
    return f"First spoken to {late} days past due." if late > SPOKEN_WITHIN else ""


def _one_channel(course: Course) -> str:
    if not course.bounced or course.channels_tried != 1:
        return ""
    return f"{_count(course.bounced, 'notice')} bounced, and no other channel was tried."


def _not_warned(course: Course) -> str:
    if not course.limit_due or course.limited_on or course.warnings_delivered:
        return ""
    return "No warning arrived, so the limit that was due never ran."


def _limited_late(course: Course) -> str:
    late = _days(course.due_on, course.limited_on)
    return f"First limited {late} days past due." if late > LIMITED_WITHIN else ""


def _never_limited(course: Course) -> str:
    if not course.limit_due or course.limited_on:
        return ""
    return f"The service was never limited: {course.not_limited_for or _UNKNOWN}."


def _never_limited_for(course: Course) -> Collection[str]:
    return (course.not_limited_for or _UNKNOWN,)


_UNKNOWN = "no reason was kept"


def _held_long(course: Course) -> str:
    if course.held_days < HELD_LONG:
        return ""
    return f"{course.held_days} days on hold ({', '.join(_plainly(reason) for reason in course.held_for)})."


def _no_plan(course: Course) -> str:
    if course.promises_broken < PROMISES or course.plans:
        return ""
    return f"{_count(course.promises_broken, 'promise')} broken, and no plan was agreed."


def _plan_broken(course: Course) -> str:
    return "A plan was broken before its second instalment." if course.plan_broken_early else ""


def _dispute_lost(course: Course) -> str:
    days = course.dispute_lost_after
    return f"A dispute was decided against the customer after {days} days." if (days or 0) > DISPUTED_LONG else ""


def _placed_late(course: Course) -> str:
    late = _days(course.handed_over_on, course.placed_on)
    return f"Placed with an agency {late} days after the hand-over to agents." if late > PLACED_WITHIN else ""


def _never_placed(course: Course) -> str:
    if course.placed_on is not None:
        return ""
    left = _days(course.handed_over_on, course.ended_on)
    return f"{left} days with agents and never placed with an agency." if left > PLACED_WITHIN else ""


def _started_late(course: Course) -> str:
    days = course.started_late or 0
    return f"The first step came {days} days after its day." if days > STARTED_WITHIN else ""


def _no_step(course: Course) -> str:
    if not course.in_policy:
        return "No policy ever had a case of it."
    return "Every step that presses passed it over." if course.passed_over and not course.pressed else ""


def _small(course: Course) -> str:
    cost, amount = course.messages_cost, course.amount
    if not cost or not amount or cost * SMALL < amount:
        return ""
    return f"Its messages cost {_percent(cost, amount):.0f} % of the amount."


_RULES = (
    _Rule("no_step", "The policy had no step for it",
          "A policy with a step that presses for this segment and product would have been needed.", _no_step),
    _Rule("started_late", f"Dunning began more than {STARTED_WITHIN} days late",
          "The first step would have had to come on its day.", _started_late),
    _Rule("never_reached", "Never reached by a notice that arrived",
          "One working address or number, asked for at sale or at the first call, would have been needed.",
          _never_reached),
    _Rule("one_channel", "Notices bounced, no other channel tried",
          "A second channel for the same notice would have been needed.", _one_channel),
    _Rule("never_spoken_to", "Never spoken to",
          "One conversation with the customer, at another hour or on another number, would have been needed.",
          _never_spoken_to),
    _Rule("spoken_to_late", f"First spoken to more than {SPOKEN_WITHIN} days past due",
          f"A conversation within {SPOKEN_WITHIN} days past due would have been needed.", _spoken_to_late),
    _Rule("not_warned", "No warning arrived, so no limit ran",
          "A second channel for the suspension warning would have been needed.", _not_warned),
    _Rule("limited_late", f"First limited more than {LIMITED_WITHIN} days past due",
          "The warning and the limit would have had to come earlier in the policy, or wait less.", _limited_late),
    _Rule("never_limited", "A limit was due and the service never limited",
          "What made the limit wait would have had to be looked at by a person while it waited.", _never_limited,
          _never_limited_for),
    _Rule("held_long", f"On hold for {HELD_LONG} days or more",
          "The holds would have had to be reviewed, and lifted, sooner.", _held_long,
          lambda course: [_plainly(reason) for reason in course.held_for]),
    _Rule("no_plan", f"{PROMISES} promises or more broken, no plan agreed",
          "A plan, offered after the second broken promise, would have been needed.", _no_plan),
    _Rule("plan_broken", "A plan broken before its second instalment",
          "A plan that the customer can afford, or a down payment, would have been needed.", _plan_broken),
    _Rule("dispute_lost", f"A dispute lost after more than {DISPUTED_LONG} days",
          "The dispute would have had to be decided sooner: nothing went on with the amount meanwhile.", _dispute_lost),
    _Rule("placed_late", f"Placed with an agency more than {PLACED_WITHIN} days after the hand-over",
          f"The account would have had to be placed within {PLACED_WITHIN} days of the hand-over.", _placed_late),
    _Rule("never_placed", f"More than {PLACED_WITHIN} days with agents, never placed with an agency",
          "A step that places it with an agency would have been needed, or a warning for it that arrived.",
          _never_placed),
    _Rule("small", "Messages cost a tenth of the amount or more",
          "Fewer and cheaper messages, or an entry amount above this balance, would have been needed.", _small),
)  # fmt: skip


def _days(start: date | None, end: date | None) -> int:
    return (end - start).days if start and end else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plainly(reason: str) -> str:
    return reason.replace("_", " ")


def _percent(part: Decimal | int, whole: Decimal | int) -> Decimal:
    return Decimal(part) * 100 / Decimal(whole) if whole else NOTHING


def _compared(difference: Decimal) -> str:
    points = f"{abs(difference):.0f}"
    if points == "0":
        return "no difference"
    return f"{points} point{'' if points == '1' else 's'} {'more' if difference > 0 else 'less'}"
