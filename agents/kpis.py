"""The figures of any day, from the rows: of one scope (``compute``), or of every scope at once (``every_scope``).

Nothing is averaged: every figure is made of the sums of its period, the ``days`` days that end with ``as_of``.
Receivables include what is disputed; sales are the bills issued, tax included. The figures of a past day are computed
from what is known now, so money that was back-dated counts on its own date. ``CATALOGUE`` lists what there is.
Today's page of the supervisor is ``desk``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts import money
from accounts.models import Account
from accounts.position import BUCKETS
from accounts.refusals import Refused
from agents import ageing, measures, pictures, scopes
from agents import kpi_formulas as formulas
from agents.kpi_formulas import NOTHING, Figure, MonthOfSales
from agents.measures import CHURN_DAYS, LATENCY_DAYS, QUARTER_DAYS, RESOLVED_DAYS, WARNED_DAYS
from agents.period import Period
from agents.scopes import EVERYTHING, OF_ACCOUNTS, Dimension, Parts, Scope, Sums
from agents.today import DeskFigures, desk

__all__ = ["CATALOGUE", "CannotCompute", "DeskFigures", "Kpi", "Recorded", "compute", "desk", "every_scope"]

LONGEST_PERIOD = 3_660

_ROLLS = tuple(pairwise(BUCKETS))
_BACK = tuple((later, earlier) for earlier, later in _ROLLS if earlier != BUCKETS[0])


class CannotCompute(Refused):
    """The question has no single answer: a currency is missing, unknown, or the period is empty."""

    code = "invalid"


@dataclass(frozen=True)
class Asked:
    """The sums that figures are made of, and which days they are of."""

    sums: Sums
    period: Period
    known: frozenset[str] = frozenset()
    currency: str = ""

    def of(self, *key: str) -> Decimal:
        return self.sums.of(*key)

    def count(self, *key: str) -> int:
        return self.sums.count(*key)

    def total(self, name: str) -> Decimal:
        """Everything of that name together."""
        return sum(self.sums.family(name).values(), NOTHING)

    @property
    def open(self) -> Decimal:
        return self.total("closing")

    @property
    def current(self) -> Decimal:
        return self.of("closing", "current")

    @property
    def sales(self) -> Decimal:
        return self.of("sales")

    @property
    def year_days(self) -> int:
        return (self.period.end - measures.year_before(self.period.end)).days

    def by_month(self, name: str) -> dict[str, Decimal]:
        return {month: amount for (month,), amount in self.sums.family(name).items()}

    def counts(self, name: str) -> dict[int, int]:
        return {int(value): int(count) for (value,), count in self.sums.family(name).items()}

    def recorded(self, what: str, key: str) -> int | None:
        """A count; none where nobody records such things."""
        return self.count(key) if what in self.known else None


Answer = Figure | dict[str, Figure]


@dataclass(frozen=True)
class Kpi:
    """A figure as pages, targets and files know it."""

    name: str
    title: str
    #: In words, for thirty days; a figure itself says it with its own days.
    formula: str
    #: ``%``, ``days``, ``per 1000``, ``money`` (for one unit of it) or ``of 5``.
    unit: str
    #: ``higher``, ``lower``, or nothing where neither is.
    better: str
    #: The figure that it is another way to look at, or nothing.
    variants_of: str
    #: The list of accounts behind it (``agents.drilling``), or nothing.
    drill: str
    #: Dimensions in which it means something.
    scopes: tuple[str, ...]
    figure: Callable[[Asked], Answer]


_ALL = str(Dimension.ALL)
#: Of accounts; of what people do; of how people spend their time.
_MONEY = (_ALL, *OF_ACCOUNTS)
_PEOPLE = (*_MONEY, str(Dimension.AGENT))
_TIME = (_ALL, str(Dimension.TEAM), str(Dimension.AGENT))


def _kpi(
    name: str,
    title: str,
    figure: Callable[[Asked], Answer],
    *,
    unit: str = "%",
    better: str = "",
    of: str = "",
    drill: str = "",
    scopes: tuple[str, ...] = _MONEY,
) -> Kpi:
    found = figure(Asked(Sums(), Period(date(2001, 1, 1), 30)))
    one = next(iter(found.values())) if isinstance(found, dict) else found
    # Of an empty book nothing is known, and the reason stands behind the words.
    words = one.formula if one.value is not None else one.formula.rpartition(": ")[0]
    return Kpi(name, title, words, unit, better, of, drill, scopes, figure)


def _months(asked: Asked) -> list[MonthOfSales]:
    """Calendar months, latest first, beginning with the part of the present one that has passed."""
    sales, months, last_day = asked.by_month("sales_of_month"), [], asked.period.end
    for _ in range(formulas.COUNTBACK_MONTHS):
        months.append(MonthOfSales(sales.get(f"{last_day:%Y-%m}", NOTHING), last_day.day))
        last_day = last_day.replace(day=1) - timedelta(days=1)
    return months


def _effectiveness(asked: Asked, *, monthly: bool = False, write_offs: bool = True) -> Figure:
    return formulas.collection_effectiveness(
        opening=asked.total("opening"),
        sales=asked.sales,
        closing=asked.open,
        closing_current=asked.current,
        per_month_of=asked.period.days if monthly else None,
        write_offs=None if write_offs else asked.of("written_off"),
    )


def _rolls(
    asked: Asked,
    formula: Callable[..., Figure],
    counted: str,
    given: str,
    pairs: Sequence[tuple[str, str]] = _ROLLS,
    *,
    of_next: bool = False,
) -> dict[str, Figure]:
    """A family of rates by bucket: what was counted of those that were in it, over what was in it."""
    days = measures.roll_days(asked.period)
    return {
        f"{bucket} to {following}": formula(
            **{given: asked.of(counted, following if of_next else bucket)}, held=asked.of("held", bucket), days=days
        )
        for bucket, following in pairs
    }


def _latency(asked: Asked, share: str, *, of_first: bool = False) -> Figure:
    counts = asked.counts("latency_of_first" if of_first else "latency")
    return formulas.contact_latency(counts=counts, share=Decimal(share), within_days=LATENCY_DAYS, of_first=of_first)


def _cost(asked: Asked) -> Figure:
    names = ("cost_pay", "cost_calls", "cost_messages", "cost_overhead", "commission")
    cost = sum((asked.of(name) for name in names), NOTHING)
    known = f"costs {asked.currency}" in asked.known or cost > 0
    return formulas.cost_per_unit_collected(cost=cost if known else None, collected=asked.of("received"))


def _hours(asked: Asked, formula: Callable[..., Figure], **more: Decimal) -> Figure:
    """Seconds as hours; available is what of the time at work went to no account."""
    handled = asked.of("handled") / 3600
    available = max(asked.of("at_work") / 3600 - handled, NOTHING)
    return formula(handled=handled, available=available, known=asked.of("paid") > 0, **more)


def _judged(asked: Asked) -> dict[str, Any]:
    return {"kept": asked.count("judged_count", "kept"), "fell_due": int(asked.total("judged_count"))}


#: In the order of the page. The first ones keep their names and their places for good: others read them.
CATALOGUE: tuple[Kpi, ...] = (
    _kpi(
        "dso", "Days sales outstanding",
        lambda a: formulas.dso(receivables=a.open, sales=a.sales, days=a.period.days),
        unit="days", better="lower", drill="overdue",
    ),
    _kpi(
        "dso_undisputed", "DSO without what is disputed",
        lambda a: formulas.dso(
            receivables=a.open, disputed=a.total("disputed"), sales=a.sales, days=a.period.days
        ),
        unit="days", better="lower", of="dso", drill="disputed",
    ),
    _kpi(
        "dso_countback", "Count-back DSO",
        lambda a: formulas.countback_dso(receivables=a.open, months=_months(a)),
        unit="days", better="lower", of="dso", drill="overdue",
    ),
    _kpi(
        "bpdso", "Best possible DSO",
        lambda a: formulas.best_possible_dso(current=a.current, sales=a.sales, days=a.period.days),
        unit="days", better="lower",
    ),
    _kpi(
        "add", "Average days delinquent",
        lambda a: formulas.average_days_delinquent(
            receivables=a.open, current=a.current, sales=a.sales, days=a.period.days
        ),
        unit="days", better="lower", drill="overdue",
    ),
    _kpi(
        "wadd_all", "Days delinquent, weighted by everything open",
        lambda a: formulas.weighted_days_delinquent(
            amount_days=a.total("amount_days"), amount=a.open, overdue_only=False
        ),
        unit="days", better="lower", of="add", drill="overdue",
    ),
    _kpi(
        "wadd_overdue", "Days delinquent, weighted by what is past due",
        lambda a: formulas.weighted_days_delinquent(
            amount_days=a.total("amount_days"), amount=a.open - a.current, overdue_only=True
        ),
        unit="days", better="lower", of="add", drill="overdue",
    ),
    _kpi("cei", "Collection effectiveness", _effectiveness, better="higher", drill="overdue"),
    _kpi(
        "cei_monthly_sales", "Collection effectiveness with a month's sales", partial(_effectiveness, monthly=True),
        better="higher", of="cei", drill="overdue",
    ),
    _kpi(
        "cei_without_write_offs", "Collection effectiveness without write-offs",
        partial(_effectiveness, write_offs=False), better="higher", of="cei", drill="written_off",
    ),
    _kpi(
        "recovery_rate", "Recovery rate",
        lambda a: formulas.recovery_rate(collected=a.of("collected"), past_due_at_start=a.of("past_due_at_start")),
        better="higher", drill="at_start",
    ),
    _kpi(
        "cure_rate", "Cure rate, by payment",
        lambda a: formulas.cure_rate(cured=a.count("cured"), delinquent_at_start=a.count("delinquent")),
        better="higher", drill="cured",
    ),
    _kpi(
        "roll_rates", "Roll rates", partial(_rolls, formula=formulas.roll_rate, counted="rolled", given="rolled"),
        better="lower", drill="overdue",
    ),
    _kpi(
        "rpc_rate", "Right-party contact rate",
        lambda a: formulas.right_party_contact_rate(
            right_party=a.count("right_party"), connected=a.count("connected")
        ),
        better="higher", drill="right_party", scopes=_PEOPLE,
    ),
    _kpi(
        "ptp_rate", "Promise rate",
        lambda a: formulas.promise_rate(promises=a.count("promises_won"), right_party=a.count("right_party")),
        better="higher", drill="right_party", scopes=_PEOPLE,
    ),
    _kpi(
        "kept_rate", "Promises kept",
        lambda a: formulas.kept_rate(**_judged(a), grace_days=settings.PROMISE_GRACE_DAYS),
        better="higher", drill="promises", scopes=_PEOPLE,
    ),
    _kpi(
        "instalments_kept_rate", "Instalments kept",
        lambda a: formulas.instalments_kept_rate(
            kept=a.count("instalments_kept"),
            fell_due=a.count("instalments_due"),
            grace_days=settings.INSTALMENT_GRACE_DAYS,
        ),
        better="higher", of="kept_rate",
    ),
    _kpi("cost_per_unit_collected", "Cost per unit collected", _cost, unit="money", better="lower"),
    _kpi(
        "csat", "Satisfied customers",
        lambda a: formulas.satisfaction(
            satisfied=a.recorded("answers", "satisfied"), answers=a.recorded("answers", "answers")
        ),
        better="higher", drill="discontent", scopes=_PEOPLE,
    ),
    _kpi(
        "complaint_rate", "Complaints per 1,000 accounts contacted",
        lambda a: formulas.complaint_rate(
            complaints=a.recorded("complaints", "complaints"),
            accounts_contacted=a.recorded("complaints", "accounts_contacted"),
        ),
        unit="per 1000", better="lower", drill="complaints", scopes=_PEOPLE,
    ),
    _kpi(
        "churn_after_collections", "Churn after collections",
        lambda a: formulas.churn_after_collections(
            ended=a.count("ended"), left_collections=a.count("left_collections"), within_days=CHURN_DAYS
        ),
        better="lower", drill="lost",
    ),
    # What came later; a name once given stays.
    _kpi(
        "dso_average", "DSO of average receivables",
        lambda a: formulas.dso_average(
            opening=a.total("opening"), closing=a.open, sales=a.sales, days=a.period.days
        ),
        unit="days", better="lower", of="dso", drill="overdue",
    ),
    _kpi(
        "dso_quarter", "DSO over a quarter",
        lambda a: formulas.dso_rolling(
            receivables=a.open, sales=a.total("sales_of_quarter"), days=QUARTER_DAYS
        ),
        unit="days", better="lower", of="dso", drill="overdue",
    ),
    _kpi(
        "dso_year", "DSO over a year",
        lambda a: formulas.dso_rolling(receivables=a.open, sales=a.total("sales_of_year"), days=a.year_days),
        unit="days", better="lower", of="dso", drill="overdue",
    ),
    _kpi(
        "dso_true", "True DSO",
        lambda a: formulas.true_dso(
            receivables=a.open, age_days=a.by_month("age_days"), sales=a.by_month("sales_of_month")
        ),
        unit="days", better="lower", of="dso", drill="overdue",
    ),
    _kpi(
        "add_paid_bills", "Days after the due date that bills were paid",
        lambda a: formulas.paid_bill_days(days=a.of("paid_days"), bills=a.count("paid_bills"), floored=False),
        unit="days", better="lower", of="add",
    ),
    _kpi(
        "add_paid_bills_late", "Days after the due date that bills were paid, early as on time",
        lambda a: formulas.paid_bill_days(days=a.of("paid_late_days"), bills=a.count("paid_bills"), floored=True),
        unit="days", better="lower", of="add",
    ),
    _kpi(
        "cei_monthly_sales_without_write_offs", "Collection effectiveness with a month's sales, without write-offs",
        partial(_effectiveness, monthly=True, write_offs=False), better="higher", of="cei", drill="written_off",
    ),
    _kpi(
        "recovery_rate_net", "Recovery rate less agency commission",
        lambda a: formulas.net_recovery_rate(
            collected=a.of("collected"), commission=a.of("commission"), past_due_at_start=a.of("past_due_at_start")
        ),
        better="higher", of="recovery_rate", drill="at_start",
    ),
    *(
        _kpi(
            f"liquidation_{days}", f"Paid within {days} days of placing with an agency",
            lambda a, days=days: formulas.liquidation(  # type: ignore[misc]
                collected=a.of("liquidated", str(days)), placed=a.of("placed", str(days)), within_days=days
            ),
            better="higher", of="recovery_rate",
        )
        for days in measures.LIQUIDATION_DAYS
    ),
    *(
        _kpi(
            f"liquidation_{days}_net", f"Paid within {days} days of placing, less the agency's commission",
            lambda a, days=days: formulas.liquidation(  # type: ignore[misc]
                collected=a.of("liquidated", str(days)) - a.of("agency_kept", str(days)),
                placed=a.of("placed", str(days)),
                within_days=days,
                net=True,
            ),
            better="higher", of="recovery_rate",
        )
        for days in measures.LIQUIDATION_DAYS
    ),
    _kpi(
        "recovery_after_write_off", "Recovered after write-off",
        lambda a: formulas.recovery_after_write_off(
            recovered=a.of("recovered_of_year"), written_off=a.of("written_off_in_year")
        ),
        better="higher", of="recovery_rate", drill="written_off",
    ),
    _kpi(
        "cure_rate_any", "Cure rate, by anything",
        lambda a: formulas.cure_rate_any(cured=a.count("cured_any"), delinquent_at_start=a.count("delinquent")),
        better="higher", of="cure_rate", drill="cured",
    ),
    _kpi(
        "cure_rate_amount", "Cure rate by amount",
        lambda a: formulas.cure_rate_amount(
            cured=a.of("cured_amount"), past_due_at_start=a.of("past_due_at_start")
        ),
        better="higher", of="cure_rate", drill="cured",
    ),
    *(
        _kpi(
            f"cure_sustained_{days}", f"Cured and not late {days} days on",
            lambda a, days=days: formulas.sustained_cure(  # type: ignore[misc]
                still_cured=a.count("still_cured", str(days)),
                cured=a.count("cured_before", str(days)),
                after_days=days,
                known=f"sustained {days}" in a.known,
            ),
            better="higher", of="cure_rate",
        )
        for days in measures.SUSTAINED_DAYS
    ),
    _kpi(
        "roll_rates_proxy", "Roll rates without following accounts",
        partial(_rolls, formula=formulas.roll_rate_proxy, counted="closing", given="now", of_next=True),
        better="lower", of="roll_rates", drill="overdue",
    ),
    _kpi(
        "roll_stayed", "Stayed in the bucket",
        partial(
            _rolls, formula=formulas.stay_rate, counted="stayed", given="stayed",
            pairs=[(bucket, bucket) for bucket in BUCKETS],
        ),
        of="roll_rates", drill="overdue",
    ),
    _kpi(
        "roll_back", "Rolled back",
        partial(_rolls, formula=formulas.roll_back_rate, counted="rolled_back", given="rolled_back", pairs=_BACK),
        better="higher", of="roll_rates", drill="overdue",
    ),
    _kpi(
        "roll_off", "Cured, by bucket",
        partial(
            _rolls, formula=formulas.roll_off_rate, counted="rolled_off", given="rolled_off",
            pairs=[(bucket, "cured") for bucket in BUCKETS[1:]],
        ),
        better="higher", of="roll_rates", drill="cured",
    ),
    _kpi(
        "rpc_rate_attempts", "Right party of calls made",
        lambda a: formulas.right_party_rate_of_attempts(
            right_party=a.count("attempts_right_party"), attempts=a.count("attempts")
        ),
        better="higher", of="rpc_rate", drill="calls", scopes=_PEOPLE,
    ),
    _kpi(
        "rpc_rate_accounts", "Right party of accounts worked",
        lambda a: formulas.right_party_rate_of_accounts(
            right_party=a.count("accounts_right_party"), worked=a.count("accounts_worked")
        ),
        better="higher", of="rpc_rate", drill="right_party", scopes=_PEOPLE,
    ),
    _kpi(
        "ptp_rate_amount", "Promised of what was past due",
        lambda a: formulas.promise_rate_amount(promised=a.of("promised"), late_and_reached=a.of("late_and_reached")),
        better="higher", of="ptp_rate", drill="right_party", scopes=_PEOPLE,
    ),
    _kpi(
        "kept_rate_amount", "Promises kept by amount",
        lambda a: formulas.kept_rate_amount(
            paid=a.total("judged_paid"), promised=a.total("judged"), grace_days=settings.PROMISE_GRACE_DAYS
        ),
        better="higher", of="kept_rate", drill="promises", scopes=_PEOPLE,
    ),
    _kpi(
        "promises_taken_back", "Promises cancelled before their day",
        lambda a: formulas.promises_taken_back(
            taken_back=a.count("promises_taken_back"), fell_due=a.count("promises_due")
        ),
        better="lower", of="kept_rate", scopes=_PEOPLE,
    ),
    _kpi(
        "contact_rate", "Contact rate",
        lambda a: formulas.contact_rate(connected=a.count("attempts_connected"), attempts=a.count("attempts")),
        better="higher", drill="calls", scopes=_PEOPLE,
    ),
    _kpi(
        "contact_rate_accounts", "Contact rate of accounts",
        lambda a: formulas.contact_rate_of_accounts(
            connected=a.count("accounts_connected"), called=a.count("accounts_called")
        ),
        better="higher", of="contact_rate", drill="calls", scopes=_PEOPLE,
    ),
    _kpi(
        "latency_median", "Days from a conversation to the payment, median", partial(_latency, share="0.5"),
        unit="days", better="lower", scopes=_PEOPLE,
    ),
    _kpi(
        "latency_p90", "Days from a conversation to the payment, nine in ten", partial(_latency, share="0.9"),
        unit="days", better="lower", of="latency_median", scopes=_PEOPLE,
    ),
    _kpi(
        "latency_first_median", "Days from the first conversation to the payment, median",
        partial(_latency, share="0.5", of_first=True),
        unit="days", better="lower", of="latency_median", scopes=_PEOPLE,
    ),
    _kpi(
        "latency_first_p90", "Days from the first conversation to the payment, nine in ten",
        partial(_latency, share="0.9", of_first=True),
        unit="days", better="lower", of="latency_median", scopes=_PEOPLE,
    ),
    _kpi(
        "latency_unattributed", "Payments without a conversation before",
        lambda a: formulas.unattributed_payments(
            unattributed=a.count("payments") - int(a.total("latency")),
            payments=a.count("payments"),
            within_days=LATENCY_DAYS,
        ),
        of="latency_median", scopes=tuple(name for name in _MONEY if name != Dimension.TEAM),
    ),
    _kpi(
        "first_contact_resolution", "Resolved in one conversation",
        lambda a: formulas.first_contact_resolution(
            resolved=a.count("resolved_at_once"), reached=a.count("reached_before"), within_days=RESOLVED_DAYS
        ),
        better="higher", scopes=_PEOPLE,
    ),
    _kpi(
        "suspension_effectiveness", "Paid after a warning",
        lambda a: formulas.suspension_effectiveness(
            paid=a.count("warned_paid"), warned=a.count("warned"), within_days=WARNED_DAYS, in_full=True
        ),
        better="higher",
    ),
    _kpi(
        "suspension_effectiveness_some", "Paid something after a warning",
        lambda a: formulas.suspension_effectiveness(
            paid=a.count("warned_paid_some"), warned=a.count("warned"), within_days=WARNED_DAYS, in_full=False
        ),
        better="higher", of="suspension_effectiveness",
    ),
    _kpi(
        "suspension_wrongly", "Limited in error",
        lambda a: formulas.wrongly_limited(wrongly=a.count("limited_wrongly"), limited=a.count("limited")),
        better="lower", of="suspension_effectiveness", drill="wrongly_suspended",
    ),
    _kpi(
        "bad_debt_ratio", "Bad-debt ratio",
        lambda a: formulas.bad_debt_ratio(
            written_off=a.of("written_off_in_year"),
            recovered=a.of("recovered_in_year"),
            sales=a.total("sales_of_year"),
        ),
        better="lower", drill="written_off",
    ),
    _kpi(
        "bad_debt_ratio_of_bills", "Bad debt of a year's bills",
        lambda a: formulas.bad_debt_of_bills(
            written_off=a.of("written_off_of_bills"), sales=a.total("sales_of_year")
        ),
        better="lower", of="bad_debt_ratio", drill="written_off",
    ),
    _kpi(
        "csat_mean", "Mean score",
        lambda a: formulas.satisfaction_mean(
            score=a.recorded("answers", "score"), answers=a.recorded("answers", "answers")
        ),
        unit="of 5", better="higher", of="csat", drill="discontent", scopes=_PEOPLE,
    ),
    _kpi(
        "csat_response_rate", "Customers who answered",
        lambda a: formulas.response_rate(answered=a.count("asked_and_answered"), asked=a.count("asked")),
        better="higher", of="csat", scopes=_PEOPLE,
    ),
    _kpi(
        "complaint_rate_contacts", "Complaints per 1,000 contacts",
        lambda a: formulas.complaint_rate_of_contacts(
            complaints=a.recorded("complaints", "complaints"), contacts=a.recorded("complaints", "contacts")
        ),
        unit="per 1000", better="lower", of="complaint_rate", drill="complaints", scopes=_PEOPLE,
    ),
    _kpi(
        "complaint_upheld_rate", "Complaints upheld",
        lambda a: formulas.complaints_upheld(
            upheld=a.count("complaints_upheld"), decided=a.count("complaints_decided")
        ),
        better="lower", of="complaint_rate", drill="complaints", scopes=_PEOPLE,
    ),
    _kpi(
        "complaint_repeat_rate", "Complaints made again",
        lambda a: formulas.complaints_again(again=a.count("complaints_again"), complaints=a.count("complaints")),
        better="lower", of="complaint_rate", drill="complaints", scopes=_PEOPLE,
    ),
    _kpi(
        "complaint_days", "Days until a complaint is answered",
        lambda a: formulas.complaint_days(days=a.count("complaints_days"), closed=a.count("complaints_closed")),
        unit="days", better="lower", of="complaint_rate", drill="complaints", scopes=_PEOPLE,
    ),
    _kpi(
        "churn_voluntary", "Churn by the customer",
        lambda a: formulas.churn_of(
            ended=a.count("ended") - a.count("ended_by_us"),
            left_collections=a.count("left_collections"),
            within_days=CHURN_DAYS,
            by_us=False,
        ),
        better="lower", of="churn_after_collections", drill="lost",
    ),
    _kpi(
        "churn_involuntary", "Churn by us",
        lambda a: formulas.churn_of(
            ended=a.count("ended_by_us"),
            left_collections=a.count("left_collections"),
            within_days=CHURN_DAYS,
            by_us=True,
        ),
        better="lower", of="churn_after_collections", drill="lost",
    ),
    _kpi(
        "retention", "Retention after collections",
        lambda a: formulas.retention(
            ended=a.count("ended"), left_collections=a.count("left_collections"), within_days=CHURN_DAYS
        ),
        better="higher", of="churn_after_collections",
    ),
    _kpi(
        "churn_of_others", "Churn of accounts outside collections",
        lambda a: formulas.churn_of_others(
            ended=a.count("others_ended"), others=a.count("others"), within_days=CHURN_DAYS
        ),
        better="lower", of="churn_after_collections",
    ),
    _kpi("occupancy", "Occupancy", partial(_hours, formula=formulas.occupancy), scopes=_TIME),
    _kpi(
        "utilization", "Utilization",
        lambda a: _hours(a, formulas.utilization, paid=a.of("paid") / 3600), scopes=_TIME,
    ),
    _kpi(
        "blocked_rate", "Contacts refused by a rule",
        lambda a: formulas.refused_contacts(refused=a.count("gate_refused"), asked=a.count("gate_asked")),
        drill="blocked_contacts", scopes=_PEOPLE,
    ),
    _kpi(
        "override_rate", "Refusals overridden",
        lambda a: formulas.overridden_contacts(
            overridden=a.count("gate_overridden"), asked=a.count("gate_asked")
        ),
        better="lower", of="blocked_rate", drill="overridden_contacts", scopes=_PEOPLE,
    ),
    _kpi(
        "outside_hours", "Contacts outside the hours",
        lambda a: formulas.outside_hours(
            outside=a.count("outside_hours"),
            contacts=a.count("timed_contacts"),
            earliest=measures.EARLIEST_HOUR,
            latest=measures.LATEST_HOUR,
        ),
        better="lower", of="blocked_rate", scopes=_PEOPLE,
    ),
)  # fmt: skip


# Computing ------------------------------------------------------------------------------------------------------------


def _silently(_what: str, _done: int, _of: int) -> None:
    return None


def compute(
    *,
    as_of: date,
    days: int,
    currency: str | None = None,
    business_date: date,
    scope: Scope | None = None,
    pictures: bool = False,
) -> dict[str, Any]:
    """The object that ``kpis --json`` prints: receivables of ``as_of`` and the KPIs of the days that end with it.

    Of the whole book, or of a ``scope``, which has the figures that mean something in it; ``pictures`` adds a key of
    that name. Amounts are text with the currency's decimals, values text with four. Reads every account of the currency
    for each end of the period, a chunk at a time; where that is ``business_date``, the stored open amounts.
    Raises ``CannotCompute`` for less than one day or more than ``LONGEST_PERIOD``, for a book of several currencies
    without ``currency``, and for a currency that does not exist.
    """
    _check(days)
    currency = _currency_of_the_book(currency)
    period, wanted = Period(as_of, days), scope or EVERYTHING
    with (
        transaction.atomic(),
        scopes.laid_out(currency=currency or "") as parts,
        ageing.read(
            end=as_of,
            starts=[period.start],
            between=[measures.roll_start(period)],
            business_date=business_date,
            say=_silently,
            every_account=True,
        ),
    ):
        measures.of_day(parts, as_of=as_of, with_pictures=pictures, say=_silently)
        measures.of_period(parts, period=period, with_pictures=pictures, say=_silently)
    found = _answer(parts, period, currency or "", wanted, parts.every(currency or "").get(wanted, Sums()), pictures)
    answer: dict[str, Any] = {
        "as_of": as_of.isoformat(),
        "days": days,
        "currency": currency,
        "receivables": found.receivables,
        "kpis": found.kpis,
    }
    return answer | ({"pictures": found.pictures} if pictures else {})


@dataclass(frozen=True)
class Recorded:
    """The figures of one scope and period, as they are kept (``agents.snapshots``)."""

    days: int
    currency: str
    scope: Scope
    receivables: dict[str, Any]
    kpis: dict[str, Any]
    pictures: dict[str, Any]


def every_scope(
    *,
    as_of: date,
    windows: Sequence[int],
    business_date: date,
    at: datetime,
    say: Callable[[str, int, int], None] = _silently,
) -> Iterator[Recorded]:
    """The figures of every currency, scope and length of period that ends with ``as_of``; equal to ``compute``'s.

    One pass over the book whatever the number of scopes: set statements by cell, and only accounts that may have been
    late when a period began are read one by one. ``say`` is told what is done, how much of it, of how much. ``at`` is
    when; figures do not depend on it. Raises ``CannotCompute`` for a length that is none.
    """
    for days in windows:
        _check(days)
    periods = [Period(as_of, days) for days in sorted(set(windows))]
    counted: list[tuple[Period, Parts]] = []
    with (
        transaction.atomic(),
        scopes.laid_out() as of_day,
        ageing.read(
            end=as_of,
            starts=[period.start for period in periods],
            between=[measures.roll_start(period) for period in periods],
            business_date=business_date,
            say=say,
            every_account=False,
        ),
    ):
        measures.of_day(of_day, as_of=as_of, with_pictures=True, say=say)
        for period in periods:
            parts = Parts(of_day.cells, of_day.people)
            measures.of_period(parts, period=period, with_pictures=True, say=say)
            parts.include(of_day)
            counted.append((period, parts))
    for period, parts in counted:
        for currency in parts.currencies():
            for scope, sums in parts.every(currency).items():
                yield _answer(parts, period, currency, scope, sums, with_pictures=True)


def _answer(parts: Parts, period: Period, currency: str, scope: Scope, sums: Sums, with_pictures: bool) -> Recorded:
    asked = Asked(sums, period, frozenset(parts.known), currency)
    figures = {kpi.name: kpi.figure(asked) for kpi in CATALOGUE if scope.dimension in kpi.scopes}
    kept = [what.removeprefix("ageing ") for what in parts.known if what.startswith("ageing ")]
    return Recorded(
        days=period.days,
        currency=currency,
        scope=scope,
        receivables=_receivables(asked, currency),
        kpis={name: _as_json(figure, currency) for name, figure in figures.items()},
        pictures=pictures.of(
            sums,
            currency,
            sampled_one_in=parts.sampled_one_in,
            kept=kept if scope.dimension in _MONEY else (),
        )
        if with_pictures and currency
        else {},
    )


def _receivables(asked: Asked, currency: str) -> dict[str, Any]:
    return {
        "open_bills": int(asked.total("open_bills")),
        "open": _plain(asked.open, currency),
        "overdue_bills": int(asked.total("overdue_bills")),
        "overdue": _plain(asked.open - asked.current, currency),
        "overdue_accounts": asked.count("overdue_accounts"),
        "buckets": {bucket: _plain(asked.of("closing", bucket), currency) for bucket in BUCKETS},
    }


def _check(days: int) -> None:
    if not 1 <= days <= LONGEST_PERIOD:
        raise CannotCompute(f"A period has 1 to {LONGEST_PERIOD} days.")


def _currency_of_the_book(wanted: str | None) -> str | None:
    """The currency asked for, else the only one there is; None in an empty book."""
    if wanted is not None:
        try:
            money.exponent(wanted)
        except money.UnknownCurrency as unknown:
            raise CannotCompute(f"{unknown}.") from unknown
        return wanted
    found = list(Account.objects.order_by("currency").values_list("currency", flat=True).distinct())
    if len(found) > 1:
        raise CannotCompute(f"The book has several currencies ({', '.join(found)}): name one with --currency.")
    return found[0] if found else None


def _plain(amount: Decimal, currency: str) -> str:
    return money.plain(amount, currency) if currency else str(amount)


def _as_json(figure: Answer, currency: str) -> dict[str, Any]:
    """A figure's four parts; for a family of figures, each part by member (they share one formula)."""
    if isinstance(figure, dict):
        members = {name: _as_json(member, currency) for name, member in figure.items()}
        return {part: {name: member[part] for name, member in members.items()} for part in _PARTS}
    return {
        "value": None if figure.value is None else f"{figure.value:.4f}",
        "numerator": _part(figure.numerator, figure, currency),
        "denominator": _part(figure.denominator, figure, currency),
        "formula": figure.formula,
    }


_PARTS = ("value", "numerator", "denominator", "formula")


def _part(number: Decimal | None, figure: Figure, currency: str) -> str | None:
    if number is None:
        return None
    return _plain(number, currency) if figure.in_money else _number(number)


def _number(number: Decimal) -> str:
    """A count as it is, hours with two decimals."""
    return f"{number:.0f}" if number == number.to_integral_value() else f"{number:.2f}"
