"""The demo's admin and supervisor at work: an experiment, files to the agency, write-offs, a draft that waits.

Each act goes through the operation that its page calls. A day asks for what is missing up to it, so a load that was
killed goes on.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

from accounts import events, keeping
from accounts.importing.landing import import_folder
from accounts.models import Service, ServiceStatus
from accounts.refusals import Refused
from agents import write_offs
from agents.models import Agent, Cost, WorkItem
from collections_desk import dry_runs
from collections_desk.book import BOOK
from collections_desk.demo.showcase import FIRST_NUMBER, STORIES
from dunning import experiment_course, kinds, placements, writing
from dunning.models import Agency, AgencyFile, Arm, DryRun, Experiment, GuardRail, Policy, PolicyVersion

ADMIN, SUPERVISOR = "agent:admin", "agent:supervisor"

#: Days before the demo's last one on which the experiment begins, and its length.
EXPERIMENT_BEGINS, EXPERIMENT_DAYS = 52, 60
KEPT_SINCE = 6
#: An agency gets a file on Mondays and Thursdays and answers the day after.
FILE_WEEKDAYS = (1, 4)
#: A write-off waits so long before the supervisor decides: what an agency still brings in comes first.
WAITS = timedelta(days=10)
DECIDED_A_DAY = 2
TRIED_DAYS = 14

_WHY_WRITTEN_OFF = (
    "moved away, no new address",
    "the agency closed it without result",
    "smaller than what a court would cost",
    "the agency closed it without result",
)
#: Of the write-offs that come up, every so many is not approved.
_DECLINED_EACH = 7


def name_the_agency() -> None:
    """What the book's agency is called and earns."""
    Agency.objects.filter(code="northside").update(
        name="Northside Recovery", commission_percent=18, commission_tail_days=30
    )


#: What collecting costs by currency: an hour of an agent, a minute of a call, an SMS, a letter, a month of the rest.
_COSTS = {
    "USD": ("29.50", "0.012", "0.0085", "0.95", "9800"),
    "EUR": ("31.00", "0.014", "0.075", "1.10", "7400"),
    "GBP": ("24.00", "0.011", "0.040", "1.05", "4200"),
    "INR": ("310.00", "0.35", "0.18", "22.00", "260000"),
    "AED": ("72.00", "0.09", "0.11", "5.50", "9000"),
}
_COST_KINDS = (
    Cost.Kind.AGENT_HOUR, Cost.Kind.CALL_MINUTE, Cost.Kind.SMS, Cost.Kind.LETTER, Cost.Kind.OVERHEAD_MONTH,
)  # fmt: skip
#: The same everywhere: what a message costs that nobody carries.
_SMALL_COSTS = {Cost.Kind.EMAIL: Decimal("0.001"), Cost.Kind.IN_APP: Decimal(0), Cost.Kind.VOICE: Decimal("0.08")}


def set_costs(*, from_on: date) -> None:
    """What collecting costs from that day on, for the cost of a unit collected."""
    rows = [
        Cost(kind=kind, currency=currency, amount=Decimal(amount), from_on=from_on)
        for currency, amounts in _COSTS.items()
        for kind, amount in zip(_COST_KINDS, amounts, strict=True)
    ]
    rows += [
        Cost(kind=kind, currency=currency, amount=amount, from_on=from_on)
        for currency in _COSTS
        for kind, amount in _SMALL_COSTS.items()
    ]
    Cost.objects.bulk_create(rows, ignore_conflicts=True)


def decide(*, as_of: date, at: datetime, last_day: date) -> None:
    """What admin and supervisor do on a day; what they did before is not done again."""
    if as_of >= last_day - timedelta(days=EXPERIMENT_BEGINS) and not Experiment.objects.exists():
        _begin_experiment(as_of=as_of, at=at)
    if as_of >= last_day - timedelta(days=KEPT_SINCE):
        _keep_a_service(as_of=as_of, at=at)
    _correspond(as_of=as_of, at=at)
    if as_of.isoweekday() <= 5:
        _write_off(as_of=as_of, at=at)


# The experiment -------------------------------------------------------------------------------------------------------


def _begin_experiment(*, as_of: date, at: datetime) -> None:
    policy = Policy.objects.get(code="residential")
    published = policy.versions.select_related("policy").get(state=PolicyVersion.State.PUBLISHED)
    draft = writing.save_draft(_softer(writing.document_of(published)), actor=ADMIN, at=at)
    challenger = experiment_course.put_on_trial(draft, actor=ADMIN, at=at)
    experiment = Experiment.objects.create(
        code="softer-steps",
        name="Softer steps: a week more before anything is limited",
        policy=policy,
        metric=Experiment.Metric.COLLECTED,
        metric_days=28,
        starts_on=as_of + timedelta(days=1),
        ends_on=as_of + timedelta(days=EXPERIMENT_DAYS),
        created_by=ADMIN,
        created_at=at,
    )
    Arm.objects.bulk_create(
        [
            Arm(experiment=experiment, code="as-today", role=Arm.Role.CHAMPION, share=6_000, position=0),
            Arm(
                experiment=experiment,
                code="softer",
                role=Arm.Role.CHALLENGER,
                version=challenger,
                share=4_000,
                position=1,
            ),
        ]
    )
    GuardRail.objects.bulk_create(
        [
            GuardRail(experiment=experiment, metric=Experiment.Metric.COLLECTED, max_worse=8),
            GuardRail(experiment=experiment, metric=Experiment.Metric.COMPLAINTS, max_worse=2),
        ]
    )
    later = at + timedelta(minutes=50)
    experiment_course.start(experiment, actor=SUPERVISOR, at=later, as_of=as_of)


#: The challenger's days: a reminder more in place of the early warning, and a week before a limit.
_SOFTER_DAYS = {"reminder": 5, "warning": 15, "final": 25, "bar": 32, "suspend": 39, "desk": 40}


def _softer(document: Mapping[str, Any]) -> dict[str, Any]:
    steps = [{**step, "day": _SOFTER_DAYS.get(step["code"], step["day"])} for step in document["steps"]]
    place = next(number for number, step in enumerate(steps) if step["code"] == "warning")
    again = {"code": "reminder-2", "day": 10, "action": "notify", "channels": ["sms", "email"], "template": "reminder"}
    return {**document, "name": "Residential, softer", "steps": [*steps[:place], again, *steps[place:]]}


# Agencies, write-offs, a service --------------------------------------------------------------------------------------


def _correspond(*, as_of: date, at: datetime) -> None:
    """The agency answers the file of the day before, and gets the next one."""
    for file in AgencyFile.objects.filter(acknowledged_on=None, made_on__lt=as_of).select_related("agency"):
        placements.acknowledge(file, count=file.placements, refused={}, as_of=as_of, at=at, actor=ADMIN)
    if as_of.isoweekday() in FILE_WEEKDAYS:
        for agency in Agency.objects.order_by("pk"):
            placements.make_file(agency, as_of=as_of, at=at, actor=ADMIN)


def _write_off(*, as_of: date, at: datetime) -> None:
    """The supervisor decides what waited long enough; the hand-made accounts are left to whoever looks around."""
    hand_made = [f"A{FIRST_NUMBER + place}" for place in range(STORIES)]
    waiting = WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None, created_at__lte=at - WAITS)
    supervisor = Agent.objects.get(username="supervisor")
    left = waiting.exclude(account__ref__in=hand_made).select_related("account").order_by("pk")
    for item in left[:DECIDED_A_DAY]:
        lot = crc32(item.account.ref.encode())
        approve = lot % _DECLINED_EACH != 0
        reason = _WHY_WRITTEN_OFF[lot % len(_WHY_WRITTEN_OFF)] if approve else "the agency still gets instalments"
        try:
            write_offs.decide(item_id=item.pk, approve=approve, reason=reason, agent=supervisor, as_of=as_of, at=at)
        except Refused:
            continue  # a hold or a dispute came in between: it waits on


def _keep_a_service(*, as_of: date, at: datetime) -> None:
    """The freight company's switchboard stays on while its dispute is looked at."""
    switchboard = Service.objects.filter(account__ref=f"A{FIRST_NUMBER + 1}", kind="fixed").first()
    if switchboard is None or switchboard.keep_until is not None:
        return
    keeping.keep(
        service_id=switchboard.pk,
        until=as_of + timedelta(days=21),
        reason="switchboard of the drivers, on while the roaming is disputed",
        actor=SUPERVISOR,
        as_of=as_of,
        at=at,
    )


# The draft ------------------------------------------------------------------------------------------------------------


def report_of_the_network(folder: Path, *, as_of: date, at: datetime) -> None:
    """The network's own list of a few services, which stand elsewhere than where the desk believes them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = Service.objects.filter(kind="mobile").order_by("-pk")
    still_on = lines.filter(status=ServiceStatus.SUSPENDED, account__overdue__gt=0)[:4]
    still_off = lines.filter(status=ServiceStatus.ACTIVE, account__overdue=0)[:2]
    with (folder / "services.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("service_id", "account_id", "kind", "status"))
        for services, status in ((still_on, ServiceStatus.ACTIVE), (still_off, ServiceStatus.OUTGOING_BARRED)):
            for service in services.select_related("account"):
                writer.writerow((service.ref, service.account.ref, service.kind, status.value))
    import_folder(folder, BOOK, on=as_of, at=at, actor="import")


def is_proposed() -> bool:
    """Whether the draft of the demo was tried; it, or its dry run, stays."""
    return DryRun.objects.filter(asked_by=ADMIN).exists()


def propose(*, as_of: date, at: datetime) -> None:
    """A draft of the business policy, tried on the book of ``as_of`` and waiting for the supervisor."""
    published = PolicyVersion.objects.select_related("policy").get(
        policy__code="business", state=PolicyVersion.State.PUBLISHED
    )
    draft = writing.save_draft(_firmer(writing.document_of(published)), actor=ADMIN, at=at)
    document = writing.document_of(draft)
    run = DryRun.objects.create(
        version=draft,
        document=document,
        digest=writing.digest_of(document),
        as_of=as_of,
        days=TRIED_DAYS,
        moves_cases=True,
        asked_by=ADMIN,
        asked_at=at,
    )
    events.record(
        account_id=None,
        kind=kinds.POLICY_TRIED,
        actor=ADMIN,
        at=at,
        on=as_of,
        policy=str(draft),
        payload={"dry_run": run.pk, "days": run.days, "digest": run.digest},
    )
    dry_runs.carry_out(run.pk, at=at, now=lambda: at + timedelta(seconds=20))


_FIRMER_DAYS = {"statement": 14, "warning": 21, "desk": 30, "final": 32, "bar": 46, "suspend": 60}


def _firmer(document: Mapping[str, Any]) -> dict[str, Any]:
    """Ten days earlier at what hurts, a late fee, and a word to the agents why the account comes to them."""
    steps = [{**step, "day": _FIRMER_DAYS.get(step["code"], step["day"])} for step in document["steps"]]
    for step in steps:
        if step["code"] == "desk":
            step["reason"] = "payables did not answer the warning"
    place = next(number for number, step in enumerate(steps) if step["code"] == "desk")
    fee = {"code": "late-fee", "day": 22, "action": "charge_fee", "fee": "late_fee"}
    late_fee = {"amount": {"EUR": "10.00", "INR": "800.00", "USD": "10.00"}, "percent": "1.5", "combine": "max"}
    return {
        **document,
        "fees": {**document["fees"], "late_fee": late_fee},
        "steps": [*steps[:place], fee, *steps[place:]],
    }
