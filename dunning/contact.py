"""The contact gate, asked with the facts of accounts: by the call button, the queue, every notice and every limit.

One ``Gate`` stands for a chunk of accounts at one moment; it keeps what it said until ``keep`` writes it down.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from django.conf import settings

from accounts import bulk
from dunning import contact_facts, holding, reading, rule_packs
from dunning.contact_facts import Known, Talked, Talks
from dunning.gate import jurisdictions
from dunning.gate.checks import promotion, registrations, words
from dunning.gate.checks.care import DeskPerson
from dunning.gate.checks.consents import Unread
from dunning.gate.checks.diallers import Dialling
from dunning.gate.checks.frequency import Allowance, AlsoReached, allowance
from dunning.gate.checks.moratoria import Moratorium
from dunning.gate.checks.parties import Person
from dunning.gate.deciding import decide_by, findings_of, rules_about, sort_of
from dunning.gate.decision import Decision, Finding
from dunning.gate.facts import CONTACTS, Action, AddressFact, Contact, Debt, Facts, HoldInForce
from dunning.gate.packs import Pack, Rule
from dunning.gate.zones import zones_of
from dunning.models import GateDecision, Notice
from dunning.reading import AccountFacts

#: Notices that answer the customer, or confirm what they asked for.
OPT_OUT_CONFIRMATION = "opt_out_confirmation"
CONFIRMATION = "confirmation"
PURPOSES = {"answer": "query_reply", CONFIRMATION: "customer_request", "opt-out": OPT_OUT_CONFIRMATION}
#: What confirms nothing that was asked for: that a plan is over is news, and kept to the hours of news.
NEWS = {"plan-broken": "plan_missed"}
#: Those of them that go back to where the question came from.
REPLIES = frozenset({"answer", "opt-out"})

#: Checks that read the words of a message.
ABOUT_WORDS = frozenset(
    {
        *words.THEME.checks, *promotion.THEME.checks, *registrations.THEME.checks,
        "breathing_space", "disputed", "machine_calls", "medium_refused", "no_card_number", "solicitation_hours",
        "time_barred",
    }
)  # fmt: skip
#: What goes out instead of a notice, where help comes first.
HELP_FIRST = "hardship-help"

QUARTER, HALF_A_DAY = timedelta(minutes=15), timedelta(hours=12)
#: Reasons for which somebody may go on where a rule names none of its own.
OVERRIDE_REASONS = ("CONSUMER_ASKED_INFO", "LEGAL_REQUIRED", "TIME_CRITICAL_BENEFIT")

#: What the customer began, or asked for: no debt is collected by it.
ANSWERS = frozenset(PURPOSES.values())

_RUNG_ACTIONS = {
    "throttled": "restrict", "outgoing_barred": "restrict", "suspended": "suspend", "disconnected": "disconnect",
}  # fmt: skip


def nobody_talked(account_ids: Collection[int], at: datetime) -> Mapping[int, Talked]:
    """Where no calls are kept."""
    return {}


class Said(NamedTuple):
    """One decision, with what is written down of it."""

    account_id: int
    action: Action
    facts: Facts
    decision: Decision
    links: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a customer is written to: gently where their circumstances ask for it, with the help their market names."""

    tone: str = ""
    #: Nothing is asked for: what help there is comes instead of the notice.
    help_first: bool = False
    advice: str | None = None
    regulator: str | None = None
    #: A warning says that one may go to court against it.
    names_court: bool = False
    #: What collectors for others must say of themselves: in the first message, and in later ones.
    disclosure: Literal["", "initial", "later"] = ""


PLAINLY = Manner()


class Gate:
    """The gate for these accounts, at one moment."""

    def __init__(
        self,
        facts: Mapping[int, AccountFacts],
        *,
        at: datetime,
        as_of: date,
        talks: Talks = nobody_talked,
        only: Collection[str] | None = None,
        home: bool = False,
    ) -> None:
        """``only``: these packs instead of those of the customers' countries, as a replay may ask. ``home``: customers
        of no country at all are where the operator is.
        """
        self.home = home
        self.facts, self.at, self.as_of = facts, at, as_of
        self.known = contact_facts.read([fact.customer_id for fact in facts.values()], at=at, as_of=as_of)
        self.talked = talks(sorted({pk for known in self.known.values() for pk in known.accounts} | set(facts)), at)
        self.packs = rule_packs.in_force()
        self.only = only
        self.said: list[Said] = []
        #: Accounts to which help leaves in this chunk.
        self.helped: set[int] = set()
        self._rules: dict[Any, tuple[list[Rule], tuple[Pack, ...]]] = {}

    def ask(
        self,
        account_id: int,
        action: Action,
        *,
        keep: bool = True,
        parts: Mapping[str, Any] | None = None,
        **links: Any,
    ) -> Decision:
        """The gate's answer for that account; ``links`` are the notice or the order it is about."""
        action = self._addressed(account_id, action)
        facts = self.facts_of(account_id, action, parts)
        rules, packs = self._asked(action, facts)
        decision = decide_by(rules, action, facts, versions=tuple(pack.version for pack in packs))
        if keep:
            self.said.append(Said(account_id, action, facts, decision, links))
        return decision

    def ask_of_words(
        self, account_id: int, action: Action, *, parts: Mapping[str, Any] | None = None, **links: Any
    ) -> Decision:
        """What the rules about words say of a text; kept only where they object."""
        action = self._addressed(account_id, action)
        facts = self.facts_of(account_id, action, parts)
        rules, packs = self._asked(action, facts)
        about_words = [rule for rule in rules if rule.written.check in ABOUT_WORDS]
        decision = decide_by(about_words, action, facts, versions=tuple(pack.version for pack in packs))
        if not decision.is_allowed:
            self.said.append(Said(account_id, action, facts, decision, links))
        return decision

    def findings(
        self,
        account_id: int,
        action: Action,
        *,
        parts: Mapping[str, Any] | None = None,
        debt: Debt | None = None,
        without: Collection[str] = (),
        keep: bool = True,
    ) -> list[Finding]:
        """What each rule says of an agreement on its own, strictest first, for whoever weighs them one by one.

        ``debt``: what is owed, where that is known better than by what is past due. ``without``: checks not asked.
        """
        facts = self.facts_of(account_id, action, parts)
        if debt is not None:
            facts = replace(facts, debt=debt)
        rules, packs = self._asked(action, facts)
        asked = [rule for rule in rules if rule.written.check not in without]
        if keep:
            decision = decide_by(asked, action, facts, versions=tuple(pack.version for pack in packs))
            self.said.append(Said(account_id, action, facts, decision, {}))
        return findings_of(asked, action, facts)

    def allowances(self, account_id: int, action: Action) -> list[Allowance]:
        """How far the limits on such contacts are used up, the one that leaves least first."""
        action = self._addressed(account_id, action)
        facts = self.facts_of(account_id, action)
        rules, _ = self._asked(action, facts)
        live = [rule for rule in rules if rule.begins <= self.at < rule.ends]
        found = [allowance(rule.params, action, facts, self.at) for rule in live]
        return sorted(filter(None, found), key=lambda one: (one.most - one.used, -one.days))

    def allowed_until(self, account_id: int, action: Action) -> datetime:
        """How long what is allowed now stays so, to a quarter of an hour; half a day at most."""
        facts = self.facts_of(account_id, action)
        rules, _ = self._asked(action, facts)
        until = self.at
        while until < self.at + HALF_A_DAY:
            later = until + QUARTER
            if not decide_by(rules, action, replace(facts, at=later)).is_allowed:
                break
            until = later
        return until

    def manner_of(self, account_id: int) -> Manner:
        """How this customer is written to."""
        fact = self.facts[account_id]
        known = self.known[fact.customer_id]
        severities = {care.severity for care in known.care}
        signposts: dict[str, str] = {}
        for pack in self.packs.of(jurisdictions.of(known.place)):
            signposts |= pack.file.signposts
        role = settings.DESK_COLLECTOR_ROLE
        return Manner(
            tone="gentle" if severities else "",
            help_first=bool(severities & {"medium", "high"}),
            advice=signposts.get("advice") or None,
            regulator=signposts.get("regulator") or None,
            names_court="court" in signposts,
            disclosure="" if role == "first_party" else "later" if known.sent.get(account_id) else "initial",
        )

    def was_offered_help(self, account_id: int) -> bool:
        """Whether help went out instead of a notice within the last month, as far back as is looked."""
        sent = self.known[self.facts[account_id].customer_id].sent.get(account_id, ())
        return account_id in self.helped or any(contact.template == HELP_FIRST for contact in sent)

    def _addressed(self, account_id: int, action: Action) -> Action:
        """The action with the number or address it would use, where it names none."""
        kind = reading.NEEDS.get(action.type)
        best = self.facts[account_id].contact.get(kind, "") if kind else ""
        return replace(action, address=best) if best and not action.address else action

    def facts_of(self, account_id: int, action: Action, parts: Mapping[str, Any] | None = None) -> Facts:
        """Everything that is known of the account, as the rules read it."""
        fact = self.facts[account_id]
        known = self.known[fact.customer_id]
        talked = self.talked.get(account_id, Talked())
        kind = reading.NEEDS.get(action.type)
        address = action.address
        place = known.place if action.type != "call" or not address else _with_number(known, address)
        places = jurisdictions.of(known.place)
        moratorium = _moratorium(fact, self.as_of) if "GB" in places else None
        known_parts: dict[str, Any] = {"Moratorium": moratorium} if moratorium else {}
        if known.born_on is not None:
            known_parts["Person"] = Person(born_on=known.born_on)
        if others := tuple(self._of_other_accounts(account_id, known, talked)):
            known_parts["AlsoReached"] = AlsoReached(person=others)
        if known.unread_since is not None:
            known_parts["Unread"] = Unread(received_at=known.unread_since)
        if action.prerecorded:
            known_parts["Dialling"] = Dialling(shows=settings.DESK_CALLER_NUMBER)
        nowhere = self.home and action.automated and not (place.country or place.timezone)
        return Facts(
            at=self.at,
            place=replace(place, otherwise=settings.DESK_TIME_ZONE) if nowhere else place,
            jurisdictions=places,
            role=settings.DESK_COLLECTOR_ROLE,
            kind=fact.traits.kind,
            language=fact.language,
            has_address=kind is None or bool(address),
            refused=action.type in fact.refused_channels,
            address=known.points.get(address, AddressFact()),
            contacts=(*talked.contacts, *known.sent.get(account_id, ())),
            consents=(*known.consents, *talked.consents),
            preferences=tuple(known.preferences),
            represented_by=tuple(known.represented_by),
            care=tuple(known.care),
            holds=_holds(fact, action, self.as_of, moratorium is not None),
            debt=_debt(fact, self.as_of),
            parts=known_parts | dict(parts or {}),
        )

    def _of_other_accounts(self, account_id: int, known: Known, talked: Talked) -> Iterator[Contact]:
        """Contacts with the same person about their other accounts; one that was about several is told once."""
        told = {replace(contact, kept_elsewhere=False) for contact in talked.contacts if contact.kept_elsewhere}
        for other in known.accounts:
            if other != account_id:
                for contact in self.talked.get(other, Talked()).contacts:
                    if not contact.kept_elsewhere and contact not in told:
                        yield contact
                yield from known.sent.get(other, ())

    def _asked(self, action: Action, facts: Facts) -> tuple[list[Rule], tuple[Pack, ...]]:
        """The rules that concern such an action; the same for all customers of a kind and place."""
        key = sort_of(action, facts)
        if key not in self._rules:
            packs = self.packs.of(facts.jurisdictions)
            if self.only is not None:
                packs = tuple(pack for code, pack in self.packs.packs.items() if code in self.only)
            self._rules[key] = (rules_about(packs, action, facts), packs)
        return self._rules[key]

    def note_override(self, *, code: str, reason: str, actor: str) -> None:
        """Somebody with the right to it goes on all the same: written down with what was said last."""
        last = self.said[-1]
        why = {"override_code": code, "override_reason": reason[:300], "overridden_by": actor}
        self.said[-1] = last._replace(links={**last.links, **why})

    def keep(self, *, actor: str) -> None:
        """Write down what was said, for good: two statements for all of it, and one more for a pack's first time."""
        if not self.said:
            return
        used = {pack.digest: pack for _, packs in self._rules.values() for pack in packs}
        rule_packs.keep_versions(used.values(), at=self.at)
        bulk.insert([self._row(one, actor) for one in self.said])
        self.said = []

    def _row(self, said: Said, actor: str) -> GateDecision:
        decision, facts = said.decision, said.facts
        return GateDecision(
            account_id=said.account_id,
            customer_id=self.facts[said.account_id].customer_id,
            action=said.action.type,
            automated=said.action.automated,
            actor=actor,
            at=facts.at,
            local_times=[
                f"{facts.at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}" for zone in zones_of(facts.place, facts.at)
            ],
            outcome=decision.outcome,
            rule_ids=list(decision.rule_ids),
            reasons=[reason[:300] for reason in decision.reasons],
            next_allowed_at=decision.next_allowed_at,
            packs=list(decision.pack_versions),
            facts_digest=_digest(repr((said.action, facts))),
            address_digest=_digest(said.action.address) if said.action.address else "",
            **said.links,
        )


def _digest(text: str) -> str:
    """Keyed, so that nobody can try addresses against it."""
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), sha256).hexdigest()


def _with_number(known: Known, number: str) -> Any:
    return (
        known.place if number in known.place.numbers else replace(known.place, numbers=(*known.place.numbers, number))
    )


def _moratorium(fact: AccountFacts, as_of: date) -> Moratorium | None:
    """The breathing space that a hold of the account tells of; its law says how long it lasts and what may be said."""
    begun = [hold for hold in fact.holds if hold.reason == "breathing_space" and hold.covers(as_of)]
    return Moratorium(starts_on=min(hold.starts_on for hold in begun), agents_told=True) if begun else None


def _holds(fact: AccountFacts, action: Action, as_of: date, has_moratorium: bool) -> tuple[HoldInForce, ...]:
    """Holds in force that stop this kind of action, for the whole account; a breathing space has its own rule."""
    if action.type == "call":
        effect = holding.CALLS
    elif action.type in CONTACTS:
        effect = holding.NOTICES
    else:
        effect = holding.LIMITS
    # A promise or a plan for everything that is past due leaves nothing to speak of.
    all_covered = bool(fact.past_due) and not fact.judged(as_of)
    return tuple(
        HoldInForce(reason=hold.reason, starts_on=hold.starts_on, ends_on=hold.ends_on)
        for hold in fact.holds
        if hold.covers(as_of) and effect in hold.effects
        if holding.is_account_wide(hold) or (action.type in CONTACTS and hold.reason != "dispute" and all_covered)
        if not (has_moratorium and hold.reason == "breathing_space")
    )


def _debt(fact: AccountFacts, as_of: date) -> Debt:
    past_due = [bill for bill in fact.past_due if bill.due_on < as_of]
    undisputed = [bill.due_on for bill in past_due if bill.open_amount > bill.disputed_amount]
    return Debt(
        overdue=_amount(sum(bill.open_amount for bill in past_due)),
        disputed=_amount(sum(bill.disputed_amount for bill in past_due)),
        oldest_due_on=min(undisputed, default=None),
        currency=fact.currency,
        not_due=not past_due,
    )


def _amount(thousandths: int) -> Decimal:
    return Decimal(thousandths) / 1000


def override_codes(decision: Decision) -> list[str]:
    """For which reasons the rules that object let somebody go on; the desk's own where a rule names none."""
    rules = {rule.id: rule for pack in rule_packs.in_force().packs.values() for rule in pack.rules}
    codes = [code for rule in decision.rule_ids if rule in rules for code in rules[rule].written.override_reasons]
    return list(dict.fromkeys(codes)) or list(OVERRIDE_REASONS)


def purpose_of(notice: Notice) -> str:
    """What a notice is for, as rules tell purposes apart."""
    if notice.step_code == CONFIRMATION and notice.template in NEWS:
        return NEWS[notice.template]
    if notice.step_code in PURPOSES:
        return PURPOSES[notice.step_code]
    if notice.case_id is None:
        return "not_due"
    return "suspension_notice" if notice.consequence else "collection"


def contact_action(channel: str, *, automated: bool, purpose: str = "collection", **more: Any) -> Action:
    """A contact on one of the desk's channels; ``voice`` is a call that a machine makes."""
    if channel == "voice":
        return Action(type="call", automated=True, prerecorded=True, purpose=purpose, **more)
    return Action(type=channel, automated=automated, purpose=purpose, **more)


def limit_action(rung: str, *, service: str) -> Action:
    """A limit of a service of that kind; a machine asks for it."""
    return Action(type=_RUNG_ACTIONS[rung], automated=True, rung=rung, service=service)


def by_person(roles: Collection[str]) -> dict[str, Any]:
    """The part of the facts that says who acts; nothing where nobody is known."""
    return {"DeskPerson": DeskPerson(roles=frozenset(roles))} if roles else {}


def check(
    *,
    account_id: int,
    channel: str,
    at: datetime,
    as_of: date,
    talks: Talks = nobody_talked,
    automated: bool = False,
    address: str = "",
    roles: Collection[str] = (),
    facts: Mapping[int, AccountFacts] | None = None,
) -> Decision:
    """May this account's customer be contacted on ``channel`` at ``at``? Reads only; ``facts``: if they were read."""
    if facts is None:
        facts = reading.read([account_id], as_of=as_of)
    gate = Gate(facts, at=at, as_of=as_of, talks=talks)
    action = contact_action(channel, automated=automated, address=address)
    return gate.ask(account_id, action, keep=False, parts=by_person(roles))


def check_many(
    account_ids: Iterable[int], *, channel: str, at: datetime, as_of: date, talks: Talks = nobody_talked
) -> dict[int, Decision]:
    """The same for many accounts: a constant number of queries."""
    facts = reading.read(sorted(account_ids), as_of=as_of)
    gate = Gate(facts, at=at, as_of=as_of, talks=talks)
    return {pk: gate.ask(pk, contact_action(channel, automated=False), keep=False) for pk in facts}
