from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from agents import rights
from agents.rights import Act
from tests.factories import make_account, make_agent, make_item, make_team, moment

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "act", "allowed"),
    [
        ("agent", Act.WORK, True),
        ("agent", Act.APPROVE, False),
        ("agent", Act.SEE_KPIS, False),
        ("supervisor", Act.WORK, True),
        ("supervisor", Act.APPROVE, True),
        ("supervisor", Act.EDIT_POLICIES, False),
        ("admin", Act.EDIT_POLICIES, True),
    ],
)
def test_a_role_allows_what_it_is_for(role: str, act: Act, allowed: bool) -> None:
    assert rights.may(make_agent(role), act) is allowed


def test_a_visitor_and_somebody_who_left_may_nothing() -> None:
    left = make_agent("supervisor", is_active=False)

    assert not rights.may(AnonymousUser(), Act.WORK)
    assert not rights.may(left, Act.WORK)
    assert not rights.visible_accounts(left).exists()


def test_an_act_nobody_defined_is_an_error_not_a_refusal() -> None:
    with pytest.raises(ValueError, match="fly"):
        rights.may(make_agent(), "fly")


def test_the_team_wall_hides_what_another_team_works_on() -> None:
    ours, theirs, free = make_account(), make_account(), make_account()
    north, south = make_team(), make_team()
    make_item(ours, team=north)
    make_item(theirs, team=south)
    nadia, loner, boss = make_agent(team=north), make_agent(), make_agent("supervisor", team=north)

    assert set(rights.visible_accounts(nadia)) == {ours, free}
    assert set(rights.visible_accounts(loner)) == {free}
    assert rights.may_see_account(boss, theirs)


def test_the_wall_falls_with_the_item() -> None:
    account = make_account()
    make_item(account, team=make_team(), done_at=moment())

    assert rights.may_see_account(make_agent(), account)


def test_admins_edit_policies_and_supervisors_only_see_them() -> None:
    admin, supervisor = make_agent("admin"), make_agent("supervisor")

    assert admin.has_perm("dunning.change_policyversion")
    assert admin.has_perm("agents.change_disposition")
    assert not admin.has_perm("accounts.change_accountevent")
    assert supervisor.has_perm("dunning.view_policyversion")
    assert not supervisor.has_perm("dunning.change_policyversion")


def test_legal_holds_are_lifted_by_supervisors_only() -> None:
    assert rights.may_lift(make_agent(), "manual")
    assert not rights.may_lift(make_agent(), "bankruptcy")
    assert rights.may_lift(make_agent("supervisor"), "bankruptcy")
