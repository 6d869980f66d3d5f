"""What a report says by mail: the record of its day and nothing else, in words, tables, charts and a spreadsheet."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from accounts.models import Account
from agents import report_mail, reports, snapshots
from agents.models import Agent, KpiTarget, Promise, ReportSchedule
from agents.report_mail import Mail, NothingRecorded
from agents.scopes import EVERYTHING, Scope
from tests.agents.reported import close, late, ordered, supervisor
from tests.factories import TODAY, make_customer, make_item, make_payment, make_team, moment

pytestmark = pytest.mark.django_db

WEEK_BEFORE = TODAY - timedelta(days=7)
SPACE = "\N{NO-BREAK SPACE}"


def mail_of(schedule: ReportSchedule, day: date = TODAY, language: str = "en") -> Mail:
    content = report_mail.content_of(schedule, as_of=day, language=language)
    return report_mail.mail_of(content, recipient=schedule.recipients.first(), stop_url="https://desk/stop/1/")


def two_weeks() -> Account:
    """A book recorded a week ago and today: of 100 past due 40 were paid, and another 30 is late."""
    account = late("100.00")
    close(WEEK_BEFORE)
    make_payment(account, "40.00", on=TODAY)
    late("30.00")
    close(TODAY)
    return account


class Read(HTMLParser):
    """The tags of a page with what they say, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += f" {data.strip()}"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_mail_says_what_the_record_of_the_day_says_in_both_its_bodies() -> None:
    two_weeks()
    person = supervisor()
    KpiTarget.objects.create(kpi="recovery_rate", aim="at_least", value=Decimal(50), from_on=WEEK_BEFORE, set_by="x")

    mail = mail_of(ordered(person))

    assert mail.subject == "The day: 7 days until 10 Mar 2026"
    for body in (mail.text, Read(mail.html).words):
        for said in ("€90.00", "€100.00", "Past due at the end", "Recovery rate", f"at least 50.0{SPACE}%", "not met"):
            assert said in body, said
    assert re.search(r"Open at the end +€90\.00 +€100\.00 +.€10\.00 +.", mail.text)
    assert re.search(rf"Recovery rate +30\.8{SPACE}% +0\.0{SPACE}% +\+30\.8{SPACE}points, better", mail.text)


def test_what_changed_most_stands_on_top_in_words_with_the_targets_that_are_missed() -> None:
    two_weeks()
    KpiTarget.objects.create(kpi="recovery_rate", aim="at_least", value=Decimal(50), from_on=WEEK_BEFORE, set_by="x")

    mail = mail_of(ordered(supervisor()))

    top = mail.text.partition("FIGURES")[0]
    assert f"Recovery rate rose from 0.0{SPACE}% to 30.8{SPACE}% (+30.8{SPACE}points), which is better." in top
    assert "0 of 1 targets are met." in top
    assert f"Not met: Recovery rate at 30.8{SPACE}%, target at least 50.0{SPACE}%." in top
    assert top.split("- ")[1].split(".")[0] in Read(mail.html).words


def test_without_a_record_of_the_period_before_it_says_so() -> None:
    late()
    close(TODAY)

    assert "Of the period before nothing is recorded to compare with." in mail_of(ordered(supervisor())).text


def test_it_is_the_record_as_it_stood_and_never_computed_anew() -> None:
    account = two_weeks()
    schedule = ordered(supervisor())
    before = mail_of(schedule).text
    make_payment(account, "60.00", on=WEEK_BEFORE + timedelta(days=2))
    later = TODAY + timedelta(days=1)
    close(later)
    snapshots.record(as_of=TODAY, at=moment(later), business_date=later)

    assert mail_of(schedule).text == before
    with pytest.raises(NothingRecorded):
        mail_of(schedule, TODAY - timedelta(days=3))


def test_a_recorded_scope_gets_its_own_figures_and_one_that_is_not_recorded_none() -> None:
    make_item(late("70.00"), team=make_team("North"))
    late("500.00")
    close(TODAY)
    person = supervisor()

    text = mail_of(ordered(person, scope=Scope("team", "North"))).text

    assert "Team: North" in text
    assert "€70.00" in text
    assert "500.00" not in text
    with pytest.raises(NothingRecorded):
        mail_of(ordered(person, scope=Scope("team", "South")))


def test_every_number_is_reproduced_by_its_link(client: Client) -> None:
    two_weeks()
    person = supervisor()
    client.force_login(person)

    mail = mail_of(ordered(person))

    links = {attrs["href"] for attrs in Read(mail.html).all("a") if "/supervise/figures/" in attrs["href"]}
    assert len(links) > 20
    for link in sorted(links):
        parts = urlsplit(link)
        assert "as_of=2026-03-10&days=7&currency=EUR&scope=all&view=recorded" in parts.query
        assert client.get(f"{parts.path}?{parts.query}").status_code == 200, link
        assert link in mail.text or "/figures/accounts/" in link
    page = next(link for link in links if "trend/recovery_rate/" in link)
    shown = client.get(page.removeprefix("http://127.0.0.1:8000")).content.decode()
    assert f"30.8{SPACE}%" in shown


def test_every_chart_is_a_picture_inside_the_mail_with_words_for_it_and_a_table_below() -> None:
    account = two_weeks()
    Promise.objects.create(
        ref="P-1", account=account, amount=Decimal(40), due_on=TODAY - timedelta(days=5), made_on=WEEK_BEFORE,
        status="kept",
    )  # fmt: skip
    later = TODAY + timedelta(days=1)
    close(later)
    mail = mail_of(ordered(supervisor()), later)

    page = Read(mail.html)
    pictures = {one.content_id: one for one in mail.enclosures if one.content_id}
    shown = page.all("img")
    assert {attrs["src"].removeprefix("cid:") for attrs in shown} == set(pictures)
    assert len(shown) >= 3
    for attrs in shown:
        assert len(attrs["alt"]) > 20
        picture = Image.open(io.BytesIO(pictures[attrs["src"].removeprefix("cid:")].content))
        assert picture.format == "PNG"
        assert picture.width == 1150
        assert len({colour for _count, colour in picture.getcolors(maxcolors=100_000) or []}) > 2
        after = mail.html[mail.html.index(attrs["src"]) :]
        assert after.index("<table") < after.index("</tbody>")
    assert "Bars: Made 0, Fell due 1, Kept 0, Part kept 0, Broken 1." in mail.html


def test_mail_programs_get_tables_and_inline_styles_and_nothing_to_load_or_run() -> None:
    two_weeks()

    mail = mail_of(ordered(supervisor()))

    page = Read(mail.html)
    assert not {"script", "link", "svg", "iframe", "object", "video", "form", "input"} & {tag for tag, _ in page.tags}
    assert all(attrs["src"].startswith("cid:") for attrs in page.all("img"))
    assert not re.search(r"url\(|@import|https?://[^\"<]*\.(png|css|js|woff)", mail.html)
    assert not [attrs for _tag, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    metas = {attrs.get("name"): attrs.get("content") for attrs in page.all("meta")}
    assert metas["color-scheme"] == "light dark"
    assert "prefers-color-scheme: dark" in mail.html
    for tag in ("td", "th"):
        assert all("style" in attrs for attrs in page.all(tag) if "class" in attrs)
    tables = page.all("table")
    assert all(attrs.get("role") == "presentation" for attrs in tables if "border-collapse" not in attrs["style"])
    assert all(attrs["scope"] in ("col", "row") for attrs in page.all("th"))


def test_no_customer_is_in_a_mail() -> None:
    account = late(customer=make_customer(name="Zebedee Quixote", ref="CUST-77"), ref="ACC-4711")
    close(WEEK_BEFORE)
    make_payment(account, "10.00")
    close(TODAY)

    mail = mail_of(ordered(supervisor()))

    workbook = zipfile.ZipFile(io.BytesIO(_xlsx(mail)))
    for said in (mail.text, mail.html, *(workbook.read(name).decode() for name in workbook.namelist())):
        for personal in ("Zebedee", "Quixote", "CUST-77", "ACC-4711"):
            assert personal not in said


def _xlsx(mail: Mail) -> bytes:
    [found] = [one.content for one in mail.enclosures if one.name.endswith(".xlsx")]
    return found


def test_the_spreadsheet_has_the_whole_page() -> None:
    two_weeks()

    workbook = zipfile.ZipFile(io.BytesIO(_xlsx(mail_of(ordered(supervisor())))))

    sheets = workbook.read("xl/workbook.xml").decode()
    for title in ("Figures", "Receivables", "Ageing"):
        assert f'name="{title}"' in sheets
    assert "recovery_rate" in workbook.read("xl/worksheets/sheet1.xml").decode()


def test_only_the_wanted_parts_are_in_it() -> None:
    two_weeks()
    person = supervisor()

    figures = mail_of(ordered(person, parts=["figures"])).text
    ageing = mail_of(ordered(person, parts=["ageing"])).text

    assert "OVERDUE BY AGE" not in figures
    assert "Recovery rate" in figures.partition("FIGURES")[2]
    assert "OVERDUE BY AGE" in ageing
    assert "FIGURES" not in ageing
    assert "Satisfied customers" not in figures
    assert "Satisfied customers" in mail_of(ordered(person, parts=["complaints"])).text


def test_each_currency_has_a_section_and_one_can_be_asked_for() -> None:
    late("100.00")
    late("9000", currency="JPY")
    late("12.345", currency="KWD")
    close(TODAY)
    person = supervisor()

    each = mail_of(ordered(person))
    one = mail_of(ordered(person, currency="JPY"))

    assert [each.text.index(f"=== {currency} ===") for currency in ("EUR", "JPY", "KWD")] == sorted(
        each.text.index(f"=== {currency} ===") for currency in ("EUR", "JPY", "KWD")
    )
    assert "12.345" in each.text
    assert "9,000" in one.text
    assert "100.00" not in one.text
    assert "9,000.00" not in one.text
    assert len({one.content_id for one in each.enclosures if one.content_id}) == len(
        [one for one in each.enclosures if one.content_id]
    )


def test_each_reader_gets_it_in_their_language_and_arabic_runs_from_the_right(settings: Any) -> None:
    settings.DESK_REPORT_DOMAINS = ["northwind.example"]
    two_weeks()
    german = supervisor(interface_language="de")
    schedule = ordered(german, outside=[("board@northwind.example", "ar")])

    inside, outside = schedule.recipients.order_by("pk")
    assert reports.language_of(german, inside) == "de"
    assert reports.language_of(None, outside) == "ar"
    assert reports.language_of(supervisor(interface_language="")) == "en"
    assert '<html lang="de" dir="ltr">' in mail_of(schedule, language="de").html
    assert re.search(r"90,00.€", mail_of(schedule, language="de").text)
    assert '<html lang="ar" dir="rtl">' in mail_of(schedule, language="ar").html


def test_a_mail_stays_under_a_megabyte_and_says_where_the_rest_is() -> None:
    two_weeks()
    schedule = ordered(supervisor())
    whole = mail_of(schedule)
    assert sum(len(one.content) for one in whole.enclosures) * 4 / 3 + len(whole.html) + len(whole.text) < 1_000_000

    small = report_mail.mail_of(report_mail.content_of(schedule, as_of=TODAY, language="en", largest=250_000))

    assert not [one for one in small.enclosures if one.name.endswith(".xlsx")]
    assert "figures/figures.xlsx?as_of=2026-03-10" in small.text
    assert "figures.xlsx?as_of=2026-03-10" in small.html
    for one in small.enclosures:
        assert f"cid:{one.content_id}" in small.html
    assert small.html.count("<img") == len(small.enclosures) < whole.html.count("<img")


def test_who_may_change_it_finds_the_way_and_everybody_the_end_of_it() -> None:
    two_weeks()
    mine, other = supervisor(), supervisor()
    schedule = ordered(mine, people=[mine, other])

    def of(reader: Agent) -> Mail:
        row = schedule.recipients.get(agent=reader)
        content = report_mail.content_of(schedule, as_of=TODAY, language="en")
        return report_mail.mail_of(content, recipient=row, stop_url="https://desk/stop/1/")

    page = f"/supervise/reports/{schedule.pk}/"
    assert page in of(mine).text
    assert page in of(mine).html
    assert page not in of(other).text + of(other).html
    for mail in (of(mine), of(other)):
        assert "https://desk/stop/1/" in mail.text
        assert 'href="https://desk/stop/1/"' in mail.html


def test_the_size_of_the_book_adds_no_question() -> None:
    two_weeks()
    schedule = ordered(supervisor())
    with CaptureQueriesContext(connection) as few:
        mail_of(schedule)
    for _ in range(5):
        make_item(late(), team=make_team())
    snapshots.close(as_of=TODAY, at=moment(TODAY, 2))
    with CaptureQueriesContext(connection) as many:
        mail_of(schedule)

    assert len(many) == len(few) <= 6


def test_words_of_a_title_are_words_and_no_markup() -> None:
    two_weeks()

    mail = mail_of(ordered(supervisor(), title='<b>Bold</b> & "brave"'))

    assert "<b>Bold" not in mail.html
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; &quot;brave&quot;" in mail.html
    assert '<b>Bold</b> & "brave"' in mail.text


def test_the_scope_is_said_in_words() -> None:
    assert report_mail.scope_in_words(EVERYTHING) == "The whole book"
    assert report_mail.scope_in_words(Scope("team", "North")) == "Team: North"
    assert report_mail.scope_in_words(Scope("segment", "")) == "Segment: none"
