"""The dispute desk over HTTP: who sees what, who may do what, and what files may not do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.business_day import business_date
from accounts.models import Account
from agents import disputes, kinds
from agents.models import Agent, Dispute, DisputeClock, DisputeEvidence, LiveCall, Note
from tests.agents.some_files import pdf, picture
from tests.factories import kinds_of, make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db


def now() -> dict[str, Any]:
    at = timezone.now()
    return {"as_of": business_date(at=at), "at": at}


def contested(amount: str = "30.00", **more: Any) -> Dispute:
    customer = more.pop("customer", None) or make_customer(email="frida@example.com", language="en")
    account = more.pop("of", None) or owing("100.00", as_of=now()["as_of"], customer=customer)
    return disputes.open_dispute(
        account_id=account.pk, bill_ref=account.bills.get().ref, amount=Decimal(amount), reason="roaming",
        actor=more.pop("actor", "agent:nadia"), **(now() | more),
    )  # fmt: skip


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def of_another_team() -> tuple[Dispute, Client]:
    """A dispute behind the team wall, and somebody before it."""
    dispute = contested()
    make_item(dispute.account, team=make_team())
    return dispute, signed_in(make_agent(team=make_team()))


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


# Who sees what ------------------------------------------------------------------------------------------------------


def test_the_list_shows_what_is_mine_to_see_and_begins_with_what_i_have() -> None:
    nadia = make_agent(team=make_team())
    mine, other = contested(customer=make_customer(name="Mine Mia")), contested(customer=make_customer(name="Open Ole"))
    hidden, _ = of_another_team()
    disputes.assign(dispute_id=mine.pk, to=nadia, agent=nadia, **now())
    client = signed_in(nadia)

    first = client.get("/disputes/").content.decode()
    every = client.get("/disputes/?list=all").content.decode()

    assert "Mine Mia" in first
    assert "Open Ole" not in first
    assert "Open Ole" in every
    assert hidden.account.customer.name not in every
    assert other.ref in every
    for nonsense in ("?list=x&stage=y&country=zz&least=many&most=-1&page=999", "?reason=%00", "?least=1e99"):
        assert client.get(f"/disputes/{nonsense}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""), ("post", "stage/"), ("post", "assign/"), ("post", "received/"), ("post", "note/"),
        ("post", "evidence/"), ("get", "evidence/{pk}/"), ("get", "evidence/{pk}/view/"),
        ("get", "evidence/{pk}/small/"),
    ],
)  # fmt: skip
def test_another_teams_dispute_is_not_there(method: str, path: str) -> None:
    dispute, client = of_another_team()
    file = kept(dispute)

    response = getattr(client, method)(
        f"/disputes/{dispute.ref}/{path.format(pk=file.pk)}", {"me": "1", "stage": "billing"}
    )

    assert response.status_code == 404
    assert not kinds_of(dispute.account, kinds.EVIDENCE_READ)


def test_nobody_without_a_role_comes_in() -> None:
    dispute = contested()
    for path in ("", f"{dispute.ref}/"):
        assert Client().get(f"/disputes/{path}").status_code == 302
        assert signed_in(make_agent("finance")).get(f"/disputes/{path}").status_code == 403


def test_two_hundred_disputes_cost_the_queries_of_two() -> None:
    lead = make_agent("supervisor")
    client = signed_in(lead)

    def queries() -> int:
        client.get("/disputes/?list=all")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/disputes/?list=all").status_code == 200
        return len(captured)

    contested()
    contested()
    few = queries()
    account = owing("10000.00", as_of=now()["as_of"])
    Dispute.objects.bulk_create(
        [
            Dispute(
                ref=f"D{number}", account=account, amount=number + 1, reason=f"reason {number % 9}",
                opened_on=now()["as_of"], opened_by="import", decide_by=now()["as_of"] + timedelta(days=number),
                assigned_to=lead if number % 2 else None,
            )
            for number in range(200)
        ]
    )  # fmt: skip

    assert queries() == few
    assert few <= 14


# What agents do -----------------------------------------------------------------------------------------------------


def test_an_agent_moves_notes_takes_and_does_not_decide() -> None:
    dispute, nadia = contested(), make_agent(username="nadia")
    client = signed_in(nadia)
    address = f"/disputes/{dispute.ref}/"

    client.post(f"{address}stage/", {"stage": "billing"})
    client.post(f"{address}assign/", {"me": "1"})
    client.post(f"{address}note/", {"note-text": "Asked billing"})
    client.post(f"{address}received/")

    dispute.refresh_from_db()
    assert (dispute.stage, dispute.assigned_to, bool(dispute.acknowledged_on)) == ("billing", nadia, True)
    assert Note.objects.get().dispute == dispute
    assert "Asked billing" in client.get(address).content.decode()
    decision = {"decision-outcome": "upheld"}
    assert client.post(f"{address}decide/", decision).status_code == 403
    assert client.get(f"{address}letter/", decision).status_code == 403
    assert b"A team lead or a supervisor decides" in client.get(address).content
    answer = client.post(f"{address}assign/", {"to": make_agent(username="luis").username}, follow=True)
    assert "whoever decides them" in said(answer)
    card = client.post(f"{address}note/", {"note-text": "4111 1111 1111 1111"})
    assert (card.status_code, Note.objects.count()) == (422, 1)


def test_ticked_disputes_are_given_at_once_and_what_cannot_be_is_said() -> None:
    lead, nadia = make_agent("team_lead", team=make_team()), make_agent(username="nadia")
    nadia.team = lead.team
    nadia.save(update_fields=["team"])
    first, second = contested(), contested()
    hidden, _ = of_another_team()
    client = signed_in(lead)

    answer = client.post("/disputes/give/", {"dispute": [first.ref, second.ref], "to": "nadia"}, follow=True)

    assert "2 disputes are with nadia" in said(answer)
    assert set(Dispute.objects.filter(assigned_to=nadia)) == {first, second}
    forged = client.post("/disputes/give/", {"dispute": [hidden.ref], "me": "1"}, follow=True)
    assert "Tick the disputes" in said(forged)
    stranger = make_agent(username="other")
    client.post("/disputes/give/", {"dispute": [first.ref], "to": stranger.username})
    assert not Dispute.objects.filter(assigned_to=stranger).exists()
    away = client.post("/disputes/give/", {"dispute": [first.ref], "me": "1", "back": "//evil.example"})
    assert away["Location"].startswith("/disputes/?")


@pytest.mark.parametrize(
    ("given", "outcome", "credited"),
    [
        ({"decision-outcome": "upheld"}, "upheld", "30.00"),
        ({"decision-outcome": "upheld", "decision-credited": "12.50"}, "upheld", "12.50"),
        ({"decision-outcome": "rejected", "decision-credited": "12.50", "decision-told": "Checked"}, "rejected", None),
        ({"decision-outcome": "withdrawn", "decision-told": "Checked"}, "withdrawn", None),
    ],
)
def test_a_team_lead_decides(given: dict[str, str], outcome: str, credited: str | None) -> None:
    dispute = contested()

    response = signed_in(make_agent("team_lead")).post(f"/disputes/{dispute.ref}/decide/", given)

    dispute.refresh_from_db()
    assert response.status_code == 302
    assert (dispute.outcome, dispute.stage) == (outcome, "closed")
    assert dispute.credited == (Decimal(credited) if credited else None)
    assert dispute.told == ("Checked" if outcome == "rejected" else "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Choose how it ends"),
        ({"decision-outcome": "maybe"}, "not one of the available choices"),
        ({"decision-outcome": "upheld", "decision-credited": "31.00"}, "was contested"),
        ({"decision-outcome": "upheld", "decision-credited": "much"}, "not an amount"),
        ({"decision-outcome": "rejected", "decision-told": "4111 1111 1111 1111"}, "card number"),
        ({"decision-outcome": "rejected", "decision-told": "x" * 1001}, "at most 1000"),
    ],
)
def test_a_decision_that_cannot_be_is_said_and_nothing_typed_is_lost(given: dict[str, str], words: str) -> None:
    dispute = contested()

    response = signed_in(make_agent("supervisor")).post(
        f"/disputes/{dispute.ref}/decide/", {"decision-note": "dear to me", **given}
    )

    assert response.status_code == 422
    assert words in response.content.decode()
    assert "dear to me" in response.content.decode()
    assert not Dispute.objects.filter(resolved_on__isnull=False).exists()


def test_the_letter_is_shown_as_it_would_read_and_nothing_is_written() -> None:
    dispute = contested(customer=make_customer(email="dieter@example.com", language="de", country="GB", name="Dieter"))
    client = signed_in(make_agent("supervisor"))
    address = f"/disputes/{dispute.ref}/letter/"

    upheld = client.get(address, {"decision-outcome": "upheld", "decision-credited": "12.50"}).content.decode()
    rejected = client.get(address, {"decision-outcome": "rejected", "decision-told": "Der Anruf war Ihrer."})
    nothing = client.get(address, {"decision-outcome": "withdrawn"})

    assert "Sie hatten recht" in upheld
    assert "12,50" in upheld
    assert "17,50" in upheld, "the rest is owed"
    assert "Der Anruf war Ihrer." in rejected.content.decode()
    assert "Ofcom" in rejected.content.decode(), "where to complain, by market"
    assert nothing.content.decode().strip() == ""
    assert dispute.account.notices.count() == 1


def test_no_decision_is_made_in_a_call_in_which_nobody_is_verified() -> None:
    dispute, lead = contested(), make_agent("supervisor")
    LiveCall.objects.create(
        ref="L1", account=dispute.account, agent=lead, number="+44", state="answered", begun_at=timezone.now()
    )

    response = signed_in(lead).post(f"/disputes/{dispute.ref}/decide/", {"decision-outcome": "upheld"})

    dispute.refresh_from_db()
    assert (response.status_code, dispute.outcome) == (422, "")


# Opening it on the account ------------------------------------------------------------------------------------------


def panel(account: Account, *files: tuple[str, bytes], **given: str) -> dict[str, Any]:
    return {
        "bill": account.bills.get().ref, "amount": "20.00", "reason": "roaming", "note": "on a ferry",
        "evidence": [SimpleUploadedFile(name, content) for name, content in files], **given,
    }  # fmt: skip


def test_it_is_opened_with_its_evidence_or_not_at_all() -> None:
    account = owing("100.00", as_of=now()["as_of"])
    client = signed_in(make_agent())
    address = f"/accounts/{account.ref}/dispute/"

    refused = client.post(address, panel(account, ("a.pdf", pdf()), ("b.pdf", b"MZ")))
    assert refused.status_code == 422
    assert not Dispute.objects.exists()
    client.post(address, panel(account, ("a.pdf", pdf()), ("b.png", picture())))

    dispute = Dispute.objects.get()
    assert sorted(dispute.evidence.values_list("name", flat=True)) == ["a.pdf", "b.png"]
    assert f"/disputes/{dispute.ref}/" in client.get(f"/accounts/{account.ref}/").content.decode()


def test_too_many_files_open_no_dispute(settings: Any) -> None:
    settings.DESK_EVIDENCE_FILES = 1
    account = owing("100.00", as_of=now()["as_of"])

    response = signed_in(make_agent()).post(
        f"/accounts/{account.ref}/dispute/", panel(account, ("a.txt", b"a"), ("b.txt", b"b"))
    )

    assert response.status_code == 422
    assert not Dispute.objects.exists()
    assert not account.holds.exists()


# Files --------------------------------------------------------------------------------------------------------------


def kept(
    dispute: Dispute, name: str = "bill.pdf", content: bytes = b"", kind: str = "application/pdf"
) -> DisputeEvidence:
    content = content or pdf()
    return DisputeEvidence.objects.create(
        dispute=dispute, name=name, content_type=kind, size=len(content), sha256=str(len(content)), content=content,
        added_by="agent:nadia", added_at=timezone.now(),
    )  # fmt: skip


def test_a_file_is_handed_out_to_be_kept_and_who_opened_it_is_remembered() -> None:
    dispute = contested()
    file = kept(dispute, 'Rechnung "März".pdf')

    response = signed_in(make_agent(username="luis")).get(f"/disputes/{dispute.ref}/evidence/{file.pk}/")

    assert response.content == pdf()
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == (
        "attachment; filename=\"Rechnung _M_rz_.pdf\"; filename*=UTF-8''Rechnung%20%22M%C3%A4rz%22.pdf"
    )
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert response["Cache-Control"] == "private, no-store"
    read = dispute.account.events.get(kind=kinds.EVIDENCE_READ)
    assert (read.actor, read.payload["evidence"]) == ("agent:luis", file.pk)


def test_a_file_belongs_to_its_dispute_alone() -> None:
    mine, other = contested(), contested()
    file = kept(other)

    response = signed_in(make_agent()).get(f"/disputes/{mine.ref}/evidence/{file.pk}/")

    assert response.status_code == 404
    assert not kinds_of(other.account, kinds.EVIDENCE_READ)


def test_a_picture_is_looked_at_drawn_anew_and_a_document_is_not() -> None:
    dispute = contested()
    shot, document = kept(dispute, "a.png", picture(size=(2000, 10)), "image/png"), kept(dispute)
    client = signed_in(make_agent())
    address = f"/disputes/{dispute.ref}/evidence"

    small, whole = client.get(f"{address}/{shot.pk}/small/"), client.get(f"{address}/{shot.pk}/view/")

    assert small["Content-Type"] == whole["Content-Type"] == "image/webp"
    assert kinds_of(dispute.account, kinds.EVIDENCE_READ) == [kinds.EVIDENCE_READ], "a thumbnail is no reading"
    assert client.get(f"{address}/{document.pk}/small/").status_code == 404
    broken = kept(dispute, "b.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 99, "image/png")
    assert client.get(f"{address}/{broken.pk}/small/").status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "sent_as", "kept_as"),
    [
        ("bill.pdf", pdf(), "text/html", ("bill.pdf", "application/pdf")),
        ("shot.png", picture(), "application/x-msdownload", ("shot.png", "image/png")),
        ("..\\..\\boot.txt", b"hello", "text/plain", ("boot.txt", "text/plain")),
        ("bill.pdf", b"MZ" + b"\x00" * 64, "application/pdf", None),
        ("bill.svg", b"<svg onload='alert(1)'/>", "image/png", None),
        ("bill.pdf.exe", pdf(), "application/pdf", None),
        ("x.html.pdf", pdf(), "application/pdf", None),
        ("x.pdf", pdf(b"<< /S /JavaScript /JS (1) >>"), "application/pdf", None),
    ],
)
def test_what_a_sender_says_of_a_file_counts_for_nothing(
    name: str, content: bytes, sent_as: str, kept_as: tuple[str, str] | None
) -> None:
    dispute = contested()

    response = signed_in(make_agent()).post(
        f"/disputes/{dispute.ref}/evidence/", {"evidence": SimpleUploadedFile(name, content, content_type=sent_as)}
    )

    files = list(dispute.evidence.values_list("name", "content_type"))
    assert files == ([kept_as] if kept_as else [])
    assert response.status_code == (302 if kept_as else 422)


def test_a_file_that_is_too_large_is_said_so_and_a_flood_is_not_even_read(settings: Any) -> None:
    settings.DESK_EVIDENCE_FILE_MB = 1
    dispute, client = contested(), signed_in(make_agent())
    address = f"/disputes/{dispute.ref}/evidence/"

    large = client.post(address, {"evidence": SimpleUploadedFile("a.txt", b"x" * 1_100_000)})
    assert (large.status_code, b"larger than 1 MB" in large.content) == (422, True)
    settings.DESK_UPLOAD_MB = 1
    flood = client.post(address, {"evidence": SimpleUploadedFile("a.txt", b"x" * 2_100_000)})
    assert flood.status_code in {400, 413}
    assert not dispute.evidence.exists()


def test_nothing_is_not_a_file() -> None:
    dispute = contested()

    response = signed_in(make_agent()).post(f"/disputes/{dispute.ref}/evidence/", {})

    assert (response.status_code, b"Choose a file" in response.content) == (422, True)


# Around it ----------------------------------------------------------------------------------------------------------


def test_supervisors_see_how_many_are_past_their_date() -> None:
    dispute = contested()
    Dispute.objects.filter(pk=dispute.pk).update(decide_by=now()["as_of"] - timedelta(days=1))

    page = signed_in(make_agent("supervisor")).get("/supervise/").content.decode()

    assert "1 dispute past its date" in page


def test_an_admin_edits_the_clocks_and_keeps_the_line_of_every_other_market() -> None:
    client = signed_in(make_agent("admin", is_staff=True))
    base = "/admin/agents/disputeclock/"
    clock = {"acknowledge_days": "2", "decide_days": "20", "source": "Regulator"}

    assert client.post(f"{base}add/", {"country": "fr", **clock}).status_code == 302
    assert DisputeClock.objects.get(country="FR").decide_days == 20
    assert client.post(f"{base}add/", {"country": "XX", **clock}).status_code == 200
    wrong = client.post(f"{base}add/", {"country": "ES", **clock, "acknowledge_days": "21"})
    assert b"not after it" in wrong.content
    every_other = DisputeClock.objects.get(country="")
    assert client.post(f"{base}{every_other.pk}/delete/", {"post": "yes"}).status_code == 403
    assert not DisputeClock.objects.filter(country__in=("XX", "ES")).exists()
