"""The effect matrix as admins edit it: who may, what is refused, what is told, and that the decisions read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from rest_framework.test import APIClient

from accounts import holds
from accounts.business_day import move_to
from accounts.models import AccountEvent, Hold
from agents import rights
from agents.models import Agent
from dunning import contact, hold_rules, holding, kinds, reading
from dunning.hold_rules import CannotChangeRule, Rule
from dunning.models import HoldRule
from tests.factories import TODAY, make_agent, moment, owing

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/dunning/holdrule/"


@pytest.fixture(autouse=True)
def written() -> None:
    """Every reason has its line, also where a test before this one emptied the tables."""
    for reason in Hold.Reason.values:
        begun = hold_rules.begins_as(reason)
        HoldRule.objects.get_or_create(
            reason=reason,
            defaults={"stops": sorted(begun.stops), "stops_clock": begun.clock, "lifted_by": begun.lifted_by},
        )


def line(reason: str, **columns: Any) -> Rule:
    begun = hold_rules.begins_as(reason)
    return Rule(
        **{"reason": reason, "stops": begun.stops, "clock": begun.clock, "lifted_by": begun.lifted_by} | columns
    )


def change(*rules: Rule) -> list[str]:
    return hold_rules.change(rules=rules, actor="agent:ada", as_of=TODAY, at=moment())


def place(account: Any, reason: str, **options: Any) -> Hold:
    given = {"starts_on": TODAY, "actor": "agent:nadia", "as_of": TODAY, "at": moment()}
    return holds.place(account_id=account.pk, reason=reason, **{**given, **options})


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def form(**changes: Any) -> dict[str, Any]:
    """What the page posts as it stands, with changes."""
    posted: dict[str, Any] = {"seen": hold_rules.fingerprint(hold_rules.matrix())}
    for reason, rule in hold_rules.matrix().items():
        ticked = [effect for effect in sorted(rule.stops) if not hold_rules.is_fixed(reason, effect)]
        posted[f"{reason}-stops"] = ticked
        if rule.clock:
            posted[f"{reason}-clock"] = ["clock"]
        if reason not in hold_rules.ENDED_WITH:
            posted[f"{reason}-lifted_by"] = rule.lifted_by
    return posted | changes


# The matrix.


def test_the_matrix_that_the_migration_wrote_is_the_one_that_a_desk_begins_with() -> None:
    assert hold_rules.matrix() == {reason: hold_rules.begins_as(reason) for reason in Hold.Reason.values}
    for reason in set(Hold.Reason.values) - {"manual"}:
        assert hold_rules.matrix()[reason].stops == holding.stops(reason)
        assert hold_rules.matrix()[reason].clock == holding.stops_clock(reason)


def test_a_line_that_nobody_wrote_is_as_a_desk_begins() -> None:
    before = hold_rules.matrix()
    HoldRule.objects.all().delete()
    assert hold_rules.matrix() == before


def test_a_change_is_written_and_told_in_words() -> None:
    told = change(
        line("hardship", stops=holding.EVERYTHING - {holding.LIMITS, holding.NOTICES}, clock=False),
        line("vulnerability_review", lifted_by="admin"),
        line("legal"),
    )
    assert told == [
        "Hardship: lets notices and limits go on; lets the clock run",
        "Vulnerability review: is lifted by admins",
    ]
    events = AccountEvent.objects.filter(kind=kinds.HOLD_RULES_CHANGED).order_by("pk")
    assert [(event.account_id, event.actor, event.reason) for event in events] == [
        (None, "agent:ada", words) for words in told
    ]
    assert events[0].payload == {
        "hold_reason": "hardship",
        "before": {
            "stops": ["calls", "fees", "limits", "notices", "transfers"], "stops_clock": True,
            "lifted_by": "supervisor",
        },
        "after": {"stops": ["calls", "fees", "transfers"], "stops_clock": False, "lifted_by": "supervisor"},
    }  # fmt: skip


def test_saving_the_same_again_writes_nothing() -> None:
    assert change(*hold_rules.matrix().values()) == []
    assert not AccountEvent.objects.filter(kind=kinds.HOLD_RULES_CHANGED).exists()


@pytest.mark.parametrize(
    "wrong",
    [
        line("dispute", stops=frozenset({"limits"})),
        line("dispute", clock=True),
        line("manual", stops=frozenset({"limits"})),
        line("promise", stops=frozenset({"calls"})),
        line("plan", clock=True),
        line("plan", lifted_by="agent"),
        line("hardship", stops=frozenset({"everything"})),
        line("hardship", lifted_by="nobody"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(wrong: Rule) -> None:
    before = hold_rules.matrix()
    with pytest.raises(CannotChangeRule):
        change(line("legal", clock=False), wrong)
    assert hold_rules.matrix() == before


def test_whoever_reads_the_facts_reads_the_edited_matrix_with_as_many_queries_as_before() -> None:
    account = owing()
    place(account, "hardship")
    with CaptureQueriesContext(connection) as before:
        fact = reading.read([account.pk], as_of=TODAY)[account.pk]
    assert fact.holds[0].effects == holding.EVERYTHING
    change(line("hardship", stops=frozenset({"fees"}), clock=False))
    place(account, "legal")
    with CaptureQueriesContext(connection) as after:
        fact = reading.read([account.pk], as_of=TODAY)[account.pk]
    assert [(hold.effects, hold.stops_clock) for hold in fact.holds] == [({"fees"}, False), (holding.EVERYTHING, True)]
    assert len(after) == len(before)


def test_the_call_button_follows_the_edited_matrix() -> None:
    account = owing(customer=None)
    account.customer.phone, account.customer.timezone = "+442079460000", "Europe/London"
    account.customer.save(update_fields=["phone", "timezone"])
    place(account, "vulnerability_review")

    def reasons() -> str:
        decision = contact.check(account_id=account.pk, channel="call", at=moment(), as_of=TODAY)
        return f"{decision.outcome} {' '.join(decision.reasons)}"

    gentle = reasons()
    change(line("vulnerability_review", stops=frozenset({"calls"})))
    assert reasons() != gentle
    place(account, "hardship")
    change(line("vulnerability_review"))
    assert "hardship" in reasons().lower()


# In words.


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (line("hardship"), "Nothing is sent, charged, limited or handed on, and agents do not call. The days of the "
         "steps stand still. Supervisors may lift it."),
        (line("vulnerability_review"), "No fee is charged, no service is limited, and nothing goes to agents, an "
         "agency or the write-off; notices and calls go on. The days of the steps run on. Supervisors may lift it."),
        (line("fraud", stops=frozenset({"limits"}), lifted_by="admin"), "No service is limited; notices, calls, fees "
         "and transfers go on. The days of the steps stand still. Admins may lift it."),
        (line("fraud", stops=frozenset(), clock=False), "Stops nothing: it is only shown. The days of the steps run "
         "on. Supervisors may lift it."),
    ],
)  # fmt: skip
def test_a_line_is_told_in_words(rule: Rule, words: str) -> None:
    assert hold_rules.in_words(rule) == words


def test_what_takes_from_the_dead_is_doubted() -> None:
    assert hold_rules.doubts(line("deceased")) == ""
    assert "Somebody has died, and limits go on" in hold_rules.doubts(
        line("deceased", stops=holding.EVERYTHING - {holding.LIMITS})
    )


# Who may lift.


@pytest.mark.parametrize(("role", "lifts"), [("agent", False), ("supervisor", False), ("admin", True)])
def test_the_matrix_says_who_may_lift(role: str, lifts: bool) -> None:
    change(
        line("hardship", lifted_by="admin"), line("manual", lifted_by="supervisor"), line("fraud", lifted_by="agent")
    )
    person = make_agent(role)
    assert rights.may_lift(person, "hardship") is lifts
    assert rights.may_lift(person, "manual") is (role != "agent")
    assert rights.may_lift(person, "fraud")


def test_nobody_without_a_role_lifts_anything() -> None:
    stranger = make_agent()
    stranger.groups.clear()
    assert rights.liftable(Agent.objects.get(pk=stranger.pk)) == frozenset()


# The page.


@pytest.mark.parametrize(
    ("role", "sees", "saves"), [("agent", 302, 302), ("supervisor", 200, 403), ("admin", 200, 302)]
)
def test_supervisors_look_and_admins_edit(role: str, sees: int, saves: int) -> None:
    client = signed_in(make_agent(role))
    assert client.get(ADDRESS).status_code == sees  # whoever is no admin or supervisor is sent away
    assert client.post(ADDRESS, form(**{"hardship-stops": ["fees"]})).status_code == saves
    assert (hold_rules.matrix()["hardship"].stops == {"fees"}) is (role == "admin")


def test_the_page_shows_every_reason_its_words_and_how_many_are_in_force() -> None:
    move_to(TODAY)
    place(owing(), "hardship")
    place(owing(), "hardship", starts_on=TODAY - timedelta(days=9), ends_on=TODAY - timedelta(days=1))
    page = signed_in(make_agent("admin")).get(ADDRESS)
    lines = {line.rule.reason: line for line in page.context["lines"]}
    assert list(lines) == Hold.Reason.values
    assert lines["hardship"].in_force == 1
    for rule in hold_rules.matrix().values():
        assert escape(hold_rules.in_words(rule)) in page.content.decode()


def test_saving_the_page_changes_what_was_changed_and_says_so() -> None:
    admin = make_agent("admin", username="ada")
    answer = signed_in(admin).post(
        ADDRESS, form(**{"fraud-stops": ["limits"], "fraud-lifted_by": "admin", "plan-stops": []}), follow=True
    )
    said = [str(message) for message in answer.context["messages"]]
    assert said == [
        "Instalment plan: lets calls go on.",
        "Fraud: lets notices, calls, fees and transfers go on; is lifted by admins.",
    ]
    matrix = hold_rules.matrix()
    assert (matrix["fraud"].stops, matrix["fraud"].clock, matrix["fraud"].lifted_by) == ({"limits"}, True, "admin")
    assert matrix["plan"].stops == holding.EVERYTHING - {"calls"}
    assert set(AccountEvent.objects.values_list("actor", flat=True)) == {"agent:ada"}


def test_what_is_fixed_cannot_be_posted_either() -> None:
    client = signed_in(make_agent("admin"))
    answer = client.post(ADDRESS, form(**{"dispute-stops": ["limits"], "fraud-stops": []}))
    assert answer.status_code == 422
    assert "Dispute: limits cannot be changed." in answer.content.decode()
    assert hold_rules.matrix()["fraud"].stops == holding.EVERYTHING


def test_of_two_admins_at_once_the_second_is_shown_what_the_first_did() -> None:
    client, stale = signed_in(make_agent("admin")), form(**{"legal-stops": ["limits"]})
    change(line("fraud", clock=False))
    answer = client.post(ADDRESS, stale)
    assert answer.status_code == 409
    assert "Somebody else changed the matrix meanwhile" in answer.content.decode()
    assert hold_rules.matrix()["legal"].stops == holding.EVERYTHING
    assert not hold_rules.matrix()["fraud"].clock


def test_a_line_has_no_page_of_its_own() -> None:
    answer = signed_in(make_agent("admin")).get(reverse("admin:dunning_holdrule_change", args=["fraud"]))
    assert (answer.status_code, answer["Location"]) == (302, ADDRESS)


# Single bills.


def test_a_manual_hold_of_single_bills_names_the_accounts_own_bills() -> None:
    account, other = owing("100.00", "50.00"), owing()
    bill, foreign = account.bills.order_by("pk")[0].ref, other.bills.get().ref
    hold = place(account, "manual", bill_refs=[bill])
    assert (hold.bill_refs, hold.stops, hold.stops_clock) == ([bill], [], False)
    for wrong in ({"bill_refs": [foreign]}, {"bill_refs": [bill], "stops": ["fees"]},
                  {"bill_refs": [bill], "stops_clock": True}):  # fmt: skip
        with pytest.raises(holds.CannotPlaceHold):
            place(account, "manual", **wrong)
    assert Hold.objects.count() == 1


def test_the_account_page_places_and_shows_a_pause_of_one_bill() -> None:
    account, client = owing("100.00", "50.00", as_of=timezone.now().date()), signed_in(make_agent())
    bill = account.bills.order_by("pk")[0].ref
    address = f"/accounts/{account.ref}/hold/"
    today = timezone.now().date().isoformat()
    assert client.post(address, {"reason": "hardship", "starts_on": today, "bills": [bill]}).status_code == 422
    assert client.post(address, {"reason": "manual", "starts_on": today}).status_code == 422
    assert client.post(address, {"reason": "manual", "starts_on": today, "bills": [bill]}).status_code == 302
    assert Hold.objects.get().bill_refs == [bill]
    page = client.get(f"/accounts/{account.ref}/").content.decode()
    assert f"Nothing happens about {bill}; the rest of the account goes on." in page


def test_the_api_places_a_pause_of_one_bill_and_lifts_as_the_matrix_says() -> None:
    account = owing("100.00", "50.00")
    bill = account.bills.order_by("pk")[0].ref
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(make_agent())
    address = f"/api/v1/accounts/{account.ref}/holds/"

    def post(**body: Any) -> Any:
        return client.post(address, body, format="json")

    refused = post(reason="hardship", bill_ids=[bill])
    assert refused.status_code == 400
    assert "bill_ids" in str(refused.data["errors"])
    assert post(reason="manual", bill_ids=["B-nobodys"]).status_code in (400, 422)
    assert post(reason="manual", bill_ids=[bill], stops=["fees"]).status_code in (400, 422)
    placed = post(reason="manual", bill_ids=[bill, bill])
    assert (placed.status_code, placed.data["bill_ids"]) == (201, [bill])
    change(line("manual", lifted_by="supervisor"))
    assert client.post(f"/api/v1/holds/{placed.data['hold_id']}/lift/", {}, format="json").status_code == 403
    change(line("manual"))
    assert client.post(f"/api/v1/holds/{placed.data['hold_id']}/lift/", {}, format="json").status_code == 200


def test_an_agent_may_not_lift_a_hardship_hold_until_the_matrix_says_so() -> None:
    account, client = owing(as_of=timezone.now().date()), signed_in(make_agent())
    hold = place(account, "hardship")
    address = f"/accounts/{account.ref}/holds/{hold.ref}/lift/"
    assert client.post(address).status_code == 403
    assert Hold.objects.get().lifted_on is None
    change(line("hardship", lifted_by="agent"))
    assert client.post(address).status_code == 302
    assert Hold.objects.get().lifted_on is not None
