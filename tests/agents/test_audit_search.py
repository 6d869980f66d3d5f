"""The whole history, searched: every filter, the order, the pages, and who may see what."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit, events
from accounts.events import EventRow
from accounts.models import Account, AccountEvent, SealedHead
from agents import audit_search, kinds
from agents.audit_search import Cursor, Search
from agents.models import Agent
from dunning.models import GateDecision
from tests.factories import TODAY, make_account, make_agent, make_customer, make_item, make_team, moment

pytestmark = pytest.mark.django_db

#: Session, person, roles, kinds with the chain, events, seals, heads; and where they are asked for, the account and
#: what the gate said.
QUERIES = 8


@pytest.fixture(autouse=True)
def key(settings: Any, tmp_path: Path) -> None:
    settings.DESK_AUDIT_KEY = str(tmp_path / "audit-key")


@pytest.fixture
def frida() -> Account:
    return make_account(ref="A-FRIDA", customer=make_customer(name="Frida Fjord"))


@pytest.fixture
def history(frida: Account) -> dict[str, int]:
    """Events of several days, people, policies and rules, by a name; the order of writing is not that of the days."""
    other = make_account(ref="A-OTHER")
    rows = {
        "reminder": row(frida, "dunning.step.taken", "policy:residential@3", TODAY, policy="residential@3",
                        payload={"step": "reminder", "overdue": "160.000", "bills": ["B1", "B2"]}),
        "older version": row(other, "dunning.step.taken", "policy:residential@2", TODAY, policy="residential@2"),
        "business": row(other, "dunning.case.opened", "policy:business@1", TODAY, policy="business@1"),
        "promise": row(frida, kinds.PROMISE_MADE, "agent:nadia", TODAY, payload={"amount": "40.00"}),
        "kept": row(frida, kinds.PROMISE_KEPT, "desk:promises", TODAY + timedelta(days=2)),
        "catching up": row(frida, kinds.NOTE_ADDED, "agent:nadia", TODAY - timedelta(days=9)),
        "refused": row(frida, "dunning.contact.refused", "agent:ruth", TODAY, reason="Too early there.",
                       payload={"channel": "call", "outcome": "BLOCK", "rules": ["UK-CONT-01"]}),
        "dialled": row(other, kinds.CALL_DIALLED, "agent:ruth", TODAY,
                       payload={"gate": {"outcome": "WARN", "rules": ["UK-CONT-02"]}}),
        "read": row(frida, events.PERSONAL_DATA_READ, "agent:ruth", TODAY, payload={"file": "account"}),
        "desk": row(None, "dunning.policy.published", "agent:adam", TODAY, policy="residential@3"),
    }  # fmt: skip
    events.record_many(list(rows.values()))
    written = AccountEvent.objects.order_by("-pk").values_list("pk", flat=True)[: len(rows)][::-1]
    return dict(zip(rows, written, strict=True))


def row(account: Account | None, kind: str, actor: str, on: date, **columns: Any) -> EventRow:
    return EventRow(account.pk if account else None, kind, actor, moment(on), on, **columns)


def found(search: Search, history: dict[str, int], **options: Any) -> list[str]:
    names = {number: name for name, number in history.items()}
    options.setdefault("seen", None)
    page = audit_search.page(search, known=audit_search.chain(), size=50, **options)
    return [names[line.number] for line in page.lines if line.sealable]


def test_without_a_question_everything_is_there_the_newest_business_day_first(history: dict[str, int]) -> None:
    names = list(history)
    same_day = [name for name in names if name not in ("kept", "catching up")]
    assert found(Search(), history) == ["kept", *reversed(same_day), "catching up"]


FILTERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a person by name": ({"actor": "nadia"}, {"promise", "catching up"}),
    "a person as written": ({"actor": "agent:nadia"}, {"promise", "catching up"}),
    "a part of the desk": ({"actor": "promises"}, {"kept"}),
    "all people": ({"actor": "agent:"}, {"promise", "catching up", "refused", "dialled", "read", "desk"}),
    "somebody whose name begins so": ({"actor": "nad"}, set()),
    "a family": ({"kind": "promise"}, {"promise", "kept"}),
    "one kind": ({"kind": kinds.PROMISE_KEPT}, {"kept"}),
    "a room": ({"kind": "dunning."}, {"reminder", "older version", "business", "refused", "desk"}),
    "no kind": ({"kind": "nothing.of.that"}, set()),
    "reads of personal data": ({"kind": "personal_data"}, {"read"}),
    "a version": ({"policy": "residential@3"}, {"reminder", "desk"}),
    "a policy": ({"policy": "residential"}, {"reminder", "desk", "older version"}),
    "a version that is none": ({"policy": "residential@33"}, set()),
    "a rule that refused": ({"rule": "UK-CONT-01"}, {"refused"}),
    "a rule that warned": ({"rule": "UK-CONT-02"}, {"dialled"}),
    "a part of a rule's name": ({"rule": "UK-CONT"}, set()),
    "from a day on": ({"first": TODAY + timedelta(days=1)}, {"kept"}),
    "up to a day": ({"last": TODAY - timedelta(days=1)}, {"catching up"}),
    "one day": ({"first": TODAY - timedelta(days=9), "last": TODAY - timedelta(days=9)}, {"catching up"}),
    "a family and a person": ({"kind": "promise", "actor": "nadia"}, {"promise"}),
    "a rule and a person": ({"rule": "UK-CONT-01", "actor": "nadia"}, set()),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_question_finds_what_it_asks_for_and_nothing_else(history: dict[str, int], name: str) -> None:
    asked, expected = FILTERS[name]
    assert set(found(Search(**asked), history)) == expected


def test_of_one_account(history: dict[str, int], frida: Account) -> None:
    others = {"older version", "business", "dialled", "desk"}
    assert set(found(Search(account_id=frida.pk), history)) == set(history) - others


def decided(account: Account, outcome: str, *rules: str, hour: int = 12) -> GateDecision:
    return GateDecision.objects.create(
        account=account, customer=account.customer, action="sms", automated=True, actor="desk:deliver",
        at=moment(hour=hour), outcome=outcome, rule_ids=list(rules), reasons=["A rule says no."], facts_digest="0" * 64,
    )  # fmt: skip


def test_with_a_rule_what_the_gate_said_of_messages_stands_among_the_events(
    history: dict[str, int], frida: Account
) -> None:
    refused = decided(frida, "HOLD", "UK-CONT-01", hour=9)
    decided(frida, "HOLD", "UK-CONT-09")
    decided(frida, "ALLOW", "UK-CONT-01")

    page = audit_search.page(Search(rule="UK-CONT-01"), known=audit_search.chain(), seen=None, size=50)

    assert [line.key for line in page.lines] == [f"e{history['refused']}", f"g{refused.pk}"]
    said = page.lines[1]
    assert (said.account, said.sealable, said.rules, said.reason) == (
        "A-FRIDA", False, ["UK-CONT-01"], "A rule says no.",
    )  # fmt: skip
    assert len(audit_search.page(Search(kind="gate"), known=audit_search.chain(), seen=None, size=50).lines) == 3
    outside = Search(kind="gate", last=TODAY - timedelta(days=1))
    assert audit_search.page(outside, known=audit_search.chain(), seen=None, size=50).lines == []


@pytest.mark.parametrize("search", [Search(), Search(rule="UK-CONT-01"), Search(kind="gate")])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_follow_each_other_without_a_gap_or_a_row_twice(
    history: dict[str, int], frida: Account, search: Search, size: int
) -> None:
    for hour in range(5, 23, 3):
        decided(frida, "BLOCK", "UK-CONT-01", hour=hour)
    known = audit_search.chain()
    whole = [line.key for line in audit_search.page(search, known=known, seen=None, size=100).lines]

    paged: list[str] = []
    after: Cursor | None = None
    for _ in range(40):
        page = audit_search.page(search, known=known, seen=None, after=after, size=size)
        paged += [line.key for line in page.lines]
        if page.after is None:
            break
        after = audit_search.read_cursor(str(page.after))
        assert after == page.after

    assert paged == whole
    assert len(set(paged)) == len(paged) > 5


@pytest.mark.parametrize("text", ["", "x", "2026-13-01:1", "2026-01-01:" + "9" * 30, "1:2~3", "2026-01-01:1~"])
def test_a_cursor_that_is_none_begins_at_the_top(text: str) -> None:
    assert audit_search.read_cursor(text) is None


def test_a_row_says_who_in_which_version_and_step_and_on_which_facts(history: dict[str, int]) -> None:
    page = audit_search.page(Search(policy="residential@3", kind="step"), known=audit_search.chain(), seen=None, size=9)
    (line,) = page.lines
    assert (line.title, line.doer.name, line.doer.policy_words, line.doer.step) == (
        "Step taken", "The policy", "residential, version 3", "reminder",
    )  # fmt: skip
    assert line.facts == [("Bills", "B1, B2"), ("Overdue", "160.000")]


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def keys_of(page: Any) -> set[int]:
    return {line.number for line in page.context["rows"]}


def test_the_address_is_the_search(history: dict[str, int]) -> None:
    client = signed_in(make_agent("supervisor"))

    page = client.get("/supervise/audit/?kind=promise&actor=nadia&first=2026-03-01&last=2026-03-31&account=A-FRIDA")
    text = page.content.decode()

    assert keys_of(page) == {history["promise"]}
    assert 'value="nadia"' in text
    assert 'value="2026-03-01"' in text
    assert '<option value="promise" selected>' in text
    assert "account=A-FRIDA&amp;actor=nadia&amp;kind=promise&amp;first=2026-03-01&amp;last=2026-03-31" in text


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("account=NOBODY", "There is no account NOBODY."),
        ("first=nonsense", "Enter a valid date."),
        ("first=2026-03-02&last=2026-03-01", "The period ends before it begins."),
    ],
)
def test_what_cannot_be_asked_is_said_and_finds_nothing(history: dict[str, int], query: str, fault: str) -> None:
    page = signed_in(make_agent("supervisor")).get(f"/supervise/audit/?{query}")
    assert page.status_code == 200
    assert fault in page.content.decode()
    assert page.context["rows"] == []


def test_the_trail_is_for_who_may_see_it(history: dict[str, int]) -> None:
    addresses = ["", "events.csv", "key.pem", "heads/1.txt"]
    for role in ("agent", "specialist", "team_lead"):
        client = signed_in(make_agent(role))
        assert {client.get(f"/supervise/audit/{address}").status_code for address in addresses} == {403}
        assert client.post("/supervise/audit/head/").status_code == 403
        assert client.post("/supervise/accounts/A-FRIDA/audit/file/", {"form": "json"}).status_code == 403
    for role in ("supervisor", "manager", "finance", "admin"):
        assert signed_in(make_agent(role)).get("/supervise/audit/").status_code == 200


@pytest.fixture
def walled(history: dict[str, int], frida: Account) -> Client:
    """A supervisor kept to a team; Frida is in the queue of another, and the other account in theirs."""
    ours, theirs = make_team(), make_team()
    make_item(frida, team=theirs)
    make_item(Account.objects.get(ref="A-OTHER"), team=ours)
    return signed_in(make_agent("supervisor", team=ours, all_teams=False))


def test_who_is_kept_to_a_team_sees_its_accounts_alone(walled: Client, history: dict[str, int], frida: Account) -> None:
    decided(frida, "BLOCK", "UK-CONT-02")
    own = {history[name] for name in ("older version", "business", "dialled")}

    assert keys_of(walled.get("/supervise/audit/")) == own
    assert keys_of(walled.get("/supervise/audit/?rule=UK-CONT-01")) == set()
    assert [line.key for line in walled.get("/supervise/audit/?rule=UK-CONT-02").context["rows"]] == [
        f"e{history['dialled']}"
    ]
    assert "There is no account A-FRIDA" in walled.get("/supervise/audit/?account=A-FRIDA").content.decode()
    assert walled.get("/supervise/accounts/A-FRIDA/audit/").status_code == 404
    assert walled.post("/supervise/accounts/A-FRIDA/audit/file/", {"form": "pdf"}).status_code == 404
    assert walled.get("/supervise/accounts/A-OTHER/audit/").status_code == 200
    told = list(csv.DictReader(io.StringIO(body_of(walled.get("/supervise/audit/events.csv")))))
    assert {line["account_id"] for line in told} == {"A-OTHER"}


def body_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_a_search_costs_the_same_for_few_and_many_events(history: dict[str, int], frida: Account) -> None:
    client = signed_in(make_agent("supervisor"))
    audit.seal(at=moment())
    with CaptureQueriesContext(connection) as few:
        client.get("/supervise/audit/?account=A-FRIDA")
    events.record_many([row(frida, "dunning.step.taken", "desk:x", TODAY) for _ in range(150)])
    audit.seal(at=moment())
    with CaptureQueriesContext(connection) as many:
        page = client.get("/supervise/audit/?account=A-FRIDA")

    assert len(page.context["rows"]) == 100
    assert len(few) == len(many) == QUERIES


def test_the_file_of_a_search_has_every_row_once_and_is_remembered(
    history: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_search, "AT_ONCE", 2)
    audit.seal(at=moment())
    ruth = make_agent("supervisor", username="ruth")

    answer = signed_in(ruth).get("/supervise/audit/events.csv?kind=dunning.&account=")
    told = list(csv.DictReader(io.StringIO(body_of(answer))))

    assert answer["Content-Type"].startswith("text/csv")
    asked = {history[name] for name in ("reminder", "older version", "business", "refused", "desk")}
    assert {int(line["number"][1:]) for line in told} == asked
    first = next(line for line in told if line["number"] == f"e{history['reminder']}")
    assert (first["policy"], first["step"], first["account_id"]) == ("residential@3", "reminder", "A-FRIDA")
    assert json.loads(first["facts"])["bills"] == ["B1", "B2"]
    assert first["seal"]
    taken = AccountEvent.objects.get(kind=kinds.TRAIL_TAKEN_OUT)
    assert (taken.actor, taken.payload) == ("agent:ruth", {"kind": "dunning."})


def test_a_file_of_what_cannot_be_asked_is_no_file(history: dict[str, int]) -> None:
    answer = signed_in(make_agent("supervisor")).get("/supervise/audit/events.csv?first=nonsense")
    assert answer.status_code == 302
    assert not AccountEvent.objects.filter(kind=kinds.TRAIL_TAKEN_OUT).exists()


def test_a_head_is_given_out_by_a_button_and_again_from_the_list(history: dict[str, int]) -> None:
    client = signed_in(make_agent("supervisor", username="ruth"))

    given = client.post("/supervise/audit/head/").content.decode()
    head = SealedHead.objects.get()

    assert "given out by: agent:ruth" in given
    assert client.get(f"/supervise/audit/heads/{head.pk}.txt").content.decode() == given
    assert f"/supervise/audit/heads/{head.pk}.txt" in client.get("/supervise/audit/").content.decode()
    assert "BEGIN PUBLIC KEY" in client.get("/supervise/audit/key.pem").content.decode()
    assert client.get("/supervise/audit/heads/999.txt").status_code == 404


PLANS = {
    "a person": (Search(actor="agent:nadia"), "event_actor"),
    "a version": (Search(policy="residential@3"), "event_policy"),
    "a rule": (Search(rule="UK-CONT-01"), "event_rules"),
    "a day": (Search(first=TODAY, last=TODAY), "event_"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_rare_thing_is_found_by_its_index(name: str) -> None:
    """Among ten thousand events that are something else."""
    account = make_account()
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO accounts_accountevent (account_id, kind, actor, at, "on", reason, policy, payload) '
            "SELECT %s, 'dunning.notice.sent', 'desk:deliver', %s, %s::date - (i %% 60), '', "
            "CASE WHEN i %% 2 = 0 THEN 'other@1' ELSE '' END, '{\"key\": \"x\"}' FROM generate_series(1, 10000) i",
            [account.pk, moment(), TODAY],
        )
        cursor.execute("ANALYZE accounts_accountevent")
    search, index = PLANS[name]
    rows = audit_search.events_of(search, known=audit_search.chain(), seen=None).order_by("-on", "-pk")[:101]

    assert index in rows.explain()
