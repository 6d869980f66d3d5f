"""A call in the browser: what is served before the check, what is refused, and what comes back after a crash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import Account
from agents import dialling, kinds, queue
from agents.models import (
    Agent,
    Disposition,
    IdentityCheck,
    Interaction,
    LiveCall,
    Note,
    Plan,
    Promise,
    ScriptText,
    WorkItem,
)
from tests.agents.heard import agree
from tests.factories import make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
NUMBER = "+442079460000"


def _where_it_is_noon() -> str:
    """A zone in which it is about midday at this moment: the hour of the test is no part of it."""
    offset = (12 - timezone.now().hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@pytest.fixture
def account() -> Account:
    customer = make_customer(
        name="Ann Example", country="BR", timezone=_where_it_is_noon(), phone=NUMBER, postal_code="SW1A 1AA",
        email="ann@example.org",
    )  # fmt: skip
    return owing("123.45", as_of=timezone.now().date(), customer=customer)


@pytest.fixture
def nadia(account: Account) -> Agent:
    make_item(account)
    return make_agent(username="nadia")


@pytest.fixture
def client(account: Account, nadia: Agent) -> Client:
    """Nadia, with the account open."""
    found = signed_in(nadia)
    found.get(f"/accounts/{account.ref}/")
    return found


def signed_in(agent: Agent) -> Client:
    client = Client()
    client.force_login(agent)
    return client


def act(client: Client, account: Account, what: str, **typed: Any) -> Any:
    return client.post(f"/accounts/{account.ref}/{what}/", typed, headers=HTMX)


def dialled(client: Client, account: Account) -> Any:
    answer = act(client, account, "call/dial", number=NUMBER)
    assert answer.status_code == 200, answer.content.decode()
    return answer


def verified(client: Client, account: Account) -> Any:
    return act(client, account, "call/identity", **{"detail.postal_code": "matched", "detail.email": "matched"})


def log(client: Client, account: Account, disposition: str, **typed: Any) -> Any:
    item = WorkItem.objects.get(account=account, done_at=None)
    return act(client, account, "call", item=item.pk, direction="outbound", disposition=disposition, **typed)


def script_of(answer: Any) -> str:
    """The part of the page that says what to say."""
    page: str = answer.content.decode()
    return page[page.index('id="script-title"') :].partition("</ol>")[0]


def test_dialling_answers_with_an_address_for_the_telephone_and_the_call_runs(
    client: Client, account: Account, nadia: Agent
) -> None:
    page = dialled(client, account).content.decode()

    assert f'href="tel:{NUMBER}" data-key="m"' in page
    assert "data-rings" not in page
    assert 'data-live="dialled"' in page
    assert LiveCall.objects.get().agent == nadia


def test_a_page_that_rings_by_itself_brings_the_address_to_follow(
    client: Client, account: Account, settings: Any
) -> None:
    settings.DESK_FOLLOW_TEL = True

    assert f'href="tel:{NUMBER}" data-rings' in dialled(client, account).content.decode()


def test_a_call_that_the_gate_blocks_is_not_dialled_and_the_page_says_why(client: Client, account: Account) -> None:
    account.customer.consents.create(channel="call", given=False, at=timezone.now() - timedelta(days=1))

    answer = act(client, account, "call/dial", number=NUMBER)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert "data-rings" not in answer.content.decode()
    assert not LiveCall.objects.exists()


def test_another_teams_account_cannot_be_dialled_checked_or_read_out(account: Account, nadia: Agent) -> None:
    WorkItem.objects.update(team=make_team())
    client = signed_in(nadia)

    for what in ("call/dial", "call/take", "call/identity", "call/said", "call/hang-up", "call/give-up"):
        assert act(client, account, what, number=NUMBER).status_code == 404, what
    for what in ("call/script", "call/identity", "call/live"):
        assert client.get(f"/accounts/{account.ref}/{what}/").status_code == 404, what


def test_no_step_that_discloses_is_served_before_the_check_whatever_is_asked(client: Client, account: Account) -> None:
    asks = [
        client.get(f"/accounts/{account.ref}/"),
        client.get(f"/accounts/{account.ref}/call/script/"),
        client.get(f"/accounts/{account.ref}/call/script/?verified=1"),
        dialled(client, account),
        client.get(f"/accounts/{account.ref}/call/script/"),
    ]
    for answer in asks:
        shown = script_of(answer)
        assert "May I speak with Ann Example" in shown
        assert "123.45" not in shown
        assert "past its due date" not in shown

    after = script_of(verified(client, account))

    assert "€123.45 has been due since" in after
    assert "past its due date" in after or "Some bills have been open" in after
    assert "€123.45" in script_of(client.get(f"/accounts/{account.ref}/"))


def test_after_the_call_the_next_one_begins_unverified(client: Client, account: Account) -> None:
    dialled(client, account)
    verified(client, account)
    log(client, account, "rpc_refused")

    assert "123.45" not in script_of(client.get(f"/accounts/{account.ref}/"))


FORGED = [
    ("promise", {"amount": "10.00", "due_on": "2099-01-01"}),
    ("plan", {"by": "count", "count": "2", "first_on": "2099-01-01", "every": "month"}),
    ("dispute", {"amount": "10.00", "reason": "amount", "note": "They said so"}),
]


@pytest.mark.parametrize(("what", "typed"), FORGED)
def test_a_forged_agreement_in_an_unverified_call_is_refused(
    client: Client, account: Account, what: str, typed: dict[str, str]
) -> None:
    item = WorkItem.objects.get()
    bill = account.bills.get()
    if "due_on" in typed:
        typed = {**typed, "due_on": (timezone.now().date() + timedelta(days=5)).isoformat()}
    if "first_on" in typed:
        typed = {**typed, "first_on": (timezone.now().date() + timedelta(days=5)).isoformat()}
    dialled(client, account)

    answer = act(client, account, what, item=item.pk, bill=bill.ref, bills=[bill.ref], **typed)

    assert answer.status_code == 422
    assert "Nobody is verified in this call yet" in answer.content.decode()
    assert not any(rows.exists() for rows in (account.promises, account.plans, account.disputes))


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("promises", {"amount": "10.00", "due_on": "D", "note": ""}),
        ("disputes", {"amount": "10.00", "reason": "amount", "note": ""}),
        ("plans", {"instalments": [{"due_on": "D", "amount": "123.45"}], "note": ""}),
        (
            "calls",
            {
                "number": NUMBER, "direction": "outbound", "disposition": "rpc_refused", "right_party": True,
                "started_at": "NOW", "duration_seconds": 5,
            },
        ),
    ],
)  # fmt: skip
def test_the_same_is_refused_by_the_api_with_blocked(
    client: Client, account: Account, nadia: Agent, what: str, body: dict[str, Any]
) -> None:
    dialled(client, account)
    soon = (timezone.now().date() + timedelta(days=5)).isoformat()
    text = {**body}
    for name, value in text.items():
        if value == "D":
            text[name] = soon
        if value == "NOW":
            text[name] = timezone.now().isoformat()
    if "instalments" in text:
        text["instalments"] = [{"due_on": soon, "amount": "123.45"}]
    machine = APIClient()
    machine.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=nadia).key}")

    answer = machine.post(f"/api/v1/accounts/{account.ref}/{what}/", text, format="json")

    assert (answer.status_code, answer.data["code"]) == (403, "blocked")
    assert not Interaction.objects.exists()
    next_answer = machine.post("/api/v1/queue/next/", {}, format="json")
    assert (next_answer.status_code, next_answer.data["code"]) == (409, "conflict")


def test_an_outcome_with_the_customer_before_the_check_is_refused_and_the_words_stay(
    client: Client, account: Account
) -> None:
    dialled(client, account)

    answer = log(client, account, "rpc_refused", right_party="on", note="Will never pay")

    assert answer.status_code == 422
    assert "Will never pay" in answer.content.decode()
    assert not Interaction.objects.exists()


def test_details_are_shown_to_compare_and_ticks_are_kept_as_codes(client: Client, account: Account) -> None:
    dialled(client, account)
    shown = client.get(f"/accounts/{account.ref}/call/identity/", headers=HTMX).content.decode()

    assert "SW1A 1AA" in shown
    answer = act(client, account, "call/identity", **{"detail.postal_code": "failed", "detail.email": "matched"})
    assert "failed once" in answer.content.decode()
    assert "123.45" not in script_of(answer)
    act(client, account, "call/identity", **{"detail.account_number": "matched"})

    assert IdentityCheck.objects.filter(passed=True).count() == 1
    forged = act(client, account, "call/identity", matched="mothers_name")
    assert forged.status_code == 422


def test_a_call_is_logged_with_reason_wrap_up_and_a_line_of_history(client: Client, account: Account) -> None:
    dialled(client, account)
    verified(client, account)
    act(client, account, "call/hang-up")
    call = LiveCall.objects.get()
    begun_at, ended_at = call.begun_at - timedelta(minutes=5), timezone.now() - timedelta(seconds=40)
    LiveCall.objects.update(ended_at=ended_at, begun_at=begun_at)

    answer = log(
        client, account, "rpc_refused", right_party="on", nonpayment_reason="job_lost", call=call.ref, then="next"
    )

    assert answer.status_code == 204, answer.content.decode()
    row = Interaction.objects.get()
    assert (row.nonpayment_reason, row.right_party) == ("job_lost", True)
    assert row.wrap_seconds is not None
    assert 40 <= row.wrap_seconds < 60
    assert row.duration_seconds is not None
    assert 250 <= row.duration_seconds < 300
    assert "lost their job or income" in client.get(f"/accounts/{account.ref}/").content.decode()
    event = account.events.get(kind=kinds.CALL_LOGGED)
    assert event.payload["nonpayment_reason"] == "job_lost"


def test_after_a_crash_the_call_is_there_and_next_waits_for_its_outcome(
    client: Client, account: Account, nadia: Agent
) -> None:
    other = owing("50.00", as_of=timezone.now().date(), customer=make_customer(name="Next Nora"))
    make_item(other)
    dialled(client, account)

    again = signed_in(nadia)
    assert "You were on the phone with Ann Example" in again.get("/queue/").content.decode()
    moved = again.post("/queue/next/", follow=True)
    page = moved.content.decode()
    assert moved.redirect_chain[-1][0] == f"/accounts/{account.ref}/"
    assert "what came of it" in page
    assert 'data-act="call"' in page
    assert 'data-live="dialled"' in page

    log(again, account, "no_answer", then="next")
    assert LiveCall.objects.get().state == "logged"
    again.post(f"/accounts/{account.ref}/release/")
    assert again.post("/queue/next/", follow=True).status_code == 200


def test_saving_something_else_in_a_call_does_not_leave_it(client: Client, account: Account) -> None:
    item = WorkItem.objects.get()
    dialled(client, account)

    answer = act(client, account, "note", item=item.pk, text="Rings long", then="next")

    assert Note.objects.get().text == "Rings long"
    assert 'data-act="call"' in answer.content.decode()
    item.refresh_from_db()
    assert item.done_at is None


def test_a_promise_that_was_read_back_in_the_call_is_not_told_again(client: Client, account: Account) -> None:
    dialled(client, account)
    verified(client, account)
    call = LiveCall.objects.get()
    said = {"right_party": "on", "call": call.ref}
    assert log(client, account, "rpc_promise", **said).status_code == 422
    terms = {"amount": "40.00", "due_on": str(timezone.now().date() + timedelta(days=5))}
    agree(client, account, "promise", terms, item=WorkItem.objects.get().pk, then="next")

    answer = log(client, account, "rpc_promise", **said, then="next")

    assert answer.status_code == 204, answer.content.decode()
    assert Interaction.objects.get().disposition == "rpc_promise"
    assert Promise.objects.get().agreed_by == "phone"


def test_a_plan_that_was_agreed_in_the_call_is_not_asked_for_again(client: Client, account: Account) -> None:
    dialled(client, account)
    verified(client, account)
    terms = {"by": "count", "count": "3", "first_on": str(timezone.now().date() + timedelta(days=7)), "every": "month"}
    agree(client, account, "plan", terms, item=WorkItem.objects.get().pk)
    assert Plan.objects.get().status == Plan.Status.ACTIVE

    answer = log(client, account, "rpc_plan", right_party="on", call=LiveCall.objects.get().ref, then="next")

    assert answer.status_code == 204, answer.content.decode()
    assert WorkItem.objects.get().outcome == "rpc_plan"


def test_a_call_is_given_up_with_a_reason_or_not_at_all(client: Client, account: Account) -> None:
    dialled(client, account)

    assert act(client, account, "call/give-up").status_code == 422
    assert act(client, account, "call/give-up", reason="bored").status_code == 422
    assert act(client, account, "call/give-up", reason="no_line").status_code == 200
    assert LiveCall.objects.get().reason == "no_line"


def test_a_call_is_logged_although_the_account_went_to_somebody_else(
    client: Client, account: Account, nadia: Agent
) -> None:
    dialled(client, account)
    item = WorkItem.objects.get()
    WorkItem.objects.update(claimed_by=make_agent(), lease_until=timezone.now() + queue.LEASE)

    answer = act(
        client, account, "call", item=item.pk, direction="outbound", disposition="no_answer",
        call=LiveCall.objects.get().ref, note="Rang long",
    )  # fmt: skip

    assert answer.status_code == 200
    assert Interaction.objects.get().note == "Rang long"


def test_the_half_typed_outcome_is_there_after_a_crash(client: Client, account: Account, nadia: Agent) -> None:
    dialled(client, account)
    item = WorkItem.objects.get()
    client.post(
        f"/accounts/{account.ref}/keep/",
        {"item": item.pk, "act": "call", "note": "She said that", "disposition": "third_party"},
    )

    page = signed_in(nadia).get(f"/accounts/{account.ref}/").content.decode()

    assert "She said that" in page
    assert 'value="third_party" data-asks="" data-right=""' in page
    checked = page[page.index('value="third_party"') :].partition(">")[0]
    assert "checked" in checked


def test_a_customer_who_calls_is_taken_and_what_they_say_is_logged(client: Client, account: Account) -> None:
    act(client, account, "call/take", number=NUMBER)
    assert LiveCall.objects.get().direction == "inbound"
    assert "How can I help you" in script_of(client.get(f"/accounts/{account.ref}/call/script/"))

    log(client, account, "rpc_refused", right_party="on")

    assert Interaction.objects.get().direction == "inbound"


def test_whoever_is_called_hears_of_it_on_any_page(client: Client, account: Account, nadia: Agent) -> None:
    assert client.get("/news/").json()["ringing"] is None
    dialling.hear(key="pbx-9", state="ringing", number=NUMBER, agent="nadia", at=timezone.now())

    told = client.get("/news/").json()["ringing"]
    assert (told["text"], told["href"]) == ("Ann Example is calling.", f"/accounts/{account.ref}/")
    assert signed_in(make_agent()).get("/news/").json()["ringing"] is None
    assert "They are calling" in client.get(f"/accounts/{account.ref}/").content.decode()


def test_how_far_a_call_is_comes_only_where_it_changed(client: Client, account: Account) -> None:
    dialled(client, account)
    address = f"/accounts/{account.ref}/call/live/"

    assert client.get(f"{address}?seen=dialled", headers=HTMX).status_code == 204
    assert 'data-live="dialled"' in client.get(f"{address}?seen=ringing", headers=HTMX).content.decode()


def test_without_scripts_the_page_comes_back_with_the_number_to_press(account: Account, nadia: Agent) -> None:
    client = signed_in(nadia)
    client.get(f"/accounts/{account.ref}/")

    page = client.post(f"/accounts/{account.ref}/call/dial/", {"number": NUMBER}).content.decode()

    assert 'data-act="call"' in page
    assert f"tel:{NUMBER}" in page


def test_hints_are_hidden_from_who_knows_the_work_and_warnings_stay(account: Account, nadia: Agent) -> None:
    def shown() -> str:
        return script_of(signed_in(nadia).get(f"/accounts/{account.ref}/call/script/"))

    assert "Smile, it is heard" in shown()
    Agent.objects.update(hints=False)
    assert "Smile, it is heard" not in shown()
    assert "Say nothing of a bill before it matches" in shown()


def test_the_api_takes_what_is_told_of_a_call_that_it_did_not_dial(account: Account, nadia: Agent) -> None:
    machine = APIClient()
    machine.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=nadia).key}")
    body = {
        "number": NUMBER, "direction": "inbound", "disposition": "rpc_refused", "right_party": True,
        "started_at": timezone.now().isoformat(), "duration_seconds": 60,
    }  # fmt: skip
    address = f"/api/v1/accounts/{account.ref}/calls/"

    assert machine.post(address, body, format="json").status_code == 201
    more = {**body, "nonpayment_reason": "illness", "identity": {"matched": ["email", "postal_code"], "failed": []}}
    told = machine.post(address, more, format="json")
    assert (told.status_code, told.data["nonpayment_reason"], told.data["said"]) == (201, "illness", [])
    assert IdentityCheck.objects.get().passed
    assert machine.post(address, {**body, "nonpayment_reason": "aliens"}, format="json").status_code == 400
    failed = machine.post(address, {**body, "identity": {"matched": [], "failed": ["email"]}}, format="json")
    assert (failed.status_code, failed.data["code"]) == (403, "blocked")


# --- the admin --------------------------------------------------------------------------------------------------------


def test_an_admin_makes_an_outcome_and_it_is_on_the_page_and_works(client: Client, account: Account) -> None:
    boss = make_agent("admin", is_staff=True)
    answer = signed_in(boss).post(
        "/admin/agents/disposition/add/",
        {
            "code": "hung_up", "label": "Hung up on us", "key": "", "position": "55", "active": "on", "rang": "on",
            "connected": "on", "result": "answered_third_party", "next_contact_hours": "48", "asks": "", "phone": "",
            "hold_reason": "", "hold_days": "",
        },
    )  # fmt: skip
    assert answer.status_code == 302, answer.content.decode()
    assert "Hung up on us" in client.get(f"/accounts/{account.ref}/call/", headers=HTMX).content.decode()
    dialled(client, account)
    log(client, account, "hung_up", then="next")

    item = WorkItem.objects.get()
    assert item.not_before is not None
    assert item.not_before > timezone.now() + timedelta(hours=47)


def test_the_admin_says_what_is_wrong_with_an_outcome() -> None:
    boss = signed_in(make_agent("admin", is_staff=True))
    empty = dict.fromkeys(("result", "asks", "phone", "hold_reason"), "")
    typed = {"code": "x", "label": "X", "position": "5", "active": "on", **empty}

    taken = boss.post("/admin/agents/disposition/add/", {**typed, "key": "1"}).content.decode()
    odd = boss.post("/admin/agents/disposition/add/", {**typed, "right_party": "on", "hold_days": "3"}).content.decode()

    assert "Taken by No answer" in taken
    assert "was connected" in odd
    assert "Say which hold" in odd
    assert not Disposition.objects.filter(code="x").exists()


def test_an_admin_writes_the_words_sees_them_in_place_and_agents_say_them(client: Client, account: Account) -> None:
    boss = signed_in(make_agent("admin", is_staff=True))
    typed = {"situation": "every", "step": "verify", "language": "en", "prompt": ""}

    wrong = boss.post("/admin/agents/scripttext/add/", {**typed, "words": "Dear {salutation}"}).content.decode()
    assert "Nobody knows {salutation}" in wrong
    boss.post("/admin/agents/scripttext/add/", {**typed, "words": "Good day {customer}, this is {agent}."})
    row = ScriptText.objects.get()
    page = boss.get(f"/admin/agents/scripttext/{row.pk}/change/").content.decode()
    assert "Good day Sarah Example, this is Nadia." in page
    assert boss.get("/admin/agents/scripttext/").status_code == 200

    assert "Good day Ann Example" in script_of(client.get(f"/accounts/{account.ref}/"))
