from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.authtoken.models import Token

from agents.models import Interaction
from tests.factories import make_account, make_agent, make_customer, moment

pytestmark = pytest.mark.django_db


def american() -> str:
    return make_account(customer=make_customer(country="US", timezone="America/New_York", phone="+12025550123")).ref


def check(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("contact_check", *arguments, "--json", stdout=out)
    answer: dict[str, object] = json.loads(out.getvalue())
    return answer


def test_it_answers_with_every_key_before_any_run() -> None:
    answer = check(american(), "--channel", "call", "--at", "2026-08-04T12:00:00-04:00")
    assert list(answer) == [
        "outcome",
        "rule_ids",
        "reasons",
        "next_allowed_at",
        "requires",
        "override",
        "pack_versions",
    ]
    assert (answer["outcome"], answer["next_allowed_at"]) == ("ALLOW", None)


def test_the_hour_is_the_customers_and_the_next_allowed_moment_is_in_utc() -> None:
    early = check(american(), "--channel", "call", "--at", "2026-08-04T11:59:00Z")
    assert (early["outcome"], early["next_allowed_at"]) == ("HOLD", "2026-08-04T12:00:00Z")
    assert early["rule_ids"]


def test_a_moment_without_an_offset_is_utc() -> None:
    account = american()
    same = [
        check(account, "--channel", "call", "--at", at) for at in ("2026-08-04T11:59:00", "2026-08-04T07:59:00-04:00")
    ]
    assert same[0] == same[1]


def test_conversations_that_were_imported_count() -> None:
    ref = american()
    account = make_account().__class__.objects.get(ref=ref)
    Interaction.objects.create(
        ref="I1", account=account, direction="outbound", disposition="rpc_refused", right_party=True, at=moment(hour=15)
    )
    assert check(ref, "--channel", "call", "--at", "2026-03-12T15:00:00Z")["outcome"] == "HOLD"
    assert check(ref, "--channel", "call", "--at", "2026-03-20T15:00:00Z")["outcome"] == "ALLOW"


@pytest.mark.parametrize("account", ["nobody", "\0", "'; --"])
def test_an_unknown_account_is_one_sentence_and_code_two(account: str) -> None:
    with pytest.raises(CommandError, match="There is no account") as refused:
        check(account, "--channel", "call")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("arguments", [("--channel", "fax"), ("--channel", "call", "--at", "soon"), ()])
def test_arguments_that_are_none_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        check(american(), *arguments)


def test_a_token_is_made_once_and_printed_alone() -> None:
    agent = make_agent()
    printed = [StringIO(), StringIO(), StringIO()]
    call_command("token", agent.username, stdout=printed[0])
    call_command("token", agent.username, stdout=printed[1])
    assert printed[0].getvalue() == printed[1].getvalue() == f"{Token.objects.get(user=agent).key}\n"
    call_command("token", agent.username, "--renew", stdout=printed[2])
    assert printed[2].getvalue() != printed[0].getvalue()


@pytest.mark.parametrize("active", [None, False])
def test_nobody_gets_no_token(active: bool | None) -> None:
    username = "nobody" if active is None else make_agent(is_active=False).username
    with pytest.raises(CommandError) as refused:
        call_command("token", username)
    assert refused.value.returncode == 2
    assert not Token.objects.exists()
