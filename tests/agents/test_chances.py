from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from agents import call_effects, chances, queue
from agents.chances import CallFacts, Counted, Effect
from agents.models import CallEffect, Interaction, Promise
from tests.factories import TODAY, make_agent, make_item, make_payment, moment, owing

NEW = {"reached": False, "promises_kept": 0, "promises_broken": 0}


def to_call(counted: Counted, bucket: str = "31-60", **more: object) -> CallFacts:
    return CallFacts(bucket=bucket, counted=counted, **{**NEW, **more})  # type: ignore[arg-type]


class TestBands:
    def test_a_band_says_how_old_whether_reached_and_what_became_of_promises(self) -> None:
        assert chances.band(bucket="1-30", **NEW) == "1-30|new|none"  # type: ignore[arg-type]
        assert chances.band(bucket="120+", reached=True, promises_kept=2, promises_broken=1) == "120+|reached|kept"
        assert chances.band(bucket="120+", reached=True, promises_kept=1, promises_broken=2) == "120+|reached|broken"


class TestTheChance:
    def test_nothing_counted_says_nothing(self) -> None:
        assert chances.chance(to_call(chances.counted({}))) is None

    def test_it_is_said_in_words_with_what_it_rests_on(self) -> None:
        counted = chances.counted({"31-60|new|none": Effect(412, 140), "1-30|new|none": Effect(400, 200)})

        found = chances.chance(to_call(counted))

        assert found is not None
        assert found.words == "34 % of such calls bring money or a promise (140 of 412)"

    def test_a_band_with_few_calls_is_drawn_towards_all_calls(self) -> None:
        many = {f"{bucket}|new|none": Effect(1_000, helped) for bucket, helped in (("1-30", 400), ("61-90", 200))}
        counted = chances.counted(many | {"31-60|new|none": Effect(2, 2)})

        found = chances.chance(to_call(counted))

        assert found is not None
        assert counted.prior is not None
        assert counted.prior.overall < found.rate < 0.6, "two of two is no certainty"

    def test_a_band_nobody_was_called_in_is_as_all_calls(self) -> None:
        counted = chances.counted({"1-30|new|none": Effect(100, 30)})

        found = chances.chance(to_call(counted))

        assert found is not None
        assert found.rate == pytest.approx(0.3)
        assert found.words == "30 % of such calls bring money or a promise (none like it yet: as all calls)"

    def test_bands_that_differ_by_chance_alone_are_drawn_together(self) -> None:
        drawn = random.Random(7)
        same = {f"{n}|new|none": Effect(50, sum(drawn.random() < 0.3 for _ in range(50))) for n in range(12)}

        prior = chances.prior_of(same)

        assert prior is not None
        assert prior.strength > 100

    def test_the_strength_of_the_prior_is_found_again(self) -> None:
        drawn = random.Random(11)
        bands = {}
        for number in range(400):
            share = drawn.betavariate(6, 14)  # a prior worth twenty calls, three in ten of which help
            bands[str(number)] = Effect(200, sum(drawn.random() < share for _ in range(200)))

        prior = chances.prior_of(bands)

        assert prior is not None
        assert prior.overall == pytest.approx(0.3, abs=0.02)
        assert prior.strength == pytest.approx(20, rel=0.25)


def called(account: Account, days_ago: int, **columns: object) -> Interaction:
    return Interaction.objects.create(
        **{
            "ref": f"I{Interaction.objects.count()}",
            "account": account,
            "direction": "outbound",
            "disposition": "no_answer",
            "at": moment() - timedelta(days=days_ago),
            **columns,
        }
    )


def promised(account: Account, days_ago: int, **columns: object) -> Promise:
    made_on = TODAY - timedelta(days=days_ago)
    return Promise.objects.create(
        **{
            "ref": f"P{Promise.objects.count()}",
            "account": account,
            "amount": Decimal(10),
            "made_on": made_on,
            "due_on": made_on + timedelta(days=5),
            "taken_by": "agent:nadia",
            **columns,
        }
    )


@pytest.mark.django_db
class TestCounting:
    def test_calls_whose_week_has_passed_are_counted_by_what_they_brought(self) -> None:
        paid, promised_to, nothing, late, fresh = (owing("50.00") for _ in range(5))
        called(paid, 20)
        make_payment(paid, "5.00", TODAY - timedelta(days=14))
        called(promised_to, 20)
        promised(promised_to, 20)
        called(nothing, 20)
        called(late, 20)
        make_payment(late, "5.00", TODAY - timedelta(days=12))
        called(fresh, 7)

        assert call_effects.count(as_of=TODAY) == 4, "the fifth may still help"

        [row] = CallEffect.objects.all()
        assert (row.calls, row.helped) == (4, 2), "what came on the eighth day came by itself"

    def test_counting_twice_counts_once_and_goes_on_where_it_stopped(self) -> None:
        account = owing("50.00")
        called(account, 20)
        called(account, 7)
        assert call_effects.count(as_of=TODAY) == 1
        assert call_effects.count(as_of=TODAY) == 0

        assert call_effects.count(as_of=TODAY + timedelta(days=1)) == 1
        assert sum(row.calls for row in CallEffect.objects.all()) == 2

    def test_a_band_is_that_of_the_day_of_the_call(self) -> None:
        account = owing("50.00")  # due on 15 October
        called(account, 140)  # 21 October
        called(account, 20, right_party=True)  # 18 February
        called(account, 15)
        promised(account, 60, status="broken", settled_on=TODAY - timedelta(days=50))

        call_effects.count(as_of=TODAY)

        assert {row.band: row.calls for row in CallEffect.objects.all()} == {
            "1-30|new|none": 1,
            "120+|new|broken": 1,
            "120+|reached|broken": 1,
        }

    def test_who_was_reached_in_a_call_that_was_undone_was_not_reached(self) -> None:
        account = owing("50.00")
        called(account, 20, right_party=True, undone_at=moment() - timedelta(days=20))
        called(account, 15)

        call_effects.count(as_of=TODAY)

        assert [(row.band.split("|")[1], row.calls) for row in CallEffect.objects.all()] == [("new", 1)]

    def test_what_was_paid_before_the_call_makes_the_debt_younger(self) -> None:
        account = owing("50.00", "60.00")  # due on 15 October and 15 November
        make_payment(account, "50.00", TODAY - timedelta(days=100))  # 30 November
        called(account, 90)  # 10 December

        call_effects.count(as_of=TODAY)

        assert CallEffect.objects.get().band == "1-30|new|none"

    @pytest.mark.parametrize(
        "columns", [{"direction": "inbound"}, {"kind": "sms"}, {"disposition": "busy"}, {"undone_at": moment()}]
    )
    def test_only_calls_of_ours_that_rang_count(self, columns: dict[str, object]) -> None:
        called(owing("50.00"), 20, **columns)

        assert call_effects.count(as_of=TODAY) == 0

    def test_money_that_went_back_did_not_help(self) -> None:
        account = owing("50.00")
        called(account, 20)
        payment = make_payment(account, "5.00", TODAY - timedelta(days=18))
        make_payment(account, "5.00", TODAY - timedelta(days=17), reverses=payment)

        call_effects.count(as_of=TODAY)

        assert CallEffect.objects.get().helped == 0

    def test_what_was_counted_is_in_the_score(self) -> None:
        account = owing("50.00")
        item = make_item(account)
        CallEffect.objects.create(band="120+|new|none", calls=412, helped=140, counted_on=TODAY)

        queue.rescore(as_of=TODAY, at=moment())

        item.refresh_from_db()
        [part] = [part for part in item.score_parts if part["name"] == "chance"]
        assert part["text"] == "34 % of such calls bring money or a promise (140 of 412): 17 points"


@pytest.mark.django_db
def test_an_agents_own_calls_count_for_everybody() -> None:
    account = owing("50.00")
    called(account, 20, agent=make_agent())

    assert call_effects.count(as_of=TODAY) == 1
