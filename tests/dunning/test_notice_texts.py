"""The texts of notices in use: files with what was published over them, checked before it can be said to anybody."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as desk
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dunning import notice_texts, rule_packs, text_forms
from dunning.models import NoticeText
from dunning.notice_samples import House, samples
from dunning.notice_texts import CannotPublish, CannotWrite, Key
from dunning.text_messages import sms_segments
from dunning.wording import CHANNELS, WordingError, word_notice
from tests.factories import make_customer

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADA, BOB = "agent:ada", "agent:bob"
REMINDER = Key("reminder", "en")
State = NoticeText.State


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    cache.delete(notice_texts.SPOKEN_KEY)


def reminder(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(notice_texts.shipped()["en"]["reminder"]), **parts}


def drafted(content: Any = None, key: Key = REMINDER, *, by: str = ADA, **more: Any) -> NoticeText:
    return notice_texts.draft(
        template=key.template, language=key.language, tone=key.tone, content=content or reminder(),
        registration=more.pop("registration", {}), actor=by, at=more.pop("at", AT), **more,
    )  # fmt: skip


def published(content: Any = None, key: Key = REMINDER, *, minutes: int = 0) -> NoticeText:
    row = drafted(content, key)
    return notice_texts.publish(text_id=row.pk, actor=BOB, at=AT + timedelta(minutes=minutes), reason="Clearer")


def sms(template: str = "reminder", tone: str = "") -> str:
    house = House(name="Northwind", phone="+1 202 555 0100", bank="Bank", iban="X", url="https://desk.example")
    [usual, *_] = samples(language="en", country="US", house=house, today=AT.date())
    return word_notice(
        template=template, channel="sms", facts=usual.facts, wordings=notice_texts.in_use(), tone=tone
    ).text


# --- In use -----------------------------------------------------------------------------------------------------------


def test_what_is_published_is_said_at_once_and_a_draft_is_not() -> None:
    said = reminder(sms=["$operator_name says hello. $total_due is open.", "$ask_to_pay_short"])
    row = drafted(said)
    assert "says hello" not in sms()
    notice_texts.publish(text_id=row.pk, actor=BOB, at=AT, reason="Clearer")
    assert "Northwind says hello." in sms()
    row.refresh_from_db()
    assert (row.state, row.published_by, row.published_at, row.reason) == (State.PUBLISHED, BOB, AT, "Clearer")


def test_a_published_text_is_kept_as_it_was_when_the_next_takes_its_place() -> None:
    first = published(reminder(subject="First"))
    second = published(reminder(subject="Second"), minutes=5)
    first.refresh_from_db()
    assert (first.state, first.content["subject"]) == (State.RETIRED, "First")
    assert (second.version, notice_texts.content_of(REMINDER)["subject"]) == (2, "Second")
    with pytest.raises(CannotWrite, match="no draft any more"):
        notice_texts.publish(text_id=first.pk, actor=BOB, at=AT, reason="Again")
    with pytest.raises(CannotWrite, match="no draft any more"):
        notice_texts.discard(text_id=second.pk)


def test_back_to_the_desks_own_text_keeps_who_and_why() -> None:
    published(reminder(subject="First"))
    assert notice_texts.in_use() is not None
    back = notice_texts.go_back(template="reminder", language="en", tone="plain", actor=BOB, at=AT, reason="Better")
    assert notice_texts.content_of(REMINDER) == notice_texts.shipped()["en"]["reminder"]
    assert (back.version, back.content, back.published_by, back.reason) == (2, {}, BOB, "Better")
    with pytest.raises(CannotWrite, match="in use already"):
        notice_texts.go_back(template="reminder", language="en", tone="plain", actor=BOB, at=AT, reason="Better")


def test_a_template_of_ones_own_stays_while_a_tone_of_it_needs_it() -> None:
    published(reminder(), Key("second-reminder", "en"))
    gentle = copy.deepcopy(notice_texts.shipped()["en"]["reminder.gentle"])
    published(gentle, Key("second-reminder", "en", "gentle"))
    assert sms("second-reminder", "gentle") == sms("reminder", "gentle")
    with pytest.raises(CannotWrite, match="Other texts need it"):
        notice_texts.go_back(template="second-reminder", language="en", tone="plain", actor=BOB, at=AT, reason="Tidy")


def test_the_texts_in_use_cost_one_small_query_and_are_built_once() -> None:
    published()
    before = notice_texts.in_use()
    with CaptureQueriesContext(connection) as queries:
        assert notice_texts.in_use() is before
    assert len(queries) == 1
    assert "content" not in queries.captured_queries[0]["sql"]


def test_a_text_of_before_an_upgrade_that_cannot_be_said_is_left_out_and_named() -> None:
    broken = NoticeText.objects.create(
        template="reminder", language="en", content={"subject": "Only this"}, state=State.PUBLISHED, changed_at=AT,
        published_at=AT,
    )  # fmt: skip
    kept = published(reminder(sms=["$operator_name!", "$ask_to_pay_short"]), Key("upcoming", "en"))
    assert "reminder that" in sms()
    assert sms("upcoming").startswith("Northwind!")
    assert notice_texts.left_out() == [broken]
    assert kept.state == State.PUBLISHED


def test_phrases_that_a_newer_desk_needs_come_from_its_file() -> None:
    older = copy.deepcopy(notice_texts.shipped()["en"]["_phrases"])
    del older["voice_close"], older["labels"]["confidential"]
    older["opt_out_sms"] = "Text STOP to opt out."
    published(older, Key("_phrases", "en"))
    assert sms().endswith("Text STOP to opt out.")
    assert notice_texts.left_out() == []


# --- Drafts -----------------------------------------------------------------------------------------------------------


def test_a_draft_is_written_over_only_by_somebody_who_saw_it() -> None:
    first = drafted(reminder(subject="First"))
    with pytest.raises(CannotWrite, match="meanwhile") as refused:
        drafted(reminder(subject="Second"), by=BOB, at=AT + timedelta(minutes=1))
    assert refused.value.code == "conflict"
    drafted(reminder(subject="Second"), by=BOB, at=AT + timedelta(minutes=1), seen=AT)
    first.refresh_from_db()
    assert (first.content["subject"], first.changed_by) == ("Second", BOB)
    with pytest.raises(CannotWrite, match="meanwhile"):
        notice_texts.publish(text_id=first.pk, actor=ADA, at=AT, reason="x", seen=AT)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (Key("reminder", "xx"), "no texts in xx"),
        (Key("reminder", "en", "rude"), "no tone"),
        (Key("_phrases", "en", "gentle"), "no tone"),
        (Key("Second Reminder", "en"), "small letters"),
    ],
)
def test_texts_that_could_never_be_said_are_not_kept(key: Key, why: str) -> None:
    with pytest.raises(CannotWrite, match=why):
        drafted(key=key)
    assert not NoticeText.objects.exists()


def test_a_draft_without_a_reason_is_not_published() -> None:
    row = drafted()
    with pytest.raises(CannotWrite, match="Say why"):
        notice_texts.publish(text_id=row.pk, actor=BOB, at=AT, reason=" ")


# --- Before it is published -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "part", "why"),
    [
        ({"sms": ["Pay!"]}, "sms", "sms must say $ask_to_pay_short or $consequence_short"),
        ({"closing": ["Thank you."]}, "closing", "must say $get_help"),
        ({"subject": "$paid_so_far"}, "subject", "paid_so_far may be missing"),
        ({"subject": "$nonsense"}, "subject", "unknown field nonsense"),
        ({"voice": ["See $pay_url", "$ask_to_pay_short"]}, "voice", "pay_url"),
        ({"subject": "100 $"}, "subject", "a lone $"),
    ],
)
def test_what_cannot_be_said_to_everybody_names_its_part_and_nothing_is_published(
    parts: dict[str, Any], part: str, why: str
) -> None:
    row = drafted(reminder(**parts))
    with pytest.raises(CannotPublish) as refused:
        notice_texts.publish(text_id=row.pk, actor=BOB, at=AT, reason="x")
    [problem] = refused.value.problems
    assert why in problem.text
    assert problem.part in (part, "opening")
    row.refresh_from_db()
    assert row.state == State.DRAFT


def test_every_text_that_ships_can_be_said_with_every_sample_on_every_channel() -> None:
    wordings = notice_texts.in_use()
    for language in wordings.languages:
        for name in wordings.languages[language].templates:
            content = notice_texts.shipped()[language][name]
            template, _, tone = name.partition(".")
            found = notice_texts.problems(Key(template, language, tone or "plain"), content, registration={}, at=AT)
            assert [str(problem) for problem in found] == []


def american(**columns: Any) -> None:
    make_customer(country="US", region="TX", language="en-US", **columns)


def test_a_pack_of_a_market_whose_customers_read_it_is_asked_on_every_channel(settings: Any) -> None:
    american()
    phrases = copy.deepcopy(notice_texts.shipped()["en"]["_phrases"])
    phrases["opt_out_sms"] = "STOP"
    phrases["opt_out_email"] = "Goodbye."
    row = drafted(phrases, Key("_phrases", "en"))
    with pytest.raises(CannotPublish) as refused:
        notice_texts.publish(text_id=row.pk, actor=BOB, at=AT, reason="Shorter")
    named = {(problem.rule, problem.channel, problem.language) for problem in refused.value.problems}
    assert any(channel == "email" and language == "en" for _, channel, language in named), named
    assert {problem.pack for problem in refused.value.problems} <= set(rule_packs.in_force().packs)
    assert NoticeText.objects.get().state == State.DRAFT


def test_a_collector_for_others_says_that_it_is_one(settings: Any) -> None:
    american()
    settings.DESK_COLLECTOR_ROLE = "third_party"
    phrases = copy.deepcopy(notice_texts.shipped()["en"]["_phrases"])
    phrases["mini_miranda"] = phrases["mini_miranda_short"] = "Hello from us."
    found = notice_texts.problems(Key("_phrases", "en"), phrases, registration={}, at=AT)
    assert any("debt" in problem.text and problem.rule.startswith("US") for problem in found)
    own = notice_texts.shipped()["en"]["_phrases"]
    said = notice_texts.problems(Key("_phrases", "en"), own, registration={}, at=AT)
    assert not [problem for problem in said if "collect" in problem.text], [str(one) for one in said]


def test_advertising_in_a_notice_is_found_in_any_language() -> None:
    make_customer(country="IN", language="en-IN")
    texts = reminder(closing=["Upgrade now and get 50% off your next phone!", "$get_help"])
    found = notice_texts.problems(REMINDER, texts, registration={}, at=AT)
    assert any("advertising" in problem.text for problem in found), [str(one) for one in found]


def test_a_text_message_to_india_is_the_registered_one() -> None:
    make_customer(country="IN", language="en-IN")
    bare = reminder(sms=["$operator_name: $total_due is open.", "$ask_to_pay_short"])
    rule = "IN-UCC-02"
    found = [one for one in notice_texts.problems(REMINDER, bare, registration={}, at=AT) if one.rule == rule]
    assert found
    assert all((one.pack, one.channel) == ("IN", "sms") for one in found)
    assert "not registered" in found[0].text
    ids = {"entity_id": "1101", "header": "NRTHWD", "header_class": "service", "template_id": "1107"}
    other = {**ids, "words": "Your bill {#var#} is due"}
    found = [one for one in notice_texts.problems(REMINDER, bare, registration=other, at=AT) if one.rule == rule]
    assert "character by character" in found[0].text


def test_a_published_text_brings_its_registration_and_a_tone_has_the_plain_ones() -> None:
    ids = {
        "entity_id": "1101",
        "header": "NRTHWD",
        "header_class": "service",
        "template_id": "1107",
        "words": "{#var#}",
    }
    assert notice_texts.sender_of(template="reminder", language="en").header == ""
    row = drafted(registration=ids)
    assert notice_texts.sender_of(template="reminder", language="en").header == ""
    notice_texts.publish(text_id=row.pk, actor=BOB, at=AT, reason="Registered")
    for tone in ("", "plain", "gentle"):
        sender = notice_texts.sender_of(template="reminder", language="en", tone=tone)
        assert (sender.entity, sender.header, sender.template, sender.words) == ("1101", "NRTHWD", "1107", "{#var#}")


def test_a_market_without_readers_of_a_language_has_no_say_in_it() -> None:
    make_customer(country="IN", language="hi")
    found = notice_texts.problems(REMINDER, reminder(), registration={}, at=AT)
    assert not [one for one in found if one.pack == "IN"]


def test_html_in_a_text_is_text() -> None:
    said = reminder(opening=["<script>alert(1)</script> $total_due", "$ask_to_pay"])
    wordings = notice_texts.with_text(REMINDER, said)
    house = House(name="N", phone="1", bank="B", iban="X", url="https://desk.example")
    [usual, *_] = samples(language="en", country="US", house=house, today=AT.date())
    html = word_notice(template="reminder", channel="email", facts=usual.facts, wordings=wordings).html or ""
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_text_reaches_nothing_but_its_fields() -> None:
    for sneaky in ("${customer_name.__class__}", "{{ settings.SECRET_KEY }} $ask_to_pay ${x[0]}"):
        with pytest.raises(WordingError):
            notice_texts.with_text(REMINDER, reminder(subject=sneaky))


def test_samples_are_as_long_as_they_say() -> None:
    house = notice_texts.house()
    usual, longest, *others = samples(language="en", country="US", house=house, today=AT.date(), advice="0800")
    assert len(longest.facts.bills) == 12
    assert all(bill.paid == 0 for bill in longest.facts.bills)
    assert {one.facts.consequence for one in others} >= {"throttled", "suspended", "disconnected", "agency"}
    texts = [
        word_notice(template="reminder", channel="sms", facts=one.facts, wordings=notice_texts.in_use()).text
        for one in (usual, longest)
    ]
    assert sms_segments(texts[1]).segments > sms_segments(texts[0]).segments
    assert set(CHANNELS) == {"sms", "email", "letter", "in_app", "voice"}
    assert desk.DESK_OPERATOR["name"] == house.name


# --- As people type them ----------------------------------------------------------------------------------------------


def test_every_text_that_ships_is_the_same_after_it_was_typed() -> None:
    for files in notice_texts.shipped().values():
        for name, content in files.items():
            shared = name == "_phrases"
            posted = {
                part.name: text_forms.typed(part, content) for part in text_forms.parts_of(content, shared=shared)
            }
            again = text_forms.read(posted, content, shared=shared)
            assert [text_forms.typed(part, again) for part in text_forms.parts_of(again, shared=shared)] == list(
                posted.values()
            )
            assert again == content


def test_what_is_typed_becomes_texts_with_what_is_said_else() -> None:
    content = text_forms.read(
        {
            "subject": "Hello", "opening": "One\r\ngoes on.\r\n\r\nTwo $paid_so_far\nelse: Three\nelse:\n\n\n",
            "closing": "x", "sms": "y", "in_app": "z", "voice": "",
        },
        {"table": "bills", "pays": True, "voice": ["old"]},
        shared=False,
    )  # fmt: skip
    assert content == {
        "table": "bills", "pays": True, "subject": "Hello",
        "opening": ["One goes on.", ["Two $paid_so_far", "Three", ""]], "closing": ["x"], "sms": ["y"], "in_app": ["z"],
    }  # fmt: skip


def test_a_form_to_tear_off_keeps_its_boxes() -> None:
    content = {"table": "itemization", "tear_off": {"boxes": ["A", {"B": ["one", "two"]}]}}
    part = next(part for part in text_forms.parts_of(content, shared=False) if part.kind == "boxes")
    assert text_forms.typed(part, content) == "A\nB\n- one\n- two"
    assert text_forms.read({part.name: "A\nB\n- one\n- two"}, content, shared=False)["tear_off"]["boxes"] == [
        "A", {"B": ["one", "two"]},
    ]  # fmt: skip
