"""Fourteen hand-made accounts that open the demo book, each at its most telling moment on the book's last day.

A10001 is the classic of the trade: due on the 1st, reminded on the 5th, warned on the 12th, told on the 19th that
service is limited on the 25th, and handed to a person on day 32, who finds the reason and agrees instalments.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date
from operator import attrgetter
from random import Random

from collections_desk.demo.catalogue import Service, product_of
from collections_desk.demo.collecting import moment_in_office_hours, spoken_day, spoken_money, weekday_from
from collections_desk.demo.facts import Account, Bill, Call, Dispute, Hold, Plan, Promise, position
from collections_desk.demo.people import (
    AE,
    DE,
    ES,
    FR,
    GB,
    IN,
    US,
    Consent,
    ContactPoint,
    Country,
    Customer,
    Vulnerability,
    agrees_to_electronic,
)

FIRST_NUMBER = 10001
#: So many accounts are hand-made.
STORIES = 14
_MONTHS_BACK = 17


def showcase(*, last_day: int) -> Iterator[tuple[Customer, list[Account]]]:
    """The hand-made customers with their accounts, numbered without a gap from `FIRST_NUMBER`."""
    stories: tuple[Callable[[int, int], tuple[Customer, list[Account]]], ...] = (
        _sarah_miller,
        _riverside_freight,
        _walter_brandt,
        _lucia_fernandez,
        _rajesh_sharma,
        _marcus_johnson,
        _hotel_miramar,
        _kevin_doyle,
        _priya_nair,
        _daniel_reyes,
        _claire_dubois,
        _margaret_hughes,
        _fatima_al_mansoori,
    )
    number = FIRST_NUMBER
    for story in stories:
        customer, held = story(number, last_day)
        yield customer, held
        number += len(held)


def _customer(
    number: int,
    country: Country,
    city: str,
    *,
    name: str,
    postal_code: str,
    address: str,
    email: str,
    phone: str,
    birth_date: str = "",
    kind: str = "residential",
    language: str = "",
    since: int,
) -> Customer:
    customer = Customer(
        customer_id=f"C{number}",
        name=name,
        kind=kind,
        country=country,
        language=language or country.language,
        city=next(place for place in country.cities if place.name == city),
        postal_code=postal_code,
        address=address,
        email=email,
        phone=phone,
        birth_date=birth_date,
    )
    for channel, given in (("call", phone), ("sms", phone), ("email", email)):
        if given:
            customer.consents.append(Consent(channel, True, since, "contract"))
    return customer


def _account(
    number: int, customer: Customer, services: list[Service], *, opened: int, method: str, segment: str = "standard"
) -> Account:
    product = product_of(services)
    if customer.kind == "business":
        product = f"business_{product}"
    return Account(number, customer, services, opened, method, segment, product)


def _bills(account: Account, *, due: int, last_day: int, terms: int, extra: int) -> Bill:
    """Monthly bills, one of them due on `due`, which is returned; `extra` is its usage, the most of any month."""
    fees = sum(service.fee for service in account.services)
    centre = date.fromordinal(due)
    wanted = None
    for months in range(-_MONTHS_BACK, 8):
        years, index = divmod(centre.year * 12 + centre.month - 1 + months, 12)
        due_on = date(years, index + 1, min(centre.day, monthrange(years, index + 1)[1])).toordinal()
        if due_on - terms > last_day:
            break
        if due_on - terms <= last_day - 549:
            continue
        # usage follows a fixed pattern: these accounts look alike whatever the seed
        amount = fees + (extra * ((months * 37) % 11) // 14 if months else extra)
        bill = Bill(f"B{account.number}-{years}-{index + 1:02d}", due_on - terms, due_on, amount)
        account.bills.append(bill)
        if months == 0:
            wanted = bill
    if wanted is None:
        raise ValueError("the bill of the story lies outside the book")
    return wanted


def _paid(account: Account, *, before: int) -> None:
    """Every bill due before `before` was paid two days early."""
    for bill in account.bills:
        if bill.due < before:
            account.pay(day=bill.due - 2, amount=bill.amount, bill=bill)


def _call(account: Account, day: int, disposition: str, seconds: int, note: str, *, inbound: bool = False) -> None:
    call = Call(day, "inbound" if inbound else "outbound", disposition, seconds, note, account.customer.phone)
    zone = account.customer.city.timezone
    call.moment = moment_in_office_hours(day=day, zone=zone, rng=Random(f"{account.number}:{len(account.calls)}"))
    account.calls.append(call)


def _sarah_miller(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """One mobile line and broadband, never late before; 32 days past due, so handed to a person on the last day."""
    opened = last_day - 1412
    customer = _customer(
        number,
        US,
        "Columbus",
        name="Sarah Miller",
        postal_code="43215",
        address="418 Maple Avenue, Apt 6",
        email="sarah.miller@mail.example",
        phone="+16145550142",
        birth_date="1988-03-14",
        since=opened,
    )
    services = [Service("mobile", "+16145550142", 5500), Service("broadband", "", 5999)]
    account = _account(number, customer, services, opened=opened, method="card")
    late = _bills(account, due=last_day - 32, last_day=last_day, terms=21, extra=940)
    _paid(account, before=late.due)
    return customer, [account]


def _riverside_freight(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A business of twelve years' standing with six lines, that contests the roaming on one bill and pays nothing."""
    opened = last_day - 4460
    customer = _customer(
        number,
        US,
        "Chicago",
        name="Riverside Freight Partners LLC",
        kind="business",
        postal_code="60616",
        address="2200 South Dock Road, Suite 4",
        email="payables@riversidefreight.example",
        phone="+13125550110",
        since=opened,
    )
    customer.contact_points.append(ContactPoint("phone", "+13125550117", True, opened))
    services = [Service("mobile", f"+1773555010{line}", 5500) for line in range(1, 7)]
    services += [Service("broadband", "", 7999), Service("fixed", "+13125550110", 2499)]
    account = _account(number, customer, services, opened=opened, method="ach", segment="high_value")
    late = _bills(account, due=last_day - 41, last_day=last_day, terms=30, extra=24810)
    _paid(account, before=late.due)
    opened_on = weekday_from(late.due + 4)
    account.disputes.append(
        Dispute(late, 21240, opened_on, note="Roaming on two lines during a trip that had the travel pass booked")
    )
    _call(
        account,
        opened_on,
        "rpc_dispute",
        534,
        inbound=True,
        note="Dana in payables: drivers had the travel pass in Canada, roaming of 212.40 should not be there. "
        "Dispute opened, asked for the pass order",
    )
    _call(
        account,
        weekday_from(last_day - 10),
        "rpc_callback",
        96,
        "Payables: undisputed part sits with the owner for signature. Call back after their Friday run",
    )
    return customer, [account]


def _walter_brandt(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A pensioner whose alarm button runs over the fixed line: letters only, the line protected, under review."""
    opened = last_day - 6900
    customer = _customer(
        number,
        DE,
        "Berlin",
        name="Walter Brandt",
        postal_code="10439",
        address="Lindenstraße 27",
        email="",
        phone="+493023125184",
        birth_date="1941-11-02",
        since=opened,
    )
    customer.contact_points.append(ContactPoint("phone", "+493023125411", True, last_day - 400))
    customer.vulnerabilities.append(
        Vulnerability(
            "reliance",
            "high",
            last_day - 118,
            last_day + 12,
            "Alarm button runs over the fixed line, never cut. Daughter Heike helps, number on file",
        )
    )
    services = [Service("fixed", "+493023125184", 1795, protected=True), Service("tv", "", 1499)]
    account = _account(number, customer, services, opened=opened, method="bank_transfer", segment="gentle")
    late = _bills(account, due=last_day - 47, last_day=last_day, terms=14, extra=310)
    _paid(account, before=late.due)
    rang = weekday_from(last_day - 20)
    account.holds.append(
        Hold("vulnerability_review", rang, rang + 60, "Hospital stay, daughter sorts the post. Look again with her")
    )
    _call(
        account,
        rang,
        "third_party",
        340,
        inbound=True,
        note="Daughter rang: father in hospital since last month, she goes through his post. "
        "Nothing disclosed, sent her the authority form",
    )
    return customer, [account]


def _lucia_fernandez(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A promise over everything past due, made two weeks ago and broken last week."""
    opened = last_day - 830
    customer = _customer(
        number,
        ES,
        "Valencia",
        name="Lucía Fernández Ortega",
        postal_code="46003",
        address="Calle de la Paz 18, 3º B",
        email="lucia.fernandez@correo.example",
        phone="+34600000418",
        birth_date="1994-07-21",
        since=opened,
    )
    services = [
        Service("mobile", "+34600000418", 2000),
        Service("mobile", "+34600000419", 1500),
        Service("broadband", "", 3990),
    ]
    account = _account(number, customer, services, opened=opened, method="card")
    late = _bills(account, due=last_day - 52, last_day=last_day, terms=18, extra=1260)
    _paid(account, before=late.due)
    _call(account, weekday_from(last_day - 19), "no_answer", 0, "Rang out")
    made = weekday_from(last_day - 15)
    owed = position(account, made).past_due
    account.promises.append(Promise(owed, made, made + 6))
    _call(
        account,
        made,
        "rpc_promise",
        287,
        f"Between jobs, new contract signed. {spoken_money(owed, 'EUR')} on {spoken_day(made + 6)} when the "
        f"advance arrives",
    )
    _call(account, weekday_from(last_day - 4), "voicemail", 22, "Promise not kept. Mailbox, left name and number only")
    return customer, [account]


def _rajesh_sharma(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """Four instalments over two old bills, two of them paid, the current bills paid beside them."""
    opened = last_day - 1105
    customer = _customer(
        number,
        IN,
        "Pune",
        name="Rajesh Sharma",
        postal_code="411004",
        address="12, Shivaji Nagar",
        email="rajesh.sharma@dak.example",
        phone="+916000000218",
        birth_date="1979-01-30",
        since=opened,
    )
    services = [Service("broadband", "", 79900), Service("mobile", "+916000000218", 44900), Service("tv", "", 25000)]
    account = _account(number, customer, services, opened=opened, method="upi")
    made = weekday_from(last_day - 40)
    late = _bills(account, due=made - 38, last_day=last_day, terms=16, extra=21700)
    _paid(account, before=late.due)
    standing = position(account, made)
    each = standing.past_due // 4 // 100 * 100
    amounts = [each, each, each, standing.past_due - 3 * each]
    instalments = [(made + 6 + 30 * step, amount) for step, amount in enumerate(amounts)]
    account.plans.append(Plan(made, instalments, list(standing.bills), instalments[-1][0] + 6))
    for due, amount in instalments[:2]:
        account.pay(day=due - 1, amount=amount)
    for bill in account.bills:
        if made <= bill.due and bill.due - 1 <= last_day:
            account.pay(day=bill.due - 1, amount=bill.amount, bill=bill)
    account.payments.sort(key=attrgetter("day"))
    _call(
        account,
        made,
        "rpc_plan",
        611,
        f"Shop was closed for repairs. Four instalments, first on {spoken_day(made + 6)}, read back and accepted. "
        f"Keeps paying the current bill",
    )
    return customer, [account]


def _marcus_johnson(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A direct debit that the bank took back: past due again from its own date, nine days."""
    opened = last_day - 640
    customer = _customer(
        number,
        US,
        "Atlanta",
        name="Marcus Johnson",
        postal_code="30309",
        address="1077 Spring Street, Apt 21",
        email="marcus.johnson@inbox.example",
        phone="+14045550163",
        birth_date="1997-09-08",
        since=opened,
    )
    services = [Service("mobile", "+14045550163", 4500), Service("mobile", "+14045550164", 4500)]
    account = _account(number, customer, services, opened=opened, method="direct_debit")
    late = _bills(account, due=last_day - 9, last_day=last_day, terms=21, extra=620)
    _paid(account, before=late.due)
    account.bounce(account.pay(day=late.due, amount=late.amount, bill=late), day=late.due + 3)
    return customer, [account]


def _hotel_miramar(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A hotel out of season and its beach bar, an account of its own that the hotel pays for."""
    opened = last_day - 2980
    customer = _customer(
        number,
        ES,
        "Málaga",
        name="Hotel Miramar Costa S.L.",
        kind="business",
        postal_code="29016",
        address="Paseo de la Estación 3",
        email="administracion@miramarcosta.example",
        phone="+34951000018",
        since=opened,
    )
    hotel = _account(
        number,
        customer,
        [Service("broadband", "", 4990), Service("fixed", "+34951000018", 1750)] + [Service("tv", "", 2200)] * 4,
        opened=opened,
        method="bank_transfer",
    )
    bar = _account(
        number + 1,
        customer,
        [Service("broadband", "", 3990), Service("mobile", "+34600000777", 1500)],
        opened=opened + 700,
        method="bank_transfer",
    )
    bar.parent = hotel
    for account, overdue in ((hotel, 66), (bar, 35)):
        late = _bills(account, due=last_day - overdue, last_day=last_day, terms=30, extra=2400)
        _paid(account, before=late.due)
    _call(
        hotel,
        weekday_from(last_day - 12),
        "rpc_callback",
        154,
        "Owner: quiet months, group booking pays next week. Wants a call then",
    )
    return customer, [hotel, bar]


def _kevin_doyle(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """Gone: nothing paid for more than half a year, the number belongs to somebody else now. A case for write-off."""
    opened = last_day - 905
    customer = _customer(
        number,
        US,
        "Las Vegas",
        name="Kevin Doyle",
        postal_code="89104",
        address="2911 Sunset Road, Apt 12",
        email="kdoyle@quickmail.example",
        phone="+17025550155",
        birth_date="1990-12-19",
        since=opened,
    )
    services = [
        Service("mobile", "+17025550155", 7000, status="suspended"),
        Service("other", "", 999, status="suspended"),
    ]
    account = _account(number, customer, services, opened=opened, method="card")
    late = _bills(account, due=last_day - 196, last_day=last_day, terms=21, extra=880)
    _paid(account, before=late.due)
    account.bills = [bill for bill in account.bills if bill.issued < late.due + 100]
    _call(account, weekday_from(late.due + 36), "no_answer", 0, "Rang out, no machine")
    _call(
        account,
        weekday_from(late.due + 41),
        "wrong_number",
        31,
        "Not our customer, has had this number since spring. Mail comes back too",
    )
    return customer, [account]


def _priya_nair(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A promise that falls due tomorrow."""
    opened = last_day - 512
    customer = _customer(
        number,
        IN,
        "Bengaluru",
        name="Priya Nair",
        postal_code="560034",
        address="88, Lake View Road",
        email="priya.nair@patra.example",
        phone="+919000000346",
        birth_date="1992-05-11",
        since=opened,
    )
    services = [Service("mobile", "+919000000346", 59900), Service("broadband", "", 49900)]
    account = _account(number, customer, services, opened=opened, method="upi")
    late = _bills(account, due=last_day - 44, last_day=last_day, terms=16, extra=13500)
    _paid(account, before=late.due)
    made = weekday_from(last_day - 6)
    owed = position(account, made).past_due
    account.promises.append(Promise(owed, made, last_day + 1))
    _call(
        account,
        made,
        "rpc_promise",
        203,
        f"Salary delayed by the new payroll. {spoken_money(owed, 'INR')} on {spoken_day(last_day + 1)}, wants the "
        f"link by text",
    )
    return customer, [account]


def _daniel_reyes(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """New York City: the contract allows texts and mails about a debt, and so many contacts a week are the most."""
    opened = last_day - 760
    customer = _customer(
        number,
        US,
        "New York",
        name="Daniel Reyes",
        postal_code="10032",
        address="561 Washington Avenue, Apt 5C",
        email="daniel.reyes@homenet.example",
        phone="+16465550134",
        birth_date="1985-06-17",
        language="es",
        since=opened,
    )
    agrees_to_electronic(customer, day=opened)
    services = [Service("mobile", "+16465550134", 5500), Service("broadband", "", 5999)]
    account = _account(number, customer, services, opened=opened, method="card")
    late = _bills(account, due=last_day - 37, last_day=last_day, terms=21, extra=1180)
    _paid(account, before=late.due)
    _call(account, weekday_from(last_day - 6), "voicemail", 21, "Mailbox, left our name and number")
    return customer, [account]


def _claire_dubois(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """Barred for some days; pays when her salary comes."""
    opened = last_day - 1290
    customer = _customer(
        number,
        FR,
        "Lyon",
        name="Claire Dubois",
        postal_code="69003",
        address="14 rue des Lilas",
        email="claire.dubois@courriel.example",
        phone="+33639981204",
        birth_date="1990-04-02",
        since=opened,
    )
    services = [Service("mobile", "+33639981204", 1999), Service("broadband", "", 3999), Service("tv", "", 1200)]
    account = _account(number, customer, services, opened=opened, method="direct_debit")
    late = _bills(account, due=last_day - 39, last_day=last_day, terms=16, extra=1450)
    _paid(account, before=late.due)
    return customer, [account]


def _margaret_hughes(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """A debt adviser has spoken for her for some weeks: breathing space, and nobody asks her for money."""
    opened = last_day - 3015
    customer = _customer(
        number,
        GB,
        "Leeds",
        name="Margaret Hughes",
        postal_code="LS6 2HT",
        address="8 Chapel Street",
        email="margaret.hughes@post.example",
        phone="+447700900418",
        birth_date="1959-10-23",
        since=opened,
    )
    services = [Service("fixed", "+441134960072", 1900), Service("broadband", "", 3400)]
    account = _account(number, customer, services, opened=opened, method="bank_transfer")
    late = _bills(account, due=last_day - 48, last_day=last_day, terms=14, extra=610)
    _paid(account, before=late.due)
    return customer, [account]


def _fatima_al_mansoori(number: int, last_day: int) -> tuple[Customer, list[Account]]:
    """Reads Arabic, and asked to be called after five."""
    opened = last_day - 540
    customer = _customer(
        number,
        AE,
        "Dubai",
        name="فاطمة المنصوري",
        postal_code="",
        address="27, Al Wasl Road",
        email="fatima.mansoori@bareed.example",
        phone="+971500001862",
        birth_date="1993-02-09",
        since=opened,
    )
    services = [Service("mobile", "+971500001862", 20000), Service("broadband", "", 29900)]
    account = _account(number, customer, services, opened=opened, method="card")
    late = _bills(account, due=last_day - 34, last_day=last_day, terms=18, extra=4300)
    _paid(account, before=late.due)
    return customer, [account]
