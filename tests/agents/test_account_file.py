"""The file of an account, for a regulator or a court: everything is in it, and nothing of anybody else."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit, audit_heads, events
from accounts.models import Account, AccountEvent, ContactPoint, Hold, Vulnerability
from agents import account_file, kinds
from agents.models import Complaint, Dispute, DisputeEvidence, Instalment, Interaction, Note, Plan, Promise, Settlement
from dunning.models import GateDecision, InboundMessage, Notice
from tests.accounts.test_audit import rewrite
from tests.factories import TODAY, make_agent, make_customer, make_payment, make_service, moment, owing

pytestmark = pytest.mark.django_db

AT = moment(TODAY, 15)


@pytest.fixture(autouse=True)
def key(settings: Any, tmp_path: Path) -> None:
    settings.DESK_AUDIT_KEY = str(tmp_path / "audit-key")


@pytest.fixture
def account() -> Account:
    """Something of everything."""
    customer = make_customer(name="Frida Fjord", email="frida@example.com", birth_date=TODAY.replace(year=1980))
    account = owing("100.00", "60.00", ref="A-FRIDA", customer=customer)
    make_service(account, number="+442079460000")
    make_payment(account, "25.00")
    ContactPoint.objects.create(ref="P1", customer=customer, kind="email", value="other@example.com")
    Vulnerability.objects.create(customer=customer, category="illness", needs=["slow_speech"], noted_on=TODAY)
    Hold.objects.create(ref="H1", account=account, reason="hardship", starts_on=TODAY, placed_by="agent:nadia")
    notice = Notice.objects.create(
        account=account, customer=customer, key="n1.email", step_code="final-notice", template="final-notice",
        channel="email", language="en", amount=Decimal(160), currency="EUR", made_on=TODAY, state="delivered",
        sent_at=AT, delivered_at=AT, address="frida@example.com", subject="Your last reminder",
        body="Dear Frida Fjord,\n\nplease pay 160.00 €.\nمبلغ\n#let x = 1 $ \\ *",
    )  # fmt: skip
    GateDecision.objects.create(
        account=account, customer=customer, action="call", automated=False, actor="agent:nadia", at=AT, outcome="BLOCK",
        rule_ids=["UK-CONT-01"], reasons=["Not at this hour."], facts_digest="0" * 64, notice=notice,
    )  # fmt: skip
    InboundMessage.objects.create(
        gateway="sms", provider_ref="i1", channel="sms", sender="+44207", text="I lost my job", received_at=AT,
        account=account, customer=customer,
    )  # fmt: skip
    Interaction.objects.create(
        ref="I1", account=account, agent=make_agent(username="nadia"), kind="call", direction="outbound",
        disposition="rpc_promise", at=AT, note="Pays on Friday.", duration_seconds=120,
    )  # fmt: skip
    Note.objects.create(account=account, text="Wants to be called late.", at=AT, by="agent:nadia")
    Promise.objects.create(
        ref="PR1", account=account, amount=40, made_on=TODAY, due_on=TODAY + timedelta(days=3), taken_by="agent:nadia",
        read_back="You pay 40.00 €.",
    )  # fmt: skip
    plan = Plan.objects.create(ref="PL1", account=account, made_on=TODAY, made_by="agent:nadia")
    Instalment.objects.create(plan=plan, account=account, position=1, due_on=TODAY, amount=10)
    Settlement.objects.create(
        ref="SE1", account=account, made_on=TODAY, pay_by=TODAY, balance=160, amount=100, made_by="agent:ruth"
    )
    dispute = Dispute.objects.create(
        ref="D1", account=account, amount=20, opened_on=TODAY, opened_by="agent:nadia", reason="not_mine"
    )
    DisputeEvidence.objects.create(
        dispute=dispute, name="bill.pdf", content_type="application/pdf", size=4, sha256="a" * 64, content=b"%PDF",
        added_by="agent:nadia", added_at=AT,
    )  # fmt: skip
    Complaint.objects.create(
        ref="K1", account=account, received_on=TODAY, channel="phone", category="tone", text="Was shouted at.",
        acknowledge_by=TODAY, answer_by=TODAY, taken_by="agent:nadia",
    )  # fmt: skip
    events.record(
        account_id=account.pk, kind="dunning.step.taken", actor="policy:residential@3", at=AT, on=TODAY,
        policy="residential@3", payload={"step": "final-notice", "overdue": "160.000"},
    )  # fmt: skip
    return account


def taken_out(account: Account, **options: Any) -> dict[str, Any]:
    options = {"by": "agent:ruth", "at": AT, "form": "json", "with_support": True} | options
    return account_file.take_out(account, **options)


def test_everything_about_the_account_is_in_it(account: Account) -> None:
    file = json.loads(account_file.as_json(taken_out(account)))

    assert (file["customer"]["name"], file["contact_points"][0]["value"]) == ("Frida Fjord", "other@example.com")
    assert [bill["amount"] for bill in file["bills"]] == ["100.00", "60.00"]
    assert [payment["amount"] for payment in file["payments"]] == ["25.00"]
    assert file["notices"][0]["body"].startswith("Dear Frida Fjord")
    assert file["contacts_decided"][0]["rule_ids"] == ["UK-CONT-01"]
    assert file["contacts_decided"][0]["notice"] == "n1.email"
    assert file["messages_received"][0]["text"] == "I lost my job"
    assert file["interactions"][0]["agent"] == "nadia"
    assert file["promises"][0]["read_back"] == "You pay 40.00 €."
    assert file["plans"][0]["instalments"][0]["amount"] == "10.00"
    assert file["disputes"][0]["evidence"][0]["name"] == "bill.pdf"
    assert file["complaints"][0]["text"] == "Was shouted at."
    assert file["vulnerabilities"][0]["needs"] == ["slow_speech"]
    empty = {"representatives", "consents", "preferences", "adjustments", "fees", "cases", "steps_before_due", "orders",
             "identity_checks", "extensions", "downgrades", "budgets", "surveys", "placements", "commissions",
             "write_offs", "work_items", "left_out", "journal"}  # fmt: skip
    assert {name for name, told in file.items() if not told} <= empty


def test_the_trail_is_whole_under_its_seals_and_the_head_covers_it(account: Account) -> None:
    file = taken_out(account)

    written = list(AccountEvent.objects.filter(account=account).order_by("pk").values_list("pk", flat=True))
    assert [event["event_id"] for event in file["events"]] == written
    assert all(event["as_sealed"] for event in file["events"])
    step = next(event for event in file["events"] if event["kind"] == "dunning.step.taken")
    assert (step["policy"], step["step"], step["title"]) == ("residential@3", "final-notice", "Step taken")
    assert {event["seal"] for event in file["events"]} == {seal["seal"] for seal in file["seals"]}
    assert file["head"]["covers_every_seal"]
    key = audit_heads.read_public_key(file["public_key"])
    assert audit_heads.check(file["head"]["text"], key).ok


def test_taking_it_out_is_an_event_and_in_the_file(account: Account) -> None:
    last = taken_out(account)["events"][-1]
    assert (last["kind"], last["actor"]) == (events.PERSONAL_DATA_READ, "agent:ruth")
    assert last["payload"] == {"file": "account", "format": "json", "support": True}


def test_an_event_that_differs_from_what_was_sealed_says_so_on_paper_too(account: Account) -> None:
    audit.seal(at=AT)
    touched = account.events.get(kind="dunning.step.taken")
    rewrite("UPDATE accounts_accountevent SET reason = 'forged' WHERE id = %s", touched.pk)

    file = taken_out(account)

    assert [event["event_id"] for event in file["events"] if event["as_sealed"] is False] == [touched.pk]
    text = " ".join(pages_of(account_file.pdf(file)))
    assert f"NOT: events {touched.pk} differ" in text
    assert "DIFFERS" in text


def test_nothing_of_anybody_else_is_in_it(account: Account) -> None:
    other = owing("777.00", ref="A-OTHER", customer=make_customer(name="Other Olga"))
    events.record(account_id=other.pk, kind=kinds.NOTE_ADDED, actor="agent:other", at=AT, on=TODAY)
    told = account_file.as_json(taken_out(account)).decode()
    assert "Olga" not in told
    assert "777.00" not in told
    assert "agent:other" not in told


def test_circumstances_are_left_out_for_who_may_not_see_them_and_it_says_so(account: Account) -> None:
    file = taken_out(account, with_support=False)
    assert file["vulnerabilities"] == []
    assert "illness" not in account_file.as_json(file).decode()
    assert "for those who may see them" in " ".join(pages_of(account_file.pdf(file)))


def pages_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_bounded().replace("\u200b", "").split()) for page in document]


def test_on_paper_it_has_the_operator_the_pages_and_every_word(account: Account) -> None:
    pdf = account_file.pdf(taken_out(account))
    pages = pages_of(pdf)
    text = " ".join(pages)

    assert all("Northwind Telecom" in page for page in pages)
    assert all(f"Page {number} / {len(pages)}" in page for number, page in enumerate(pages, start=1))
    for words in (
        "File of account A-FRIDA", "Frida Fjord", "please pay 160.00 €.", "#let x = 1 $ \\ *", "UK-CONT-01",
        "Not at this hour.", "I lost my job", "Pays on Friday.", "Wants to be called late.", "You pay 40.00 €.",
        "bill.pdf", "Was shouted at.", "residential, version 3", "step final-notice", "Slow speech",
        "Collections Desk: head of the event chain",
    ):  # fmt: skip
        assert words in text, words
    assert b"/StructTreeRoot" in pdf
    assert b"pdfaid" in pdf
    titles = [item.get_title() for item in pypdfium2.PdfDocument(pdf).get_toc()]
    assert any("The trail" in title for title in titles)


def test_the_same_file_gives_the_same_paper(account: Account) -> None:
    file = taken_out(account)
    assert account_file.pdf(file) == account_file.pdf(file)


def test_a_long_account_has_all_of_its_events_on_paper(account: Account) -> None:
    events.record_many(
        [
            events.EventRow(
                account.pk, "dunning.step.waiting", "policy:residential@3", AT, TODAY, f"reason {number}",
                "residential@3", {"step": f"step-{number}", "bills": ["B" * 40]},
            )
            for number in range(500)
        ]
    )  # fmt: skip
    file = taken_out(account)

    text = " ".join(pages_of(account_file.pdf(file)))

    assert len(file["events"]) > 500
    assert [number for number in range(500) if f"step step-{number} " not in text] == []


def test_it_costs_the_same_for_little_and_much(account: Account) -> None:
    account_file.of(account, at=AT)  # its customer is fetched once for the life of the row
    with CaptureQueriesContext(connection) as few:
        account_file.of(account, at=AT)
    for number in range(20):
        Note.objects.create(account=account, text=str(number), at=AT, by="agent:nadia")
        Interaction.objects.create(
            ref=f"J{number}", account=account, agent=make_agent(), kind="call", direction="outbound",
            disposition="voicemail", at=AT,
        )  # fmt: skip
        Promise.objects.create(ref=f"Q{number}", account=account, amount=1, made_on=TODAY, due_on=TODAY, taken_by="x")
    with CaptureQueriesContext(connection) as many:
        account_file.of(account, at=AT)

    assert len(few) == len(many) <= 55


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF-"), ("json", b"{")])
def test_a_button_hands_it_over(account: Account, form: str, begins: bytes) -> None:
    client = Client()
    client.force_login(make_agent("supervisor", username="ruth"))

    page = client.get("/supervise/accounts/A-FRIDA/audit/").content.decode()
    answer = client.post("/supervise/accounts/A-FRIDA/audit/file/", {"form": form})

    assert f'name="form" value="{form}"' in page
    assert answer.content.startswith(begins)
    assert answer["Content-Disposition"] == f'attachment; filename="account-A-FRIDA.{form}"'
    assert "no-store" in answer["Cache-Control"]
    assert account.events.filter(kind=events.PERSONAL_DATA_READ, actor="agent:ruth").count() == 1


def test_finance_gets_it_without_the_circumstances(account: Account) -> None:
    client = Client()
    client.force_login(make_agent("finance"))
    file = client.post("/supervise/accounts/A-FRIDA/audit/file/", {"form": "json"}).json()
    assert (file["vulnerabilities"], len(file["left_out"])) == ([], 1)
