"""Rule packs in the admin: read with their examples run, changed, agreed to, chosen; decisions looked at."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from dunning import pack_admin, pack_words, rule_packs
from dunning.gate.packs import shipped
from dunning.models import GateDecision, MarketPacks, PackChange
from tests.factories import make_account, make_agent, make_customer

pytestmark = pytest.mark.django_db

PACKS = "/admin/dunning/rulepackversion/"
RULE = f"{PACKS}pack/US-FED/US-FREQ-01/"
CHANGES = "/admin/dunning/packchange/"
MARKETS = "/admin/dunning/marketpacks/"
DECISIONS = "/admin/dunning/gatedecision/"
State = PackChange.State


def browser(role: str, name: str = "") -> Client:
    client = Client()
    client.force_login(make_agent(role, username=name or f"the-{role}"))
    return client


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    cache.delete(pack_admin.MARKETS_KEY)


@pytest.fixture
def desk() -> Client:
    return browser("admin")


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def looser(client: Client) -> PackChange:
    assert client.post(RULE, {"parameter": "most", "value": "9", "reason": "A ruling"}).status_code == 302
    return PackChange.objects.get(state=State.WAITING)


def decided(rule: str = "US-FREQ-01", **columns: Any) -> GateDecision:
    account = columns.pop("account", None) or make_account()
    return GateDecision.objects.create(
        **{
            "account": account, "customer": account.customer, "action": "call", "automated": False,
            "actor": "agent:ada", "at": timezone.now(), "outcome": "HOLD", "rule_ids": [rule],
            "reasons": ["Seven calls were made."], "packs": [rule_packs.in_force().packs["US-FED"].version],
            "facts_digest": "0" * 64, **columns,
        }
    )  # fmt: skip


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_the_list_names_every_pack_with_its_version_and_that_it_is_a_sample(desk: Client) -> None:
    shown = text_of(desk.get(PACKS))
    for pack in shipped().values():
        assert f"{escape(pack.file.title)} {pack.code} · {escape(pack.file.notice)} {pack.file.version}" in shown


@pytest.mark.parametrize("code", sorted(shipped()))
def test_a_packs_page_tells_every_rule_and_its_examples_pass(desk: Client, code: str) -> None:
    shown = text_of(desk.get(f"{PACKS}pack/{code}/"))
    for rule in shipped()[code].rules:
        number = len(rule.written.examples)
        plural = "" if number == 1 else "s"
        assert rule.id in shown
        assert f"{rule.written.severity} {number}/{number} example{plural} ✓" in shown
    assert "This example now says" not in shown


def test_a_rule_to_come_and_one_that_is_past_say_their_days() -> None:
    pack = shipped()["US-FED"]
    rule = pack.rule("US-FREQ-01")
    assert pack_words.in_force_words(rule, rule.begins) == ("now", "since 30 November 2021")
    assert pack_words.in_force_words(rule, rule.begins - timedelta(days=1)) == ("coming", "from 30 November 2021")


@pytest.mark.parametrize(
    ("rule", "parameter", "typed", "written"),
    [
        ("US-FREQ-01", "most", " 5 ", 5),
        ("US-TIME-01", "opens", "09:30", "09:30"),
        ("US-TIME-01", "closes", "20:00:00", "20:00"),
        ("US-FREQ-01", "channels", "call, sms", ["call", "sms"]),
        ("US-TIME-01", "weekdays", "1, 2,3", [1, 2, 3]),
    ],
)
def test_what_is_typed_is_written_as_a_packs_file_writes_it(
    rule: str, parameter: str, typed: str, written: object
) -> None:
    assert pack_words.typed(shipped()["US-FED"].rule(rule), parameter, typed) == written


def test_what_a_rule_cannot_take_is_said_beside_its_field(desk: Client) -> None:
    response = desk.post(RULE, {"parameter": "most", "value": "a few", "reason": "x"})
    assert response.status_code == 422
    assert "a few is no value for most." in text_of(response)
    assert 'value="a few"' in response.content.decode()
    assert not PackChange.objects.exists()


# --- Changing ---------------------------------------------------------------------------------------------------------


def test_a_stricter_value_is_in_force_and_examples_that_differ_now_say_so(desk: Client) -> None:
    response = desk.post(RULE, {"parameter": "most", "value": "5", "reason": ""}, follow=True)
    shown = text_of(response)
    assert "most 5 is in force." in shown
    assert "This example now says HOLD, not ALLOW" in shown
    assert "Set here; the pack says 7." in shown
    assert "most: the-admin," in shown


def test_a_looser_value_waits_with_what_would_differ_and_another_person_agrees(desk: Client) -> None:
    row = looser(desk)
    waiting = text_of(desk.get(CHANGES))
    assert "most: 7 → 9 , which is looser. “A ruling” the-admin," in waiting
    assert "Somebody else must agree." in waiting
    assert "Agree Refuse" not in waiting
    other = browser("supervisor")
    assert "Agree Refuse" in text_of(other.get(CHANGES))
    shown = text_of(other.post(f"{CHANGES}{row.pk}/decide/", {"word": "agree"}, follow=True))
    assert "US-FREQ-01: most 9 is in force." in shown
    row.refresh_from_db()
    assert (row.state, row.asked_by, row.decided_by) == (State.IN_FORCE, "agent:the-admin", "agent:the-supervisor")


def test_the_person_who_asked_cannot_agree_and_may_withdraw(desk: Client) -> None:
    row = looser(desk)
    shown = text_of(desk.post(f"{CHANGES}{row.pk}/decide/", {"word": "agree"}, follow=True))
    assert "Somebody else must agree." in shown
    row.refresh_from_db()
    assert row.state == State.WAITING
    desk.post(f"{CHANGES}{row.pk}/decide/", {"word": "refuse", "next": "rule"})
    row.refresh_from_db()
    assert row.state == State.REFUSED


def test_back_to_the_packs_own_value_where_that_is_looser_waits(desk: Client) -> None:
    desk.post(RULE, {"parameter": "most", "value": "5"})
    assert desk.post(RULE, {"parameter": "most", "back": "1", "reason": ""}).status_code == 422
    desk.post(RULE, {"parameter": "most", "back": "1", "reason": "Tried it"})
    assert PackChange.objects.get(state=State.WAITING).value == 7


def test_decisions_that_named_a_rule_are_counted_by_outcome(desk: Client) -> None:
    for days in (0, 1, 40):
        decided(at=timezone.now() - timedelta(days=days))
    decided(outcome="ALLOW", rule_ids=[])
    assert "2 HOLD" in text_of(desk.get(f"{RULE}decisions/"))


# --- Markets ----------------------------------------------------------------------------------------------------------


def test_markets_of_the_book_are_offered_with_their_customers_as_shipped(desk: Client) -> None:
    for _ in range(2):
        make_customer(country="US", region="TX")
    make_customer(country="NZ")
    shown = text_of(desk.get(MARKETS))
    assert f"United States (US) 2 {' , '.join(rule_packs.packs_of('US'))} as shipped" in shown
    assert "New Zealand (NZ) 1 none of its own as shipped" in shown


def test_a_market_loses_a_pack_only_by_two_people(desk: Client) -> None:
    make_customer(country="US")
    assert desk.post(f"{MARKETS}choose/", {"market": "US", "reason": ""}).status_code == 422
    assert desk.post(f"{MARKETS}choose/", {"market": "US", "reason": "We left"}).status_code == 302
    desk.post(f"{MARKETS}decide/", {"market": "US", "seen": "", "word": "agree"})
    assert MarketPacks.objects.get().decided_at is None
    other = browser("supervisor")
    assert f"To do without {', '.join(rule_packs.packs_of('US'))} ." in text_of(other.get(CHANGES))
    other.post(f"{MARKETS}decide/", {"market": "US", "seen": "", "word": "agree"})
    assert MarketPacks.objects.get().decided_by == "agent:the-supervisor"
    assert "United States (US) 1 none of its own the-supervisor," in text_of(desk.get(MARKETS))


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_decisions_are_found_by_account_rule_and_day_and_never_counted(desk: Client) -> None:
    mine, other = decided(), decided(rule="US-TIME-01", at=timezone.now() - timedelta(days=3))
    yes, no = f"{DECISIONS}{mine.pk}/change/", f"{DECISIONS}{other.pk}/change/"
    for asked in (f"q={mine.account.ref}", "q=US-FREQ-01", "days=1", f"q={timezone.localdate().isoformat()}"):
        with CaptureQueriesContext(connection) as queries:
            content = desk.get(f"{DECISIONS}?{asked}").content.decode()
        assert yes in content
        assert no not in content
        assert not [query for query in queries.captured_queries if "COUNT(" in query["sql"].upper()]


def test_the_list_asks_as_much_for_many_decisions_as_for_few(desk: Client) -> None:
    counts = []
    for _ in range(2):
        for _ in range(10):
            decided()
        with CaptureQueriesContext(connection) as queries:
            desk.get(DECISIONS)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_decision_tells_its_rules_as_they_read_then(desk: Client) -> None:
    at = timezone.now()
    pack = rule_packs.in_force().packs["US-FED"]
    rule_packs.keep_versions([pack], at=at)
    then = decided(at=at + timedelta(minutes=1))
    desk.post(RULE, {"parameter": "most", "value": "3"})
    shown = text_of(desk.get(f"{DECISIONS}{then.pk}/change/"))
    assert "US-FREQ-01 Seven calls in seven days" in shown
    assert "most: 7" in shown
    assert f"{pack.version}" in shown


# --- Who may ----------------------------------------------------------------------------------------------------------


def test_a_supervisor_agrees_and_changes_nothing(desk: Client) -> None:
    client = browser("supervisor")
    assert client.get(RULE).status_code == 200
    assert "Set" not in re.findall(r">(Set)</button>", client.get(RULE).content.decode())
    assert client.post(RULE, {"parameter": "most", "value": "5"}).status_code == 403
    assert client.post(f"{MARKETS}choose/", {"market": "US", "reason": "x"}).status_code == 403
    assert not PackChange.objects.exists()


def test_a_supervisor_without_the_right_only_looks(desk: Client) -> None:
    row = looser(desk)
    client = browser("supervisor")
    for role in client.get(CHANGES).wsgi_request.user.groups.all():
        role.permissions.remove(*role.permissions.filter(codename="loosen_packchange"))
    assert "Agree Refuse" not in text_of(client.get(CHANGES))
    for word in ("agree", "refuse"):
        assert client.post(f"{CHANGES}{row.pk}/decide/", {"word": word}).status_code == 403
    row.refresh_from_db()
    assert row.state == State.WAITING


def test_an_agent_does_not_get_in(desk: Client) -> None:
    row = looser(desk)
    client = browser("agent")
    for address in (PACKS, f"{PACKS}pack/US-FED/", RULE, f"{RULE}decisions/", CHANGES, MARKETS, DECISIONS):
        assert client.get(address).status_code in (302, 403)
    for address in (RULE, f"{CHANGES}{row.pk}/decide/", f"{MARKETS}choose/", f"{MARKETS}decide/"):
        assert client.post(address, {"word": "agree", "market": "US"}).status_code in (302, 403)
    row.refresh_from_db()
    assert row.state == State.WAITING


def test_unknown_packs_rules_and_changes_are_not_found(desk: Client) -> None:
    for address in (f"{PACKS}pack/NOPE/", f"{PACKS}pack/US-FED/NOPE/"):
        assert desk.get(address).status_code == 404
    assert desk.post(f"{CHANGES}1/decide/", {"word": "agree"}).status_code == 404
    assert desk.get(f"{CHANGES}1/decide/").status_code == 405
