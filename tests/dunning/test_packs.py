"""The examples that stand in the packs, run; and that a pack which could not decide is refused with its place."""

from __future__ import annotations

import pytest

from dunning.gate.examples import failures
from dunning.gate.packs import Example, Pack, Rule, shipped

CASES = [
    (pack, rule, example) for pack in shipped().values() for rule in pack.rules for example in rule.written.examples
]


@pytest.mark.parametrize(
    ("pack", "rule", "example"), CASES, ids=[f"{rule.id}: {example.says}" for _, rule, example in CASES]
)
def test_a_rule_does_what_its_pack_says(pack: Pack, rule: Rule, example: Example) -> None:
    assert failures(example, rule, pack, shipped()) == []


def test_every_rule_has_an_example() -> None:
    assert [rule.id for pack in shipped().values() for rule in pack.rules if not rule.written.examples] == []
