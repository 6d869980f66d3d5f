"""Which policy an account gets: the versions in force, the experiments under way, the segments that they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from dunning import experiments, policy, rulebook, segments
from dunning.experiments import Assigned, Running, Treatment
from dunning.policy import PolicyRules
from dunning.reading import AccountFacts
from dunning.segments import SegmentRow


@dataclass(frozen=True)
class Strategy:
    """What holds for a day's run, read once."""

    published: Sequence[PolicyRules]
    experiments: Mapping[str, Running] = field(default_factory=dict)
    #: The rules of the challengers.
    on_trial: Mapping[int, PolicyRules] = field(default_factory=dict)
    segments: tuple[SegmentRow, ...] = ()

    def entry(self, fact: AccountFacts, *, as_of: date, assigned: Assigned) -> Treatment | None:
        """What an account without a case gets when a case would open for it today; none when none would."""
        chosen = policy.choose(self.published, fact.traits, fact.currency)
        if chosen is None:
            return None
        facts = fact.case_facts(chosen, as_of)
        if not policy.enters(chosen, facts):
            return None
        treatment = experiments.apply(
            chosen,
            account_id=fact.pk,
            account_ref=fact.ref,
            age=facts.age,
            experiments=self.experiments,
            rules_by_version=self.on_trial,
            assigned=assigned,
            as_of=as_of,
        )
        rules = treatment.rules
        if rules is None or rules is chosen or policy.enters(rules, fact.case_facts(rules, as_of)):
            return treatment
        return treatment._replace(rules=None)

    def assigned(self, account_ids: Collection[int]) -> Assigned:
        """The arms that these accounts have in the experiments under way."""
        return experiments.assigned([running.pk for running in self.experiments.values()], account_ids)

    def sort_into_segments(
        self, facts: Iterable[AccountFacts], pinned: Iterable[PolicyRules], *, as_of: date, always: bool = False
    ) -> None:
        """Let the accounts know their segments, those that some policy asks for (or ``always`` all); one query."""
        among = self.segments if always else self.segments_asked_for(pinned)
        if not among:
            return
        accounts = {fact.pk: fact for fact in facts}
        for pk, names in segments.memberships(accounts, as_of=as_of, among=among).items():
            if names:
                accounts[pk].traits = replace(accounts[pk].traits, segments=names)

    def segments_asked_for(self, pinned: Iterable[PolicyRules]) -> tuple[SegmentRow, ...]:
        """The desk's own segments that these rules name, those in force or those on trial, in their order."""
        asking = (*self.published, *self.on_trial.values(), *pinned)
        named = set[str]().union(*(segments_named(rules) for rules in asking))
        return tuple(segment for segment in self.segments if segment.code in named)


def segments_named(rules: PolicyRules) -> set[str]:
    """The segments that a policy or one of its steps is for."""
    return {
        name for audience in (rules.applies_to, *(step.only_if for step in rules.steps)) for name in audience.segment
    }


def in_force(*, as_of: date, until: date | None = None) -> Strategy:
    """The desk's strategy on a day, or on every day up to ``until`` as far as it is known; four queries or so."""
    running = experiments.running(as_of=as_of, until=until)
    return Strategy(
        published=rulebook.published(),
        experiments=running,
        on_trial=rulebook.rules_of(experiments.version_ids(running)) if running else {},
        segments=segments.active(),
    )
