"""Everything that waits for somebody's word, in one list with the facts: agreements beyond somebody's authority,
write-offs, fees to be let go, looser rules and choices of packs, policies and experiments.

Who sees what: an agreement, a write-off and a fee are on their account's side of the team wall; finance sees the
settlements that want finance; what is about rules, policies and experiments is seen by those who could decide on it. A
reader sees with it what those see in whose place they decide. However much waits, the list takes the same number of
queries; it shows ``MOST`` of each kind, the oldest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from accounts.business_day import calendar_date
from accounts.models import Account, AccountEvent, Fee
from accounts.money import total
from agents import (
    approval_facts,
    authority,
    delegations,
    extensions,
    fee_waivers,
    instalments,
    kinds,
    loosening,
    plans,
    rights,
    second_words,
    settlements,
    write_offs,
)
from agents.approval_facts import Fact
from agents.models import Agent, Asked, Extension, Plan, Settlement, WorkItem
from agents.templatetags.desk import day, money
from agents.words import of_code, of_reason, said, within
from dunning import pack_words, rule_packs, writing
from dunning.models import Arm, DryRun, Experiment, MarketPacks, PackChange, PolicyVersion

#: Rows of each kind on one page.
MOST = 100

SETTLEMENT, PLAN, EXTENSION = second_words.SETTLEMENT, second_words.PLAN, second_words.EXTENSION
WRITE_OFF, FEE_WAIVER = second_words.WRITE_OFF, second_words.FEE_WAIVER
RULE_CHANGE, PACK_CHOICE = second_words.RULE_CHANGE, second_words.PACK_CHOICE
POLICY, EXPERIMENT = "policy", "experiment"

#: The kinds in the order of the page, with their words.
KINDS: Mapping[str, str] = {
    SETTLEMENT: gettext_noop("Settlement"),
    PLAN: gettext_noop("Plan"),
    EXTENSION: gettext_noop("Time to pay"),
    WRITE_OFF: gettext_noop("Write-off"),
    FEE_WAIVER: gettext_noop("Fee"),
    RULE_CHANGE: gettext_noop("Looser rule"),
    PACK_CHOICE: gettext_noop("Packs"),
    POLICY: gettext_noop("Policy"),
    EXPERIMENT: gettext_noop("Experiment"),
}

#: What is decided on a page of the admin, where all of it can be read: its difference, its dry run, its arms.
ELSEWHERE = frozenset({POLICY, EXPERIMENT})

_PUBLISH, _RUN, _ASK = "dunning.publish_policyversion", "dunning.run_experiment", "dunning.add_packchange"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits.

    ``ref`` names it among its kind. ``own``: the reader may decide in their own name; ``in_place_of``: in whose place
    they may as well. ``expires_on``: the last day on which somebody can say yes.
    """

    kind: str
    ref: str
    account: Account | None
    title: str
    asked_by: str
    asked_at: datetime
    expires_on: date | None
    facts: list[Fact] = field(default_factory=list)
    own: bool = False
    in_place_of: tuple[Agent, ...] = ()
    why_not: str = ""
    amount: Decimal | None = None
    let_go: Decimal | None = None
    percent: Decimal | None = None
    #: What it is about, where that is no account: a rule, a market, a policy.
    subject: str = ""
    #: Why it waits.
    why: str = ""
    #: Whether the reader may open the account's page: in somebody's place one sees what waits, not the account.
    opens: bool = False
    #: Nobody can say yes any more: too late, or what it was about is gone.
    is_over: bool = False
    #: Today or tomorrow is its last day, or it has passed.
    ends_soon: bool = False
    #: What the decision names beside ``ref``: the packs as they were seen.
    seen: str = ""

    @property
    def may_decide(self) -> bool:
        return self.own or bool(self.in_place_of)

    @property
    def key(self) -> str:
        """Names it among all that waits."""
        return f"{self.kind}-{self.ref}"

    @property
    def words(self) -> str:
        """Its kind in words."""
        return said(KINDS[self.kind])

    @property
    def is_decided_here(self) -> bool:
        return self.kind not in ELSEWHERE


def inbox(user: Agent, *, at: datetime, as_of: date, facts: bool = True) -> list[Item]:
    """All that waits and the user may see, what expires first on top; without ``facts``, only what is its own."""
    items = _Reading(user, at=at, as_of=as_of).items()
    return with_facts(items, user, as_of=as_of) if facts else items


def count(user: Agent) -> int:
    """On how many accounts something waits, for a tile: one query."""
    seen = rights.visible_accounts(user)
    return WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None, account__in=seen).count()


def expire(*, as_of: date, at: datetime) -> dict[str, int]:
    """Decline what nobody decided on in time: what it held is released, and whoever asked is told; how many, by kind.

    Run twice, the second finds nothing.
    """
    declined = {
        SETTLEMENT: settlements.expire(as_of=as_of, at=at),
        PLAN: plans.expire(as_of=as_of, at=at),
        EXTENSION: extensions.expire(as_of=as_of, at=at),
        FEE_WAIVER: fee_waivers.expire(as_of=as_of, at=at),
        WRITE_OFF: write_offs.expire(as_of=as_of, at=at),
        RULE_CHANGE: loosening.expire(as_of=as_of, at=at),
    }
    return {kind: n for kind, n in declined.items() if n}


def with_facts(items: Sequence[Item], user: Agent, *, as_of: date) -> list[Item]:
    """The same with all that is to be known of each, within the user's rights; a fixed number of queries."""
    accounts = {item.account.pk: item.account for item in items if item.account is not None}
    sees_support = rights.may(user, rights.Act.SEE_SUPPORT)
    known = approval_facts.of_accounts(accounts.values(), as_of=as_of, sees_support=sees_support) if accounts else {}
    wanted: dict[int, set[str]] = defaultdict(set)
    for item in items:
        if item.account is not None and item.kind in approval_facts.ACTIONS:
            wanted[item.account.pk].add(approval_facts.ACTIONS[item.kind])
    rules = approval_facts.said_by_rules(wanted) if wanted else {}
    changes = PackChange.objects.in_bulk([int(item.ref) for item in items if item.kind == RULE_CHANGE])
    packs = rule_packs.in_force() if changes else None
    found = []
    for item in items:
        more: list[Fact] = []
        if item.account is not None:
            told = rules.get((item.account.pk, approval_facts.ACTIONS.get(item.kind, "")))
            more = [*([Fact(_("The rules say"), told)] if told else []), *known[item.account.pk]]
        elif packs is not None and item.kind == RULE_CHANGE and (row := changes.get(int(item.ref))) is not None:
            more = _what_differs(row, packs)
        found.append(replace(item, facts=[*item.facts, *more]))
    return found


def _what_differs(row: PackChange, in_force: rule_packs.InForce) -> list[Fact]:
    """Of a looser rule, how many of its examples would come out otherwise."""
    packs = in_force.packs
    try:
        after = rule_packs.with_value(row.pack, row.rule, row.parameter, row.value, current=in_force)
    except rule_packs.CannotChange as refusal:
        return [Fact(_("It cannot be set any more"), str(refusal))]
    otherwise = [
        shown
        for old, new in zip(packs[row.pack].rules, after.rules, strict=True)
        if old.id == row.rule
        for shown in pack_words.differing(
            pack_words.examples_of(old, packs[row.pack], packs),
            pack_words.examples_of(new, after, {**packs, after.code: after}),
        )
    ]
    count = len(otherwise)
    told = ngettext("%(count)s of its examples", "%(count)s of its examples", count) % {"count": count}
    return [Fact(_("Would come out otherwise"), told if count else _("none of its examples"))]


#: Whether a person could decide on a row, their side of the team wall apart; empty, or why not.
_Allows = Callable[[Agent], str]


class _Reading:
    """One look at all that waits, by one reader."""

    def __init__(self, user: Agent, *, at: datetime, as_of: date) -> None:
        self.user, self.at, self.as_of = user, at, as_of
        self.actor = rights.actor(user)
        self.acting = sorted(delegations.acting_for(user, as_of), key=str)
        self.people = [user, *self.acting]
        self.packs = rule_packs.in_force()
        #: By person, the accounts of what waits that they see.
        self.walls: dict[int, set[int]] = {}
        self.asked_to_write_off: dict[int, AccountEvent] = {}

    def items(self) -> list[Item]:
        """What expires first is on top, then what was asked first."""
        offered, planned, given = list(self._settlements()), list(self._plans()), list(self._extensions())
        given_up, asked = self._approvals(), list(self._waivers())
        agreed = {row.account_id for rows in (offered, planned, given) for row in rows}
        others = {row.account_id for row in given_up} | {row.account_id for row in asked}
        self._look_over_walls(agreed | others)
        told = self._told(agreed)
        found = [
            *self._tell_settlements(offered, told),
            *self._tell_plans(planned, told),
            *self._tell_extensions(given, told),
            *self._tell_write_offs(given_up),
            *self._tell_waivers(asked),
            *self._rule_changes(),
            *self._pack_choices(),
            *self._policies(),
            *self._experiments(),
        ]
        soon = self.as_of + timedelta(days=1)
        found = [replace(one, ends_soon=one.expires_on is not None and one.expires_on <= soon) for one in found]
        return sorted(found, key=lambda item: (item.expires_on or date.max, item.asked_at, item.key))

    # Whose word ------------------------------------------------------------------------------------------------------

    def _among(self, people: Collection[Agent]) -> Q:
        """The accounts that one of those people sees; an empty condition where that is all of them."""
        if any(rights.sees_all_teams(person) for person in people):
            return Q()
        seen = Q(pk__in=())
        for person in people:
            seen |= Q(account__in=rights.visible_accounts(person))
        return seen

    def _look_over_walls(self, account_ids: set[int]) -> None:
        """Which of those accounts each person sees: a query for each who does not see them all."""
        for person in self.people:
            if rights.sees_all_teams(person):
                self.walls[person.pk] = account_ids
            else:
                rows = rights.visible_accounts(person).filter(pk__in=account_ids)
                self.walls[person.pk] = set(rows.values_list("pk", flat=True))

    def _with(self, roles: Iterable[str]) -> list[Agent]:
        return [person for person in self.people if rights.roles(person) & set(roles)]

    def _decided_by(
        self,
        asked_by: str,
        allows: _Allows,
        *,
        account: Account | None = None,
        given: Collection[str] = (),
        over: bool = False,
        gone: str = "",
    ) -> dict[str, Any]:
        """Whether the reader may decide, in whose place, and why not."""
        if self.actor == asked_by:
            return {"why_not": _("You asked for this: somebody else decides.")}
        if self.actor in given:
            return {"why_not": _("You agreed already: somebody else's word is missing.")}

        def why_not(person: Agent) -> str:
            if account is not None and account.pk not in self.walls[person.pk]:
                return _("This account is another team's.")
            return allows(person)

        other = {asked_by, *given}
        places = tuple(person for person in self.acting if rights.actor(person) not in other and not why_not(person))
        mine = why_not(self.user)
        # Declining is still possible where nobody can say yes any more.
        late = gone or (_("Nobody decided in time: it can only be declined.") if over else "")
        told = "" if not mine or places else mine
        return {"own": not mine, "in_place_of": places, "why_not": told or late, "is_over": bool(late)}

    # Agreements ------------------------------------------------------------------------------------------------------

    def _settlements(self) -> QuerySet[Settlement]:
        seen = self._by_terms()
        finance = self._with([rights.FINANCE])
        if seen and finance:
            seen |= self._among(finance) & Q(wants__contains=[rights.FINANCE])
        rows = Settlement.objects.filter(seen, status=Settlement.Status.PENDING_APPROVAL)
        return rows.select_related("account__customer").order_by("made_on", "pk")[:MOST]

    def _plans(self) -> QuerySet[Plan]:
        rows = Plan.objects.filter(self._by_terms(), status=Plan.Status.PENDING_APPROVAL)
        rows = rows.select_related("account__customer").prefetch_related("instalments")
        return rows.order_by("made_on", "pk")[:MOST]

    def _extensions(self) -> QuerySet[Extension]:
        rows = Extension.objects.filter(self._by_terms(), status=Extension.Status.PENDING_APPROVAL)
        return rows.select_related("account__customer").order_by("made_on", "pk")[:MOST]

    def _by_terms(self) -> Q:
        return self._among(self._with(authority.TERMS))

    def _told(self, account_ids: set[int]) -> dict[str, AccountEvent]:
        """By the agreement's own id: the event that told of it, with its reasons and its moment."""
        names = {kinds.PLAN_AGREED: "plan", kinds.EXTENSION_AGREED: "extension", kinds.SETTLEMENT_OFFERED: "settlement"}
        rows = AccountEvent.objects.filter(account__in=account_ids, kind__in=names)
        return {str(row.payload.get(names[row.kind], "")): row for row in rows.order_by("pk")}

    def _asked(self, row: Plan | Extension | Settlement, kind: str, told: Mapping[str, AccountEvent]) -> dict[str, Any]:
        event = told.get(row.ref)
        return {
            "kind": kind,
            "ref": row.ref,
            "account": row.account,
            "asked_by": row.made_by,
            "asked_at": event.at if event is not None else authority.noon(row.made_on),
            "why": event.reason if event is not None else "",
            "opens": row.account_id in self.walls[self.user.pk],
        }

    def _tell_settlements(self, rows: Sequence[Settlement], told: Mapping[str, AccountEvent]) -> Iterable[Item]:
        missing = settlements.who_may(rows, self.people, at=self.at, packs=self.packs)
        for row in rows:
            currency, let_go = row.account.currency, row.balance - row.amount
            percent = (100 * let_go / row.balance).quantize(Decimal("0.1"))
            wants, last = ", ".join(of_code(role) for role in row.wants), settlements.last_day(row)

            def allows(person: Agent, here: set[int] = missing[row.pk], wants: str = wants) -> str:
                return "" if person.pk in here else _("It waits for the word of: %(roles)s.") % {"roles": wants}

            yield Item(
                **self._asked(row, SETTLEMENT, told),
                expires_on=last,
                **self._decided_by(
                    row.made_by,
                    allows,
                    account=row.account,
                    given=settlements.given_by(row),
                    over=last is not None and self.as_of > last,
                ),
                title=_("%(amount)s for %(balance)s")
                % {"amount": money(row.amount, currency), "balance": money(row.balance, currency)},
                amount=row.amount,
                let_go=let_go,
                percent=percent,
                facts=[
                    Fact(_("Settled for"), _("%(amount)s by %(day)s") % _by(row.amount, currency, row.pay_by)),
                    Fact(_("Let go"), f"{money(let_go, currency)} ({percent} %)"),
                    *_optional(
                        (_("Of that, our own fees"), money(min(let_go, row.fees), currency) if row.fees else ""),
                        (_("Words missing"), wants),
                        (_("Agreed to by"), _given(row)),
                        (_("Customer agreed"), said(row.get_agreed_by_display())),
                        (_("Note"), row.note),
                    ),
                ],
            )

    def _tell_plans(self, rows: Sequence[Plan], told: Mapping[str, AccountEvent]) -> Iterable[Item]:
        groups: dict[str, list[Plan]] = defaultdict(list)
        for plan in rows:
            groups[plan.group or plan.ref].append(plan)
        for first, *others in groups.values():
            parts = sorted(
                (part for plan in (first, *others) for part in plan.instalments.all()), key=lambda part: part.due_on
            )
            days = [
                instalments.Instalment(due_on, total([part.amount for part in same]))
                for due_on, same in (
                    (due_on, list(same)) for due_on, same in groupby(parts, key=lambda one: one.due_on)
                )
            ]
            amount, currency = total([part.amount for part in days]), first.account.currency

            def allows(person: Agent, plan: Plan = first, days: Any = days, others: Any = others) -> str:
                if not rights.roles(person) & authority.TERMS:
                    return _("Supervisors decide on plans.")
                if any(other.account_id not in self.walls[person.pk] for other in others):
                    return _("An account of this plan is another team's.")
                return " ".join(authority.beyond_limits(days, agent=person, as_of=plan.made_on))

            yield Item(
                **self._asked(first, PLAN, told),
                expires_on=second_words.last_day(PLAN, first.made_on),
                **self._decided_by(
                    first.made_by,
                    allows,
                    account=first.account,
                    over=second_words.is_over(PLAN, first.made_on, self.as_of),
                ),
                title=ngettext("%(amount)s in %(count)s instalment", "%(amount)s in %(count)s instalments", len(days))
                % {"amount": money(amount, currency), "count": len(days)},
                amount=amount,
                facts=[
                    Fact(_("Instalments"), _spread(days, currency)),
                    *_optional(
                        (_("With"), ", ".join(other.account.ref for other in others)),
                        (_("Customer agreed"), said(first.get_agreed_by_display())),
                        (_("Note"), first.note),
                    ),
                ],
            )

    def _tell_extensions(self, rows: Sequence[Extension], told: Mapping[str, AccountEvent]) -> Iterable[Item]:
        def allows(person: Agent) -> str:
            may = rights.roles(person) & authority.SUPERVISORS
            return "" if may else _("Supervisors decide on time to pay.")

        for row in rows:
            event, last = told.get(row.ref), extensions.last_day(row)
            amount = Decimal(str(event.payload.get("total", "0"))) if event is not None else row.account.overdue
            days = (row.until - row.made_on).days
            until = {"day": day(row.until), "count": days}
            yield Item(
                **self._asked(row, EXTENSION, told),
                expires_on=last,
                **self._decided_by(
                    row.made_by,
                    allows,
                    account=row.account,
                    over=last is not None and self.as_of > last,
                ),
                title=_("%(amount)s left alone until %(day)s")
                % {"amount": money(amount, row.account.currency), "day": day(row.until)},
                amount=amount,
                facts=[
                    Fact(
                        _("Time to pay"),
                        ngettext("until %(day)s, %(count)s day", "until %(day)s, %(count)s days", days) % until,
                    ),
                    *_optional(
                        (_("Bills"), ", ".join(row.bill_refs)),
                        (_("Customer agreed"), said(row.get_agreed_by_display())),
                        (_("Note"), row.note),
                    ),
                ],
            )

    # Write-offs and fees ---------------------------------------------------------------------------------------------

    def _approvals(self) -> list[WorkItem]:
        """Places among the approvals that no agreement or waiver explains, or beside which a write-off was asked."""
        rows = WorkItem.objects.filter(self._by_approval(), kind=WorkItem.Kind.APPROVAL, done_at=None)
        items = list(rows.select_related("account__customer").order_by("created_at", "pk")[: 3 * MOST])
        accounts = [item.account_id for item in items]
        self.asked_to_write_off = second_words.write_offs_asked(accounts)
        waiting = second_words.waiting_among(accounts)
        shown = [row for row in items if row.account_id not in waiting or row.account_id in self.asked_to_write_off]
        return shown[:MOST]

    def _waivers(self) -> QuerySet[Asked]:
        rows = Asked.objects.filter(self._by_approval(), kind=Asked.Kind.FEE_WAIVER, state=Asked.State.WAITING)
        return rows.select_related("account__customer").order_by("asked_at", "pk")[:MOST]

    def _by_approval(self) -> Q:
        return self._among([person for person in self.people if rights.may(person, rights.Act.APPROVE)])

    def _tell_write_offs(self, items: Sequence[WorkItem]) -> Iterable[Item]:
        for item in items:
            account, asked = item.account, self.asked_to_write_off.get(item.account_id)
            asked_by = asked.actor if asked is not None else ""
            amount = account.open_amount - account.disputed
            yield Item(
                kind=WRITE_OFF,
                ref=str(item.pk),
                account=account,
                title=_("Write off %(amount)s") % {"amount": money(amount, account.currency)},
                asked_by=asked_by,
                asked_at=asked.at if asked is not None else item.created_at,
                expires_on=second_words.last_day(WRITE_OFF, asked.on) if asked is not None else None,
                **self._decided_by(
                    asked_by,
                    _whoever_approves,
                    account=account,
                    over=asked is not None and second_words.is_over(WRITE_OFF, asked.on, self.as_of),
                ),
                amount=amount,
                let_go=amount,
                percent=Decimal(100),
                why=of_reason(item.reason),
                opens=account.pk in self.walls[self.user.pk],
                facts=[
                    Fact(
                        _("Written off"), _("%(amount)s at most, the whole of it") % _amount(amount, account.currency)
                    ),
                    *_optional(
                        (_("By the policy"), asked.policy if asked is not None else ""),
                        (
                            _("Stays open, disputed"),
                            money(account.disputed, account.currency) if account.disputed else "",
                        ),
                    ),
                ],
            )

    def _tell_waivers(self, rows: Sequence[Asked]) -> Iterable[Item]:
        by_ref = {fee.ref: fee for fee in Fee.objects.filter(ref__in=[row.subject for row in rows])}
        gone = fee_waivers.gone(list(by_ref.values()))
        for row in rows:
            fee, amount, currency = by_ref.get(row.subject), row.amount or Decimal(0), row.account.currency

            def allows(person: Agent, amount: Decimal = amount, currency: str = currency) -> str:
                if not rights.may(person, rights.Act.APPROVE):
                    return _("Whoever may let a fee go decides on that.")
                if fee_waivers.is_within(person, amount, currency):
                    return ""
                most = money(fee_waivers.most_alone(person, currency), currency)
                return _("More than you let go of alone: up to %(most)s.") % {"most": most}

            yield Item(
                kind=FEE_WAIVER,
                ref=str(row.pk),
                account=row.account,
                title=_("Let go of a fee of %(amount)s") % {"amount": money(amount, currency)},
                asked_by=row.asked_by,
                asked_at=row.asked_at,
                expires_on=row.expires_on if row.expires_on != date.max else None,
                **self._decided_by(
                    row.asked_by,
                    allows,
                    account=row.account,
                    over=self.as_of > row.expires_on,
                    gone=gone.get(row.subject, ""),
                ),
                amount=amount,
                let_go=amount,
                percent=Decimal(100),
                why=row.reason,
                opens=row.account_id in self.walls[self.user.pk],
                facts=_optional(
                    (
                        _("Fee"),
                        _("%(kind)s of %(day)s") % {"kind": said(fee.get_kind_display()), "day": day(fee.on)}
                        if fee is not None
                        else "",
                    ),
                    (_("Our fees in the balance"), money(row.account.fees, currency)),
                ),
            )

    # Rules, policies, experiments ------------------------------------------------------------------------------------

    def _rule_changes(self) -> Iterable[Item]:
        if not any(loosening.may(person) or person.has_perm(_ASK) for person in self.people):
            return
        rows = PackChange.objects.filter(state=PackChange.State.WAITING).order_by("asked_at", "pk")
        for row in rows[:MOST]:
            pack = self.packs.packs.get(row.pack)
            rule = next((one for one in pack.rules if one.id == row.rule), None) if pack is not None else None
            asked_on = calendar_date(at=row.asked_at)
            name = row.parameter.replace("_", " ")
            yield Item(
                kind=RULE_CHANGE,
                ref=str(row.pk),
                account=None,
                title=f"{name}: {pack_words.in_words(row.was)} → {pack_words.in_words(row.value)}",
                subject=row.rule,
                asked_by=row.asked_by,
                asked_at=row.asked_at,
                expires_on=second_words.last_day(RULE_CHANGE, asked_on),
                **self._decided_by(
                    row.asked_by, _second_eyes, over=second_words.is_over(RULE_CHANGE, asked_on, self.as_of)
                ),
                why=row.reason,
                facts=_optional(
                    (_("Rule"), rule.written.title if rule is not None else row.rule),
                    (_("Pack"), pack.file.title if pack is not None else row.pack),
                    (_("Source"), rule.written.source if rule is not None else ""),
                    (_("Now"), pack_words.in_words(row.was)),
                    (_("Then"), pack_words.in_words(row.value)),
                ),
            )

    def _pack_choices(self) -> Iterable[Item]:
        if not any(loosening.may(person) or person.has_perm(_ASK) for person in self.people):
            return
        rows = MarketPacks.objects.exclude(waiting_for=None).exclude(asked_at=None).order_by("asked_at", "pk")
        for row in rows[:MOST]:
            assert row.asked_at is not None  # what waits was asked for
            now = set(row.packs if row.decided_at else rule_packs.packs_of(row.market))
            wanted = set(row.waiting_for or ())
            asked_on = calendar_date(at=row.asked_at)
            yield Item(
                kind=PACK_CHOICE,
                ref=row.market,
                account=None,
                title=_("without %(packs)s") % {"packs": ", ".join(sorted(now - wanted)) or "-"},
                subject=row.market,
                asked_by=row.asked_by,
                asked_at=row.asked_at,
                expires_on=second_words.last_day(PACK_CHOICE, asked_on),
                **self._decided_by(
                    row.asked_by, _second_eyes, over=second_words.is_over(PACK_CHOICE, asked_on, self.as_of)
                ),
                why=row.reason,
                seen=",".join(row.waiting_for or ()),
                facts=_optional(
                    (_("Now"), ", ".join(sorted(now))),
                    (_("Then"), ", ".join(sorted(wanted)) or _("no pack at all")),
                    (_("Left out"), ", ".join(_titled(self.packs, now - wanted))),
                    (_("Added"), ", ".join(_titled(self.packs, wanted - now))),
                ),
            )

    def _policies(self) -> Iterable[Item]:
        """Drafts that were tried as they stand now: whoever wrote them is done with them."""
        if not any(person.has_perm(_PUBLISH) for person in self.people):
            return
        done = DryRun.objects.filter(state=DryRun.State.DONE)
        drafts = PolicyVersion.objects.filter(state=PolicyVersion.State.DRAFT).select_related("policy")
        if settings.DESK_PUBLISH_DRY_RUN:
            as_it_stands = done.filter(version=OuterRef("pk"), asked_at__gte=OuterRef("changed_at"))
            drafts = drafts.filter(Exists(as_it_stands))
        drafts = drafts.order_by("changed_at", "pk")
        # What a run found is large: only how far it reaches is read.
        reaches = done.only("pk", "as_of", "version").annotate(reach=KeyTransform("reach", "result"))
        runs = Prefetch("dry_runs", reaches.order_by("-pk"))
        for version in drafts.prefetch_related(runs)[:MOST]:
            editor = writing.last_editor(version) if settings.DESK_PUBLISH_FOUR_EYES else ""
            latest = next(iter(version.dry_runs.all()), None)
            reach = getattr(latest, "reach", None) or {}
            yield Item(
                kind=POLICY,
                ref=str(version.pk),
                account=None,
                title=version.name,
                subject=str(version),
                asked_by=writing.last_editor(version),
                asked_at=version.changed_at or version.created_at,
                expires_on=None,
                **self._in_own_name(_PUBLISH, editor),
                facts=_optional(
                    (_("Policy"), version.policy.code),
                    (_("Tried on the book of"), day(latest.as_of) if latest is not None else ""),
                    (
                        _("Limits on one day"),
                        _("%(some)s of %(all)s open accounts") % {"some": reach["accounts"], "all": reach.get("of", 0)}
                        if reach.get("accounts") is not None
                        else "",
                    ),
                    (_("More than the desk allows"), _("somebody has to accept it") if reach.get("exceeded") else ""),
                ),
            )

    def _experiments(self) -> Iterable[Item]:
        if not any(person.has_perm(_RUN) for person in self.people):
            return
        rows = Experiment.objects.filter(state=Experiment.State.PLANNED, ends_on__gte=self.as_of)
        rows = rows.select_related("policy").prefetch_related(
            Prefetch("arms", Arm.objects.select_related("version__policy"))
        )
        for row in rows.order_by("created_at", "pk")[:MOST]:
            arms = [f"{arm.code} {Decimal(arm.share) / 100:.0f} %" for arm in row.arms.all()]
            yield Item(
                kind=EXPERIMENT,
                ref=str(row.pk),
                account=None,
                title=row.name,
                subject=row.policy.code,
                asked_by=row.created_by,
                asked_at=row.created_at,
                expires_on=None,
                **self._in_own_name(_RUN, row.created_by if settings.DESK_PUBLISH_FOUR_EYES else ""),
                facts=_optional(
                    (_("Policy"), row.policy.code),
                    (_("Decides"), said(row.get_metric_display())),
                    (
                        _("Accounts come in"),
                        _("%(first)s to %(last)s") % {"first": day(row.starts_on), "last": day(row.ends_on)},
                    ),
                    (_("Arms"), ", ".join(arms)),
                ),
            )

    def _in_own_name(self, permission: str, made_by: str) -> dict[str, Any]:
        """The admin's pages know of nobody's place: whoever decides there does so in their own name."""
        if not self.user.has_perm(permission):
            return {"why_not": _("This is not yours to decide.")}
        if self.actor == made_by:
            return {"why_not": _("You asked for this: somebody else decides.")}
        return {"own": True}


def _whoever_approves(person: Agent) -> str:
    return "" if rights.may(person, rights.Act.APPROVE) else _("This is not yours to decide.")


def _second_eyes(person: Agent) -> str:
    return "" if loosening.may(person) else _("This is not yours to decide.")


def _titled(packs: rule_packs.InForce, codes: Iterable[str]) -> list[str]:
    return [f"{code} ({packs.packs[code].file.title})" if code in packs.packs else code for code in sorted(codes)]


def _optional(*facts: tuple[str, str]) -> list[Fact]:
    """Those of the facts that say something."""
    return [Fact(name, value) for name, value in facts if value]


def _by(amount: Decimal, currency: str, on: date) -> dict[str, str]:
    return {"amount": money(amount, currency), "day": day(on)}


def _amount(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": money(amount, currency)}


def _given(row: Settlement) -> str:
    """Who agreed already, each with their role: ``lena for omar (manager)``."""
    told = []
    for given in row.approvals:
        who, whom = writing.name_of(given["by"]), writing.name_of(given.get("in_place_of", ""))
        name = _("%(who)s for %(whom)s") % {"who": who, "whom": whom} if whom else who
        told.append(f"{name} ({within(of_code(given['role']))})")
    return ", ".join(told)


def _spread(parts: Sequence[instalments.Instalment], currency: str) -> str:
    """How a plan is paid: the amounts that repeat once, with its first and last day."""
    amounts = list(dict.fromkeys(money(part.amount, currency) for part in parts))
    shown = ", ".join(amounts[:3]) + (" …" if len(amounts) > 3 else "")
    days = {"count": len(parts), "first": day(parts[0].due_on), "last": day(parts[-1].due_on), "amounts": shown}
    if len(parts) == 1:
        return _("%(amounts)s on %(first)s") % days
    return _("%(count)s from %(first)s to %(last)s: %(amounts)s") % days
