"""Agencies in the admin: today's file, its download, and the agency's answer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import events, status
from accounts.models import Account, AccountEvent
from accounts.models.account import AccountStatus
from dunning.models import Agency, AgencyFile, Placement
from tests.factories import make_agent, owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def agency() -> Agency:
    return Agency.objects.create(code="northside", name="Northside Recoveries", commission_percent=18)


def placed(agency: Agency) -> Placement:
    at = timezone.now()
    today = at.date()
    account = owing("250.00", as_of=today)
    for target in (AccountStatus.COLLECTIONS, AccountStatus.AGENCY):
        status.move_account(account_id=account.pk, target=target, actor="x", at=at, on=today, reason="x")
    return Placement.objects.create(
        ref=f"desk-placement-{account.pk}-0", account=account, agency=agency, amount=250, placed_on=today
    )


def browser(role: str = "admin") -> Client:
    client = Client()
    client.force_login(make_agent(role, is_staff=True))
    return client


def files_page(agency: Agency) -> str:
    return reverse("admin:dunning_agency_files", args=[agency.pk])


def make(client: Client, agency: Agency) -> str:
    return client.post(reverse("admin:dunning_agency_make", args=[agency.pk]), follow=True).content.decode()


def test_the_file_of_today_is_made_listed_and_downloaded_and_made_once(agency: Agency) -> None:
    placement, client = placed(agency), browser()
    assert "in the next file" in client.get(files_page(agency)).content.decode()
    page = make(client, agency)
    assert "File 1: 1 placed, 0 recalled, 0 direct payments." in page
    assert placement.ref in page
    file = AgencyFile.objects.get()
    answer = client.get(reverse("admin:dunning_agency_download", args=[agency.pk, 1]))
    assert answer.content.decode() == file.content
    assert f"northside-00001-{file.made_on}.csv" in answer["Content-Disposition"]
    assert AccountEvent.objects.get(kind=events.PERSONAL_DATA_READ).payload == {"agency": "northside", "file": 1}
    assert "knows everything already" in make(client, agency)
    assert AgencyFile.objects.count() == 1


def test_the_answer_is_recorded_and_a_difference_stands_out(agency: Agency) -> None:
    (refused, *_others), client = [placed(agency) for _ in range(3)], browser()
    assert "Record the answer" in make(client, agency)
    address = reverse("admin:dunning_agency_answer", args=[agency.pk, 1])
    assert "it told of 3 placements" in client.get(address).content.decode()
    page = client.post(address, {"count": "1", "refused": f"{refused.ref} not our country"}, follow=True)
    shown = page.content.decode()
    assert "1 taken, 1 refused" in shown
    assert '<strong class="policy-incomplete">1 unaccounted for</strong>' in shown
    refused.refresh_from_db()
    assert (refused.refused_reason, refused.recalled_on) == ("not our country", timezone.now().date())
    assert Account.objects.get(pk=refused.account_id).status == AccountStatus.COLLECTIONS
    assert "The answer to this file came on" in client.post(address, {"count": "1"}).content.decode()


@pytest.mark.parametrize(
    ("refused", "said"),
    [("desk-placement-1", "Say why desk-placement-1"), ("nobody because", "did not tell of nobody")],
)
def test_an_answer_that_does_not_fit_is_asked_for_again(agency: Agency, refused: str, said: str) -> None:
    placed(agency)
    client = browser()
    make(client, agency)
    page = client.post(reverse("admin:dunning_agency_answer", args=[agency.pk, 1]), {"count": "1", "refused": refused})
    assert said in page.content.decode()
    assert AgencyFile.objects.get().acknowledged_on is None


def test_only_who_may_change_an_agency_sees_its_files(agency: Agency) -> None:
    placed(agency)
    make(browser(), agency)
    supervisor = browser("supervisor")
    assert supervisor.get(files_page(agency)).status_code == 403
    for name, arguments in (("make", []), ("download", [1]), ("answer", [1])):
        address = reverse(f"admin:dunning_agency_{name}", args=[agency.pk, *arguments])
        for act in (supervisor.get, supervisor.post):
            assert act(address).status_code in {403, 405}
    assert AgencyFile.objects.count() == 1


def test_an_agencys_terms_are_edited_and_its_code_is_not(agency: Agency) -> None:
    placed(agency)
    client = browser()
    address = reverse("admin:dunning_agency_change", args=[agency.pk])
    page = client.get(address).content.decode()
    assert files_page(agency) in page
    assert 'name="code"' not in page
    client.post(address, {"name": "Northside", "commission_percent": "12.5", "commission_tail_days": "30"})
    agency.refresh_from_db()
    assert (agency.commission_percent, agency.commission_tail_days) == (Decimal("12.5"), 30)
    listed = client.get(reverse("admin:dunning_agency_changelist")).content.decode()
    assert "northside" in listed


def test_a_file_that_does_not_exist_is_not_found(agency: Agency) -> None:
    assert browser().get(reverse("admin:dunning_agency_download", args=[agency.pk, 7])).status_code == 404
