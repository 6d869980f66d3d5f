"""The figures page: who sees which scope, what an address reproduces, what is behind a number, and its files."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import business_day, settling
from accounts.models import Account
from agents import kpi_files, reporting, restating, snapshots
from agents.kpi_files import Column, Sheet
from agents.models import Agent, KpiTarget
from collections_desk import tasks
from tests.factories import (
    TODAY,
    make_account,
    make_agent,
    make_bill,
    make_item,
    make_payment,
    make_team,
    moment,
    settled,
)

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)
HERE = f"as_of={TODAY}&days=30&currency=EUR&scope=all&view=recorded"
#: Session, person, roles, lost claims, business date, what is kept, the record and the one before, trend, targets.
QUERIES = 12


@pytest.fixture(autouse=True)
def nothing_computing() -> None:
    cache.clear()


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def supervisor(**columns: Any) -> Client:
    return signed_in(make_agent("supervisor", **columns))


def late(amount: str = "100.00", **columns: Any) -> Account:
    account = make_account(**columns)
    make_bill(account, amount, issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    return account


def close(day: date = TODAY) -> None:
    business_day.move_to(day)
    settling.settle(as_of=day, at=moment(day))
    snapshots.close(as_of=day, at=moment(day, 23))


def figures(client: Client, query: str = HERE, path: str = "") -> Any:
    return client.get(f"/supervise/figures/{path}?{query}")


def asking(**changed: Any) -> str:
    """The address with something changed."""
    asked = dict(pair.split("=") for pair in HERE.split("&")) | {name: str(value) for name, value in changed.items()}
    return "&".join(f"{name}={value}" for name, value in asked.items())


def test_supervisors_finance_and_admins_see_figures_and_agents_do_not() -> None:
    late()
    close()
    for role in ("supervisor", "manager", "finance", "admin"):
        assert figures(signed_in(make_agent(role))).status_code == 200, role
    for role in ("agent", "specialist", "team_lead"):
        client = signed_in(make_agent(role))
        for path in ("", "trend/dso/", "accounts/overdue/", "accounts/overdue.csv", "figures.csv", "figures.xlsx"):
            assert figures(client, path=path).status_code == 403, (role, path)
        assert client.post("/supervise/figures/compute/", {}).status_code == 403
    assert figures(Client()).status_code == 302


def test_the_bare_address_is_completed_to_one_that_can_be_sent_to_somebody_else() -> None:
    late()
    close()

    answer = supervisor().get("/supervise/figures/")

    assert answer.status_code == 302
    assert answer["Location"] == f"/supervise/figures/?{HERE}"


def test_the_page_shows_every_figure_with_its_formula_and_why_one_has_no_value() -> None:
    make_payment(late(), "40.00", on=date(2026, 3, 1))
    close()

    answer = figures(supervisor())
    report, page = answer.context["report"], answer.content.decode()

    named = {line.kpi.name for line in report.lines}
    assert {"dso", "cei", "cei_monthly_sales", "recovery_rate", "roll_rates", "kept_rate", "csat"} <= named
    recovery = next(line for line in report.lines if line.key == "recovery_rate")
    assert (recovery.value, recovery.numerator, recovery.denominator) == (Decimal("40.0000"), 40, 100)
    assert "40.0\N{NO-BREAK SPACE}%" in page
    assert "<b>40 ÷ 100</b>" in page
    kept = next(line for line in report.lines if line.key == "kept_rate")
    assert (kept.value, kept.reason) == (None, "no promise fell due")
    assert "no promise fell due" in page
    assert page.count("n/a") >= 3


def test_the_address_reproduces_what_was_recorded_after_facts_were_dated_back() -> None:
    account = late()
    close(YESTERDAY)
    close()
    client = supervisor()
    before = figures(client, asking(as_of=YESTERDAY)).context["report"]

    make_payment(account, "100.00", on=YESTERDAY)
    settled(account)

    again = figures(client, asking(as_of=YESTERDAY)).context["report"]
    assert again == before
    assert again.receivables["overdue"] == "100.00"
    now = figures(client, asking(as_of=YESTERDAY, view="known")).context["report"]
    assert (now.live, now.receivables["overdue"]) == (True, "0.00")
    assert "Computed just now" in figures(client, asking(as_of=YESTERDAY, view="known")).content.decode()


def test_the_page_costs_the_same_few_queries_for_few_and_many_accounts_and_days(settings: Any) -> None:
    north = make_team("North")
    for day in (YESTERDAY - timedelta(days=30), YESTERDAY, TODAY):
        make_item(late(), team=north)
        close(day)
    client = supervisor()
    figures(client)
    with CaptureQueriesContext(connection) as few:
        figures(client)
    for _ in range(20):
        late(product="fibre")
    make_agent(team=make_team("South"))
    close()
    with CaptureQueriesContext(connection) as many:
        answer = figures(client)

    assert len(few) == len(many) <= QUERIES
    assert answer.context["report"].receivables["overdue_accounts"] == 23


def test_the_change_is_to_the_record_of_the_period_before_and_says_better_or_worse_in_words() -> None:
    account = late()
    close(TODAY - timedelta(days=7))
    make_payment(account, "25.00", on=date(2026, 3, 5))
    close()

    answer = figures(supervisor(), asking(days=7))

    recovery = next(line for line in answer.context["report"].lines if line.key == "recovery_rate")
    assert (recovery.before, recovery.change, recovery.improved) == (0, 25, True)
    page = answer.content.decode()
    assert "+25.0\N{NO-BREAK SPACE}points" in page
    assert ", better" in page


def test_a_target_is_said_to_be_met_in_words() -> None:
    make_payment(late(), "40.00", on=date(2026, 3, 1))
    KpiTarget.objects.create(kpi="recovery_rate", aim="at_least", value=35, from_on=TODAY, set_by="x")
    KpiTarget.objects.create(kpi="cure_rate", aim="at_least", value=50, from_on=TODAY, set_by="x")
    close()

    answer = figures(supervisor())

    met = {line.key: line.met for line in answer.context["report"].lines if line.target}
    assert met == {"recovery_rate": True, "cure_rate": False}
    page = answer.content.decode()
    assert re.search(r"#check\"/></svg>met</span>", page)
    assert re.search(r"#close\"/></svg>not met</span>", page)
    assert "at least 35.0\N{NO-BREAK SPACE}%" in page


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"as_of": "yesterday"}, 400),
        ({"as_of": "1776-07-04"}, 400),
        ({"as_of": TODAY + timedelta(days=1)}, 400),
        ({"days": "0"}, 400),
        ({"days": "1e3"}, 400),
        ({"days": "999999"}, 400),
        ({"days": "٣"}, 400),
        ({"currency": "XXL"}, 400),
        ({"currency": "USD"}, 404),
        ({"scope": "planet:Mars"}, 400),
        ({"scope": "all:North"}, 400),
        ({"scope": "team"}, 400),
        ({"scope": "team:Nowhere"}, 404),
        ({"view": "tomorrow"}, 400),
    ],
)
def test_a_forged_address_is_refused(changed: dict[str, Any], status: int) -> None:
    late()
    close()
    client = supervisor()
    for path in ("", "trend/dso/", "accounts/overdue/", "accounts/overdue.xlsx", "figures.csv"):
        assert figures(client, asking(**changed), path).status_code == status, path


def test_what_cannot_be_read_is_said_in_a_sentence() -> None:
    late()
    close()
    assert "A period has 1 to 3660 days." in figures(supervisor(), asking(days=0)).content.decode()


class TestTheTeamWall:
    """North's supervisor is kept to North."""

    @pytest.fixture
    def walled(self) -> Client:
        north, south = make_team("North"), make_team("South")
        make_item(late("100.00", ref="A-NORTH"), team=north)
        make_item(late("70.00", ref="A-SOUTH"), team=south)
        make_agent(username="nadia", team=north)
        make_agent(username="sven", team=south)
        close()
        return supervisor(username="nora", team=north, all_teams=False)

    def test_the_own_team_is_what_is_shown(self, walled: Client) -> None:
        answer = walled.get("/supervise/figures/", follow=True)

        assert answer.context["question"].scope.member == "North"
        assert answer.context["report"].receivables["open"] == "100.00"
        offered = {str(scope) for _code, _label, members in answer.context["dimensions"] for scope in members}
        assert "team:North" in offered
        assert not offered & {"all", "team:South", "agent:sven"}

    @pytest.mark.parametrize("scope", ["all", "team:South", "agent:sven", "product:fibre", "team:"])
    @pytest.mark.parametrize("path", ["", "trend/dso/", "accounts/overdue/", "accounts/overdue.csv", "figures.xlsx"])
    def test_every_other_scope_is_not_there(self, walled: Client, scope: str, path: str) -> None:
        assert figures(walled, asking(scope=scope), path).status_code == 404

    def test_computing_is_for_scopes_that_are_theirs_too(self, walled: Client) -> None:
        asked = dict(pair.split("=") for pair in asking(scope="team:South").split("&"))
        assert walled.post("/supervise/figures/compute/", asked).status_code == 404

    def test_accounts_behind_a_number_are_the_own_teams(self, walled: Client) -> None:
        page = figures(walled, asking(scope="team:North"), "accounts/overdue/").content.decode()
        assert "A-NORTH" in page
        assert "A-SOUTH" not in page
        everybody = figures(supervisor(), path="accounts/overdue/").content.decode()
        assert "A-NORTH" in everybody
        assert "A-SOUTH" in everybody

    def test_whoever_is_kept_to_a_team_and_has_none_sees_nothing(self, walled: Client) -> None:
        nobodys = supervisor(all_teams=False)
        assert figures(nobodys).status_code == 403
        assert nobodys.get("/supervise/").status_code == 403

    def test_todays_page_is_the_own_teams_too(self, walled: Client) -> None:
        page = walled.get("/supervise/").content.decode()
        assert "€100.00" in page
        assert "€70.00" not in page
        assert "€170.00" not in page


def test_a_day_without_a_record_says_so_and_what_there_is() -> None:
    late()
    close()
    client = supervisor()

    other_length = figures(client, asking(days=45)).content.decode()
    other_day = figures(client, asking(as_of=YESTERDAY)).content.decode()

    assert "Of this day 7, 30, 90 days are recorded, not 45." in other_length
    assert "Nothing was recorded at the close of this day." in other_day


def test_a_large_book_computes_what_is_not_recorded_in_a_worker_and_says_how_far_it_is(settings: Any) -> None:
    settings.DESK_FIGURES_AT_ONCE = 0
    late()
    close()
    client = supervisor()
    address = asking(days=45, view="known")
    asked = dict(pair.split("=") for pair in address.split("&"))
    assert "have not been computed yet" in figures(client, address).content.decode()

    client.post("/supervise/figures/compute/", asked)
    waiting = figures(client, address).content.decode()
    polled = figures(client, address, "progress/")
    tasks.restate_figures(as_of=TODAY.isoformat(), days=45)
    done = figures(client, address)

    assert "Being computed" in waiting
    assert "Being computed" in polled.content.decode()
    assert figures(client, address, "progress/")["HX-Refresh"] == "true"
    report = done.context["report"]
    assert (report.live, report.restated, report.days) == (False, True, 45)
    assert report.receivables["open"] == "100.00"


def test_a_computation_asked_for_twice_is_done_once() -> None:
    assert restating.ask(as_of=TODAY, days=45)
    assert restating.ask(as_of=TODAY, days=45)
    assert restating.progress(as_of=TODAY, days=45) is not None
    assert restating.progress(as_of=TODAY, days=46) is None


def test_the_trend_of_a_figure_is_a_table_of_its_days() -> None:
    account = late()
    for day in (YESTERDAY, TODAY):
        make_payment(account, "10.00", on=day)
        close(day)

    answer = figures(supervisor(), path="trend/recovery_rate/")

    assert answer.status_code == 200
    assert [on for on, _value in answer.context["line"].points] == [YESTERDAY, TODAY]
    assert "9 Mar 2026" in answer.content.decode()
    assert figures(supervisor(), path="trend/fame/").status_code == 404


def test_every_picture_of_a_chart_has_its_table() -> None:
    make_payment(late(), "40.00", on=date(2026, 3, 1))
    close()

    page = figures(supervisor()).content.decode()

    for canvas in re.findall(r'<canvas id="([a-z]+)-chart"', page):
        section = re.search(rf'<section[^>]*aria-labelledby="{canvas}-title".*?</section>', page, re.S)
        assert section is not None, canvas
        assert "<table" in section[0], canvas
    assert "ageing-chart" in page
    assert "Where money rolled" in page


def test_the_figures_as_csv_are_those_of_the_page() -> None:
    make_payment(late(), "40.00", on=date(2026, 3, 1))
    close()
    client = supervisor()
    report = figures(client).context["report"]

    answer = figures(client, path="figures.csv")

    assert answer["Content-Disposition"] == f'attachment; filename="figures-{TODAY}-30d-eur.csv"'
    rows = {row["kpi"]: row for row in csv.DictReader(io.StringIO(answer.getvalue().decode()))}
    assert list(rows) == [line.key for line in report.lines]
    assert (rows["recovery_rate"]["value"], rows["recovery_rate"]["as_of"]) == ("40.0000", str(TODAY))
    assert rows["kept_rate"]["value"] == ""
    assert rows["kept_rate"]["no_value_because"] == "no promise fell due"


def test_the_workbook_has_numbers_as_numbers_and_a_sheet_for_every_picture() -> None:
    make_payment(late(), "40.00", on=date(2026, 3, 1))
    close()

    answer = figures(supervisor(), path="figures.xlsx")

    book = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert book.testzip() is None
    names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
    assert {"Figures", "Receivables", "Ageing"} <= set(names)
    owed = book.read("xl/worksheets/sheet2.xml").decode()
    assert re.search(r"<v>60(\.0+)?</v>", owed)
    assert "<f>" not in owed


def test_what_a_spreadsheet_would_run_is_text_in_both_files() -> None:
    rows: list[list[Any]] = [
        ["=1+1", Decimal("-12.5"), 7, date(2026, 3, 1)],
        ["@cmd", None, None, None],
        ["-x", 0, 0, None],
    ]
    sheet = Sheet(
        "A/B", [Column("+name"), Column("owed", "amount"), Column("n", "number"), Column("on", "day")], rows, "KWD"
    )

    lines = list(csv.reader(io.StringIO("".join(kpi_files.as_csv(sheet)))))
    with kpi_files.as_xlsx([sheet]) as found:
        book = zipfile.ZipFile(io.BytesIO(found.read()))
    cells = book.read("xl/worksheets/sheet1.xml").decode()

    assert lines == [
        ["'+name", "owed", "n", "on"], ["'=1+1", "-12.500", "7", "2026-03-01"], ["'@cmd", "", "", ""],
        ["'-x", "0.000", "0", ""],
    ]  # fmt: skip
    assert "<f>" not in cells
    assert "&#39;=1+1" in cells or "'=1+1" in cells
    assert "<v>-12.5</v>" in cells
    assert 'name="A B"' in book.read("xl/workbook.xml").decode()


def test_the_accounts_behind_a_number_are_files_too_without_names() -> None:
    account = late(ref="=A1")
    close()
    client = supervisor()

    rows = list(csv.DictReader(io.StringIO(figures(client, path="accounts/overdue.csv").getvalue().decode())))
    book = figures(client, path="accounts/overdue.xlsx")

    assert [(row["account_id"], row["past_due"], row["currency"]) for row in rows] == [("'=A1", "100.00", "EUR")]
    assert account.customer.name not in str(rows)
    assert zipfile.ZipFile(io.BytesIO(b"".join(book.streaming_content))).testzip() is None


def test_a_long_list_has_pages_and_costs_the_same_for_all_of_them() -> None:
    for number in range(60):
        late(f"{100 + number}.00", ref=f"A-{number:03d}")
    close()
    client = supervisor()

    with CaptureQueriesContext(connection) as first_queries:
        first = figures(client, path="accounts/overdue/")
    with CaptureQueriesContext(connection) as second_queries:
        second = figures(client, f"{HERE}&page=2", "accounts/overdue/")

    assert [account.ref for account in first.context["page"]][:2] == ["A-059", "A-058"]
    assert len(second.context["page"].object_list) == 10
    assert len(first_queries) == len(second_queries) <= QUERIES
    assert 'href="/accounts/A-059/"' in first.content.decode()


def test_a_funnel_says_what_each_step_is_a_share_of() -> None:
    steps = [{"name": name, "n": n} for name, n in (("made", 9), ("fell_due", 8), ("kept", 4), ("broken", 2))]
    promises, contacts = (reporting.drawn({code: steps})[code].rows for code in ("promise_funnel", "contact_funnel"))

    assert [step.share for step in promises] == [None, None, 50, 25]
    assert [step.share for step in contacts][2:] == [50, 50]
    assert contacts[0].share is None


def test_a_drill_there_is_not_is_not_found() -> None:
    late()
    close()
    assert figures(supervisor(), path="accounts/everything/").status_code == 404


def test_targets_are_set_in_the_admin_by_whoever_may() -> None:
    admin = signed_in(make_agent("admin", username="ada"))
    form = {"kpi": "kept_rate", "team": "", "aim": "at_least", "value": "80", "from_on": "2026-01-01"}

    assert admin.get("/admin/agents/kpitarget/add/").status_code == 200
    admin.post("/admin/agents/kpitarget/add/", form)
    admin.post("/admin/agents/kpitarget/add/", form | {"kpi": "fame"})

    target = KpiTarget.objects.get()
    assert (target.kpi, target.value, target.set_by) == ("kept_rate", 80, "agent:ada")


def test_the_page_is_linked_from_todays_page_and_from_the_top() -> None:
    late()
    page = supervisor().get("/supervise/").content.decode()
    assert page.count('href="/supervise/figures/"') == 2
    assert "/supervise/figures/" not in signed_in(make_agent()).get("/queue/").content.decode()


def test_an_address_of_figures_that_are_not_kept_any_more_says_so_and_offers_to_compute_them(settings: Any) -> None:
    settings.DESK_FIGURES_KEPT_DAYS = 100
    make_item(late(), team=make_team("North"))
    old = TODAY - timedelta(days=150)
    close(old)
    close(old + timedelta(days=1))
    close()
    here = asking(as_of=old, scope="team:North")

    page = figures(supervisor(), here)
    assert page.status_code == 200
    assert "kept for 100 days" in page.content.decode()
    settings.DESK_FIGURES_AT_ONCE = 0
    page = figures(supervisor(), asking(as_of=old, scope="team:North", view="known"))
    assert "Compute them" in page.content.decode()
    assert figures(supervisor(), asking(as_of=old)).context["report"] is not None
    assert figures(supervisor(), asking(scope="team:South")).status_code == 404
    walled = make_agent("supervisor", team=make_team("South"), all_teams=False)
    assert figures(signed_in(walled), here).status_code == 404
