"""The texts of notices in the admin: written beside what they come to, looked at, put in use; and who may."""

from __future__ import annotations

import copy
import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import ContactPoint
from dunning import notice_texts, text_forms
from dunning.models import NoticeText
from dunning.notice_texts import Key
from tests.factories import make_agent, make_customer, owing

pytestmark = pytest.mark.django_db

LIST = "/admin/dunning/noticetext/"
TEXT = f"{LIST}text/en/reminder/plain/"
PHRASES = f"{LIST}text/en/_phrases/plain/"
State = NoticeText.State
REMINDER = Key("reminder", "en")


def browser(role: str, name: str = "") -> Client:
    client = Client()
    client.force_login(make_agent(role, username=name or f"the-{role}"))
    return client


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    cache.delete(notice_texts.SPOKEN_KEY)


@pytest.fixture
def desk() -> Client:
    return browser("admin")


def text_of(response: Any) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def form(key: Key = REMINDER, **parts: str) -> dict[str, str]:
    """The form of a text as its page brings it, with some parts typed anew."""
    content = notice_texts.content_of(key)
    boxes = text_forms.parts_of(content, shared=key.is_shared)
    draft = NoticeText.objects.filter(template=key.template, state=State.DRAFT).first()
    seen = {"seen": draft.changed_at.isoformat()} if draft else {}
    return {**{part.name: text_forms.typed(part, content) for part in boxes}, **seen, **parts}


def kept(client: Client, **parts: str) -> NoticeText:
    assert client.post(TEXT, form(REMINDER, **parts)).status_code == 302
    return NoticeText.objects.get(state=State.DRAFT)


def put_in_use(client: Client, **parts: str) -> NoticeText:
    draft = kept(client, **parts)
    response = client.post(f"{TEXT}publish/", {"seen": draft.changed_at.isoformat(), "reason": "Clearer"})
    assert response.status_code == 302, text_of(response)
    draft.refresh_from_db()
    return draft


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_list_is_every_template_in_every_language_with_tone_state_and_who(desk: Client) -> None:
    shown = desk.get(LIST).content.decode()
    for language, files in notice_texts.shipped().items():
        for name in files:
            template, _, tone = name.partition(".")
            assert f"{LIST}text/{language}/{template}/{tone or 'plain'}/" in shown
    assert "plain as shipped" in text_of(desk.get(LIST))
    put_in_use(desk, subject="Anew")
    kept(desk, subject="And again")
    listed = text_of(desk.get(LIST))
    assert "plain version 1, the-admin," in listed
    assert "plain draft of version 2, the-admin," in listed


def test_a_template_of_a_new_name_begins_like_another(desk: Client) -> None:
    said = {"name": "second-reminder", "like": "reminder", "language": "es"}
    response = desk.post(f"{LIST}new/", said)
    assert response["Location"] == f"{LIST}text/es/second-reminder/plain/"
    assert NoticeText.objects.get().content == notice_texts.shipped()["es"]["reminder"]
    for wrong in ({**said}, {**said, "name": "Not so"}, {**said, "name": "x1", "language": "xx"}):
        desk.post(f"{LIST}new/", wrong)
    assert NoticeText.objects.count() == 1


# --- One text ---------------------------------------------------------------------------------------------------------


def test_a_page_brings_the_parts_and_the_fields_with_examples(desk: Client) -> None:
    shown = text_of(desk.get(TEXT))
    assert "Text message (SMS)" in shown
    assert "$total_due always $44.90" in shown
    assert "$opt_out_sms phrase Reply STOP to opt out." in shown
    assert "else: We have not yet received" in shown


def test_phrases_and_a_notice_that_itemizes_have_boxes_of_their_own(desk: Client) -> None:
    assert "Consequences Throttled, long" in text_of(desk.get(PHRASES))
    assert "The form to tear off Heading" in text_of(desk.get(f"{LIST}text/en/validation-notice/plain/"))


@pytest.mark.parametrize("tone", ["gentle", "firm"])
def test_a_tone_that_nobody_wrote_begins_with_the_plain_text(desk: Client, tone: str) -> None:
    assert "Thank you. Your service is active again." in text_of(desk.get(f"{LIST}text/en/restored/{tone}/"))


def test_what_is_typed_is_kept_as_a_draft_with_its_registration_and_nothing_is_said_yet(desk: Client) -> None:
    draft = kept(desk, subject="Anew", header="NRTHWD", entity_id=" 1101 ")
    assert (draft.content["subject"], draft.registration) == ("Anew", {"header": "NRTHWD", "entity_id": "1101"})
    assert (draft.changed_by, draft.version) == ("agent:the-admin", 1)
    assert notice_texts.content_of(Key("reminder", "en"))["subject"] != "Anew"
    shown = text_of(desk.get(TEXT))
    assert "What the draft changes" in shown
    assert "+ subject: Anew" in shown


def test_what_cannot_be_said_is_kept_and_told_beside_its_part(desk: Client) -> None:
    kept(desk, sms="Pay at once!")
    page = desk.get(TEXT).content.decode()
    assert 'id="problem-sms">sms must say $ask_to_pay_short or $consequence_short.' in page
    published = desk.post(f"{TEXT}publish/", {"reason": "x"})
    assert published.status_code == 422
    assert "sms must say $ask_to_pay_short" in text_of(published)
    assert not NoticeText.objects.filter(state=State.PUBLISHED).exists()


def test_somebody_elses_draft_is_not_written_over_and_what_was_typed_stays(desk: Client) -> None:
    mine = form(subject="Mine")
    kept(browser("admin", "other"), subject="Theirs")
    response = desk.post(TEXT, mine)
    assert response.status_code == 409
    assert "Somebody else" in text_of(response)
    assert ">Mine</textarea>" in response.content.decode()
    assert NoticeText.objects.get().content["subject"] == "Theirs"


def test_a_version_that_was_in_use_can_be_read_and_begun_from(desk: Client) -> None:
    first = put_in_use(desk, subject="First")
    put_in_use(desk, subject="Second")
    shown = text_of(desk.get(f"{LIST}{first.pk}/change/"))
    assert "First" in shown
    assert "+ subject: Second" in shown
    assert ">First</textarea>" in desk.get(f"{TEXT}?from={first.pk}").content.decode()


def test_a_draft_is_discarded(desk: Client) -> None:
    kept(desk, subject="Anew")
    desk.post(f"{TEXT}discard/")
    assert not NoticeText.objects.exists()


# --- What it comes to -------------------------------------------------------------------------------------------------


def test_the_counter_tells_alphabet_places_parts_and_cost_of_two_cases(desk: Client, settings: Any) -> None:
    settings.DESK_CHANNEL_COSTS = {"sms": "0.05"}
    shown = text_of(desk.post(f"{TEXT}measure/", form(sms="$operator_name.\n\n$ask_to_pay_short")))
    assert "A usual case : " in shown
    assert re.search(r"A usual case : \d+ places in GSM-7, \d parts?, 0\.\d0 each", shown), shown
    dear = text_of(desk.post(f"{TEXT}measure/", form(sms="$operator_name: ☎\n\n$ask_to_pay_short")))
    assert "places in UCS-2" in dear
    assert "Kept out of the cheap alphabet by ☎" in dear
    wrong = text_of(desk.post(f"{TEXT}measure/", form(sms="$nonsense")))
    assert "unknown field nonsense" in wrong


def test_a_text_is_shown_on_a_real_account_on_every_channel_and_nothing_is_kept(desk: Client) -> None:
    customer = make_customer(name="Ana <b>Bold</b>", language="en", country="US", address="1 Elm St", city="Austin")
    ContactPoint.objects.create(customer=customer, kind="phone", value="+12025550143")
    account = owing("80.00", customer=customer)
    response = desk.post(f"{TEXT}preview/", form(opening="<i>Hello</i>\n\n$ask_to_pay", account=account.ref))
    content = response.content.decode()
    for channel in ("sms", "email", "letter", "in_app", "voice"):
        assert f'class="channel-{channel}"' in content
    assert 'sandbox="" referrerpolicy="no-referrer"' in content
    assert "<i>Hello" not in content
    assert "<b>Bold" not in content
    assert "There is no usable address." in content
    assert account.notices.count() == 0
    assert "no account NOPE" in text_of(desk.post(f"{TEXT}preview/", form(account="NOPE")))


def test_the_letter_is_a_pdf_of_the_form_as_it_stands(desk: Client) -> None:
    account = owing("80.00", customer=make_customer(country="US", address="1 Elm St", city="Austin"))
    response = desk.post(f"{TEXT}letter.pdf", form(account=account.ref))
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response.content.startswith(b"%PDF")
    assert desk.post(f"{TEXT}letter.pdf", form(account="NOPE")).status_code == 422


# --- Putting it in use ------------------------------------------------------------------------------------------------


def test_a_text_is_put_in_use_with_a_reason_and_its_history_says_who(desk: Client) -> None:
    row = put_in_use(desk, subject="Anew")
    assert (row.state, row.published_by, row.reason) == (State.PUBLISHED, "agent:the-admin", "Clearer")
    shown = text_of(desk.get(TEXT))
    assert "In use: version 1, the-admin," in shown
    assert "In use, beside the text that ships with the desk" in shown
    assert desk.post(f"{TEXT}as-shipped/", {"reason": "Better so"}).status_code == 302
    assert "In use: as shipped, the-admin," in text_of(desk.get(TEXT))


def test_what_a_pack_asks_for_is_named_before_it_can_be_put_in_use(desk: Client) -> None:
    make_customer(country="US", region="TX", language="en")
    phrases = copy.deepcopy(notice_texts.shipped()["en"]["_phrases"])
    phrases["opt_out_email"] = "Goodbye."
    notice_texts.draft(
        template="_phrases", language="en", tone="plain", content=phrases, registration={}, actor="agent:x",
        at=timezone.now(),
    )  # fmt: skip
    asked = desk.get(f"{PHRASES}publish/")
    shown = text_of(asked)
    assert "What stands against it" in shown
    assert re.search(r"US-FED US-\S+ email en ", shown), shown
    assert "disabled" in asked.content.decode()
    assert desk.post(f"{PHRASES}publish/", {"reason": "x"}).status_code == 422
    assert not NoticeText.objects.filter(state=State.PUBLISHED).exists()


def test_a_draft_that_changed_since_it_was_looked_at_is_not_put_in_use(desk: Client) -> None:
    seen = kept(desk, subject="Anew").changed_at.isoformat()
    kept(desk, subject="Something else")
    assert desk.post(f"{TEXT}publish/", {"seen": seen, "reason": "x"}).status_code == 409
    assert NoticeText.objects.get().state == State.DRAFT


# --- Who may ----------------------------------------------------------------------------------------------------------

PAGES = (LIST, TEXT, PHRASES)
ACTS = (f"{LIST}new/", f"{TEXT}measure/", f"{TEXT}preview/", f"{TEXT}letter.pdf", f"{TEXT}discard/")


def test_a_supervisor_puts_in_use_and_writes_nothing(desk: Client) -> None:
    client = browser("supervisor")
    assert "readonly" in client.get(TEXT).content.decode()
    assert client.post(TEXT, form(subject="Mine")).status_code == 403
    draft = kept(desk, subject="Anew")
    assert client.post(f"{TEXT}discard/").status_code == 403
    client.post(f"{TEXT}publish/", {"seen": draft.changed_at.isoformat(), "reason": "Agreed"})
    assert NoticeText.objects.get().published_by == "agent:the-supervisor"


def test_a_supervisor_without_the_right_only_looks(desk: Client) -> None:
    kept(desk, subject="Anew")
    client = browser("supervisor")
    group = Group.objects.get(name="supervisor")
    group.permissions.remove(*group.permissions.filter(codename="publish_noticetext"))
    assert client.get(TEXT).status_code == 200
    for address in (f"{TEXT}publish/", f"{TEXT}as-shipped/"):
        assert client.get(address).status_code == 403
        assert client.post(address, {"reason": "x"}).status_code == 403
    assert NoticeText.objects.get().state == State.DRAFT


def test_an_agent_does_not_get_in(desk: Client) -> None:
    kept(desk, subject="Anew")
    client = browser("agent")
    for address in (*PAGES, f"{TEXT}publish/", f"{TEXT}as-shipped/"):
        assert client.get(address).status_code in (302, 403)
    for address in (*ACTS, TEXT, f"{TEXT}publish/", f"{TEXT}as-shipped/"):
        assert client.post(address, form(subject="x", reason="x")).status_code in (302, 403)
    row = NoticeText.objects.get()
    assert (row.state, row.content["subject"]) == (State.DRAFT, "Anew")


def test_texts_that_could_never_be_are_not_found(desk: Client) -> None:
    for place in ("xx/reminder/plain", "en/nothing/plain", "en/reminder/rude", "en/_phrases/gentle"):
        assert desk.get(f"{LIST}text/{place}/").status_code == 404
