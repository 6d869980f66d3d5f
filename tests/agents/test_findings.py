"""What is written down or sent is judged once at the close of the day, whatever kills it; people say what is right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from accounts import audit, events, wishes
from accounts.models import Account, AccountEvent
from agents import calls, findings, rights, timeline
from agents import kinds as talk
from agents.findings import CannotJudge
from agents.models import (
    Agent,
    CheckedText,
    CheckedUntil,
    Finding,
    Interaction,
    Note,
    Promise,
    WordCheck,
)
from collections_desk import journey
from dunning import kinds, writing
from dunning.models import Case, Notice, PolicyVersion
from tests.dunning.test_writing import residential
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

#: As if the database went away in the middle of the work.
BREAKS_AT_THE_SEVENTH = """
    CREATE FUNCTION pg_temp.breaks() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'gone'; END $$;
    CREATE TRIGGER breaks BEFORE INSERT ON agents_finding FOR EACH ROW
        WHEN (NEW.excerpt LIKE '%number 7%') EXECUTE FUNCTION pg_temp.breaks();
"""
NOW: dict[str, Any] = {"as_of": TODAY, "at": moment()}


def account_of(name: str = "Frida Falk", **columns: Any) -> Account:
    return owing("100.00", customer=make_customer(name=name, language="en", **columns))


def noted(text: str, *, by: Agent, of: Account | None = None) -> Note:
    return calls.add_note(account_id=(of or account_of()).pk, text=text, actor=rights.actor(by), **NOW)


def called(note: str, *, by: Agent, ref: str = "I1") -> Interaction:
    account = account_of()
    row = Interaction.objects.create(
        ref=ref, account=account, agent=by, direction="outbound", disposition="busy", at=moment(), note=note
    )
    events.record(
        account_id=account.pk, kind=talk.CALL_LOGGED, actor=rights.actor(by), at=moment(), on=TODAY,
        payload={"interaction": ref},
    )  # fmt: skip
    return row


def sent(body: str, *, to: Account | None = None, **columns: Any) -> Notice:
    account = to or account_of()
    key = columns.pop("key", f"n{Notice.objects.count()}")
    row = Notice.objects.create(
        account=account, customer=account.customer, key=key, body=body,
        **{
            "step_code": "final", "channel": "sms", "template": "final-notice", "currency": "EUR", "made_on": TODAY,
            "language": "en", "state": "sent", "sent_at": moment(), "amount": "100.00", **columns,
        },
    )  # fmt: skip
    events.record(
        account_id=account.pk, kind=kinds.NOTICE_SENT, actor="desk:deliver", at=moment(), on=TODAY, payload={"key": key}
    )
    return row


def checked(**moment_of: Any) -> int:
    audit.seal(at=moment())
    return findings.check(**(NOW | moment_of))


def found() -> list[str]:
    return list(Finding.objects.order_by("pk").values_list("check_code", flat=True))


@pytest.fixture
def nadia() -> Agent:
    return make_agent()


class TestNotesAndCalls:
    def test_what_somebody_wrote_is_theirs_and_the_history_keeps_no_words(self, nadia: Agent) -> None:
        note = noted("He is a liar.", by=nadia)
        assert checked() == 1
        finding = Finding.objects.get()
        assert (finding.agent, finding.note, finding.account) == (nadia, note, note.account)
        assert (finding.check_code, finding.severity) == ("insult-en", "breach")
        assert "liar" in finding.excerpt
        event = AccountEvent.objects.get(kind=kinds.FINDING_MADE)
        assert event.payload == {"finding": finding.pk, "of": "note", "check": "insult-en", "severity": "breach"}

    def test_the_note_of_a_call_too(self, nadia: Agent) -> None:
        call = called("Told him he will be arrested.", by=nadia)
        checked()
        assert Finding.objects.get().interaction == call

    def test_what_was_taken_back_is_not_judged(self, nadia: Agent) -> None:
        note = noted("He is a liar.", by=nadia)
        Note.objects.filter(pk=note.pk).update(undone_at=moment())
        assert checked() == 0

    def test_what_is_taken_back_later_is_not_shown(self, nadia: Agent) -> None:
        note = noted("He is a liar.", by=nadia)
        checked()
        Note.objects.filter(pk=note.pk).update(undone_at=moment())
        assert not findings.visible(make_agent("supervisor")).exists()

    def test_a_note_of_nobody_here_is_the_desks_own(self) -> None:
        calls.add_note(account_id=account_of().pk, text="A liar.", actor="import", **NOW)
        checked()
        assert Finding.objects.get().agent is None


class TestOnceAndNothingSkipped:
    def test_a_second_time_finds_nothing_new(self, nadia: Agent) -> None:
        noted("He is a liar.", by=nadia)
        assert [checked(), checked()] == [1, 0]

    def test_the_first_time_begins_with_the_day(self, nadia: Agent) -> None:
        before = TODAY - timedelta(days=1)
        account = owing("100.00", as_of=before)
        old = calls.add_note(
            account_id=account.pk, text="A liar.", actor=rights.actor(nadia), as_of=before, at=moment()
        )
        assert checked() == 0
        noted("Also a liar.", by=nadia)
        assert checked() == 1
        assert Finding.objects.get().note_id != old.pk

    def test_what_is_not_sealed_yet_waits(self, nadia: Agent) -> None:
        checked()
        noted("He is a liar.", by=nadia)
        assert findings.check(**NOW) == 0
        assert checked() == 1

    def test_every_note_is_judged_however_short_the_stretches_are(self, nadia: Agent) -> None:
        account = account_of()
        for number in range(12):
            noted(f"Liar number {number}.", by=nadia, of=account)
        assert checked(stretch=5) == 12

    def test_a_run_that_is_killed_goes_on_where_it_was(self, nadia: Agent) -> None:
        account = account_of()
        for number in range(12):
            noted(f"Liar number {number}.", by=nadia, of=account)
        audit.seal(at=moment())
        with connection.cursor() as cursor:
            cursor.execute(BREAKS_AT_THE_SEVENTH)
        with pytest.raises(DatabaseError):
            findings.check(**NOW, stretch=3)
        before = Finding.objects.count()
        assert 0 < before < 12
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER breaks ON agents_finding")
        assert findings.check(**NOW, stretch=3) == 12 - before
        assert Finding.objects.values("note").distinct().count() == 12

    def test_it_takes_the_same_queries_for_many(self, nadia: Agent) -> None:
        account = account_of()

        def queries(notes: int) -> int:
            for number in range(notes):
                noted(f"Liar number {number}.", by=nadia, of=account)
                called("He is a crook.", by=nadia, ref=f"I{Interaction.objects.count()}")
                sent(f"Pay {number} or be arrested.", key=f"k{Notice.objects.count()}", to=account)
            audit.seal(at=moment())
            with CaptureQueriesContext(connection) as watched:
                findings.check(**NOW)
            return len(watched)

        queries(1)  # the mark and the text are new
        few = queries(2)
        assert queries(30) == few

    def test_the_days_close_does_it_before_work_is_drawn_for_review(self, nadia: Agent) -> None:
        noted("He is a liar.", by=nadia)
        journey.close_day(**NOW)
        assert found() == ["insult-en"]
        assert CheckedUntil.objects.count() == 1

    def test_a_day_that_is_only_tried_finds_nothing(self, nadia: Agent) -> None:
        noted("He is a liar.", by=nadia)
        journey.close_day(**NOW, keeps_figures=False)
        assert found() == []


class TestTexts:
    def test_copies_that_differ_in_names_and_figures_are_judged_once(self) -> None:
        first = sent("Frida Falk, pay 100.00 before 3 March or you will be arrested.")
        sent(
            "Olaf Ott, pay 2,100.50 before 14 April or you will be arrested.",
            to=account_of("Olaf Ott"),
            amount="2100.50",
        )
        assert checked() == 1
        finding = Finding.objects.get()
        assert (finding.notice, finding.check_code) == (first, "arrest-en")
        assert "Frida" not in finding.excerpt
        assert CheckedText.objects.get().copies == 2

    def test_the_next_days_copies_are_counted_and_not_found_again(self) -> None:
        sent("Pay 100.00 or you will be arrested.")
        checked()
        sent("Pay 250.00 or you will be arrested.", amount="250.00")
        assert checked() == 0
        assert CheckedText.objects.get().copies == 2

    def test_with_other_checks_the_text_is_judged_again_and_tells_what_is_new(self) -> None:
        sent("Pay 100.00 or you will be arrested, dear friend.")
        checked()
        WordCheck.objects.create(code="own", title="Ours", kinds=["notice"], severity="warn", words=["dear friend"])
        sent("Pay 250.00 or you will be arrested, dear friend.", amount="250.00")
        assert checked() == 1
        assert found() == ["arrest-en", "own"]
        assert Finding.objects.values("notice").distinct().count() == 1

    def test_a_demand_by_sms_without_its_amount_is_told(self) -> None:
        sent("Your account is overdue. Please pay.")
        checked()
        assert found() == ["no-amount"]

    def test_firm_words_to_a_customer_in_need_are_a_breach_for_each_of_them(self) -> None:
        for number in (1, 2):
            account = account_of(f"Person {number}{number}")
            wishes.note_vulnerability(
                customer_id=account.customer_id, category="life_event", severity="high", needs=["more_time"],
                actor="agent:x", **NOW,
            )  # fmt: skip
            sent(f"Pay 100.0{number} by 3 March.", to=account, consequence="suspended", amount=f"100.0{number}")
        checked()
        assert found() == ["firm-to-vulnerable"] * 2

    def test_a_threat_days_after_a_kept_promise_is_told(self) -> None:
        account = account_of()
        Promise.objects.create(
            ref="P1", account=account, amount=5, made_on=TODAY, due_on=TODAY, taken_by="x", status="kept",
            settled_on=TODAY,
        )  # fmt: skip
        sent("Pay 100.00 by 3 March.", to=account, consequence="suspended")
        checked()
        assert found() == ["harsh-after-kept"]

    def test_the_event_names_the_policy_and_the_step(self) -> None:
        account = account_of()
        version = version_of()
        case = Case.objects.create(account=account, version=version, opened_on=TODAY, warnings_from=TODAY)
        sent("Pay 100.00 or you will be arrested.", to=account, case=case)
        checked()
        event = AccountEvent.objects.get(kind=kinds.FINDING_MADE)
        assert event.policy == str(version)
        assert (event.payload["step"], event.payload["template"]) == ("final", "final-notice")


def version_of() -> PolicyVersion:
    return writing.publish(writing.save_draft(residential(), actor="import", at=moment()), actor="import", at=moment())


class TestWhoSeesAndSays:
    def test_all_teams_one_team_and_oneself(self) -> None:
        north, south = make_team("North"), make_team("South")
        nadia, omar = make_agent(team=north), make_agent(team=south)
        for agent in (nadia, omar):
            account = account_of()
            make_item(account, team=agent.team)
            noted("He is a liar.", by=agent, of=account)
        checked()

        def whose(user: Agent) -> set[str]:
            return set(findings.visible(user).values_list("agent__username", flat=True))

        assert whose(make_agent("supervisor")) == {nadia.username, omar.username}
        assert whose(make_agent("supervisor", team=north, all_teams=False)) == {nadia.username}
        assert whose(make_agent("team_lead", team=south)) == {omar.username}
        assert whose(make_agent("supervisor", all_teams=False)) == set()
        assert whose(nadia) == {nadia.username}
        assert whose(make_agent("finance")) == set()

    def test_of_one_team_only_what_is_on_accounts_they_see(self) -> None:
        north, south = make_team("North"), make_team("South")
        nadia = make_agent(team=north)
        account = account_of()
        noted("He is a liar.", by=nadia, of=account)
        checked()
        lead = make_agent("supervisor", team=north, all_teams=False)
        assert findings.visible(lead).exists()
        make_item(account, team=south)
        assert not findings.visible(lead).exists()

    def test_who_opens_the_account_reads_nothing_of_it(self, nadia: Agent) -> None:
        account = noted("He is a liar.", by=nadia).account
        last = account.events.latest("pk").pk
        checked()
        findings.judge(finding_id=Finding.objects.get().pk, verdict="right", user=make_agent("supervisor"), **NOW)
        told = timeline.timeline(account=account, as_of=TODAY, zone=ZoneInfo("UTC"), outcomes={})
        assert not [entry.title for entry in told.entries if "check" in entry.title.lower()]
        assert timeline.news_since(account, after=last) is None

    def test_a_verdict_is_kept_counted_and_told(self, nadia: Agent) -> None:
        note = noted("He is a liar.", by=nadia)
        checked()
        boss = make_agent("supervisor")
        finding = Finding.objects.get()
        judged = findings.judge(finding_id=finding.pk, verdict="wrong", user=boss, **NOW)
        assert (judged.verdict, judged.looked_by) == ("wrong", rights.actor(boss))
        [precision] = findings.precision()
        assert (precision.found, precision.right, precision.wrong, precision.share) == (1, 0, 1, 0.0)
        assert kinds_of(note.account, "agents.finding") == [kinds.FINDING_MADE, kinds.FINDING_JUDGED]
        findings.judge(finding_id=finding.pk, verdict="right", user=boss, **NOW)
        assert findings.precision()[0].share == 1.0

    def test_nobody_judges_what_they_may_not_read_nor_their_own(self) -> None:
        north, south = make_team("North"), make_team("South")
        lead = make_agent("team_lead", team=north)
        noted("He is a liar.", by=lead)
        checked()
        finding = Finding.objects.get()
        for user, code in (
            (make_agent("team_lead", team=south), "not_found"),
            (make_agent(), "not_found"),
            (lead, "forbidden"),
        ):
            with pytest.raises(CannotJudge) as refused:
                findings.judge(finding_id=finding.pk, verdict="right", user=user, **NOW)
            assert refused.value.code == code
        with pytest.raises(CannotJudge):
            findings.judge(finding_id=finding.pk, verdict="perhaps", user=make_agent("supervisor"), **NOW)


class TestAnAgentsOwn:
    def test_are_shown_until_seen_or_called_wrong(self, nadia: Agent) -> None:
        noted("He is a liar.", by=nadia)
        noted("Same old story.", by=nadia)
        noted("She is a Sikh.", by=nadia)
        checked()
        mine = findings.own(nadia, at=moment())
        assert mine.count == 3
        assert "An insult (en)" in {title for note in mine.notes for title, _ in note.about}
        findings.see(finding_id=mine.notes[0].finding.pk, agent=nadia, at=moment())
        findings.judge(finding_id=mine.notes[1].finding.pk, verdict="wrong", user=make_agent("supervisor"), **NOW)
        assert findings.own(nadia, at=moment()).count == 1
        assert findings.own(make_agent(), at=moment()).count == 0

    def test_what_the_customer_said_is_not_put_before_them_when_it_is_a_note_only(self, nadia: Agent) -> None:
        noted("Customer said: same old story.", by=nadia)
        checked()
        assert found() == ["contempt-en"]
        assert findings.own(nadia, at=moment()).count == 0

    def test_a_note_with_several_is_one_note_and_seen_at_once(self, nadia: Agent) -> None:
        noted("He is a liar, and a Sikh.", by=nadia)
        checked()
        mine = findings.own(nadia, at=moment())
        assert (mine.count, len(mine.notes[0].about)) == (1, 2)
        findings.see(finding_id=mine.notes[0].finding.pk, agent=nadia, at=moment())
        assert findings.own(nadia, at=moment()).count == 0

    def test_nobody_sees_anothers_away(self, nadia: Agent) -> None:
        noted("He is a liar.", by=nadia)
        checked()
        with pytest.raises(CannotJudge):
            findings.see(finding_id=Finding.objects.get().pk, agent=make_agent(), at=moment())
