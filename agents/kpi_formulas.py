"""The figures supervisors judge by, each with the numbers it was made of and the sentence of how. Pure.

A denominator of nothing gives no value: neither 0 nor 100 %. Figures are never averaged over teams or periods, they are
computed again from the sums. Values are Decimals, rounded only where they are shown. Rates are per cent, the rest days
unless it is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

NOTHING = Decimal(0)

#: How far count-back looks into the past.
COUNTBACK_MONTHS = 24

#: Of a survey, so that a figure says anything.
FEWEST_ANSWERS = 30


@dataclass(frozen=True)
class Figure:
    """One KPI. ``value`` is None when it cannot be known; the formula then ends with the reason.

    ``in_money``: numerator and denominator are amounts, not counts.
    """

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    formula: str
    in_money: bool = False


@dataclass(frozen=True)
class MonthOfSales:
    """What was billed in a calendar month, or in the part of it that has passed, and how many days that is."""

    amount: Decimal
    days: int


def ratio(
    numerator: Decimal | int,
    denominator: Decimal | int,
    formula: str,
    *,
    empty: str,
    times: int = 100,
    in_money: bool = False,
) -> Figure:
    """``numerator / denominator * times``; no value, with ``empty`` as the reason, where that is 0 or less."""
    above, below = Decimal(numerator), Decimal(denominator)
    if below <= 0:
        return Figure(None, above, below, f"{formula}: {empty}", in_money)
    return Figure(above * times / below, above, below, formula, in_money)


def dso(*, receivables: Decimal, sales: Decimal, days: int, disputed: Decimal | None = None) -> Figure:
    """Days sales outstanding: how many days of sales are still unpaid at the end of the period.

    ``disputed``: so much of it is contested, and left out.
    """
    if disputed is not None:
        return _days_of_sales(receivables - disputed, sales, days, "receivables not disputed")
    return _days_of_sales(receivables, sales, days, "receivables")


def best_possible_dso(*, current: Decimal, sales: Decimal, days: int) -> Figure:
    """What DSO would be if nobody were late."""
    return _days_of_sales(current, sales, days, "receivables not past due")


def average_days_delinquent(*, receivables: Decimal, current: Decimal, sales: Decimal, days: int) -> Figure:
    """The part of DSO that lateness makes: DSO less best possible DSO."""
    return _days_of_sales(receivables - current, sales, days, "DSO - best possible DSO = receivables past due")


def _days_of_sales(amount: Decimal, sales: Decimal, days: int, name: str) -> Figure:
    return ratio(
        amount,
        sales,
        f"{name} / sales of the period * {days} days",
        times=days,
        empty="no sales in the period",
        in_money=True,
    )


def countback_dso(*, receivables: Decimal, months: Sequence[MonthOfSales]) -> Figure:
    """DSO by exhaustion: months of sales, latest first, come off the receivables until one is larger than the rest.

    A month without sales adds its days. No value when the receivables are older than the months given. The denominator
    is the sales of the month that was reached.
    """
    formula = "days of the latest months whose sales make up the receivables, the last of them in proportion"
    left, days = receivables, NOTHING
    if left <= 0:
        return Figure(NOTHING, receivables, None, formula, in_money=True)
    for month in months:
        if left < month.amount:
            return Figure(days + left * month.days / month.amount, receivables, month.amount, formula, in_money=True)
        left -= max(month.amount, NOTHING)
        days += month.days
        if left == 0:
            return Figure(days, receivables, month.amount, formula, in_money=True)
    reason = f"the receivables are more than the sales of {len(months)} months"
    return Figure(None, receivables, None, f"{formula}: {reason}", in_money=True)


def collection_effectiveness(
    *,
    opening: Decimal,
    sales: Decimal,
    closing: Decimal,
    closing_current: Decimal,
    per_month_of: int | None = None,
    write_offs: Decimal | None = None,
) -> Figure:
    """CEI: of what could be collected in the period, how much was.

    ``per_month_of`` days: sales count * 30 / days, for periods of several months. A write-off lowers what is left
    without any money coming in; give those of the period (``write_offs``, as far as they were not paid since) to add
    them back.
    """
    term, counted, left = "sales", sales, "closing receivables"
    if per_month_of is not None:
        term, counted = f"sales * 30 / {per_month_of}", sales * 30 / per_month_of
    if write_offs is not None:
        closing, left = closing + write_offs, "closing receivables - written off in the period and not paid since"
    sought = f"opening receivables + {term}"
    return ratio(
        opening + counted - closing,
        opening + counted - closing_current,
        f"({sought} - {left}) / ({sought} - closing receivables not past due) * 100",
        empty="nothing could be collected",
        in_money=True,
    )


def weighted_days_delinquent(*, amount_days: Decimal, amount: Decimal, overdue_only: bool) -> Figure:
    """Days past due (none before the due date) weighted by the open amount, of everything open or of the overdue alone.

    ``amount_days`` is Σ open amount * days past due; ``amount`` Σ open amount of the same scope.
    """
    scope = "Σ open amount past due" if overdue_only else "Σ open amount"
    return ratio(
        amount_days,
        amount,
        f"Σ (open amount * days past due) / {scope}",
        times=1,
        empty="nothing is past due" if overdue_only else "nothing is open",
        in_money=True,
    )


def recovery_rate(*, collected: Decimal, past_due_at_start: Decimal) -> Figure:
    """Of what was past due when the period began, how much was collected in it, in money."""
    return ratio(
        collected,
        past_due_at_start,
        "collected on bills past due at the start (credits, cancellations and write-offs left out) / past due at the "
        "start * 100",
        empty="nothing was past due at the start",
        in_money=True,
    )


def cure_rate(*, cured: int, delinquent_at_start: int) -> Figure:
    """Of the accounts past due when the period began, how many paid all of it and have nothing past due at its end."""
    return ratio(
        cured,
        delinquent_at_start,
        "accounts past due at the start that paid all of it and have nothing past due at the end / accounts past due "
        "at the start * 100",
        empty="no account was past due at the start",
    )


def roll_rate(*, rolled: Decimal, held: Decimal, days: int) -> Figure:
    """Of the balance in a bucket, how much the same accounts have in the next one ``days`` later."""
    return ratio(
        rolled,
        held,
        f"balance in the next bucket of the same accounts / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def right_party_contact_rate(*, right_party: int, connected: int) -> Figure:
    return ratio(
        right_party, connected, "calls with the right party / calls connected * 100", empty="no call was connected"
    )


def promise_rate(*, promises: int, right_party: int) -> Figure:
    """One promise an account and day; those that customers made on their own page are not won by a call."""
    return ratio(
        promises,
        right_party,
        "promises made (one an account and day, self-service left out) / calls with the right party * 100",
        empty="no call reached the right party",
    )


def kept_rate(*, kept: int, fell_due: int, grace_days: int) -> Figure:
    """Promises whose grace still runs are not judged yet, unless they are already kept."""
    return ratio(
        kept,
        fell_due,
        f"promises paid in full by the due date + {grace_days} days / promises that fell due (cancelled before, or "
        "still in those days: left out) * 100",
        empty="no promise fell due",
    )


def instalments_kept_rate(*, kept: int, fell_due: int, grace_days: int) -> Figure:
    """The same of plans: an instalment is a promise with its own days of grace."""
    return ratio(
        kept,
        fell_due,
        f"instalments paid by the due date + {grace_days} days / instalments that fell due (still in those days: left "
        "out) * 100",
        empty="no instalment fell due",
    )


def churn_after_collections(*, ended: int, left_collections: int, within_days: int) -> Figure:
    """Judged once its days are over: the cohort left collections as long before the period as the days are."""
    return ratio(
        ended,
        left_collections,
        f"accounts closed within {within_days} days of the end of their dunning case / accounts whose case ended in "
        f"the period that lies {within_days} days back * 100",
        empty=f"no case ended in the period that lies {within_days} days back",
    )


def cost_per_unit_collected(*, cost: Decimal | None, collected: Decimal) -> Figure:
    """What it cost to collect one unit of the currency. ``cost`` is None where nobody records costs."""
    formula = "(pay + messages + agency commission + overhead) / money received"
    if cost is None:
        return Figure(None, None, collected, f"{formula}: no costs are recorded", in_money=True)
    return ratio(cost, collected, formula, times=1, empty="nothing was collected", in_money=True)


def satisfaction(*, satisfied: int | None, answers: int | None) -> Figure:
    """CSAT: answers of 4 or 5 out of 5. Fewer than ``FEWEST_ANSWERS`` show nothing: they would mislead."""
    formula = "answers of 4 or 5 out of 5 / answers * 100"
    if satisfied is None or answers is None:
        return Figure(None, None, None, f"{formula}: no answers of customers are recorded")
    if answers < FEWEST_ANSWERS:
        return Figure(
            None, Decimal(satisfied), Decimal(answers), f"{formula}: fewer than {FEWEST_ANSWERS} customers answered"
        )
    return ratio(satisfied, answers, formula, empty="nobody answered")


def complaint_rate(*, complaints: int | None, accounts_contacted: int | None) -> Figure:
    """Complaints for a thousand accounts contacted; ``complaints`` is None where nobody records them."""
    formula = "complaints / accounts contacted * 1000"
    if complaints is None or accounts_contacted is None:
        return Figure(None, None, None, f"{formula}: no complaints are recorded")
    return ratio(complaints, accounts_contacted, formula, times=1000, empty="no account was contacted")


# Variants and the rest of the list ------------------------------------------------------------------------------------


def dso_average(*, opening: Decimal, closing: Decimal, sales: Decimal, days: int) -> Figure:
    """DSO of the average of what was open when the period began and when it ended."""
    return _days_of_sales((opening + closing) / 2, sales, days, "(receivables at the start + at the end) / 2")


def dso_rolling(*, receivables: Decimal, sales: Decimal, days: int) -> Figure:
    """DSO of a quarter's or a year's sales, whatever the period."""
    return ratio(
        receivables,
        sales,
        f"receivables / sales of the last {days} days * {days} days",
        times=days,
        empty=f"no sales in the last {days} days",
        in_money=True,
    )


def true_dso(*, receivables: Decimal, age_days: Mapping[str, Decimal], sales: Mapping[str, Decimal]) -> Figure:
    """Sales-weighted DSO: each open bill by its age, as a share of what was billed in its month.

    ``age_days``: by month of issue, Σ open amount * days since issue; ``sales``: billed in that month.
    """
    formula = "Σ (days since issue * open amount / sales of the month of issue) over open bills"
    if not age_days:
        return Figure(None, receivables, None, f"{formula}: nothing is open", in_money=True)
    empty = sorted(month for month in age_days if sales.get(month, NOTHING) <= 0)
    if empty:
        return Figure(None, receivables, None, f"{formula}: nothing was billed in {empty[0]}", in_money=True)
    value = sum((weight / sales[month] for month, weight in age_days.items()), NOTHING)
    return Figure(value, receivables, None, formula, in_money=True)


def paid_bill_days(*, days: Decimal, bills: int, floored: bool) -> Figure:
    """How long after its due date a bill was paid; before it is negative, or none (``floored``)."""
    early = "none where it was paid early" if floored else "negative where it was paid early"
    return ratio(
        days,
        bills,
        f"Σ (day paid in full - due date, {early}) / bills that payments naming them paid in full in the period",
        times=1,
        empty="no such bill was paid",
    )


def net_recovery_rate(*, collected: Decimal, commission: Decimal, past_due_at_start: Decimal) -> Figure:
    """Recovery less what agencies keep of it."""
    return ratio(
        collected - commission,
        past_due_at_start,
        "(collected on bills past due at the start - agency commission of the period) / past due at the start * 100",
        empty="nothing was past due at the start",
        in_money=True,
    )


def liquidation(*, collected: Decimal, placed: Decimal, within_days: int, net: bool = False) -> Figure:
    """Of what was placed with agencies so many days back, how much was paid within those days."""
    paid = "(payments - agency commission)" if net else "payments"
    return ratio(
        collected,
        placed,
        f"{paid} within {within_days} days of placing / placed with agencies in the period that lies {within_days} "
        "days back * 100",
        empty=f"nothing was placed in the period that lies {within_days} days back",
        in_money=True,
    )


def recovery_after_write_off(*, recovered: Decimal, written_off: Decimal) -> Figure:
    return ratio(
        recovered,
        written_off,
        "paid since on what was written off in the last year / written off in the last year * 100",
        empty="nothing was written off in the last year",
        in_money=True,
    )


def bad_debt_ratio(*, written_off: Decimal, recovered: Decimal, sales: Decimal) -> Figure:
    return ratio(
        written_off - recovered,
        sales,
        "(written off - recovered of write-offs) in the last year / sales of the last year * 100",
        empty="no sales in the last year",
        in_money=True,
    )


def bad_debt_of_bills(*, written_off: Decimal, sales: Decimal) -> Figure:
    """By vintage: what was lost of the bills of a year, whenever it was written off."""
    return ratio(
        written_off,
        sales,
        "written off and not recovered of the bills issued in the last year / sales of the last year * 100",
        empty="no sales in the last year",
        in_money=True,
    )


def cure_rate_any(*, cured: int, delinquent_at_start: int) -> Figure:
    return ratio(
        cured,
        delinquent_at_start,
        "accounts past due at the start that have nothing past due at the end, paid, credited or written off / "
        "accounts past due at the start * 100",
        empty="no account was past due at the start",
    )


def cure_rate_amount(*, cured: Decimal, past_due_at_start: Decimal) -> Figure:
    return ratio(
        cured,
        past_due_at_start,
        "past due at the start of accounts that paid all of it and have nothing past due at the end / past due at the "
        "start * 100",
        empty="nothing was past due at the start",
        in_money=True,
    )


def sustained_cure(*, still_cured: int, cured: int, after_days: int, known: bool) -> Figure:
    """``known``: where accounts stood on the three days was kept."""
    formula = (
        f"accounts with nothing past due still / accounts past due at the start and no more at the end of the period "
        f"that lies {after_days} days back * 100"
    )
    if not known:
        return Figure(None, None, None, f"{formula}: where accounts stood then was not kept")
    return ratio(still_cured, cured, formula, empty="no account was cured then")


def roll_rate_proxy(*, now: Decimal, held: Decimal, days: int) -> Figure:
    """A roll rate that does not follow accounts: what is in the next bucket may have come from anywhere."""
    return ratio(
        now,
        held,
        f"balance in the next bucket, of any account / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def stay_rate(*, stayed: Decimal, held: Decimal, days: int) -> Figure:
    return ratio(
        stayed,
        held,
        f"balance in the same bucket of the same accounts / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def roll_back_rate(*, rolled_back: Decimal, held: Decimal, days: int) -> Figure:
    return ratio(
        rolled_back,
        held,
        f"balance in the bucket before of the same accounts / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def roll_off_rate(*, rolled_off: Decimal, held: Decimal, days: int) -> Figure:
    return ratio(
        rolled_off,
        held,
        f"balance of accounts that have nothing past due any more / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def loss_rates(forward_rolls: Sequence[Decimal]) -> list[Decimal]:
    """What part of each bucket is lost in the end: the product of the roll rates (per cent) from it to the last bucket.

    One more than there are rolls: what reached the last bucket is lost.
    """
    shares = [roll / 100 for roll in forward_rolls]
    return list(reversed(list(accumulate(reversed(shares), lambda loss, share: loss * share, initial=Decimal(1)))))


def provision(
    *, balances: Sequence[Decimal], forward_rolls: Sequence[Decimal], recovered: Decimal = NOTHING
) -> Decimal:
    """The allowance by roll rates: Σ balance * loss rate * (1 - share recovered after the loss).

    Raises ``ValueError`` unless there is a balance for each bucket: one more than rolls.
    """
    return sum(
        (balance * loss * (1 - recovered) for balance, loss in zip(balances, loss_rates(forward_rolls), strict=True)),
        NOTHING,
    )


def right_party_rate_of_attempts(*, right_party: int, attempts: int) -> Figure:
    return ratio(
        right_party, attempts, "calls made that reached the right party / calls made * 100", empty="no call was made"
    )


def right_party_rate_of_accounts(*, right_party: int, worked: int) -> Figure:
    return ratio(
        right_party,
        worked,
        "accounts whose right party was reached / accounts with a call * 100",
        empty="no account had a call",
    )


def promise_rate_amount(*, promised: Decimal, late_and_reached: Decimal) -> Figure:
    return ratio(
        promised,
        late_and_reached,
        "amounts promised (one promise an account and day) / past due of the accounts reached, at the start or at the "
        "end, the larger * 100",
        empty="nothing was past due on the accounts reached",
        in_money=True,
    )


def is_kept(*, paid: Decimal, promised: Decimal, kept_percent: int = 100) -> bool:
    """Whether what was paid in time makes the promise a kept one."""
    return paid * 100 >= promised * kept_percent


def kept_rate_amount(*, paid: Decimal, promised: Decimal, grace_days: int) -> Figure:
    return ratio(
        paid,
        promised,
        f"Σ paid by the due date + {grace_days} days, at most what was promised / Σ promised for days in the period "
        "* 100",
        empty="no promise fell due",
        in_money=True,
    )


def promises_taken_back(*, taken_back: int, fell_due: int) -> Figure:
    """What ``kept_rate`` leaves out."""
    return ratio(
        taken_back,
        fell_due,
        "promises cancelled by their due date, for a dispute or another agreement / promises for days in the period "
        "* 100",
        empty="no promise was for these days",
    )


def contact_rate(*, connected: int, attempts: int) -> Figure:
    return ratio(connected, attempts, "calls made and connected / calls made * 100", empty="no call was made")


def contact_rate_of_accounts(*, connected: int, called: int) -> Figure:
    return ratio(
        connected, called, "accounts where a call we made connected / accounts called * 100", empty="no call was made"
    )


def percentile(counts: Mapping[int, int], share: Decimal) -> Decimal | None:
    """Of values with how often each occurs: the one below which that share lies, in proportion between neighbours."""
    total = sum(counts.values())
    if not total:
        return None
    place = share * (total - 1)
    below, part = int(place), place - int(place)
    ordered = sorted(counts)
    ends = list(accumulate(counts[value] for value in ordered))
    lower = next(value for value, end in zip(ordered, ends, strict=True) if below < end)
    upper = next(value for value, end in zip(ordered, ends, strict=True) if min(below + 1, total - 1) < end)
    return lower + (upper - lower) * part


def contact_latency(*, counts: Mapping[int, int], share: Decimal, within_days: int, of_first: bool = False) -> Figure:
    """``counts``: how many payments came so many days after the conversation."""
    which = "first" if of_first else "last"
    name = "half" if share == Decimal("0.5") else f"{share * 100:.0f} %"
    formula = (
        f"days from the {which} conversation with the right party to the payment that {name} of the payments with one "
        f"in the {within_days} days before do not exceed"
    )
    total = Decimal(sum(counts.values()))
    value = percentile(counts, share)
    return Figure(value, None, total, formula if value is not None else f"{formula}: no payment followed one")


def unattributed_payments(*, unattributed: int, payments: int, within_days: int) -> Figure:
    return ratio(
        unattributed,
        payments,
        f"payments without a conversation in the {within_days} days before / payments * 100",
        empty="nothing was paid",
    )


def first_contact_resolution(*, resolved: int, reached: int, within_days: int) -> Figure:
    return ratio(
        resolved,
        reached,
        f"accounts that paid what was due or agreed a plan within {within_days} days of the first conversation, "
        f"without another call / accounts whose right party was reached in the period that lies {within_days} days "
        "back * 100",
        empty=f"nobody was reached in the period that lies {within_days} days back",
    )


def suspension_effectiveness(*, paid: int, warned: int, within_days: int, in_full: bool) -> Figure:
    what = "paid what the warning named" if in_full else "paid something"
    return ratio(
        paid,
        warned,
        f"accounts that {what} within {within_days} days of a warning / accounts warned of a limit in the period that "
        f"lies {within_days} days back * 100",
        empty=f"nobody was warned in the period that lies {within_days} days back",
    )


def wrongly_limited(*, wrongly: int, limited: int) -> Figure:
    return ratio(
        wrongly,
        limited,
        "accounts limited with nothing undisputed past due the evening before, as is known now / accounts limited "
        "* 100",
        empty="no account was limited",
    )


def satisfaction_mean(*, score: int | None, answers: int | None) -> Figure:
    formula = "Σ scores of 1 to 5 / answers"
    if score is None or answers is None:
        return Figure(None, None, None, f"{formula}: no answers of customers are recorded")
    if answers < FEWEST_ANSWERS:
        return Figure(
            None, Decimal(score), Decimal(answers), f"{formula}: fewer than {FEWEST_ANSWERS} customers answered"
        )
    return ratio(score, answers, formula, times=1, empty="nobody answered")


def response_rate(*, answered: int, asked: int) -> Figure:
    return ratio(answered, asked, "customers who answered / customers asked * 100", empty="nobody was asked")


def complaint_rate_of_contacts(*, complaints: int | None, contacts: int | None) -> Figure:
    formula = "complaints / calls made and messages sent * 1000"
    if complaints is None or contacts is None:
        return Figure(None, None, None, f"{formula}: no complaints are recorded")
    return ratio(complaints, contacts, formula, times=1000, empty="nobody was contacted")


def complaints_upheld(*, upheld: int, decided: int) -> Figure:
    return ratio(
        upheld,
        decided,
        "complaints upheld, wholly or in part / complaints answered and not withdrawn * 100",
        empty="no complaint was answered",
    )


def complaints_again(*, again: int, complaints: int) -> Figure:
    return ratio(
        again, complaints, "complaints made before on the same matter / complaints * 100", empty="nobody complained"
    )


def complaint_days(*, days: int, closed: int) -> Figure:
    return ratio(
        days, closed, "Σ days from receipt to answer / complaints answered", times=1, empty="no complaint was answered"
    )


def churn_of(*, ended: int, left_collections: int, within_days: int, by_us: bool) -> Figure:
    whose = "by a write-off or a disconnection" if by_us else "by the customer"
    return ratio(
        ended,
        left_collections,
        f"accounts closed {whose} within {within_days} days of the end of their dunning case / accounts whose case "
        f"ended in the period that lies {within_days} days back * 100",
        empty=f"no case ended in the period that lies {within_days} days back",
    )


def retention(*, ended: int, left_collections: int, within_days: int) -> Figure:
    return ratio(
        left_collections - ended,
        left_collections,
        f"accounts still there {within_days} days after the end of their dunning case / accounts whose case ended in "
        f"the period that lies {within_days} days back * 100",
        empty=f"no case ended in the period that lies {within_days} days back",
    )


def churn_of_others(*, ended: int, others: int, within_days: int) -> Figure:
    """To compare with: accounts that were not in collections in the same days."""
    return ratio(
        ended,
        others,
        f"accounts closed within {within_days} days of the end of the period that lies {within_days} days back / "
        "accounts without a dunning case in that period * 100",
        empty="every account had a dunning case then",
    )


def occupancy(*, handled: Decimal, available: Decimal, known: bool = True) -> Figure:
    """Of the time in which somebody could work on accounts, how much was worked. Hours."""
    formula = (
        "(talk + hold + wrap-up) / (talk + hold + wrap-up + available) * 100, in hours; available is the time at work "
        "less the first three"
    )
    if not known:
        return Figure(None, None, None, f"{formula}: nobody's time is recorded")
    return ratio(handled, handled + available, formula, empty="nobody was at work")


def utilization(*, handled: Decimal, available: Decimal, paid: Decimal, known: bool = True) -> Figure:
    """Of the paid time, how much was worked or waited for work. Hours."""
    formula = "(talk + hold + wrap-up + available) / paid time, with breaks, training and meetings * 100, in hours"
    if not known:
        return Figure(None, None, None, f"{formula}: nobody's time is recorded")
    return ratio(handled + available, paid, formula, empty="nobody was paid")


def refused_contacts(*, refused: int, asked: int) -> Figure:
    return ratio(
        refused, asked, "contacts and limits the rules did not allow / asked for * 100", empty="nothing was asked for"
    )


def overridden_contacts(*, overridden: int, asked: int) -> Figure:
    return ratio(
        overridden, asked, "refusals that somebody with the right to it overrode / asked for * 100",
        empty="nothing was asked for",
    )  # fmt: skip


def outside_hours(*, outside: int, contacts: int, earliest: int, latest: int) -> Figure:
    """Must be 0."""
    return ratio(
        outside,
        contacts,
        f"calls made and texts sent before {earliest}:00 or from {latest}:00 at the customer / calls made and texts "
        "sent * 100",
        empty="nobody was called or texted",
    )
