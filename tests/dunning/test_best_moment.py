from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import events
from accounts.models import Account
from agents.habits import count_calls
from agents.models import Interaction
from dunning import best_moment, habits
from dunning.best_moment import Count
from dunning.models import ContactHabit, InboundMessage, Notice
from dunning.sharding import WHOLE, Shard
from tests.factories import TODAY, make_account, make_customer, make_payment, moment

DAYTIME = range(8, 21)
NOBODY: best_moment.Prior = {}
MADRID, NEW_YORK = ZoneInfo("Europe/Madrid"), ZoneInfo("America/New_York")
_keys = count(1)


def evenings(answers: float = 4) -> list[Count]:
    """Rung up at nine in vain, answered in the evening."""
    return [Count("call", 9, 5, 0), Count("call", 17, 2, answers / 2), Count("call", 18, 3, answers / 2)]


class TestBest:
    def test_it_learns_the_hour_that_was_answered_and_says_why(self) -> None:
        found = best_moment.best(evenings(), NOBODY, allowed_hours=DAYTIME, channels=["call"])
        assert found is not None
        assert (found.channel, found.hour in (17, 18)) == ("call", True)
        assert found.why == "answered 4 of 5 calls between 17 and 19"

    def test_it_learns_the_channel(self) -> None:
        own = [Count("sms", 12, 6, 0), Count("email", 12, 6, 5)]
        found = best_moment.best(own, NOBODY, allowed_hours=DAYTIME, channels=["sms", "email"])
        assert found is not None
        assert found.channel == "email"

    @pytest.mark.parametrize(
        "own",
        [
            [],
            [Count("call", 18, 4.9, 4)],
            [Count("call", 18, 20, 1.9)],
            [Count("sms", 18, 20, 10)],  # another channel than the one asked about
        ],
    )
    def test_it_says_nothing_on_little_evidence(self, own: list[Count]) -> None:
        assert best_moment.best(own, NOBODY, allowed_hours=DAYTIME, channels=["call"]) is None

    @pytest.mark.parametrize("allowed", [range(8, 12), range(20, 21), [9], [23, 0]])
    def test_it_never_leaves_the_allowed_hours(self, allowed: Any) -> None:
        found = best_moment.best(evenings(), NOBODY, allowed_hours=allowed, channels=["call"])
        assert found is not None
        assert found.hour in allowed

    def test_without_an_hour_or_a_channel_there_is_none(self) -> None:
        assert best_moment.best(evenings(), NOBODY, allowed_hours=[], channels=["call"]) is None
        assert best_moment.best(evenings(), NOBODY, allowed_hours=DAYTIME, channels=[]) is None

    def test_of_hours_that_are_equal_the_earlier_is_taken_whatever_the_order_of_the_counts(self) -> None:
        own = [Count("call", 10, 5, 3), Count("call", 15, 5, 3)]
        found = {best_moment.best(each, NOBODY, allowed_hours=DAYTIME, channels=["call"]) for each in (own, own[::-1])}
        assert [each.hour for each in found if each] == [10]

    def test_where_the_customer_never_answers_everybody_elses_hour_is_tried(self) -> None:
        own = [Count("call", 9, 8, 0), Count("call", 10, 8, 0), Count("sms", 12, 3, 2)]
        prior = {("call", 19): (1_000.0, 800.0), ("call", 9): (1_000.0, 50.0)}
        found = best_moment.best(own, prior, allowed_hours=DAYTIME, channels=["call", "sms"])
        assert found is not None
        assert (found.channel, found.hour) == ("call", 19)
        assert "others answer calls best then" in found.why

    def test_a_single_answer_does_not_beat_many(self) -> None:
        prior = {("call", hour): (1_000.0, 200.0) for hour in DAYTIME}
        own = [Count("call", 9, 1, 1), Count("call", 18, 10, 9)]
        found = best_moment.best(own, prior, allowed_hours=DAYTIME, channels=["call"])
        assert found is not None
        assert found.hour == 18

    def test_rates_lie_between_nothing_and_all(self) -> None:
        shown = best_moment.rates(evenings(5), {("call", 18): (10.0, 10.0)}, channel="call")
        assert [each.hour for each in shown] == list(range(24))
        assert all(0 < each.rate < 1 for each in shown)

    def test_a_weight_halves_in_ninety_days(self) -> None:
        assert best_moment.decayed(4, age=timedelta(days=180)) == pytest.approx(1)
        assert best_moment.decayed(4, age=timedelta(days=-3)) == 4


@pytest.fixture
def _fresh() -> None:
    cache.clear()


def account_in(zone: str) -> Account:
    return make_account(customer=make_customer(timezone=zone))


def sent(account: Account, at: datetime, **columns: Any) -> Notice:
    return Notice.objects.create(
        **{
            "account": account,
            "customer": account.customer,
            "key": f"K{next(_keys)}",
            "step_code": "reminder",
            "template": "reminder",
            "channel": "sms",
            "currency": "EUR",
            "made_on": at.date(),
            "state": "delivered",
            "sent_at": at,
            "delivered_at": at,
            **columns,
        }
    )


def called(account: Account, at: datetime, *, reached: bool, disposition: str = "no_answer") -> None:
    Interaction.objects.create(
        ref=f"I{next(_keys)}",
        account=account,
        direction="outbound",
        disposition=disposition,
        right_party=reached,
        at=at,
    )


def wrote(account: Account, at: datetime, intent: str = "unclear") -> None:
    InboundMessage.objects.create(
        gateway="sms", provider_ref=f"R{next(_keys)}", channel="sms", sender="x", received_at=at, account=account,
        customer=account.customer, intent=intent,
    )  # fmt: skip


def counted(account: Account) -> dict[tuple[str, int], tuple[float, float]]:
    return {
        (row.channel, row.hour): (round(row.tries, 3), round(row.answers, 3))
        for row in ContactHabit.objects.filter(customer=account.customer)
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("_fresh")
class TestCounting:
    NOW = moment(TODAY, 6)

    def count(self, at: datetime = NOW, shard: Shard = WHOLE) -> int:
        return habits.count(as_of=at.date(), at=at, shard=shard) + count_calls(as_of=at.date(), at=at, shard=shard)

    def test_a_message_counts_in_the_hour_it_had_at_the_customer(self) -> None:
        here, there = account_in("Europe/Madrid"), account_in("America/New_York")
        nowhere = make_account(customer=make_customer(timezone="Not/AZone"))
        for account in (here, there, nowhere):
            sent(account, self.NOW - timedelta(hours=48))
        assert self.count() == 3
        assert [list(counted(account)) for account in (here, there, nowhere)] == [
            [("sms", 7)],
            [("sms", 1)],
            [("sms", 6)],
        ]

    @pytest.mark.parametrize("answer", ["payment", "message", "page"])
    def test_a_payment_a_message_or_a_visit_within_a_day_is_an_answer(self, answer: str) -> None:
        account, silent = account_in("UTC"), account_in("UTC")
        at = moment(TODAY - timedelta(days=5), 18)
        for each in (account, silent):
            sent(each, at)
        if answer == "payment":
            make_payment(account, "10.00", at.date() + timedelta(days=1))
        elif answer == "message":
            wrote(account, at + timedelta(hours=23))
        else:
            events.record(
                account_id=account.pk,
                kind=habits.PAGE_OPENED,
                actor="customer:x",
                at=at + timedelta(hours=2),
                on=at.date(),
            )
        self.count()
        tries, answers = counted(account)["sms", 18]
        assert tries == answers > 0.9
        assert counted(silent)["sms", 18] == (tries, 0)

    def test_what_came_too_late_or_from_a_machine_is_none(self) -> None:
        account = account_in("UTC")
        at = moment(TODAY - timedelta(days=5), 18)
        sent(account, at)
        make_payment(account, "10.00", at.date() + timedelta(days=2))
        make_payment(account, "10.00", at.date() - timedelta(days=1))
        wrote(account, at + timedelta(hours=25))
        wrote(account, at + timedelta(hours=1), "auto_reply")
        self.count()
        assert counted(account)["sms", 18][1] == 0

    def test_calls_count_where_they_rang_and_are_answered_by_the_customer(self) -> None:
        account = account_in("UTC")
        day = TODAY - timedelta(days=3)
        called(account, moment(day, 18), reached=True, disposition="promise")
        called(account, moment(day, 18, 30), reached=False)
        called(account, moment(day, 19), reached=False, disposition="busy")
        self.count()
        tries, answers = counted(account)["call", 18]
        assert tries == pytest.approx(2 * answers, rel=0.01)
        assert ("call", 19) not in counted(account)

    def test_letters_and_what_never_left_or_bounced_count_for_nothing(self) -> None:
        account = account_in("UTC")
        at = moment(TODAY - timedelta(days=5))
        sent(account, at, channel="letter")
        sent(account, at, state="bounced")
        sent(account, at, state="withdrawn", sent_at=None)
        assert self.count() == 0

    def test_counting_goes_on_where_it_stopped_and_old_tries_fade(self) -> None:
        account = account_in("UTC")
        sent(account, moment(TODAY - timedelta(days=2), 5))
        assert self.count() == 1
        assert self.count() == 0  # the same again counts nothing twice

        later = self.NOW + timedelta(days=90)
        sent(account, later - timedelta(hours=49))
        assert self.count(later) == 1
        tries, answers = counted(account)["sms", 5]
        assert (tries, answers) == pytest.approx((1.5, 0), abs=0.01)

    def test_what_left_yesterday_waits_for_the_payments_of_the_morning_after(self) -> None:
        account = account_in("UTC")
        sent(account, self.NOW - timedelta(hours=30))
        assert self.count() == 0
        assert self.count(self.NOW + timedelta(days=1)) == 1

    def test_shards_together_count_everything_once(self) -> None:
        accounts = [account_in("UTC") for _ in range(5)]
        for account in accounts:
            sent(account, moment(TODAY - timedelta(days=5)))
        assert sum(self.count(shard=Shard(number, 3)) for number in (0, 1, 2, 0, 1, 2)) == 5

    def test_counting_takes_the_same_queries_for_one_and_for_many(self) -> None:
        taken: list[int] = []
        for many in (1, 40):
            for _ in range(many):
                sent(account_in("UTC"), self.NOW + timedelta(days=len(taken)) - timedelta(hours=50))
            with CaptureQueriesContext(connection) as queries:
                self.count(self.NOW + timedelta(days=len(taken)))
            taken.append(len(queries))
        assert taken[0] == taken[1]

    def test_switched_off_it_counts_and_says_nothing(self, settings: Any) -> None:
        account = learnt("UTC", hour=18)
        settings.DESK_BEST_MOMENT = False
        assert self.count() == 0
        assert not send_at(account, ZoneInfo("UTC"))
        assert habits.explain(account.customer_id, at=self.NOW) is None


def learnt(zone: str, hour: int, channel: str = "sms") -> Account:
    """A customer who answers at that hour of their day, and not at ten."""
    account = account_in(zone)
    for of, answers in ((10, 0.0), (hour, 6.0)):
        ContactHabit.objects.create(
            customer=account.customer, channel=channel, hour=of, tries=7, answers=answers, counted_to=moment(TODAY)
        )
    return account


def send_at(account: Account, zone: ZoneInfo, **more: Any) -> dict[int, datetime]:
    key = account.customer_id
    return habits.best_send_at([key], more.pop("channels", "sms"), day=TODAY, zones={key: zone}, **more)


@pytest.mark.django_db
@pytest.mark.usefixtures("_fresh")
class TestSending:
    def test_it_names_the_hour_in_the_customers_zone_and_follows_them_to_another(self) -> None:
        account = learnt("Europe/Madrid", hour=18)
        (here,), (there,) = send_at(account, MADRID).values(), send_at(account, NEW_YORK).values()
        assert (here.astimezone(MADRID).hour, here.astimezone(MADRID).date()) == (18, TODAY)
        assert there - here == timedelta(hours=5)  # the clocks of New York went forward two days before

    def test_it_is_the_same_each_time(self) -> None:
        account = learnt("UTC", hour=18)
        assert send_at(account, MADRID) == send_at(account, MADRID) != {}

    @pytest.mark.parametrize("allowed", [range(8, 12), [9], [20]])
    def test_it_stays_inside_the_hours_that_are_allowed(self, allowed: Any) -> None:
        account = learnt("UTC", hour=18)
        (found,) = send_at(account, MADRID, allowed_hours=allowed).values()
        assert found.astimezone(MADRID).hour in allowed

    def test_of_a_day_that_has_begun_only_the_rest_is_used(self) -> None:
        account = learnt("UTC", hour=18)
        noon, night = moment(TODAY, 19), moment(TODAY, 23)
        (found,) = send_at(account, ZoneInfo("UTC"), after=noon).values()
        assert noon <= found < night
        assert not send_at(account, ZoneInfo("UTC"), after=night)

    def test_a_fresh_book_and_a_customer_without_a_zone_are_left_as_they_were(self) -> None:
        fresh, known = account_in("UTC"), learnt("UTC", hour=18)
        keys = [fresh.customer_id, known.customer_id]
        assert habits.best_send_at(keys, "sms", day=TODAY, zones={fresh.customer_id: MADRID}) == {}

    def test_what_was_learnt_long_ago_is_forgotten(self) -> None:
        account = learnt("UTC", hour=18)
        key = account.customer_id
        later = TODAY + timedelta(days=365)
        assert habits.best_send_at([key], "sms", day=later, zones={key: MADRID}) == {}

    def test_a_thousand_customers_cost_the_queries_of_one(self) -> None:
        accounts = [learnt("UTC", hour=18) for _ in range(30)]
        habits.best_send_at([1], "sms", day=TODAY, zones={})
        taken = []
        for some in (accounts[:1], accounts):
            keys = [account.customer_id for account in some]
            cache.clear()
            with CaptureQueriesContext(connection) as queries:
                found = habits.best_send_at(keys, "sms", day=TODAY, zones=dict.fromkeys(keys, MADRID))
            taken.append((len(queries), len(found)))
        assert taken == [(2, 1), (2, 30)]

    def test_the_account_is_told_the_hour_its_reasons_and_the_strip(self) -> None:
        account = learnt("UTC", hour=18)
        told = habits.explain(account.customer_id, at=moment(TODAY))
        assert told is not None
        assert told.line.startswith("18:00 by SMS: answered 6 of 7 text messages between 18 and 19")
        best = max(told.hours, key=lambda hour: hour.rate)
        assert (best.hour, round(best.tries)) == (18, 7)

    def test_nothing_is_told_of_somebody_who_is_hardly_known(self) -> None:
        assert habits.explain(account_in("UTC").customer_id, at=datetime(2026, 3, 1, tzinfo=UTC)) is None
