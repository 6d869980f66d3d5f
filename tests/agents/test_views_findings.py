"""What the checks found over HTTP: who may open it, filters, the verdict with one key, an agent's own on their day."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.business_day import business_date
from accounts.models import Account
from agents.models import Agent, Finding, Note, WordCheck
from dunning import writing
from dunning.models import Case, Notice
from tests.dunning.test_writing import residential
from tests.factories import TODAY, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

LIST = "/supervise/quality/findings/"


def account_of(name: str = "Frida") -> Account:
    return owing("100.00", as_of=business_date(at=timezone.now()), customer=make_customer(name=name))


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def finding(agent: Agent | None = None, *, of: Account | None = None, **columns: Any) -> Finding:
    account = of or account_of()
    note = Note.objects.create(account=account, text="He is a liar.", at=timezone.now(), by="agent:x")
    given = {
        "account": account, "note": note, "agent": agent, "check_code": "insult-en", "severity": "breach",
        "excerpt": "He is a liar.", "found_at": timezone.now(),
    }  # fmt: skip
    return Finding.objects.create(**(given | columns))


def finding_in_a_text() -> Finding:
    account = account_of("Tilda Text")
    version = writing.publish(
        writing.save_draft(residential(), actor="import", at=moment()), actor="import", at=moment()
    )
    case = Case.objects.create(account=account, version=version, opened_on=TODAY, warnings_from=TODAY)
    notice = Notice.objects.create(
        account=account, customer=account.customer, case=case, key="n1", step_code="final", channel="sms",
        template="final-notice", currency="EUR", made_on=TODAY, language="en", body="PAY NOW OR ELSE",
    )  # fmt: skip
    return finding(of=account, note=None, notice=notice, check_code="shouting", severity="warn", excerpt="PAY NOW")


@pytest.fixture
def boss() -> Client:
    return signed_in(make_agent("supervisor"))


class TestWhoMayOpenIt:
    @pytest.mark.parametrize(
        ("role", "status"),
        [
            ("supervisor", 200),
            ("manager", 200),
            ("team_lead", 200),
            ("agent", 403),
            ("specialist", 403),
            ("finance", 403),
        ],
    )
    def test_only_who_reviews_the_work_of_others(self, role: str, status: int) -> None:
        client = signed_in(make_agent(role))
        assert client.get(LIST).status_code == status
        if status == 403:
            assert client.post(f"{LIST}{finding().pk}/judge/", {"verdict": "right"}).status_code == 403

    def test_visitors_sign_in_first(self) -> None:
        assert "/login/" in Client().get(LIST)["Location"]

    def test_a_supervisor_of_one_team_sees_and_judges_theirs_alone(self) -> None:
        north, south = make_team("North"), make_team("South")
        mine, other = finding(make_agent(team=north)), finding(make_agent(team=south), of=account_of("Other Ole"))
        client = signed_in(make_agent("supervisor", team=north, all_teams=False))
        shown = client.get(LIST).content.decode()
        assert "Frida" in shown
        assert "Other Ole" not in shown
        assert client.post(f"{LIST}{other.pk}/judge/", {"verdict": "right"}).status_code == 404
        assert client.post(f"{LIST}{mine.pk}/judge/", {"verdict": "right"}).status_code == 302

    def test_an_account_that_another_team_has_is_out_of_sight(self) -> None:
        north, south = make_team("North"), make_team("South")
        hidden = finding(make_agent(team=north))
        make_item(hidden.account, team=south)
        client = signed_in(make_agent("supervisor", team=north, all_teams=False))
        assert "Frida" not in client.get(LIST).content.decode()
        assert client.post(f"{LIST}{hidden.pk}/judge/", {"verdict": "right"}).status_code == 404

    def test_nobody_judges_what_was_found_in_their_own_words(self) -> None:
        lead = make_agent("team_lead", team=make_team())
        own = finding(lead)
        client = signed_in(lead)
        assert "somebody else says" in client.get(LIST).content.decode()
        assert client.post(f"{LIST}{own.pk}/judge/", {"verdict": "right"}).status_code == 403


class TestTheList:
    def test_it_names_the_check_the_rule_the_words_and_the_account(self, boss: Client) -> None:
        row = finding(make_agent(first_name="Nadia", last_name="Nord"))
        shown = boss.get(LIST).content.decode()
        for words in (
            "An insult (en)",
            "15 U.S.C. 1692d(2)",
            "He is a liar.",
            "Nadia Nord",
            f"/accounts/{row.account.ref}/",
        ):
            assert words in shown

    def test_of_a_text_it_names_the_policy_and_the_step(self, boss: Client) -> None:
        row = finding_in_a_text()
        shown = boss.get(LIST).content.decode()
        assert "final-notice" in shown
        assert str(row.notice.case.version) in shown  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("asked", "texts", "notes"),
        [
            ("of=notice", True, False),
            ("of=note", False, True),
            ("check=shouting", True, False),
            ("severity=breach", False, True),
            ("step=residential+final", True, False),
            ("step=residential+other", True, True),  # no choice of the list: left out
            ("verdict=wrong", False, False),
            ("verdict=open", True, True),
            ("since=2100-01-01", False, False),
            ("until=2000-01-01", False, False),
            ("agent=nobody-like-that", True, True),
            ("since=yesterday&severity=huge", True, True),
        ],
    )
    def test_it_is_narrowed(self, boss: Client, asked: str, texts: bool, notes: bool) -> None:
        finding(make_agent())
        finding_in_a_text()
        rows = boss.get(f"{LIST}?{asked}").context["rows"]
        assert {row.finding.check_code for row in rows} == {
            *(["shouting"] if texts else []), *(["insult-en"] if notes else []),
        }  # fmt: skip

    def test_by_whose_work_it_is(self, boss: Client) -> None:
        nadia = make_agent()
        finding(nadia)
        finding(make_agent())
        rows = boss.get(f"{LIST}?agent={nadia.username}").context["rows"]
        assert [row.finding.agent for row in rows] == [nadia]

    def test_it_takes_the_same_queries_for_many(self, boss: Client) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as watched:
                boss.get(LIST)
            return len(watched)

        finding(make_agent())
        finding_in_a_text()
        few = queries()
        for number in range(8):
            finding(make_agent(), of=account_of(f"Person {number}"))
        assert queries() <= few

    def test_nothing_found_says_so(self, boss: Client) -> None:
        assert "Nothing was found" in boss.get(LIST).content.decode()


class TestTheVerdict:
    def test_with_the_page_it_goes_back_to_the_list(self, boss: Client) -> None:
        row = finding()
        assert boss.post(f"{LIST}{row.pk}/judge/", {"verdict": "wrong"})["Location"] == LIST
        row.refresh_from_db()
        assert row.verdict == "wrong"

    def test_with_a_key_the_row_answers(self, boss: Client) -> None:
        row = finding()
        answer = boss.post(f"{LIST}{row.pk}/judge/", {"verdict": "right"}, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert f'id="finding-{row.pk}"' in answer.content.decode()
        assert 'aria-pressed="true"' in answer.content.decode()

    def test_there_are_two_verdicts(self, boss: Client) -> None:
        assert boss.post(f"{LIST}{finding().pk}/judge/", {"verdict": "maybe"}).status_code == 422
        assert boss.post(f"{LIST}999999/judge/", {"verdict": "right"}).status_code == 404
        assert boss.get(f"{LIST}1/judge/").status_code == 405

    def test_the_admin_shows_how_often_each_check_was_right(self, boss: Client) -> None:
        for verdict in ("right", "right", "wrong", ""):
            finding(verdict=verdict)
        page = signed_in(make_agent("admin")).get("/admin/agents/wordcheck/?q=insult-en").content.decode()
        assert "67%" in page


class TestTheAdmin:
    def form(self, **columns: Any) -> dict[str, Any]:
        return {
            "code": "own", "title": "Ours", "kinds": ["note"], "severity": "warn", "words": "one\ntwo words\n\none",
            "active": "on", **columns,
        }  # fmt: skip

    def test_a_check_is_written_one_word_a_line(self) -> None:
        admin = signed_in(make_agent("admin"))
        answer = admin.post("/admin/agents/wordcheck/add/", self.form())
        assert answer.status_code == 302
        assert WordCheck.objects.get(code="own").words == ["one", "two words"]

    @pytest.mark.parametrize(
        ("columns", "says"),
        [
            ({"words": ""}, "What is looked for?"),
            ({"patterns": "("}, "is no regular expression"),
            ({"patterns": "a*"}, "finds something in every text"),
            ({"words": "x" * 81}, "At most 80 signs"),
            ({"kinds": []}, "required"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, columns: dict[str, Any], says: str) -> None:
        admin = signed_in(make_agent("admin"))
        assert says in admin.post("/admin/agents/wordcheck/add/", self.form(**columns)).content.decode()

    def test_what_is_built_in_is_switched_off_and_not_deleted(self) -> None:
        admin = signed_in(make_agent("admin"))
        check = WordCheck.objects.get(code="shouting")
        address = f"/admin/agents/wordcheck/{check.pk}"
        assert admin.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
        form = {
            "title": check.title,
            "kinds": ["notice"],
            "severity": "note",
            "why": check.why,
            "words": "",
            "patterns": "",
        }
        assert admin.post(f"{address}/change/", form).status_code == 302
        check.refresh_from_db()
        assert not check.active

    def test_supervisors_look_and_do_not_write(self) -> None:
        boss = signed_in(make_agent("supervisor"))
        assert boss.get("/admin/agents/wordcheck/").status_code == 200
        assert boss.post("/admin/agents/wordcheck/add/", self.form()).status_code == 403


class TestOnTheDay:
    def test_an_agent_finds_their_own_and_says_that_they_saw_it(self) -> None:
        nadia = make_agent()
        row = finding(nadia)
        client = signed_in(nadia)
        shown = client.get("/day/").content.decode()
        assert "1 of your notes to look at again" in shown
        assert "He is a liar." in shown
        client.post(f"/day/findings/{row.pk}/seen/")
        assert "to look at again" not in client.get("/day/").content.decode()

    def test_nobody_elses(self) -> None:
        row = finding(make_agent())
        other = signed_in(make_agent())
        assert "to look at again" not in other.get("/day/").content.decode()
        assert other.post(f"/day/findings/{row.pk}/seen/").status_code == 404
        assert Client().post(f"/day/findings/{row.pk}/seen/").status_code == 302
        row.refresh_from_db()
        assert row.seen_at is None

    def test_of_an_account_that_went_to_another_team_the_day_says_nothing(self) -> None:
        nadia = make_agent(team=make_team("North"))
        row = finding(nadia)
        make_item(row.account, team=make_team("South"))
        assert "to look at again" not in signed_in(nadia).get("/day/").content.decode()
