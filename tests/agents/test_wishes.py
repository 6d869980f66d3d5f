from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts import wishes
from accounts.models import Account, Consent, ContactPreference, Hold, Representative, Vulnerability
from agents import queue
from agents.event_words import title_of
from agents.models import Agent, WorkItem
from agents.rights import SPECIALIST
from dunning.models import ContactHabit
from tests.factories import kinds_of, make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def specialist() -> Agent:
    Group.objects.get_or_create(name=SPECIALIST)
    return make_agent(role=SPECIALIST)


def now() -> dict[str, Any]:
    at = timezone.now()
    return {"actor": "agent:x", "as_of": at.date(), "at": at}


@pytest.fixture
def account() -> Account:
    customer = make_customer(
        name="Ana Ruiz", phone="+34600111222", email="ana@ruiz.example", timezone="Europe/Madrid", country="ES"
    )
    return owing("100.00", as_of=timezone.now().date(), customer=customer)


@pytest.fixture
def client() -> Client:
    return signed_in(make_agent(username="nadia"))


def page(client: Client, account: Account) -> str:
    return str(client.get(f"/accounts/{account.ref}/").content.decode())


def post(client: Client, account: Account, wish: str, /, **typed: Any) -> Any:
    return client.post(f"/accounts/{account.ref}/wishes/{wish}/", typed, headers=HTMX)


@pytest.mark.parametrize("what", ["consent", "when", "speaks", "support", "understanding", "clock"])
def test_every_form_opens_in_its_panel_and_as_a_page(client: Client, account: Account, what: str) -> None:
    address = f"/accounts/{account.ref}/wishes/{what}/"
    alone, whole = client.get(address, headers=HTMX), client.get(address)
    for response in (alone, whole):
        assert response.status_code == 200
        assert 'id="work-form"' in response.content.decode()
    assert "<html" not in alone.content.decode()
    assert f'href="{address}"' in whole.content.decode()


def test_what_is_no_wish_is_not_there(client: Client, account: Account) -> None:
    assert client.get(f"/accounts/{account.ref}/wishes/mood/").status_code == 404
    assert client.post(f"/accounts/{account.ref}/wishes/mood/1/end/").status_code == 404


class TestConsent:
    SAID = {"says": "stop", "purpose": "service", "source": "phone", "evidence": "“Please no more texts”"}

    def test_stop_holds_at_once_and_is_shown(self, client: Client, account: Account) -> None:
        response = post(client, account, "consent", channels=["sms", "email"], **self.SAID)
        assert response["HX-Retarget"] == "#account"
        assert "SMS: stopped since" in response.content.decode()
        assert list(Consent.objects.order_by("channel").values_list("channel", "given", "recorded_by")) == [
            ("email", False, "agent:nadia"),
            ("sms", False, "agent:nadia"),
        ]

    def test_it_is_heard_by_whoever_the_customer_reaches_also_while_another_works_there(
        self, client: Client, account: Account
    ) -> None:
        make_item(account)
        queue.claim(account_id=account.pk, agent=make_agent(), at=timezone.now())
        assert post(client, account, "consent", channels=["sms"], **self.SAID).status_code == 200
        assert Consent.objects.get().given is False

    def test_allowing_takes_a_purpose_an_end_and_proof(self, client: Client, account: Account) -> None:
        until = timezone.now().date() + timedelta(days=100)
        typed = {**self.SAID, "says": "allow", "purpose": "automated", "until": until.isoformat()}
        post(client, account, "consent", channels=["call"], value="+34600111222", **typed)
        row = Consent.objects.get()
        assert row.until is not None
        assert (row.purpose, row.value, row.given, row.until.date()) == ("automated", "+34600111222", True, until)
        assert "automatic calls and messages, +34600111222: allowed until" in page(client, account)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"channels": []},
            {"channels": ["fax"]},
            {"channels": ["sms"], "value": "+1999"},
            {"channels": ["sms"], "says": "allow", "until": "2020-01-01"},
        ],
    )
    def test_what_makes_no_sense_is_said_and_kept_in_the_form(
        self, client: Client, account: Account, wrong: dict[str, Any]
    ) -> None:
        response = post(client, account, "consent", **{**self.SAID, **wrong})
        assert response.status_code == 422
        assert "Please no more texts" in response.content.decode()
        assert not Consent.objects.exists()

    def test_no_card_number_is_kept_as_proof(self, client: Client, account: Account) -> None:
        typed = {**self.SAID, "evidence": "paid with 4111 1111 1111 1111 and wants no texts"}
        post(client, account, "consent", channels=["sms"], **typed)
        assert "1111 1111" not in Consent.objects.get().evidence


class TestWhen:
    def test_times_are_noted_in_the_customers_own_words_and_ended(self, client: Client, account: Account) -> None:
        post(
            client,
            account,
            "when",
            what="never",
            weekdays=[1, 2, 3, 4, 5],
            opens="09:00",
            closes="13:00",
            source="phone",
        )
        assert "Not Mo to Fr, 09:00 to 13:00" in page(client, account)
        row = ContactPreference.objects.get()
        assert (row.opens, row.closes) == (time(9), time(13))

        client.post(f"/accounts/{account.ref}/wishes/preference/{row.pk}/end/")
        assert "09:00 to 13:00" not in page(client, account)

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"what": "place", "place": "work"}, "Not at work"),
            ({"what": "channel", "channel": "letter"}, "Prefers Letter"),
            ({"what": "only", "weekdays": [6, 7]}, "Only Sa Su"),
        ],
    )
    def test_each_kind_is_shown_in_words(self, client: Client, account: Account, typed: Any, words: str) -> None:
        post(client, account, "when", source="phone", **typed)
        assert words in page(client, account)

    def test_an_end_of_all_contact_counts_from_its_arrival_at_their_clock(
        self, client: Client, account: Account
    ) -> None:
        post(client, account, "when", what="cease", received_at="2026-01-05T10:00", source="letter")
        assert ContactPreference.objects.get().starts_at.isoformat() == "2026-01-05T09:00:00+00:00"
        assert "No contact at all, received 5 Jan 2026" in page(client, account)

    def test_it_takes_writing(self, client: Client, account: Account) -> None:
        response = post(client, account, "when", what="cease", received_at="2026-01-05T10:00", source="phone")
        assert response.status_code == 422
        assert not ContactPreference.objects.exists()

    @pytest.mark.parametrize("typed", [{"what": "never"}, {"what": "place"}, {"what": "never", "opens": "09:00"}])
    def test_half_a_wish_is_asked_again(self, client: Client, account: Account, typed: Any) -> None:
        assert post(client, account, "when", source="phone", **typed).status_code == 422


class TestSpeaksFor:
    def test_who_speaks_is_shown_with_what_they_may_hear(self, client: Client, account: Account) -> None:
        post(client, account, "speaks", role="carer", name="Sam Ruiz", source="phone", phone="+34911")
        shown = page(client, account)
        assert "Sam Ruiz" in shown
        assert "tell them nothing" in shown

        person = Representative.objects.get()
        client.post(f"/accounts/{account.ref}/wishes/representative/{person.pk}/end/")
        assert "Sam Ruiz" not in page(client, account)


class TestSupport:
    TOLD = {"explained": "on", "agreed": "yes", "category": "reliance", "severity": "high", "needs": ["telecare"]}

    def test_nothing_is_saved_before_it_was_explained(self, client: Client, account: Account) -> None:
        typed = {name: value for name, value in self.TOLD.items() if name != "explained"}
        response = post(client, account, "support", **typed)
        assert response.status_code == 422
        assert "Explain first" in response.content.decode()
        assert not Vulnerability.objects.exists()

    def test_with_their_agreement_codes_are_kept_and_the_moment_of_it(self, client: Client, account: Account) -> None:
        response = post(client, account, "support", **self.TOLD, note="Daughter helps")
        row = Vulnerability.objects.get()
        assert (row.category, row.needs, row.severity, row.note) == ("reliance", ["telecare"], "high", "Daughter helps")
        assert row.consented_at is not None
        assert "help is to be had" in response.content.decode()

    @pytest.mark.parametrize(("needed", "kept"), [("yes", [("support", [], "")]), ("no", [])])
    def test_without_it_only_that_support_is_needed_is_kept_and_help_is_named_all_the_same(
        self, client: Client, account: Account, needed: str, kept: list[Any]
    ) -> None:
        response = post(client, account, "support", **{**self.TOLD, "agreed": "no", "needed": needed, "note": "Eyes"})
        assert list(Vulnerability.objects.values_list("category", "needs", "note")) == kept
        assert "help is to be had" in response.content.decode()

    def test_an_illness_is_not_kept(self, client: Client, account: Account) -> None:
        response = post(client, account, "support", **self.TOLD, note="has cancer")
        assert response.status_code == 422
        assert not Vulnerability.objects.exists()

    def test_in_a_crisis_the_card_comes_first_and_then_everything_pauses(
        self, client: Client, account: Account
    ) -> None:
        typed = {**self.TOLD, "severity": "low", "note": "says she wants to kill herself"}
        response = post(client, account, "support", **typed)
        shown = response.content.decode()
        assert response.status_code == 422
        assert shown.index("Their life comes first") < shown.index("Thank you for telling me")
        assert not Vulnerability.objects.exists()

        post(client, account, "support", **typed, escalated="on")
        row = Vulnerability.objects.get()
        assert (row.severity, row.note) == ("high", "")
        assert Hold.objects.get().reason == "vulnerability_review"
        assert WorkItem.objects.get(kind="task").reason.startswith("Specialist at once")

    def test_a_crisis_is_heard_while_it_is_typed_and_nothing_is_written(self, client: Client, account: Account) -> None:
        heard = f"/accounts/{account.ref}/wishes/heard/"
        events = account.events.count()
        assert "Their life comes first" in client.post(heard, {"note": "quiero morir"}).content.decode()
        assert "names an illness" in client.post(heard, {"note": "her diabetes"}).content.decode()
        assert client.post(heard, {"note": "large print please"}).content.decode().strip() == ""
        assert account.events.count() == events

    def test_only_specialists_and_supervisors_see_more_than_that_support_is_needed(
        self, client: Client, account: Account
    ) -> None:
        post(client, account, "support", **self.TOLD, note="Daughter helps")
        plain = page(client, account)
        assert "Support needed" in plain
        for secret in ("Relies on the line", "Telecare alarm", "Daughter helps", "Goes on"):
            assert secret not in plain
        for person in (specialist(), make_agent(role="supervisor")):
            told = page(signed_in(person), account)
            assert "Relies on the line" in told
            assert "telecare alarm" in told
            assert "Daughter helps" in told

    def test_an_agent_neither_ends_a_need_nor_moves_its_day(self, client: Client, account: Account) -> None:
        row = wishes.note_vulnerability(customer_id=account.customer_id, category="crisis", severity="high", **now())
        base = f"/accounts/{account.ref}/wishes/vulnerability/{row.pk}"
        day = {"review_on": (timezone.now().date() + timedelta(days=30)).isoformat()}
        for address in (f"{base}/end/", f"{base}/look/"):
            assert client.post(address, day).status_code == 403

        other = signed_in(specialist())
        other.post(f"{base}/look/", day)
        row.refresh_from_db()
        assert row.review_on == date.fromisoformat(day["review_on"])
        other.post(f"{base}/end/")
        row.refresh_from_db()
        assert row.ended_on is not None
        assert "Support needed" not in page(client, account)

    def test_a_day_that_passed_ends_nothing_and_is_shown(self, account: Account) -> None:
        past = timezone.now().date() - timedelta(days=400)
        Vulnerability.objects.create(
            customer=account.customer, category="caring", severity="low", noted_on=past, review_on=past
        )
        assert "Cares for somebody" in page(signed_in(make_agent(role="supervisor")), account)


class TestUnderstanding:
    def test_one_concern_pauses_and_calls_a_specialist(self, client: Client, account: Account) -> None:
        response = post(client, account, "understanding", concerns=["understanding"], pause="on")
        assert "Agree nothing today" in response.content.decode()
        assert Hold.objects.get().reason == "vulnerability_review"
        assert WorkItem.objects.get().kind == "task"
        assert not Vulnerability.objects.exists()

        post(client, account, "understanding", concerns=["evaluating"], pause="on")
        assert (Hold.objects.count(), WorkItem.objects.count()) == (1, 1)

    def test_with_nothing_noticed_nothing_happens(self, client: Client, account: Account) -> None:
        assert post(client, account, "understanding", pause="on").status_code == 422
        assert not Hold.objects.exists()

    def test_the_pause_is_the_agents_to_leave_out(self, client: Client, account: Account) -> None:
        post(client, account, "understanding", concerns=["remembering"])
        assert not Hold.objects.exists()
        assert WorkItem.objects.exists()


def test_the_clock_they_name_is_theirs(client: Client, account: Account) -> None:
    assert post(client, account, "clock", timezone="America/New York").status_code == 200
    account.customer.refresh_from_db()
    assert account.customer.timezone == "America/New_York"
    response = post(client, account, "clock", timezone="Narnia")
    assert response.status_code == 422
    assert "no time zone" in response.content.decode()


def test_another_teams_customer_says_nothing_to_us(account: Account) -> None:
    make_item(account, team=make_team())
    client = signed_in(make_agent(team=make_team()))
    assert client.get(f"/accounts/{account.ref}/wishes/consent/").status_code == 404
    assert client.post(f"/accounts/{account.ref}/wishes/heard/", {"note": "x"}).status_code == 404


def test_nobody_ends_the_wish_of_another_customer(client: Client, account: Account) -> None:
    other = owing("10.00")
    row = wishes.note_preference(customer_id=other.customer_id, kind="place", place="work", **now())
    assert client.post(f"/accounts/{account.ref}/wishes/preference/{row.pk}/end/").status_code == 404


def test_the_page_says_when_they_are_best_reached_and_the_strip_can_be_read(client: Client, account: Account) -> None:
    at = timezone.now()
    for hour, answers in ((9, 0), (18, 5)):
        ContactHabit.objects.create(
            customer=account.customer, channel="call", hour=hour, tries=6, answers=answers, counted_to=at
        )
    shown = page(client, account)
    assert "Best at 18:00 by phone: answered 5 of 6 calls between 18 and 19" in shown
    assert re.search(r"9:00 \d+ %, 10:00 \d+ %", shown)
    assert shown.count("<rect x=") >= 13


def test_the_timeline_tells_it_in_words_without_numbers_or_names(client: Client, account: Account) -> None:
    post(client, account, "speaks", role="attorney", name="J. Doe", source="letter")
    post(client, account, "consent", says="stop", channels=["call"], purpose="service", source="phone")
    kinds = set(kinds_of(account, "accounts.consent") + kinds_of(account, "accounts.representative"))
    assert {title_of(kind) for kind in kinds} == {"Contact stopped", "Somebody speaks for the customer"}
    shown = client.get(f"/accounts/{account.ref}/timeline/?show=system", headers=HTMX).content.decode()
    assert "Contact stopped" in shown
    assert "Doe" not in shown
