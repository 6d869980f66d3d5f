"""What a figure is about: the whole book, or the part of it that is a team's, an agent's, a segment's and the like.

Every account is in one cell: accounts of a cell share currency, team, segment, product, policy and arm. Whatever is
counted is counted by cell, and a scope's figure is made of the sums of its cells. A team's accounts are those whose
last item in the queue was the team's; segment, policy and arm are those of the account's latest case and assignment.
What people do counts for them and for their team, whichever account it was about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.db import connection

from agents import rights
from agents.models import Agent, Snapshot

Dimension = Snapshot.Dimension

#: Of an account, in the order of the columns of a cell.
OF_ACCOUNTS = ("team", "segment", "product", "policy", "arm")
#: Without teams: what people do is their own team's, whichever account it was about.
_BUT_TEAMS = OF_ACCOUNTS[1:]


@dataclass(frozen=True, slots=True)
class Scope:
    """One member of a dimension; no member: what has none (accounts that no team ever had, for instance)."""

    dimension: str = "all"
    member: str = ""

    def __str__(self) -> str:
        return f"{self.dimension}:{self.member}" if self.dimension != Dimension.ALL else "all"


EVERYTHING = Scope()


def named(text: str) -> Scope | None:
    """The scope that ``str`` writes so, ``all`` or ``team:North``; none for what is not written so."""
    if text == str(EVERYTHING):
        return EVERYTHING
    dimension, colon, member = text.partition(":")
    known = dimension in Dimension.values and dimension != Dimension.ALL
    return Scope(dimension, member) if known and colon and len(member) <= LONGEST_MEMBER else None


#: What a record of figures holds of a member's name.
LONGEST_MEMBER = 120


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which scopes somebody may look at."""

    everything: bool
    scopes: frozenset[Scope] = frozenset()

    def covers(self, scope: Scope) -> bool:
        return self.everything or scope in self.scopes

    def __bool__(self) -> bool:
        return self.everything or bool(self.scopes)


def allowed(user: Any) -> Allowed:
    """What the user may look at: everything; their own team and its agents; nothing.

    An agent's own day is shown on the agent's own page, and is none of these figures.
    """
    if not rights.may(user, rights.Act.SEE_KPIS):
        return Allowed(False)
    if rights.sees_all_teams(user):
        return Allowed(True)
    if user.team is None:
        return Allowed(False)
    people = Agent.objects.filter(team=user.team).values_list("username", flat=True)
    mine = {Scope(Dimension.TEAM, user.team.name), *(Scope(Dimension.AGENT, name) for name in people)}
    return Allowed(False, frozenset(mine))


# Sums -----------------------------------------------------------------------------------------------------------------

#: What was counted: a name, and what tells its parts apart (a bucket, a month, an hour).
Key = tuple[str, ...]


class Sums(dict[Key, Decimal]):
    """Whatever was counted; everything in it may be added, so the sums of parts are the sums of the whole."""

    def plus(self, key: Key, amount: Decimal | int) -> None:
        self[key] = self.get(key, Decimal(0)) + amount

    def add(self, other: Sums) -> None:
        for key, amount in other.items():
            self.plus(key, amount)

    def of(self, *key: str) -> Decimal:
        return self.get(key, Decimal(0))

    def count(self, *key: str) -> int:
        return int(self.of(*key))

    def family(self, name: str) -> dict[Key, Decimal]:
        """Everything of that name, by what comes behind it, in order."""
        return {key[1:]: self[key] for key in sorted(key for key in self if key[0] == name)}


class Cell(NamedTuple):
    """What the accounts of a cell share."""

    currency: str
    team: str
    segment: str
    product: str
    policy: str
    arm: str


class Place(NamedTuple):
    """Where an account's facts are counted."""

    cell: int
    currency: str
    team: str


class Spread(tuple[Sums, ...]):
    """Sums that all get what is counted."""

    __slots__ = ()

    def plus(self, key: Key, amount: Decimal | int) -> None:
        for sums in self:
            sums.plus(key, amount)


_NOWHERE = Spread()


class ByCell:
    """What is counted by cell, added up by currency and scope as it comes: however many cells, scopes are kept."""

    def __init__(self, cells: Mapping[int, Cell], dimensions: Sequence[str]) -> None:
        self.sums: dict[tuple[str, Scope], Sums] = defaultdict(Sums)
        self._spread = {
            number: Spread(
                self.sums[cell.currency, scope]
                for scope in (EVERYTHING, *(Scope(name, getattr(cell, name)) for name in dimensions))
            )
            for number, cell in cells.items()
        }

    def __getitem__(self, number: int) -> Spread:
        """Where a cell is counted: nowhere, if its accounts are not looked at."""
        return self._spread.get(number, _NOWHERE)

    def add(self, other: ByCell) -> None:
        _add(self.sums, other.sums)


@dataclass
class Parts:
    """The sums of everything that is looked at: of accounts by cell; of what people do by cell, team and person."""

    cells: dict[int, Cell]
    #: The team of everybody who works here or did, by login.
    people: dict[str, str]
    money: ByCell = field(init=False)
    #: Without teams, which have what their people do.
    talk: ByCell = field(init=False)
    teams: dict[tuple[str, str], Sums] = field(default_factory=lambda: defaultdict(Sums))
    agents: dict[tuple[str, str], Sums] = field(default_factory=lambda: defaultdict(Sums))
    #: What belongs to a currency and to none of its accounts, such as the month's rent: to the whole, and in each
    #: dimension but teams, which have their own, to what has no member.
    beside: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    #: What belongs to the desk whatever the currency, such as people's time: to the whole, their teams and themselves.
    desk: Sums = field(default_factory=Sums)
    desk_of_teams: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    desk_of_agents: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))
    #: What is recorded at all, such as ``answers``: nothing counted where nobody records says nothing.
    known: set[str] = field(default_factory=set)
    #: Curves of months stand on one account in so many.
    sampled_one_in: int = 1

    def __post_init__(self) -> None:
        self.money = ByCell(self.cells, OF_ACCOUNTS)
        self.talk = ByCell(self.cells, _BUT_TEAMS)

    def said(self, place: Place, agent: str, key: Key, amount: Decimal | int) -> None:
        """Count what somebody did about an account; nobody (empty): the account's own team's."""
        self.talk[place.cell].plus(key, amount)
        self.teams[place.currency, self.people.get(agent, "") if agent else place.team].plus(key, amount)
        if agent:
            self.agents[place.currency, agent].plus(key, amount)

    def worked(self, agent: str, key: Key, amount: Decimal | int) -> None:
        """Count what somebody did whatever it was about."""
        self.desk.plus(key, amount)
        self.desk_of_teams[self.people.get(agent, "")].plus(key, amount)
        self.desk_of_agents[agent].plus(key, amount)

    def include(self, other: Parts) -> None:
        """Add what was counted of the same book elsewhere."""
        self.money.add(other.money)
        self.talk.add(other.talk)
        _add(self.teams, other.teams)
        _add(self.agents, other.agents)
        _add(self.beside, other.beside)
        _add(self.desk_of_teams, other.desk_of_teams)
        _add(self.desk_of_agents, other.desk_of_agents)
        self.desk.add(other.desk)
        self.known |= other.known
        self.sampled_one_in = max(self.sampled_one_in, other.sampled_one_in)

    def currencies(self) -> list[str]:
        return sorted({cell.currency for cell in self.cells.values()})

    def every(self, currency: str) -> dict[Scope, Sums]:
        """Every scope of a currency with its sums, the whole book first."""
        found: dict[Scope, Sums] = defaultdict(Sums)
        found[EVERYTHING].add(self.desk)
        for scope in (EVERYTHING, *map(Scope, _BUT_TEAMS)):
            found[scope].add(self.beside[currency])
        for by_cell in (self.money, self.talk):
            for (of_currency, scope), sums in by_cell.sums.items():
                if of_currency == currency:
                    found[scope].add(sums)
        for (of_currency, team), sums in self.teams.items():
            if of_currency == currency:
                found[Scope(Dimension.TEAM, team)].add(sums)
        for (of_currency, agent), sums in self.agents.items():
            if of_currency == currency:
                found[Scope(Dimension.AGENT, agent)].add(sums)
        for team, sums in self.desk_of_teams.items():
            found[Scope(Dimension.TEAM, team)].add(sums)
        for agent, sums in self.desk_of_agents.items():
            found[Scope(Dimension.AGENT, agent)].add(sums)
        return dict(found)


_Whose = TypeVar("_Whose")


def _add(mine: dict[_Whose, Sums], theirs: Mapping[_Whose, Sums]) -> None:
    for whose, sums in theirs.items():
        mine[whose].add(sums)


# The book, by cell ----------------------------------------------------------------------------------------------------

_PLACES = """
    CREATE TEMP TABLE figures_place AS
    SELECT a.id AS account_id, a.currency, coalesce(item.team, '') AS team, coalesce(dunned.segment, '') AS segment,
           a.product, coalesce(dunned.policy, '') AS policy, coalesce(tried.arm, '') AS arm
      FROM accounts_account a
      LEFT JOIN (
          SELECT DISTINCT ON (w.account_id) w.account_id, t.name AS team
            FROM agents_workitem w LEFT JOIN agents_team t ON t.id = w.team_id
           ORDER BY w.account_id, w.done_at IS NULL DESC, w.id DESC
      ) item ON item.account_id = a.id
      LEFT JOIN (
          SELECT DISTINCT ON (c.account_id) c.account_id, c.segment, p.code AS policy
            FROM dunning_case c JOIN dunning_policyversion v ON v.id = c.version_id
            JOIN dunning_policy p ON p.id = v.policy_id
           ORDER BY c.account_id, c.opened_on DESC, c.id DESC
      ) dunned ON dunned.account_id = a.id
      LEFT JOIN (
          SELECT DISTINCT ON (s.account_id) s.account_id, e.code || ' / ' || r.code AS arm
            FROM dunning_assignment s JOIN dunning_arm r ON r.id = s.arm_id
            JOIN dunning_experiment e ON e.id = s.experiment_id
           ORDER BY s.account_id, s."on" DESC, s.id DESC
      ) tried ON tried.account_id = a.id
     WHERE %(currency)s::text IS NULL OR a.currency = %(currency)s
"""
_CELLS = """
    CREATE TEMP TABLE figures_cell AS
    SELECT row_number() OVER (ORDER BY currency, team, segment, product, policy, arm)::int AS cell, distinct_cell.*
      FROM (SELECT DISTINCT currency, team, segment, product, policy, arm FROM figures_place) distinct_cell
"""
_ACCOUNTS = """
    CREATE TEMP TABLE figures_account AS
    SELECT p.account_id, c.cell, p.currency, p.team
      FROM figures_place p JOIN figures_cell c USING (currency, team, segment, product, policy, arm)
"""
_PEOPLE = """
    CREATE TEMP TABLE figures_person AS
    SELECT a.id, a.username, coalesce(t.name, '') AS team
      FROM agents_agent a LEFT JOIN agents_team t ON t.id = a.team_id
"""
_TABLES = ("figures_place", "figures_cell", "figures_account", "figures_person")


@contextmanager
def laid_out(*, currency: str | None = None) -> Iterator[Parts]:
    """The book by cell, in temporary tables that live as long as this does: ``figures_account`` says each account's
    cell, ``figures_person`` everybody's team. Of all currencies unless one is named. In the caller's transaction.
    """
    drop(_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(_PLACES, {"currency": currency})
        cursor.execute(_CELLS)
        cursor.execute(_ACCOUNTS)
        cursor.execute("CREATE INDEX ON figures_account (account_id)")
        cursor.execute(_PEOPLE)
        cursor.execute("ANALYZE figures_account")
        cursor.execute("SELECT cell, currency, team, segment, product, policy, arm FROM figures_cell ORDER BY cell")
        cells = {number: Cell(*columns) for number, *columns in cursor.fetchall()}
        cursor.execute("SELECT username, team FROM figures_person")
        people = dict(cursor.fetchall())
    # Where something fails, the caller's transaction takes them with it.
    yield Parts(cells, people)
    drop(_TABLES)


def drop(tables: Sequence[str]) -> None:
    """Remove temporary tables, as far as they are there."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {', '.join(tables)}")


def places_of(account_ids: Iterable[int]) -> dict[int, Place]:
    """Where the facts of those accounts are counted; accounts that are not looked at are left out. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, cell, currency, team FROM figures_account WHERE account_id = ANY(%s)",
            [sorted(set(account_ids))],
        )
        return {account_id: Place(*columns) for account_id, *columns in cursor.fetchall()}
