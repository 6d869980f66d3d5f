from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from accounts.business_day import move_to
from accounts.models import Account, Hold
from agents import disputes, plans, promises
from agents.instalments import Instalment
from agents.models import PortalVisit, WorkItem
from collections_desk import journey
from collections_desk.portal import second_factor
from collections_desk.portal.asking import CONTACT_REQUESTED, OPENED
from collections_desk.portal.texts import LANGUAGES, TEXTS
from dunning.composing import pay_token
from tests.factories import TODAY, make_account, make_bill, make_customer, make_service, moment, owing, settled

pytestmark = pytest.mark.django_db

BORN = date(1971, 3, 27)
RIGHT = {"day": "27", "month": "3", "year": "1971"}
WRONG = {"day": "28", "month": "3", "year": "1971"}


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


@pytest.fixture
def account() -> Account:
    customer = make_customer(
        name="Ana Ruiz", language="en", birth_date=BORN, postal_code="28 013", phone="+34600111222"
    )
    return owing("100.00", "40.00", customer=customer)


def address(account: Account, tail: str = "") -> str:
    return f"/pay/{pay_token(account.ref)}/{tail}"


def opened(account: Account, answer: dict[str, str] | None = None) -> Client:
    """A browser that has answered the question."""
    client = Client()
    response = client.post(address(account), answer or RIGHT)
    assert response.status_code == 303
    return client


def ticket_in(client: Client, account: Account) -> dict[str, str]:
    found = re.search(r'name="ticket" value="(\w+)"', text(client.get(address(account))))
    assert found
    return {"ticket": found[1]}


def text(response: Any) -> str:
    return str(response.content.decode())


def test_nothing_personal_is_shown_before_the_question_is_answered(account: Account) -> None:
    response = Client().get(address(account))

    assert response.status_code == 200
    for secret in ("Ana", "Ruiz", account.customer.ref, "100.00", "140", "1971", "28013", "600111222"):
        assert secret not in text(response).replace(account.ref, "")
    assert not account.events.filter(kind=OPENED).exists()


def test_the_page_is_not_cached_indexed_or_passed_on(account: Account) -> None:
    for response in (Client().get(address(account)), opened(account).get(address(account)), Client().get("/pay/x/")):
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "no-referrer"
        assert "noindex" in response["X-Robots-Tag"]
        assert "<script" not in text(response)


@pytest.mark.parametrize("token", ["x", "A1~AAAAAAAAAAAAAAAA", "~", "A1", "%00~%00"])
def test_a_link_that_is_none_is_a_page_that_helps(token: str, settings: Any) -> None:
    response = Client().get(f"/pay/{token}/")
    assert response.status_code == 404
    assert settings.DESK_OPERATOR["phone"] in text(response)


def test_the_right_answer_shows_what_is_owed_and_how_to_pay(account: Account, settings: Any) -> None:
    page = text(opened(account).get(address(account)))

    assert "Hello Ana Ruiz" in page
    assert "€140.00" in page
    assert settings.DESK_OPERATOR["iban"] in page
    assert page.count(account.ref) >= 2
    assert all(bill.ref in page for bill in account.bills.all())


def test_opening_is_kept_once_and_without_personal_data(account: Account) -> None:
    client = opened(account)
    client.get(address(account))
    event = account.events.get(kind=OPENED)
    assert (event.actor, event.payload) == (f"customer:{account.customer.ref}", {})


@pytest.mark.parametrize(
    ("columns", "answer", "right"),
    [
        ({"postal_code": "28013"}, "28-013", True),
        ({"postal_code": "SW1A 1AA"}, "sw1a1aa", True),
        ({"postal_code": "28013"}, "28014", False),
        ({"kind": "business", "birth_date": BORN, "postal_code": "28013"}, "28013", True),
        ({"kind": "business", "phone": "+34 600 111-222"}, "1222", True),
        ({"kind": "business", "phone": "+34 600 111-222"}, "2222", False),
    ],
)
def test_who_has_no_birth_date_is_asked_for_something_else(columns: dict[str, Any], answer: str, right: bool) -> None:
    account = owing(customer=make_customer(**columns))
    response = Client().post(address(account), {"answer": answer})
    assert response.status_code == (303 if right else 422)


def test_who_is_hardly_known_is_asked_to_call() -> None:
    account = owing(customer=make_customer(name="Ana Ruiz"))
    response = Client().post(address(account), {"answer": ""})
    assert "Please call us" in text(response)
    assert "Ana" not in text(response)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"day": "x", "month": "3", "year": "1985"},
        {"day": "31", "month": "2", "year": "1985"},
        {"day": "1" * 5000, "month": "1", "year": "1"},
        {"answer": "\x00"},
    ],
)
def test_what_is_no_answer_costs_no_try(account: Account, form: dict[str, str]) -> None:
    assert Client().post(address(account), form).status_code == 422
    assert not PortalVisit.objects.exists()


def test_five_wrong_answers_shut_the_page_for_an_hour_also_for_the_right_one(account: Account) -> None:
    tried = [Client().post(address(account), WRONG) for _ in range(5)]

    assert [response.status_code for response in tried] == [422] * 4 + [429]
    assert "one more try" in text(tried[3])
    assert Client().post(address(account), RIGHT).status_code == 429
    assert Client().get(address(account)).status_code == 429
    assert PortalVisit.objects.count() == 5


def test_after_the_hour_the_page_opens_again(account: Account) -> None:
    at = moment()
    for minute in range(5):
        assert not second_factor.judge(account, second_factor.Factor.BIRTH_DATE, "x", at=at + timedelta(minutes=minute))
    last = at + timedelta(minutes=4)

    assert second_factor.shut_until(account, at=last + timedelta(minutes=59)) == last + timedelta(hours=1)
    assert second_factor.shut_until(account, at=last + timedelta(hours=1)) is None
    right = second_factor.judge(
        account, second_factor.Factor.BIRTH_DATE, BORN.isoformat(), at=last + timedelta(hours=1)
    )
    assert right


def test_wrong_answers_spread_over_hours_do_not_shut_it(account: Account) -> None:
    at = moment()
    for number in range(9):
        second_factor.judge(account, second_factor.Factor.BIRTH_DATE, "x", at=at + timedelta(minutes=20 * number))
    assert second_factor.shut_until(account, at=at + timedelta(minutes=161)) is None


def test_an_answer_holds_for_half_an_hour_and_for_its_account_alone(account: Account) -> None:
    client = opened(account)
    other = owing(customer=make_customer(name="Somebody Else", birth_date=BORN))
    session = client.session

    assert second_factor.is_in(session, account, at=timezone.now() + timedelta(minutes=29))
    assert not second_factor.is_in(session, account, at=timezone.now() + timedelta(minutes=31))
    assert "Somebody" not in text(client.get(address(other)))
    assert Client().post(address(other, "paid/"), ticket_in(client, account)).status_code == 303
    assert not Hold.objects.exists()


def test_who_has_paid_is_left_in_peace_for_a_week_once_a_month(account: Account) -> None:
    client = opened(account)
    sent = client.post(address(account, "paid/"), ticket_in(client, account))
    client.post(address(account, "paid/"), ticket_in(client, account))

    assert sent.status_code == 303
    hold = Hold.objects.get()
    assert (hold.reason, hold.starts_on, hold.ends_on) == ("payment_in_flight", TODAY, TODAY + timedelta(days=7))
    assert hold.placed_by == f"customer:{account.customer.ref}"
    page = text(client.get(address(account)))
    assert "until March 17, 2026" in page
    assert "I have paid</button>" not in page
    move_to(TODAY + timedelta(days=29))
    client.post(address(account, "paid/"), ticket_in(client, account))
    assert Hold.objects.count() == 1
    move_to(TODAY + timedelta(days=30))
    client.post(address(account, "paid/"), ticket_in(client, account))
    assert Hold.objects.count() == 2


def test_a_wish_to_be_called_is_a_task_for_a_person(
    account: Account, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    client = opened(account)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(address(account, "help/"), {**ticket_in(client, account), "reason": "cannot_pay"})
    journey.react_to_all(as_of=TODAY, at=timezone.now())
    client.post(address(account, "help/"), {**ticket_in(client, account), "reason": "cannot_pay"})

    assert account.events.get(kind=CONTACT_REQUESTED).payload == {"code": "cannot_pay"}
    assert WorkItem.objects.get(kind="task").reason == "The customer cannot pay all of it now"
    assert "We have your request" in text(client.get(address(account)))


@pytest.mark.parametrize("tail", ["paid/", "help/"])
@pytest.mark.parametrize("ticket", ["", "x" * 32])
def test_a_form_from_elsewhere_does_nothing(account: Account, tail: str, ticket: str) -> None:
    client = opened(account)
    assert client.post(address(account, tail), {"ticket": ticket, "reason": "call_back"}).status_code == 303
    assert Client().post(address(account, tail), {"reason": "call_back"}).status_code == 303
    assert not Hold.objects.exists()
    assert not account.events.filter(kind=CONTACT_REQUESTED).exists()
    assert client.get(address(account, tail)).status_code == 405


def test_a_reason_that_is_none_does_nothing(account: Account) -> None:
    client = opened(account)
    client.post(address(account, "help/"), {**ticket_in(client, account), "reason": "<script>"})
    assert not account.events.filter(kind=CONTACT_REQUESTED).exists()


def test_leaving_forgets_the_browser(account: Account) -> None:
    client = opened(account)
    client.post(address(account, "leave/"), ticket_in(client, account))
    assert "Ana" not in text(client.get(address(account)))


def test_what_is_disputed_promised_and_limited_is_said(account: Account) -> None:
    old, new = account.bills.order_by("due_on")
    words = {"actor": "agent:x", "as_of": TODAY, "at": moment()}
    disputes.open_dispute(account_id=account.pk, bill_ref=old.ref, amount=Decimal("30.00"), **words)
    promises.make(
        account_id=account.pk, amount=Decimal("40.00"), due_on=date(2026, 3, 20), bill_refs=[new.ref], **words
    )
    make_service(account, status="suspended", number="+34 600 1")

    page = text(opened(account).get(address(account)))

    assert "€110.00" in page
    assert "€30.00 is not right" in page
    assert "promised to pay €40.00 by March 20, 2026" in page
    assert "+34 600 1: switched off" in page
    assert "As soon as €110.00 has reached us" in page


def test_what_is_paid_in_instalments_is_due_with_them(account: Account) -> None:
    old, new = account.bills.order_by("due_on")
    plans.agree(
        account_id=account.pk,
        instalments=[Instalment(TODAY, Decimal("60.00")), Instalment(date(2026, 4, 10), Decimal("40.00"))],
        bill_refs=[old.ref],
        actor="agent:x",
        agent=None,
        as_of=TODAY,
        at=moment(),
    )
    page = text(opened(account).get(address(account)))
    assert '<p class="total">€100.00</p>' in page  # the first instalment, and the bill beside the plan
    assert re.search(r"In your instalments</dt><dd>€40.00", page)
    assert new.ref in page


def test_who_owes_nothing_is_told_so_and_asked_for_nothing() -> None:
    account = make_account(customer=make_customer(birth_date=BORN))
    page = text(opened(account).get(address(account)))
    assert "You owe nothing" in page
    assert "IBAN" not in page
    assert "I have paid</button>" not in page


def test_a_payer_is_shown_the_bills_of_accounts_that_pay_through_it(account: Account) -> None:
    child = make_account(parent=account, currency="EUR")
    bill = make_bill(child, "7.00")
    settled(child)
    page = text(opened(account).get(address(account)))
    assert bill.ref in page
    assert "€147.00" in page


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("es-MX", "Antes de mostrarle"),
        ("de", "Bevor wir"),
        ("hi", "कुछ दिखाने"),
        ("fr-CA", "Avant de vous montrer"),
        ("ar-EG", "قبل أن نعرض"),
        ("pt", "Before we"),
        ("", "Before we"),
    ],
)
def test_the_page_speaks_the_customers_language(language: str, says: str) -> None:
    account = owing(customer=make_customer(language=language, birth_date=BORN))
    assert says in text(Client().get(address(account)))


def test_a_page_in_arabic_runs_from_right_to_left() -> None:
    account = owing(customer=make_customer(language="ar-EG", birth_date=BORN))
    assert '<html lang="ar" dir="rtl">' in text(Client().get(address(account)))
    assert '<html lang="en" dir="ltr">' in text(Client().get(address(account) + "?lang=en"))


def test_another_language_may_be_chosen_and_is_kept_through_the_forms(account: Account) -> None:
    client = opened(account)
    page = text(client.get(address(account) + "?lang=de"))
    assert 'lang="de"' in page
    assert "paid/?lang=de" in page
    sent = client.post(address(account, "paid/?lang=de"), ticket_in(client, account))
    assert sent["Location"] == address(account) + "?lang=de#paid"


class _NoKeyTwice(yaml.SafeLoader):
    pass


def _mapping(loader: _NoKeyTwice, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]  # type: ignore[no-untyped-call]
    assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)
    return loader.construct_mapping(node)


_NoKeyTwice.add_constructor("tag:yaml.org,2002:map", _mapping)


def texts(language: str) -> dict[str, str]:
    content: dict[str, str] = yaml.load((TEXTS / f"{language}.yaml").read_text(encoding="utf-8"), _NoKeyTwice)
    return content


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_fields(language: str) -> None:
    english = texts("en")
    fields = {key: sorted(Template(words).get_identifiers()) for key, words in texts(language).items()}
    assert fields == {key: sorted(Template(words).get_identifiers()) for key, words in english.items()}


def test_every_text_is_used() -> None:
    root = Path(__file__).parents[2]
    sources = [*(root / "templates/portal").glob("*.html"), *(root / "collections_desk/portal").glob("*.py")]
    used = " ".join(source.read_text(encoding="utf-8") for source in sources)
    # Named by a code.
    made = ("service_", "state_", "help_", "complaint_on_", "feedback_about_", "feedback_score_", "feedback_why_")
    assert [key for key in texts("en") if not key.startswith(made) and not re.search(rf"\b{key}\b", used)] == []
