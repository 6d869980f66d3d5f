from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts import wishes
from accounts.models import Account, Consent, ContactPreference, Customer, Representative, Vulnerability
from accounts.sensitive_words import crisis_in, diagnosis_in
from tests.accounts.bookfolder import BookFolder
from tests.factories import TODAY, kinds_of, make_account, make_customer, moment

pytestmark = pytest.mark.django_db

NOW: dict[str, Any] = {"actor": "agent:nadia", "as_of": TODAY, "at": moment()}
LATER: dict[str, Any] = {"actor": "agent:nadia", "as_of": TODAY, "at": moment(hour=15)}


@pytest.fixture
def customer() -> Customer:
    return make_customer(name="Ana Ruiz", email="ana@ruiz.example", phone="+34600111222")


@pytest.fixture
def accounts(customer: Customer) -> list[Account]:
    return [make_account(customer=customer), make_account(customer=customer)]


def payloads(accounts: list[Account]) -> str:
    return str([list(account.events.values_list("payload", "reason")) for account in accounts])


class TestConsent:
    def test_it_is_kept_with_its_evidence_and_told_on_every_account(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        consent = wishes.note_consent(
            customer_id=customer.pk,
            channel="call",
            purpose="automated",
            value="+34600111222",
            given=True,
            until=moment() + timedelta(days=365),
            source="on the phone",
            evidence="Recording 771, 02:10",
            **NOW,
        )

        assert (consent.evidence, consent.recorded_by, consent.at) == ("Recording 771, 02:10", "agent:nadia", moment())
        assert [kinds_of(account) for account in accounts] == [["accounts.consent.given"]] * 2
        told = payloads(accounts)
        assert "34600111222" not in told
        assert "Recording" not in told

    def test_the_same_again_is_the_same_row(self, customer: Customer, accounts: list[Account]) -> None:
        first = wishes.note_consent(customer_id=customer.pk, channel="sms", given=False, **NOW)
        again = wishes.note_consent(customer_id=customer.pk, channel="sms", given=False, evidence="Texted", **LATER)

        assert again == first
        assert kinds_of(accounts[0]) == ["accounts.consent.withdrawn"]

    def test_a_yes_with_new_words_to_prove_it_is_a_new_yes(self, customer: Customer) -> None:
        for evidence, at in (("Form 1", NOW), ("Form 2", LATER)):
            wishes.note_consent(customer_id=customer.pk, channel="sms", given=True, evidence=evidence, **at)
        assert Consent.objects.count() == 2

    def test_of_two_words_of_one_moment_the_later_one_counts(self, customer: Customer) -> None:
        for given in (True, False):
            wishes.note_consent(customer_id=customer.pk, channel="sms", given=given, **NOW)
        assert [consent.given for consent in Consent.objects.all()] == [False]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"channel": "fax"},
            {"purpose": "fun"},
            {"until": moment() - timedelta(days=1)},
            {"given": False, "until": moment() + timedelta(days=1)},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, customer: Customer, wrong: dict[str, Any]) -> None:
        with pytest.raises(wishes.CannotNote):
            wishes.note_consent(**{"customer_id": customer.pk, "channel": "sms", "given": True, **NOW, **wrong})
        assert not Consent.objects.exists()

    def test_who_says_stop_is_obeyed_on_every_channel_named_and_for_every_purpose(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        for purpose in ("service", "marketing"):
            wishes.note_consent(customer_id=customer.pk, channel="sms", purpose=purpose, given=True, **NOW)
        stopped = wishes.stop(customer_id=customer.pk, channels=["sms", "email", "sms"], evidence="STOP", **LATER)

        assert [(row.channel, row.purpose, row.given) for row in stopped] == [
            ("sms", "service", False),
            ("email", "service", False),
        ]
        in_force = wishes.consents_in_force(customer_id=customer.pk, at=LATER["at"])
        assert {(row.channel, row.purpose, row.given) for row in in_force} == {
            ("sms", "service", False),
            ("sms", "marketing", False),
            ("email", "service", False),
        }
        assert kinds_of(accounts[1]).count("accounts.consent.withdrawn") == 3

    def test_a_stop_that_names_a_channel_that_is_none_writes_nothing(self, customer: Customer) -> None:
        with pytest.raises(wishes.CannotNote):
            wishes.stop(customer_id=customer.pk, channels=["sms", "fax"], **NOW)
        assert not Consent.objects.exists()

    def test_start_opens_the_numbers_refused_before_and_nothing_that_needs_its_own_consent(
        self, customer: Customer
    ) -> None:
        wishes.note_consent(customer_id=customer.pk, channel="sms", purpose="marketing", given=True, **NOW)
        wishes.note_consent(customer_id=customer.pk, channel="sms", value="+34600111222", given=False, **NOW)
        wishes.stop(customer_id=customer.pk, channels=["sms"], **NOW)
        wishes.start(customer_id=customer.pk, channels=["sms"], **LATER)

        in_force = wishes.consents_in_force(customer_id=customer.pk, at=LATER["at"])
        assert {(row.purpose, row.value, row.given) for row in in_force} == {
            ("service", "", True),
            ("service", "+34600111222", True),
            ("marketing", "", False),
        }


class TestPreference:
    def test_times_are_kept_once_and_end_when_the_customer_says_so(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        shift: dict[str, Any] = {"kind": "time", "weekdays": [5, 1], "opens": time(22), "closes": time(7)}
        first = wishes.note_preference(customer_id=customer.pk, **shift, **NOW)
        assert wishes.note_preference(customer_id=customer.pk, **shift, **LATER) == first
        assert first.weekdays == [1, 5]

        ended = wishes.end_preference(preference_id=first.pk, **LATER)
        assert ended.ends_at == LATER["at"]
        assert kinds_of(accounts[0]) == ["accounts.preference.noted", "accounts.preference.ended"]
        with pytest.raises(wishes.CannotEnd):
            wishes.end_preference(preference_id=first.pk, **LATER)

    def test_another_preferred_channel_replaces_the_one_before(self, customer: Customer) -> None:
        wishes.note_preference(customer_id=customer.pk, kind="channel", channel="sms", **NOW)
        wishes.note_preference(customer_id=customer.pk, kind="channel", channel="letter", **LATER)
        standing = ContactPreference.objects.filter(wishes.covering(LATER["at"]), customer=customer)
        assert [row.channel for row in standing] == ["letter"]

    def test_a_letter_that_ends_all_contact_counts_from_its_arrival(self, customer: Customer) -> None:
        arrived = moment() - timedelta(days=2)
        cease = wishes.note_preference(customer_id=customer.pk, kind="cease", received_at=arrived, **NOW)
        assert cease.starts_at == arrived

    @pytest.mark.parametrize(
        "wrong",
        [
            {"kind": "mood"},
            {"kind": "time"},
            {"kind": "time", "opens": time(9)},
            {"kind": "time", "opens": time(9), "closes": time(9)},
            {"kind": "time", "weekdays": [8]},
            {"kind": "place"},
            {"kind": "place", "place": "work", "weekdays": [1]},
            {"kind": "channel", "channel": "fax"},
            {"kind": "cease", "received_at": moment() + timedelta(hours=1)},
            {"kind": "cease", "ends_at": moment() - timedelta(hours=1)},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, customer: Customer, wrong: dict[str, Any]) -> None:
        with pytest.raises(wishes.CannotNote):
            wishes.note_preference(customer_id=customer.pk, **wrong, **NOW)


class TestRepresentative:
    def test_the_same_person_again_is_brought_up_to_what_is_said(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        who: dict[str, Any] = {"role": "attorney", "name": "J. Doe"}
        first = wishes.note_representative(customer_id=customer.pk, **who, **NOW)
        again = wishes.note_representative(
            customer_id=customer.pk, **who, email="doe@law.example", may_be_told=True, **LATER
        )
        wishes.note_representative(customer_id=customer.pk, **who, email="doe@law.example", may_be_told=True, **LATER)

        assert again.pk == first.pk
        assert (again.email, again.since) == ("doe@law.example", moment())
        assert kinds_of(accounts[0]) == ["accounts.representative.noted"] * 2
        assert "Doe" not in payloads(accounts)
        assert "law.example" not in payloads(accounts)

    def test_silence_counts_from_the_first_letter_that_was_not_answered(self, customer: Customer) -> None:
        person = wishes.note_representative(customer_id=customer.pk, role="attorney", name="J. Doe", **NOW)
        wishes.note_written_to(representative_id=person.pk, **NOW)
        written = wishes.note_written_to(representative_id=person.pk, **LATER)
        assert written.written_to_at == NOW["at"]

        wishes.note_answered(representative_id=person.pk, **LATER)
        evening = {**NOW, "at": moment(hour=20)}
        assert wishes.note_written_to(representative_id=person.pk, **evening).written_to_at == evening["at"]

    def test_who_no_longer_speaks_for_them_is_neither_ended_nor_written_to_again(self, customer: Customer) -> None:
        person = wishes.note_representative(customer_id=customer.pk, role="family", name="Sam", **NOW)
        wishes.end_representative(representative_id=person.pk, **LATER)
        assert not Representative.objects.filter(wishes.speaking(LATER["at"])).exists()
        for refused in (wishes.end_representative, wishes.note_written_to, wishes.note_answered):
            with pytest.raises(wishes.CannotEnd):
                refused(representative_id=person.pk, **LATER)

    @pytest.mark.parametrize("wrong", [{"role": "friend", "name": "A"}, {"role": "family", "name": " "}])
    def test_what_makes_no_sense_is_refused(self, customer: Customer, wrong: dict[str, Any]) -> None:
        with pytest.raises(wishes.CannotNote):
            wishes.note_representative(customer_id=customer.pk, **wrong, **NOW)


class TestVulnerability:
    AGREED: dict[str, Any] = {"consented_at": moment()}

    def test_it_keeps_codes_and_a_day_to_look_again(self, customer: Customer, accounts: list[Account]) -> None:
        row = wishes.note_vulnerability(
            customer_id=customer.pk,
            category="reliance",
            severity="high",
            needs=["telecare", "slow_speech"],
            note="Daughter helps on Mondays",
            **self.AGREED,
            **NOW,
        )
        assert (row.needs, row.review_on) == (["telecare", "slow_speech"], TODAY + timedelta(days=90))
        assert kinds_of(accounts[1]) == ["accounts.vulnerability.noted"]
        assert "telecare" not in payloads(accounts)
        assert "reliance" not in payloads(accounts)

    def test_without_their_agreement_only_that_support_is_needed_is_kept(self, customer: Customer) -> None:
        row = wishes.note_vulnerability(
            customer_id=customer.pk, category="health", severity="high", needs=["large_print"], note="Eyes", **NOW
        )
        assert (row.category, row.needs, row.note, row.severity) == ("support", [], "", "high")

    @pytest.mark.parametrize(("severity", "most"), [("low", 180), ("medium", 180), ("high", 90)])
    def test_it_is_looked_at_again_in_time(self, customer: Customer, severity: str, most: int) -> None:
        def note(days: int) -> Vulnerability:
            return wishes.note_vulnerability(
                customer_id=customer.pk,
                category="caring",
                severity=severity,
                review_on=TODAY + timedelta(days=days),
                **self.AGREED,
                **NOW,
            )

        assert note(most).review_on == TODAY + timedelta(days=most)
        for days in (most + 1, -1):
            with pytest.raises(wishes.CannotNote):
                note(days)

    @pytest.mark.parametrize("note", ["Has cancer", "tiene Depresión", "Sie ist schwanger", "उन्हें कैंसर है", "لديه سرطان"])
    def test_a_note_that_names_an_illness_is_refused(self, customer: Customer, note: str) -> None:
        with pytest.raises(wishes.CannotNote, match="not kept"):
            wishes.note_vulnerability(
                customer_id=customer.pk, category="health", severity="low", note=note, **self.AGREED, **NOW
            )
        assert not Vulnerability.objects.exists()

    def test_the_same_circumstance_again_changes_its_row_or_nothing(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        said: dict[str, Any] = {"customer_id": customer.pk, "category": "caring", "needs": ["more_time"]}
        first = wishes.note_vulnerability(**said, severity="low", **self.AGREED, **NOW)
        wishes.note_vulnerability(**said, severity="low", **self.AGREED, **LATER)
        graver = wishes.note_vulnerability(**said, severity="medium", **self.AGREED, **LATER)

        assert graver.pk == first.pk
        assert Vulnerability.objects.get().severity == "medium"
        assert kinds_of(accounts[0]) == ["accounts.vulnerability.noted", "accounts.vulnerability.reviewed"]

    def test_only_a_person_ends_it_and_once(self, customer: Customer) -> None:
        row = wishes.note_vulnerability(customer_id=customer.pk, category="crisis", severity="high", **NOW)
        with pytest.raises(wishes.CannotNote):
            wishes.end_vulnerability(vulnerability_id=row.pk, actor="desk:journey", as_of=TODAY, at=moment())
        assert wishes.end_vulnerability(vulnerability_id=row.pk, **LATER).ended_on == TODAY
        with pytest.raises(wishes.CannotEnd):
            wishes.end_vulnerability(vulnerability_id=row.pk, **LATER)
        wishes.note_vulnerability(customer_id=customer.pk, category="crisis", severity="high", **LATER)
        assert Vulnerability.objects.get().ended_on is None

    def test_a_look_that_finds_it_goes_on_moves_the_day(self, customer: Customer) -> None:
        row = wishes.note_vulnerability(customer_id=customer.pk, category="crisis", severity="high", **NOW)
        later = {**NOW, "as_of": TODAY + timedelta(days=80)}
        moved = wishes.look_again(vulnerability_id=row.pk, review_on=TODAY + timedelta(days=160), **later)
        assert moved.review_on == TODAY + timedelta(days=160)

    def test_a_need_is_to_be_looked_at_on_its_day_on_one_account_until_somebody_does(
        self, customer: Customer, accounts: list[Account]
    ) -> None:
        row = wishes.note_vulnerability(customer_id=customer.pk, category="crisis", severity="high", **NOW)
        due = TODAY + timedelta(days=90)
        assert wishes.to_look_at(as_of=due - timedelta(days=1)) == []
        assert wishes.to_look_at(as_of=due) == wishes.to_look_at(as_of=due + timedelta(days=9)) == [accounts[0].pk]

        then = {**NOW, "as_of": due}
        wishes.look_again(vulnerability_id=row.pk, review_on=due + timedelta(days=30), **then)
        assert wishes.to_look_at(as_of=due) == []
        row.refresh_from_db()
        assert row.ended_on is None


class TestTimeZone:
    def test_what_the_customer_says_is_kept_and_said_once(self, customer: Customer, accounts: list[Account]) -> None:
        for at in (NOW, LATER):
            wishes.state_timezone(customer_id=customer.pk, timezone="Europe/Madrid", **at)
        customer.refresh_from_db()
        assert (customer.timezone, customer.timezone_stated_on) == ("Europe/Madrid", TODAY)
        assert kinds_of(accounts[0]) == ["accounts.time_zone.stated"]
        assert "Madrid" not in payloads(accounts)

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe"])
    def test_a_zone_that_is_none_is_refused(self, customer: Customer, zone: str) -> None:
        with pytest.raises(wishes.CannotNote):
            wishes.state_timezone(customer_id=customer.pk, timezone=zone, **NOW)


@pytest.mark.parametrize(
    "text", ["I'll kill myself", "I can\N{RIGHT SINGLE QUOTATION MARK}t go on", "quiero morir", "SUICIDAL"]
)
def test_words_of_a_crisis_are_heard(text: str) -> None:
    assert crisis_in(text)


@pytest.mark.parametrize("text", ["cancel my plan", "Call after her shift", "lives with her mother", ""])
def test_ordinary_words_are_none(text: str) -> None:
    assert not crisis_in(text)
    assert not diagnosis_in(text)


@pytest.fixture
def book(tmp_path: Path) -> BookFolder:
    book = BookFolder(tmp_path)
    book.base()
    book.bring()
    return book


def test_a_file_of_consents_stands_beside_a_purpose_of_the_same_moment(book: BookFolder) -> None:
    customer = Customer.objects.get(ref="C1")
    at = moment(date(2026, 1, 1), 9)
    wishes.note_consent(
        customer_id=customer.pk, channel="sms", purpose="marketing", given=True, actor="agent:x", as_of=TODAY, at=at
    )
    header = "customer_id,channel,given,at,source\n"
    for given, written in (("true", 1), ("true", 0), ("false", 1)):
        book.only("consents", header + f"C1,sms,{given},2026-01-01T09:00:00Z,form\n")
        assert [line.written for line in book.bring().files] == [written]

    assert list(Consent.objects.order_by("purpose").values_list("purpose", "value", "given")) == [
        ("marketing", "", True),
        ("service", "", False),
    ]


def test_a_file_may_name_purpose_number_and_end(book: BookFolder) -> None:
    book.only(
        "consents",
        "customer_id,channel,purpose,value,given,at,until\n"
        "C1,call,automated,+1202,true,2026-01-01T09:00:00Z,2027-01-01T00:00:00Z\n"
        "C1,call,,,true,2026-01-01T09:00:00Z,\n"
        "C1,call,,,false,2026-01-02T09:00:00Z,2027-01-01T00:00:00Z\n",
    )
    report = book.bring()
    assert [(line.rows, line.written) for line in report.files] == [(3, 2)]
    assert set(Consent.objects.values_list("purpose", "value")) == {("automated", "+1202"), ("service", "")}


def test_billing_does_not_move_a_clock_that_the_customer_set(book: BookFolder) -> None:
    customer = Customer.objects.get(ref="C1")
    wishes.state_timezone(customer_id=customer.pk, timezone="America/Denver", actor="agent:x", as_of=TODAY, at=moment())
    book.only("customers", "customer_id,name,country,timezone\nC1,Acme,US,America/New_York\nC2,B,US,America/New_York\n")
    book.bring()
    assert list(Customer.objects.order_by("ref").values_list("timezone", flat=True)) == [
        "America/Denver",
        "America/New_York",
    ]
