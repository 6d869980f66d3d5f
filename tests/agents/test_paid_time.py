"""Paid time: begun at the first sight, kept alive, changed, ended; and what a day of it went to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents import paid_time
from agents.models import Agent, Interaction, Stretch
from agents.paid_time import CannotChange
from tests.factories import TODAY, make_agent, moment, owing

pytestmark = pytest.mark.django_db

AT = moment(hour=9)


def after(**span: int) -> Any:
    return AT + timedelta(**span)


def told(agent: Agent) -> list[tuple[str, Any, Any]]:
    rows = agent.stretches.order_by("begun_at", "pk")
    return [(row.what, row.begun_at, row.ended_at) for row in rows]


def test_the_first_sight_begins_it_and_the_next_ones_keep_it_alive() -> None:
    nadia = make_agent()

    for minutes in range(0, 30, 5):
        paid_time.seen(nadia, after(minutes=minutes))

    assert told(nadia) == [("work", AT, None)]
    assert nadia.stretches.get().seen_at == after(minutes=25)


def test_it_is_written_at_most_once_a_minute(django_assert_num_queries: Any) -> None:
    nadia = make_agent()
    paid_time.seen(nadia, AT)

    with django_assert_num_queries(1):
        paid_time.seen(nadia, after(seconds=45))
    assert nadia.stretches.get().seen_at == AT
    with django_assert_num_queries(2):
        paid_time.seen(nadia, after(seconds=61))


def test_who_was_not_seen_for_ten_minutes_had_gone_when_last_seen() -> None:
    nadia = make_agent()
    paid_time.seen(nadia, AT)
    paid_time.seen(nadia, after(minutes=9))
    paid_time.seen(nadia, after(minutes=40))

    assert told(nadia) == [("work", AT, after(minutes=9)), ("work", after(minutes=40), None)]


def test_a_break_is_a_stretch_of_its_own_and_lasts_until_it_is_ended() -> None:
    nadia = make_agent()
    paid_time.seen(nadia, AT)
    paid_time.change(nadia, "break", after(minutes=5))
    paid_time.change(nadia, "break", after(minutes=6))
    paid_time.seen(nadia, after(minutes=8))
    assert paid_time.doing(nadia, after(minutes=9)) == "break"
    paid_time.change(nadia, "work", after(minutes=15))

    assert told(nadia) == [
        ("work", AT, after(minutes=5)),
        ("break", after(minutes=5), after(minutes=15)),
        ("work", after(minutes=15), None),
    ]
    with pytest.raises(CannotChange):
        paid_time.change(nadia, "holiday", after(minutes=16))


def test_signing_out_ends_it_and_the_days_close_ends_what_nobody_ended() -> None:
    nadia, luis = make_agent(), make_agent()
    for agent in (nadia, luis):
        paid_time.seen(agent, AT)
    paid_time.leave(nadia, after(minutes=3))

    assert paid_time.close_unseen(after(minutes=9)) == 0
    assert paid_time.close_unseen(after(minutes=11)) == 1
    assert told(nadia) == [("work", AT, after(minutes=3))]
    assert told(luis) == [("work", AT, AT)]


def test_two_windows_that_begin_at_once_are_one_stretch() -> None:
    nadia = make_agent()
    Stretch.objects.create(agent=nadia, begun_at=AT, seen_at=AT)

    Stretch.objects.bulk_create([Stretch(agent=nadia, begun_at=AT, seen_at=AT)], ignore_conflicts=True)

    assert nadia.stretches.count() == 1


def test_a_day_of_paid_time_is_told_apart() -> None:
    nadia, account = make_agent(), owing()
    Stretch.objects.create(agent=nadia, begun_at=AT, seen_at=after(hours=2), ended_at=after(hours=2))
    Stretch.objects.create(
        agent=nadia, what="break", begun_at=after(hours=2), seen_at=after(hours=3), ended_at=after(hours=3)
    )
    Interaction.objects.create(
        ref="I1", account=account, agent=nadia, direction="outbound", disposition="busy", at=after(minutes=5),
        duration_seconds=4500, wrap_seconds=900,
    )  # fmt: skip
    Interaction.objects.create(
        ref="I2", account=account, agent=make_agent(), direction="outbound", disposition="busy", at=after(minutes=5),
        duration_seconds=500,
    )  # fmt: skip

    day = paid_time.day_of(nadia, today=TODAY, at=after(hours=4))

    assert (day.paid, day.away, day.talk, day.wrap, day.idle) == (3 * 3600, {"break": 3600}, 4500, 900, 1800)
    assert day.occupancy == 0.75
    assert paid_time.day_of(make_agent(), today=TODAY, at=AT).occupancy is None


# In the browser -----------------------------------------------------------------------------------------------------


def signed_in(agent: Agent) -> Client:
    client = Client()
    client.force_login(agent)
    return client


def test_signing_in_begins_it_the_news_keep_it_alive_and_signing_out_ends_it() -> None:
    nadia = make_agent()
    nadia.set_password("a long enough secret")
    nadia.save(update_fields=["password"])
    client = Client()

    client.post("/login/", {"username": nadia.username, "password": "a long enough secret"})
    assert [what for what, _, _ in told(nadia)] == ["work"]
    Stretch.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    client.get("/news/")
    assert timezone.now() - nadia.stretches.get().seen_at < timedelta(minutes=1)
    client.post("/logout/")
    assert nadia.stretches.get().ended_at is not None


def test_opening_an_account_costs_no_query_for_it(django_assert_num_queries: Any) -> None:
    client = signed_in(make_agent())

    client.get(f"/accounts/{owing(as_of=timezone.now().date()).ref}/")

    assert not Stretch.objects.exists()


def test_the_menu_asks_and_sets_what_somebody_is_there_for() -> None:
    nadia = make_agent()
    client = signed_in(nadia)

    page = client.get("/day/time/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/queue/?x=1"})
    assert 'value="/queue/"' in page.content.decode()
    answer = client.post("/day/time/", {"what": "training", "back": "/queue/"})

    assert answer["Location"] == "/queue/"
    assert paid_time.doing(nadia, timezone.now()) == "training"
    client.post("/day/time/", {"what": "holiday", "back": "//evil.example/"})
    assert paid_time.doing(nadia, timezone.now()) == "training"


def test_nobody_sees_or_sets_it_for_somebody_else_and_visitors_not_at_all() -> None:
    assert Client().get("/day/time/").status_code == 302
    assert signed_in(make_agent("finance")).post("/day/time/", {"what": "break"}).status_code == 403
    assert not Stretch.objects.exists()


def test_my_day_has_my_own_time_answers_and_complaints() -> None:
    nadia = make_agent()
    Stretch.objects.create(agent=make_agent(), begun_at=timezone.now(), seen_at=timezone.now())

    page = signed_in(nadia).get("/day/").content.decode()

    assert "My time today" in page
    assert "Complaints about me" in page
    assert "0:00" in page
