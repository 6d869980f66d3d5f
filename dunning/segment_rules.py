"""Rules over what is known of an account: their vocabulary, checked, brought to one form, told in plain words. Pure.

A rule is ``{"all": […]}`` or ``{"any": […]}`` over conditions and more such groups, at most three deep. A condition
names a fact and one operator with its value: ``{"fact": "tenure_days", "at_least": 365}``. What is not known of an
account (an age without a birth date) meets no condition. ``segments`` asks the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts import money
from dunning.policy_file import Problem, amount_text

TEXT, CHOICE, NUMBER, AMOUNT, DAYS, TRUTH = "text", "choice", "number", "amount", "days", "truth"

IS, IS_NOT, IS_ANY_OF, IS_NONE_OF = "is", "is_not", "is_any_of", "is_none_of"
BEGINS_WITH, AT_LEAST, AT_MOST = "begins_with", "at_least", "at_most"

#: What may be asked of a fact of each type.
OPERATORS: Mapping[str, tuple[str, ...]] = {
    TEXT: (IS, IS_NOT, IS_ANY_OF, IS_NONE_OF, BEGINS_WITH),
    CHOICE: (IS, IS_NOT, IS_ANY_OF, IS_NONE_OF),
    NUMBER: (AT_LEAST, AT_MOST, IS),
    DAYS: (AT_LEAST, AT_MOST),
    AMOUNT: (AT_LEAST, AT_MOST),
    TRUTH: (IS,),
}
IN_WORDS: Mapping[str, str] = {
    IS: "is",
    IS_NOT: "is not",
    IS_ANY_OF: "is any of",
    IS_NONE_OF: "is none of",
    BEGINS_WITH: "begins with",
    AT_LEAST: "at least",
    AT_MOST: "at most",
}
#: Operators whose value is a list.
OF_MANY = frozenset({IS_ANY_OF, IS_NONE_OF})

GROUPS = ("all", "any")
DEEPEST = 3
MOST_CONDITIONS = 40
MOST_VALUES = 200
_LARGEST = 1_000_000
_YEAR = "in the last 365 days"
_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a rule may ask about an account."""

    name: str
    label: str
    type: str
    #: What it is a fact of: the heading it stands under.
    about: str
    #: Values and their words, for a choice; both answers as clauses, for a truth.
    choices: tuple[tuple[str, str], ...] = ()
    #: An account may have several of them: one that fits is enough.
    several: bool = False
    #: How it is found, where the label does not say it.
    meaning: str = ""

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type]

    @property
    def heading(self) -> str:
        """The label over a narrow column."""
        return self.label.removesuffix(f" {_YEAR}")

    @property
    def noun(self) -> str:
        """The label inside a sentence."""
        return f"{self.label[:1].lower()}{self.label[1:]}"


_CUSTOMER, _ACCOUNT, _SERVICES, _MONEY = "Customer", "Account", "Services", "Money"
_BEHAVIOUR, _SCORE = "Behaviour", "Score"
_VOCABULARY = (
    Fact(
        "customer_kind",
        "Customer kind",
        CHOICE,
        _CUSTOMER,
        choices=(("residential", "residential"), ("business", "business")),
    ),
    Fact("country", "Country", TEXT, _CUSTOMER, meaning="Two capital letters, such as US."),
    Fact("region", "Region", TEXT, _CUSTOMER),
    Fact("language", "Language", TEXT, _CUSTOMER, meaning="As billing names it, such as en."),
    Fact("age_years", "Age in years", NUMBER, _CUSTOMER),
    Fact(
        "vulnerable",
        "Vulnerable",
        TRUTH,
        _CUSTOMER,
        choices=(("true", "the customer is vulnerable"), ("false", "the customer is not known to be vulnerable")),
        meaning="Some vulnerability is noted; a date to look again ends none.",
    ),
    Fact(
        "vulnerability",
        "Gravest vulnerability",
        CHOICE,
        _CUSTOMER,
        choices=(("low", "low"), ("medium", "medium"), ("high", "high")),
    ),
    Fact("product", "Product", TEXT, _ACCOUNT),
    Fact("billing_segment", "Segment from billing", TEXT, _ACCOUNT, meaning="As the accounts' file brought it."),
    Fact("currency", "Currency", TEXT, _ACCOUNT),
    Fact("payment_method", "Payment method", TEXT, _ACCOUNT),
    Fact("tenure_days", "Days with us", DAYS, _ACCOUNT, meaning="Since the account was opened."),
    Fact(
        "has_parent",
        "Has a parent account",
        TRUTH,
        _ACCOUNT,
        choices=(("true", "the account has a parent"), ("false", "the account has no parent")),
    ),
    Fact("services", "Number of services", NUMBER, _SERVICES, meaning="Those disconnected for good do not count."),
    Fact(
        "service_kind",
        "Service kind",
        CHOICE,
        _SERVICES,
        choices=(
            ("mobile", "mobile"),
            ("fixed", "fixed line"),
            ("broadband", "broadband"),
            ("tv", "TV"),
            ("other", "other"),
        ),
        several=True,
    ),
    Fact("monthly_fee", "Monthly fees in all", AMOUNT, _SERVICES, meaning="Of the services whose fee is known."),
    Fact("open_amount", "Open amount", AMOUNT, _MONEY, meaning="Open on bills, due or not, disputed or not."),
    Fact("past_due", "Past due amount", AMOUNT, _MONEY, meaning="Open, undisputed and past due on its own bills."),
    Fact("days_past_due", "Days past due", DAYS, _MONEY, meaning="Of the oldest undisputed bill; 0 with none."),
    Fact("unapplied", "Unapplied credit", AMOUNT, _MONEY),
    Fact("cases_opened", f"Cases opened {_YEAR}", NUMBER, _BEHAVIOUR),
    Fact("times_past_due", f"Times past due {_YEAR}", NUMBER, _BEHAVIOUR, meaning="How often it fell past due anew."),
    Fact(
        "days_since_payment",
        "Days since the last payment",
        DAYS,
        _BEHAVIOUR,
        meaning="One that was not reversed; with none, since the account was opened.",
    ),
    Fact("payments", f"Payments {_YEAR}", NUMBER, _BEHAVIOUR, meaning="Those that were not reversed."),
    Fact("reversed_payments", f"Reversed payments {_YEAR}", NUMBER, _BEHAVIOUR),
    Fact("broken_promises", f"Broken promises {_YEAR}", NUMBER, _BEHAVIOUR),
    Fact(
        "unanswered_notices",
        f"Unanswered notices {_YEAR}",
        NUMBER,
        _BEHAVIOUR,
        meaning="Delivered, and no payment within the 14 days after.",
    ),
    Fact(
        "self_cure_percent",
        "Self-cure estimate in percent",
        NUMBER,
        _SCORE,
        meaning="The share of its cases closed in the last 730 days that ended paid before any limit, hand-over to "
        "agents or agency; 50 without such cases.",
    ),
)

#: The vocabulary, by name, in the order it is offered.
FACTS: Mapping[str, Fact] = {fact.name: fact for fact in _VOCABULARY}


def conditions_of(rule: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every condition of a checked rule, in order."""
    (members,) = rule.values()
    for member in members:
        if "fact" in member:
            yield member
        else:
            yield from conditions_of(member)


def facts_of(rule: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The facts that a checked rule asks about, each once, in the order it names them."""
    return tuple(FACTS[name] for name in dict.fromkeys(str(said["fact"]) for said in conditions_of(rule)))


def asked(condition: Mapping[str, Any]) -> tuple[Fact, str, Any]:
    """The fact, the operator and the value of a checked condition."""
    fact = FACTS[condition["fact"]]
    (operator,) = (key for key in condition if key != "fact")
    return fact, operator, condition[operator]


# --- Checking ---------------------------------------------------------------------------------------------------------


def check(rule: Any) -> list[Problem]:
    """Everything that is wrong with a rule, in its order; an empty list is a rule that can be asked."""
    found: list[Problem] = []
    count = _check_group(rule, "", 1, found)
    if count > MOST_CONDITIONS:
        found.append(Problem("", f"has {count} conditions; at most {MOST_CONDITIONS} can be read"))
    return found


def _check_group(group: Any, path: str, depth: int, found: list[Problem]) -> int:
    """How many conditions are in it."""
    if not isinstance(group, Mapping) or len(group) != 1 or next(iter(group)) not in GROUPS:
        found.append(Problem(path, 'must be a map of one key, "all" or "any", with a list of conditions'))
        return 0
    if depth > DEEPEST:
        found.append(Problem(path, f"is nested more than {DEEPEST} deep"))
        return 0
    ((key, members),) = group.items()
    path = f"{path}.{key}" if path else str(key)
    if not isinstance(members, list) or not members:
        found.append(Problem(path, "must be a list of at least one condition"))
        return 0
    count = 0
    for place, member in enumerate(members):
        inner = f"{path}[{place}]"
        if isinstance(member, Mapping) and not member.keys().isdisjoint(GROUPS):
            count += _check_group(member, inner, depth + 1, found)
        else:
            count += 1
            found += _check_condition(member, inner)
    return count


def _check_condition(condition: Any, path: str) -> list[Problem]:
    if not isinstance(condition, Mapping):
        return [Problem(path, "must be a map of a fact, an operator and its value, or a group")]
    if not isinstance(condition.get("fact"), str):
        return [Problem(path, "names no fact")]
    fact = FACTS.get(condition["fact"])
    if fact is None:
        return [Problem(f"{path}.fact", f"is unknown; known: {', '.join(FACTS)}")]
    said = [key for key in condition if key != "fact"]
    if len(said) != 1 or said[0] not in fact.operators:
        return [Problem(path, f"says one of {', '.join(fact.operators)} about {fact.noun}")]
    (operator,) = said
    reason = _wrong(fact, operator, condition[operator])
    return [Problem(f"{path}.{operator}", reason)] if reason else []


def _wrong(fact: Fact, operator: str, value: Any) -> str:
    """What is wrong with the value; nothing when it is fine."""
    if operator in OF_MANY:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
            return f"must be a list of 1 to {MOST_VALUES} values"
        return next((reason for one in value if (reason := _wrong(fact, IS, one))), "")
    if fact.type == TRUTH:
        return "" if isinstance(value, bool) else "must be true or false"
    if fact.type == CHOICE:
        known = [choice for choice, _words in fact.choices]
        return "" if isinstance(value, str) and value in known else f"must be of {', '.join(known)}"
    if fact.type == TEXT:
        fine = isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= 64
        return "" if fine else "must be text of 1 to 64 characters"
    if fact.type == AMOUNT:
        return _wrong_amount(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return "" if whole else f"must be a whole number from 0 to {_LARGEST}"


def _wrong_amount(value: Any) -> str:
    if not isinstance(value, Mapping):
        fine = _AMOUNT.fullmatch(amount_text(value))
        return "" if fine else 'must be an amount such as "10.00", or a map of amounts by currency'
    if not value:
        return "must name at least one currency"
    for currency, amount in value.items():
        try:
            if money.parse_amount(amount_text(amount), str(currency)) < 0:
                return f"must not be below 0 ({currency})"
        except (money.BadAmount, money.UnknownCurrency) as error:
            return f"{currency}: {error}"
    return ""


# --- One form ---------------------------------------------------------------------------------------------------------


def tidy(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A checked rule as it is kept: amounts as text, each value of a list once, the fact before the operator."""
    ((key, members),) = rule.items()
    return {key: [tidy_condition(member) if "fact" in member else tidy(member) for member in members]}


def tidy_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """A checked condition as it is kept."""
    fact, operator, value = asked(condition)
    if fact.type == AMOUNT:
        one_by_one = isinstance(value, Mapping)
        value = {code: amount_text(part) for code, part in value.items()} if one_by_one else amount_text(value)
    elif operator in OF_MANY:
        value = list(dict.fromkeys(one.strip() for one in value))
    elif isinstance(value, str):
        value = value.strip()
    return {"fact": fact.name, operator: value}


# --- In plain words ---------------------------------------------------------------------------------------------------


def describe(rule: Mapping[str, Any]) -> str:
    """A checked rule as a clause that goes on from "accounts where"; inner groups stand in brackets."""
    ((key, members),) = rule.items()
    if len(members) == 1:
        return _clause(members[0]) if "fact" in members[0] else describe(members[0])
    said = [_clause(member) if "fact" in member else f"({describe(member)})" for member in members]
    return f", {'and' if key == 'all' else 'or'} ".join(said)


def _clause(condition: Mapping[str, Any]) -> str:
    fact, operator, value = asked(condition)
    if fact.type == TRUTH:
        return dict(fact.choices)["true" if value else "false"]
    if fact.type == AMOUNT:
        return f"{fact.noun} {IN_WORDS[operator]} {_amount_in_words(value)}"
    if fact.type in (NUMBER, DAYS):
        return f"{fact.noun} {IN_WORDS[operator]} {value:,}"
    words = dict(fact.choices)
    values = [words.get(one, one) for one in (value if operator in OF_MANY else [value])]
    if operator == BEGINS_WITH:
        return f"{fact.noun} begins with {values[0]}"
    no = operator in (IS_NOT, IS_NONE_OF)
    if fact.several:
        return f"{'no' if no else 'any'} {fact.noun} is {_or(values)}"
    return f"{fact.noun} is {'not ' if no else ''}{_or(values)}"


def _amount_in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return _or([f"{currency} {amount}" for currency, amount in value.items()])
    return f"{value} in the account's currency"


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
