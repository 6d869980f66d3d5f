"""The palette's list, the news, the summary, one's own day, and the desk's language."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import Account
from agents import calls, day, plans, promises, queue, settlements
from agents.models import Agent, WorkItem
from agents.templatetags.desk import clock, money, short_day, span
from agents.templatetags.desk import day as written
from dunning.models import InboundMessage
from tests.factories import TODAY, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def late_account(name: str = "Frida") -> Account:
    return owing("100.00", as_of=timezone.now().date(), customer=make_customer(name=name, country="GB"))


def test_the_palette_knows_the_outcomes_and_what_i_had_in_my_hands_last() -> None:
    nadia = make_agent()
    client = signed_in(nadia)
    first, second, other = late_account("First"), late_account("Second"), late_account("Other")
    make_item(first)
    client.get(f"/accounts/{first.ref}/")
    client.post(f"/accounts/{second.ref}/note/", {"text": "Seen"})
    make_item(other)
    signed_in(make_agent()).get(f"/accounts/{other.ref}/")

    told = client.get("/palette/").json()

    assert [row["words"] for row in told["recent"]] == ["Second", "First"]
    assert {"code": "no_answer", "words": "No answer", "key": "1"} in told["outcomes"]


def test_an_account_behind_the_team_wall_is_recent_no_longer() -> None:
    nadia = make_agent(team=make_team())
    client, account = signed_in(nadia), late_account()
    item = make_item(account, team=nadia.team)
    client.get(f"/accounts/{account.ref}/")
    WorkItem.objects.filter(pk=item.pk).update(team=make_team())

    assert client.get("/palette/").json()["recent"] == []


def test_a_callback_of_mine_is_news_five_minutes_before_its_moment() -> None:
    nadia, luis = make_agent(), make_agent()
    soon, later, theirs = late_account("Soon"), late_account("Later"), late_account("Theirs")
    now = timezone.now()
    make_item(soon, not_before=now + timedelta(minutes=3), kept_for=nadia)
    make_item(later, not_before=now + timedelta(minutes=30), kept_for=nadia)
    make_item(theirs, not_before=now + timedelta(minutes=3), kept_for=luis)

    told = signed_in(nadia).get("/news/").json()

    assert [row["href"] for row in told["callbacks"]] == [f"/accounts/{soon.ref}/"]
    assert "Call back Soon in 2 min." in told["callbacks"][0]["text"]


def test_who_has_my_account_now_is_news() -> None:
    nadia, boss, account = make_agent(), make_agent("supervisor", username="boss"), late_account()
    item, client = make_item(account), signed_in(nadia)
    client.get(f"/accounts/{account.ref}/")
    assert client.get(f"/news/?item={item.pk}").json()["lost"] is None

    queue.take_over(account_id=account.pk, agent=boss, at=timezone.now())

    assert "boss works on this account now" in client.get(f"/news/?item={item.pk}").json()["lost"]["text"]


@pytest.mark.parametrize("approve", [True, False])
def test_a_decision_on_what_i_asked_for_is_news_to_me_alone(approve: bool) -> None:
    nadia, luis, boss, account = make_agent(), make_agent(), make_agent("supervisor"), late_account("Frida")
    now = timezone.now()
    quote = plans.quote_for(
        account_id=account.pk, count=8, first_on=now.date() + timedelta(days=5), every="month", agent=nadia,
        as_of=now.date(),
    )  # fmt: skip
    plan = plans.agree(
        account_id=account.pk,
        instalments=quote.instalments,
        actor=f"agent:{nadia.username}",
        agent=nadia,
        as_of=now.date(),
        at=now,
    )
    assert signed_in(nadia).get("/news/").json()["decided"] == []
    plans.decide(plan_id=plan.pk, approve=approve, agent=boss, as_of=now.date(), at=now)

    [told] = signed_in(nadia).get("/news/").json()["decided"]
    assert told["text"] == f"{'Approved' if approve else 'Declined'}: the plan of Frida."
    assert signed_in(luis).get("/news/").json()["decided"] == []


def test_a_word_on_my_settlement_is_news_to_me() -> None:
    nadia, boss, account = make_agent(), make_agent("supervisor"), late_account("Frida")
    now = timezone.now()
    offered = settlements.agree(
        account_id=account.pk, amount=Decimal("60.00"), pay_by=now.date() + timedelta(days=5),
        actor=f"agent:{nadia.username}", agent=nadia, as_of=now.date(), at=now,
    )  # fmt: skip
    settlements.decide(settlement_id=offered.pk, approve=True, agent=boss, as_of=now.date(), at=now)

    [told] = signed_in(nadia).get("/news/").json()["decided"]

    assert told["text"] == "Agreed to: the settlement of Frida."


def test_words_of_a_crisis_are_news_on_their_side_of_the_team_wall() -> None:
    north, south = make_team(), make_team()
    account = late_account()
    make_item(account, team=north)
    InboundMessage.objects.create(
        gateway="sms",
        provider_ref="1",
        channel="sms",
        sender="+44",
        text="…",
        received_at=timezone.now(),
        account=account,
        customer=account.customer,
        hints=["crisis"],
        state="waiting",
    )

    assert "words of a crisis" in signed_in(make_agent(team=north)).get("/news/").json()["crisis"]["text"]
    assert signed_in(make_agent(team=south)).get("/news/").json()["crisis"] is None


def test_news_cost_the_same_however_much_there_is() -> None:
    nadia = make_agent()
    client = signed_in(nadia)

    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/news/")
        return len(asked)

    client.get("/news/")  # paid time begins with it
    make_item(late_account(), not_before=timezone.now(), kept_for=nadia)
    few = cost()
    for _ in range(8):
        make_item(late_account(), not_before=timezone.now(), kept_for=nadia)

    assert cost() == few <= 13


def test_an_account_tells_what_is_new_once() -> None:
    nadia, account = make_agent(), late_account()
    client, address = signed_in(nadia), f"/accounts/{account.ref}/news/"
    quiet = client.get(address)
    assert quiet.status_code == 204
    after = quiet["X-After"]
    assert client.get(address, {"after": after}).status_code == 204

    calls.add_note(account_id=account.pk, text="From Luis", actor="agent:luis", as_of=TODAY, at=timezone.now())

    fresh = client.get(address, {"after": after})
    assert "From Luis" in fresh.content.decode()
    assert client.get(address, {"after": fresh["X-After"]}).status_code == 204
    assert signed_in(make_agent("finance")).get(address).status_code == 403


def test_the_summary_has_amounts_bills_agreements_and_the_last_contacts_on_a_page_and_as_text() -> None:
    nadia, account = make_agent(), late_account("Frida Fjord")
    now = timezone.now()
    promises.make(
        account_id=account.pk,
        amount=Decimal("40.00"),
        due_on=now.date() + timedelta(days=7),
        actor="agent:x",
        as_of=now.date(),
        at=now,
    )
    calls.log(
        account_id=account.pk, agent=nadia, direction="inbound", disposition="no_answer", number="", right_party=False,
        started_at=now, duration_seconds=None, as_of=now.date(), at=now,
    )  # fmt: skip
    client = signed_in(nadia)

    page = client.get(f"/accounts/{account.ref}/summary/")
    text = client.get(f"/accounts/{account.ref}/summary/?as=text")

    for told in (page.content.decode(), text.content.decode()):
        for words in ("Frida Fjord", "€100.00", account.bills.get().ref, "Promise: €40.00 by", "Call, No answer"):
            assert words in told, words
    assert text["Content-Type"] == "text/plain; charset=utf-8"


def test_the_summary_of_another_teams_account_is_not_found() -> None:
    account = late_account()
    make_item(account, team=make_team())

    assert signed_in(make_agent(team=make_team())).get(f"/accounts/{account.ref}/summary/").status_code == 404


def test_my_day_counts_today_and_this_week_against_what_is_usual_for_me() -> None:
    nadia, account = make_agent(), owing("500.00")
    wednesday = moment(TODAY + timedelta(days=1), hour=15)
    for days_ago, times in ((0, 3), (1, 2), (8, 4), (9, 2)):
        for _ in range(times):
            calls.log(
                account_id=account.pk, agent=nadia, direction="inbound", disposition="no_answer", number="",
                right_party=days_ago == 0, started_at=wednesday - timedelta(days=days_ago), duration_seconds=5,
                as_of=TODAY, at=wednesday,
            )  # fmt: skip
    promises.make(
        account_id=account.pk,
        amount=Decimal("40.00"),
        due_on=wednesday.date() + timedelta(days=3),
        actor=f"agent:{nadia.username}",
        as_of=wednesday.date(),
        at=wednesday,
    )

    mine = day.day_of(agent=nadia, as_of=wednesday.date(), at=wednesday)

    lines = {line.code: [line.today, line.week, line.usual] for line in mine.lines}
    assert lines["calls"] == [3, 5, 2.7]
    assert lines["right_party"] == [3, 3, 0]
    assert lines["worked"] == [1, 2, 1]
    assert lines["promises"] == [1, 1, 0]
    assert [(sum.code, sum.currency, sum.today) for sum in mine.money] == [("promised", "EUR", Decimal("40.00"))]
    assert [promise.account for promise in mine.promises] == [account]


def test_my_day_is_mine_costs_the_same_whatever_there_is_and_is_calm_when_there_is_nothing() -> None:
    nadia = make_agent()
    client = signed_in(nadia)
    assert "Nothing yet" in client.get("/day/").content.decode()

    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/day/").status_code == 200
        return len(asked)

    make_item(late_account(), not_before=timezone.now(), kept_for=nadia)
    client.post(f"/accounts/{late_account().ref}/note/", {"text": "Seen"})
    few = cost()
    for _ in range(6):
        make_item(late_account(), not_before=timezone.now(), kept_for=nadia)
        client.post(f"/accounts/{late_account().ref}/note/", {"text": "Seen"})

    assert cost() == few <= 24
    assert "Nothing yet" in signed_in(make_agent()).get("/day/").content.decode()


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("de", "ltr"), ("ar", "rtl")])
def test_the_page_speaks_the_language_its_agent_chose(language: str, direction: str) -> None:
    nadia = make_agent()
    client = signed_in(nadia)
    client.post("/language/", {"language": language, "back": "/day/"})

    page = client.get("/queue/", headers={"Accept-Language": "es"}).content.decode()

    assert f'<html lang="{language}" dir="{direction}"' in page


def test_a_language_that_the_desk_does_not_speak_is_not_promised_and_none_is_as_the_browser_asks() -> None:
    nadia = make_agent()
    client = signed_in(nadia)
    client.post("/language/", {"language": "xx"})
    nadia.refresh_from_db()
    assert nadia.interface_language == ""

    assert '<html lang="de"' in client.get("/queue/", headers={"Accept-Language": "de-AT"}).content.decode()
    assert '<html lang="en"' in client.get("/queue/", headers={"Accept-Language": "es"}).content.decode()


def test_amounts_and_dates_are_written_as_the_language_writes_them() -> None:
    at = moment(hour=9, minute=5)
    with translation.override("en"):
        assert (money(Decimal("1234.5"), "EUR"), written(TODAY)) == ("€1,234.50", "10 Mar 2026")
        assert (short_day(TODAY), clock(at)) == ("Tue 10 Mar", "10 Mar, 09:05")
    with translation.override("de"):
        assert (money(Decimal("1234.5"), "EUR"), written(TODAY)) == ("1.234,50\N{NO-BREAK SPACE}€", "10 März 2026")
        assert (short_day(TODAY), clock(at)) == ("Di., 10. März", "10. März, 09:05")
    with translation.override("ar"):
        assert money(Decimal("1234.5"), "EUR").startswith("\N{LEFT-TO-RIGHT ISOLATE}")
        assert written(TODAY).strip("\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}") == "10 مارس 2026"
    assert span(at, at + timedelta(minutes=7)) == "7 min"


def test_hints_are_switched_off_and_on() -> None:
    nadia = make_agent()
    client = signed_in(nadia)
    for said, kept in (("off", False), ("on", True)):
        client.post("/hints/", {"hints": said, "back": "/day/"})
        nadia.refresh_from_db()
        assert nadia.hints is kept
