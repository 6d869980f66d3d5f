"""A policy in plain words, generated from the data and from nothing else: what it says is what it does. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.money import from_mills
from dunning import policy
from dunning.policy import Amounts, Audience, FeeRule, PolicyRules, StepRule

_BY_CHANNEL = {
    "sms": "an SMS", "email": "an e-mail", "letter": "a letter", "in_app": "a message in the app",
    "voice": "an automatic call",
}  # fmt: skip
_LIMITED = {
    "throttled": "the data connection is slowed down",
    "outgoing_barred": "outgoing calls are barred",
    "suspended": "service is suspended",
    "disconnected": "service is disconnected for good",
}
_FEES = {"late_fee": "late fee", "reconnection_fee": "reconnection fee"}


def describe(rules: PolicyRules) -> list[str]:
    """The policy in English sentences: whom it is for, how a case begins and ends, then every step in order."""
    return [
        f"Policy {rules.code}, version {rules.number}, is for {_who(rules.applies_to)}{_currencies(rules)}; "
        f"policies with a priority above {rules.priority} are asked first.",
        f"A case opens when {_past_due(rules.enter_min_amount)} has been past due for {_days(rules.enter_min_days)}"
        f"{_steps_wait(rules.enter_min_amount)}.",
        f"It closes when {_leftover(rules.exit_max_amount)}: notices not yet sent are withdrawn, services restored, "
        "and placements with agencies recalled.",
        f"Between two steps on one account there {_is(rules.min_gap_days)} at least {_days(rules.min_gap_days)}, "
        "also when days are caught up.",
        _fees(rules),
        _children(rules),
        *_after_broken(rules),
        *(_sentence(rules, step) for step in rules.steps),
    ]


def _sentence(rules: PolicyRules, step: StepRule) -> str:
    return " ".join(
        part for part in (f"{_when(rules, step)} {_what(rules, step)}.", _only_if(step), _minimum(step)) if part
    )


def _when(rules: PolicyRules, step: StepRule) -> str:
    counted = "working day" if rules.counts_working_days else "day"
    if step.day < 0:
        return f"{_days(-step.day)} before a bill is due (step {step.code})"
    if not step.hurts:
        if step.day <= rules.enter_min_days:
            return f"As soon as the case opens (step {step.code})"
        return f"On {counted} {step.day} after the due date (step {step.code})"
    warning = rules.step(step.warned_by)
    dated = warning is not None and warning.pay_by_days is not None
    begins = f"From {counted} {step.day} after the due date (step {step.code})"
    if not step.notice_days:
        named = " and the date it named has come" if dated else ""
        return f"{begins}, once the notice {step.warned_by} was delivered{named},"
    named = " and the date it named" if dated else ""
    return f"{begins}, and not before {_days(step.notice_days)} after the notice {step.warned_by} was delivered{named},"


def _what(rules: PolicyRules, step: StepRule) -> str:
    working_day = f", on {_working_day(rules)}"
    if step.action == policy.NOTIFY:
        return _notice(rules, step)
    if step.action == policy.LIMIT:
        return f"{_LIMITED[step.rung]}{working_day}"
    if step.action == policy.AGENCY:
        return f"the account is placed with the agency {step.agency or rules.agency}{working_day}"
    if step.action == policy.CHARGE_FEE:
        reconnection = _amount(rules.reconnection_fee, "nothing in this policy")
        fee = _late_fee(rules.late_fee, "nothing in this policy") if step.fee == "late_fee" else reconnection
        return f"we charge the {_FEES[step.fee]} ({fee}), due with the next bill"
    reason = f" ({step.reason})" if step.reason else ""
    if step.action == policy.TRANSFER:
        return f"the account is handed to the agents{reason}"
    if step.action == policy.TASK:
        return f"an agent gets a task to look at the account{reason}"
    approval = ", once a supervisor has approved it" if step.approval else ", without anybody's approval"
    return f"what is past due is written off{approval}"


def _notice(rules: PolicyRules, step: StepRule) -> str:
    channels = [_BY_CHANNEL[channel] for channel in step.channels]
    if step.all_channels:
        sent = _and(channels)
    else:
        sent = ", or ".join(
            [channels[0], *(f"{channel} if that cannot reach the customer" for channel in channels[1:])]
        )
    asking = f", asking to pay within {_days(step.pay_by_days)}" if step.pay_by_days else ""
    warned = [after.code for after in rules.steps if after.hurts and after.warned_by == step.code]
    warning = f"; it is the warning for {_and(warned)}" if warned else ""
    return f"we send {sent}, worded as {step.template}{asking}{warning}"


def _working_day(rules: PolicyRules) -> str:
    if not rules.rolls:
        return "any day of the week"
    market = f"{rules.country}, {rules.region}" if rules.region else rules.country
    return f"a working day ({market or 'weekends only'})"


def _who(audience: Audience) -> str:
    narrowed = audience.product or audience.segment or audience.min_tenure_days > 0
    parts = [f"{_or(audience.kind)} customers" if audience.kind else "customers" if narrowed else "every customer"]
    if audience.product:
        parts.append(f"with the product {_or(audience.product)}")
    if audience.segment:
        parts.append(f"in the segment {_or(audience.segment)}")
    if audience.min_tenure_days > 0:
        parts.append(f"with us for at least {_days(audience.min_tenure_days)}")
    return ", ".join(parts)


def _currencies(rules: PolicyRules) -> str:
    minimum = rules.enter_min_amount
    return "" if minimum.every is not None else f", on accounts in {_or(sorted(minimum.by_currency))} only"


def _only_if(step: StepRule) -> str:
    return "" if step.only_if == Audience() else f"It is only for {_who(step.only_if)}; for others it is passed over."


def _minimum(step: StepRule) -> str:
    if not _is_something(step.min_amount):
        return ""
    return f"It waits while less than {_amount(step.min_amount, '')} is past due and undisputed."


def _past_due(amounts: Amounts) -> str:
    return f"at least {_amount(amounts, '')}" if _is_something(amounts) else "anything"


def _steps_wait(amounts: Amounts) -> str:
    return "; while less than that is past due and undisputed, its steps wait" if _is_something(amounts) else ""


def _leftover(amounts: Amounts) -> str:
    if not _is_something(amounts):
        return "nothing is past due any more"
    return f"at most {_amount(amounts, '')} is left past due"


def _fees(rules: PolicyRules) -> str:
    charged = {step.fee for step in rules.steps if step.action == policy.CHARGE_FEE}
    late = _late_fee(rules.late_fee, "none")
    unused = " (no step charges it)" if late != "none" and "late_fee" not in charged else ""
    return f"Late fee: {late}{unused}. Reconnection fee: {_amount(rules.reconnection_fee, 'none')}."


def _late_fee(fee: FeeRule, nothing: str) -> str:
    if not fee.percent:
        return _amount(fee.amount, nothing)
    part = f"{_plain(fee.percent)} % of what is past due, undisputed and not held"
    if not _is_something(fee.amount):
        return part
    flat = _amount(fee.amount, "")
    if fee.combine == "sum":
        return f"{flat} and {part}"
    return f"{flat} or {part}, whichever is {'less' if fee.combine == 'min' else 'more'}"


def _after_broken(rules: PolicyRules) -> list[str]:
    if not rules.after_broken:
        return []
    return [
        f"After a broken promise or plan a case that has not reached {rules.after_broken} goes on there without "
        "waiting for its day; steps before it that were not taken are passed over, and what hurts waits for a new "
        "warning."
    ]


def _children(rules: PolicyRules) -> str:
    if rules.limits_children:
        return "Services of accounts that this account pays for are limited with its own."
    return "Services of accounts that this account pays for are left alone."


def _is_something(amounts: Amounts) -> bool:
    return bool(amounts.every) or any(amounts.by_currency.values())


def _amount(amounts: Amounts, nothing: str) -> str:
    if not _is_something(amounts):
        return nothing
    if amounts.every is not None:
        return f"{_plain(amounts.every)} in the account's currency"
    return _or([f"{currency} {_plain(amount)}" for currency, amount in sorted(amounts.by_currency.items())])


def _plain(amount: int) -> str:
    """At least two decimals, a third where there is one."""
    text = f"{from_mills(amount):.3f}"
    return text.removesuffix("0")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _and(words: Sequence[str]) -> str:
    return _listed(words, "and")


def _or(words: Sequence[str]) -> str:
    return _listed(words, "or")


def _listed(words: Sequence[str], word: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {word} {words[-1]}"
