"""The demo desk: the made-up book through the real import, then every day of the last weeks run and delivered for real.

Nothing on screen is faked: notices, suspensions, the queue and the figures come out of the same code as an operator's.
Killed anywhere, the next start goes on where this one stopped.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Protocol

from django.contrib.auth.models import Group
from django.db import connection, transaction
from tqdm import tqdm

from accounts import business_day, settling
from accounts.importing.landing import import_folder
from accounts.models import Customer
from agents import standing
from agents.models import Agent, Team
from collections_desk import journey
from collections_desk.book import BOOK
from collections_desk.crew import Crew
from collections_desk.demo import colleagues, judging, mishaps, oversight, reviews, rulings, strategy, voices
from collections_desk.demo.book import write_book
from collections_desk.demo.shift import work_the_queue
from dunning import decide, policy_file, writing

#: So many days are run for real before the demo opens.
DAYS = 62
#: The agents' last days at work.
WORKED_DAYS = 10
#: The last days whose figures are all kept.
RECORDED_DAILY = 10
#: Moments of delivery, UTC: morning in Asia and Europe, morning in America.
PASSES = (time(9), time(16, 30))
#: Customers write back a while after a pass.
THEY_ANSWER = timedelta(minutes=75)
#: Days before the last one from which some messages do not arrive.
MISHAPS = 45
#: When admin and supervisor sit down, and when the last draft is tried.
DECIDED, PROPOSED = time(18), time(18, 30)
ACTOR = "demo"

#: User name, first and last name, and the roles.
PEOPLE: tuple[tuple[str, str, str, *tuple[str, ...]], ...] = (
    ("agent", "Nadia", "Okafor", "agent"),
    ("agent2", "Pia", "Lindqvist", "agent", "specialist"),
    ("supervisor", "Omar", "Haddad", "supervisor"),
    ("admin", "Ada", "Moreau", "admin"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load: kept beside the book, so that a load that was interrupted goes on with the same one."""

    folder: Path
    accounts: int
    as_of: date
    password: str

    @classmethod
    def kept_in(cls, folder: Path, *, accounts: int, today: date) -> Plan:
        """The plan that the folder holds, or a new one for today."""
        note = folder / "demo.json"
        if note.exists():
            kept = json.loads(note.read_text(encoding="utf-8"))
            return cls(folder, kept["accounts"], date.fromisoformat(kept["as_of"]), kept["password"])
        folder.mkdir(parents=True, exist_ok=True)
        plan = cls(folder, accounts, today, _password())
        kept = {"accounts": accounts, "as_of": today.isoformat(), "password": plan.password}
        unfinished = note.with_suffix(".tmp")
        unfinished.write_text(json.dumps(kept), encoding="utf-8")
        unfinished.chmod(0o600)
        os.replace(unfinished, note)
        return plan

    @property
    def first(self) -> date:
        return self.as_of - timedelta(days=DAYS)

    def is_loaded(self) -> bool:
        completed = business_day.completed()
        return completed is not None and completed >= self.as_of and strategy.is_proposed()


_WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "juniper",
    "lagoon",
    "maple",
)


def _password() -> str:
    return f"{secrets.choice(_WORDS)}-{secrets.choice(_WORDS)}-{secrets.randbelow(9000) + 1000}"


class Days(Protocol):
    """Decides and delivers what is due on a day: the crew, or whoever does it in its place."""

    def decide(self, *, as_of: date, at: datetime) -> decide.Tally: ...

    def deliver(self, *, as_of: date, at: datetime) -> Counter[str]: ...


def load(plan: Plan, *, say: Callable[[str], None]) -> None:
    """Bring the database to the plan's last day; a line for each stage, a bar for the days."""
    begin(plan, say=say)
    say(f"Running the last {DAYS} days")
    with Crew(size=2) as crew, _bar(plan) as advance:
        for day in _days(plan):
            live(day, crew, last_day=plan.as_of)
            advance()
    if not strategy.is_proposed():
        say("Trying a draft")
        at = moment(plan.as_of, PROPOSED)
        with journey.gathering():
            strategy.report_of_the_network(plan.folder / "network", as_of=plan.as_of, at=at)
            strategy.propose(as_of=business_day.next_to_run(at=at), at=at)
            journey.react_to_all(as_of=plan.as_of, at=at)


def begin(plan: Plan, *, say: Callable[[str], None]) -> None:
    """People, policies and the book, as they are on the eve of the first day that is lived."""
    make_people(plan.password)
    reached = business_day.last_run()
    if reached is not None and reached >= plan.first:
        return
    if not Customer.objects.exists():
        say(f"Writing a book of {plan.accounts:,} accounts")
        write_book(plan.folder / "book", accounts=plan.accounts, as_of=plan.as_of)
    dawn = moment(plan.first, time(0))
    rulings.sort_markets(at=dawn)
    _publish_policies(at=dawn)
    rulings.register_texts(at=dawn)
    strategy.name_the_agency()
    strategy.set_costs(from_on=plan.first - timedelta(days=365))
    oversight.set_targets(from_on=plan.first - timedelta(days=30))
    say("Importing it")
    eve = plan.first - timedelta(days=1)
    at = moment(eve, PASSES[0])
    with transaction.atomic():
        business_day.move_to(eve)
    with journey.gathering():
        import_folder(plan.folder / "book", BOOK, on=eve, at=at, actor="import")
        settling.settle(as_of=eve, at=at, actor="import")
        journey.react_to_all(as_of=eve, at=at)


@contextmanager
def hurried() -> Iterator[None]:
    """Without waiting for the disk at each commit: a demo that loses power is loaded again."""
    connection.close()
    os.environ["PGOPTIONS"] = "-c synchronous_commit=off"
    try:
        yield
    finally:
        del os.environ["PGOPTIONS"]
        connection.close()


def live(day: date, crew: Days, *, last_day: date) -> None:
    """One day as the desk lives it: the run at night, deliveries, the agents' shift, what is decided."""
    agents_work = day > last_day - timedelta(days=WORKED_DAYS)
    keeps_figures = is_recorded(day, last_day=last_day)
    journey.run_day(as_of=day, at=moment(day, time(0, 5)), decisions=crew.decide, keeps_figures=keeps_figures)
    if not keeps_figures:
        standing.record(on=day, business_date=day)
    for leaves in PASSES:
        at = moment(day, leaves)
        if day >= last_day - timedelta(days=1) and leaves == PASSES[-1]:
            mishaps.line_goes_dead(as_of=day, at=at)
        crew.deliver(as_of=day, at=at)
        with journey.gathering():
            if day >= last_day - timedelta(days=MISHAPS):
                mishaps.come_back(as_of=day, at=at)
            journey.react_to_all(as_of=day, at=at)
            if agents_work:
                work_the_queue(as_of=day, at=at + timedelta(minutes=5))
                journey.react_to_all(as_of=day, at=at)
        _customers_answer(day, crew, at=at + THEY_ANSWER, last_day=last_day)
    with journey.gathering():
        at = moment(day, DECIDED)
        voices.work_the_box(as_of=day, at=at)
        voices.ask_what_helps(as_of=day, at=at)
        voices.tell(as_of=day, at=at, last_day=last_day)
        if agents_work:
            judging.judge(as_of=day, at=at)
            reviews.review(as_of=day, at=at, last_day=last_day)
        judging.hear_and_answer(as_of=day, at=at, last_day=last_day)
        oversight.oversee(as_of=day, at=at, last_day=last_day)
        strategy.decide(as_of=day, at=at, last_day=last_day)
        rulings.rule(as_of=day, at=at, last_day=last_day)
        journey.react_to_all(as_of=day, at=at)


def is_recorded(day: date, *, last_day: date) -> bool:
    """Whether the day's figures are kept: of the last weeks every day, before that what trends and changes need.

    A close of every day would take as long as everything else that a day does.
    """
    ago, is_end_of_month = (last_day - day).days, (day + timedelta(days=1)).day == 1
    return ago <= RECORDED_DAILY or ago % 7 == 0 or ago in (30, 31, 32) or is_end_of_month


def _customers_answer(day: date, crew: Days, *, at: datetime, last_day: date) -> None:
    """What they write, and our answer, a minute later."""
    with journey.gathering():
        came = voices.write_back(as_of=day, at=at, last_day=last_day)
        journey.react_to_all(as_of=day, at=at)
    if came:
        crew.deliver(as_of=day, at=at + timedelta(minutes=1))


def _days(plan: Plan) -> Iterator[date]:
    completed = business_day.completed()
    day = plan.first if completed is None or completed < plan.first else completed + timedelta(days=1)
    while day <= plan.as_of:
        yield day
        day += timedelta(days=1)


def moment(day: date, at: time) -> datetime:
    """That hour of the day in UTC."""
    return datetime.combine(day, at, tzinfo=UTC)


@contextmanager
def _bar(plan: Plan) -> Iterator[Callable[[], Any]]:
    remaining = sum(1 for _ in _days(plan))
    with tqdm(total=remaining, unit="day", bar_format="  {bar} {n_fmt}/{total_fmt} days, {remaining} left") as bar:
        yield bar.update


def _publish_policies(*, at: datetime) -> None:
    for path in sorted(Path(__file__).with_name("policies").glob("*.yaml")):
        document = policy_file.read(path.read_text(encoding="utf-8"))
        if writing.same_as_published(document) is None:
            writing.publish(writing.save_draft(document, actor=ACTOR, at=at), actor=ACTOR, at=at)


def make_people(password: str) -> None:
    """The demo's users, with the one password of this demo."""
    team, _ = Team.objects.get_or_create(name=colleagues.RETAIL)
    for username, first_name, last_name, *roles in PEOPLE:
        person, _ = Agent.objects.get_or_create(
            username=username,
            defaults={
                "first_name": first_name,
                "last_name": last_name,
                "email": f"{username}@northwind.example",
                "is_staff": not {"admin", "supervisor"}.isdisjoint(roles),
                "team": None if "admin" in roles else team,
            },
        )
        person.groups.set(Group.objects.filter(name__in=roles))
        if not person.check_password(password):
            person.set_password(password)
            person.save(update_fields=["password"])
    colleagues.join()
