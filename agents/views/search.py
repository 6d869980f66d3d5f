"""Finding an account by whatever the caller gives: phone, name, e-mail, account, bill or service number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import phonenumbers
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.business_day import business_date
from accounts.models import Account, Bill, ContactPoint, Customer, Service
from agents import rights
from agents.views.session import DeskRequest, may

#: A search never lists more: whoever gets that many must say more.
MOST, MOST_IN_DROPDOWN = 50, 8
SHORTEST = 2
#: Where a number typed without its country may be from.
PHONE_REGIONS = ("US", "GB", "DE", "ES", "FR", "IT", "IN")


@dataclass(frozen=True, slots=True)
class Match:
    account: Account
    #: What of it matched.
    by: str


@may(rights.Act.WORK)
@require_safe
def search_page(request: DeskRequest) -> HttpResponse:
    """Matches on this side of the team wall: a dropdown for htmx, a page otherwise."""
    asked = " ".join(request.GET.get("q", "").split())[:100]
    dropdown = bool(request.htmx)
    most = MOST_IN_DROPDOWN if dropdown else MOST
    found = find(asked, rights.visible_accounts(request.user), most) if len(asked) >= SHORTEST else []
    context: dict[str, Any] = {
        "q": asked,
        "found": found,
        "most": most,
        "short": len(asked) < SHORTEST,
        "as_of": business_date(at=timezone.now()),
    }
    return render(request, "_found.html" if dropdown else "agents/search.html", context)


def find(asked: str, visible: QuerySet[Account], most: int) -> list[Match]:
    """The best matches, exact ids first; every question asked is answered by an index."""
    found: dict[int, Match] = {}

    def add(by: str, accounts: Iterable[Account]) -> None:
        for account in accounts:
            found.setdefault(account.pk, Match(account=account, by=by))

    accounts = visible.select_related("customer")
    spellings = list(dict.fromkeys((asked, asked.upper(), asked.lower())))
    add("account number", accounts.filter(_begins("ref", spellings)).order_by("ref")[:most])
    bills = Bill.objects.filter(_begins("ref", spellings)).order_by("ref")[:most]
    add("bill number", accounts.filter(pk__in=[bill.account_id for bill in bills]))
    numbers = phones(asked)
    services = Service.objects.filter(Q(ref__in=spellings) | Q(number__in=[*numbers, *spellings])).order_by("pk")[:most]
    add("service number", accounts.filter(pk__in=[service.account_id for service in services]))
    if numbers:
        add("phone", _of_customers(accounts, Customer.objects.filter(phone__in=numbers), most))
        points = ContactPoint.objects.filter(kind=ContactPoint.Kind.PHONE, value__in=numbers)[:most]
        add("phone", _of_customers(accounts, _owners(points), most))
    if "@" in asked:
        lower = asked.lower()
        add("e-mail", _of_customers(accounts, Customer.objects.filter(email__iexact=lower), most))
        points = ContactPoint.objects.filter(kind=ContactPoint.Kind.EMAIL, value__in=spellings)[:most]
        add("e-mail", _of_customers(accounts, _owners(points), most))
    elif len(found) < most and (words := _name_words(asked)):
        named = Customer.objects.annotate(words=SearchVector("name", config="simple")).filter(
            words=SearchQuery(words, search_type="raw", config="simple")
        )
        add("name", _of_customers(accounts, named, most))
    return list(found.values())[:most]


def phones(asked: str) -> list[str]:
    """Ways in which the number may be on file; none when this is no number."""
    digits = re.sub(r"\D", "", asked)
    if len(digits) < 5 or re.search(r"[^\d\s()+./-]", asked):
        return []
    written = [asked, digits, f"+{digits}"]
    for region in PHONE_REGIONS:
        try:
            number = phonenumbers.parse(asked, region)
        except phonenumbers.NumberParseException:
            continue
        written.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return list(dict.fromkeys(written))


def _begins(field: str, spellings: list[str]) -> Q:
    begins = Q()
    for spelling in spellings:
        begins |= Q(**{f"{field}__startswith": spelling})
    return begins


def _owners(points: Iterable[ContactPoint]) -> QuerySet[Customer]:
    return Customer.objects.filter(pk__in=[point.customer_id for point in points])


def _of_customers(accounts: QuerySet[Account], customers: QuerySet[Customer], most: int) -> list[Account]:
    """Their accounts; customers are found first, so that their own index is used."""
    chosen = list(customers.order_by("pk").values_list("pk", flat=True)[:most])
    return list(accounts.filter(customer__in=chosen).order_by("-overdue", "ref")[:most]) if chosen else []


def _name_words(asked: str) -> str:
    """Every word as the beginning of a word of the name, in any order."""
    return " & ".join(f"{word}:*" for word in re.findall(r"\w+", asked.lower()))
