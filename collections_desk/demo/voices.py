"""What customers of the demo book tell the desk while it is at work: what they want of us, and what they write back.

Wishes are noted as the account's page notes them. Messages answer a notice that really left, come in by the same door
as a gateway's, and bring about what they bring about. A day asks for what is missing up to it, so a load that was
killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, TypedDict

from accounts import holds, wishes
from accounts.models import Account, Customer, Hold, Vulnerability
from agents import answers
from agents.models import Agent
from collections_desk.demo.showcase import FIRST_NUMBER
from dunning import inbound
from dunning.gateways.base import Incoming
from dunning.models import InboundMessage, Notice

AGENT, SPECIALIST = "agent:agent", "agent:agent2"

#: A message answers what was sent so lately.
ANSWERS = timedelta(days=4)
#: Agents have finished with what is older; the rest is left to whoever looks around.
FINISHED_AFTER = timedelta(hours=44)


class _Now(TypedDict):
    customer_id: int
    actor: str
    as_of: date
    at: datetime


# Wishes ---------------------------------------------------------------------------------------------------------------


def _evenings(now: _Now) -> None:
    wishes.note_preference(
        **now, kind="time", opens=time(0), closes=time(17), source="call", evidence="On shift all day, home after five"
    )


def _saturdays(now: _Now) -> None:
    wishes.note_preference(
        **now, kind="time", wanted=True, weekdays=[1, 6], opens=time(9), closes=time(13), source="call",
        evidence="Only Monday and Saturday mornings",
    )  # fmt: skip


def _not_at_work(now: _Now) -> None:
    wishes.note_preference(**now, kind="place", place="work", source="call", evidence="Boss does not want it")


def _by_mail(now: _Now) -> None:
    wishes.note_preference(**now, kind="channel", channel="email", source="e-mail", evidence="Please write to me")


def _cease(now: _Now) -> None:
    wishes.note_preference(**now, kind="cease", source="letter", evidence="Letter of the customer, scanned, page 1")


def _attorney(now: _Now) -> None:
    wishes.note_representative(
        **now, role="attorney", name="Ellen Brandeis", organisation="Brandeis & Cole LLP",
        email="ebrandeis@brandeiscole.example", phone="+12145550177", address="900 Elm Street, Dallas, TX 75202",
        may_be_told=True, evidence="Letter of representation of the firm",
    )  # fmt: skip


def _debt_adviser(now: _Now) -> None:
    wishes.note_representative(
        **now, role="debt_adviser", name="Rhiannon Price", organisation="Harbour Debt Advice",
        email="cases@harbourdebt.example", phone="+442079460321", may_be_told=True,
        evidence="Notification of the debt adviser, case HD-20417",
    )  # fmt: skip
    account = Account.objects.filter(customer=now["customer_id"]).order_by("pk").first()
    if account is not None:
        holds.place(
            account_id=account.pk,
            reason=Hold.Reason.BREATHING_SPACE,
            starts_on=now["as_of"],
            ends_on=now["as_of"] + timedelta(days=60),
            actor=now["actor"],
            as_of=now["as_of"],
            at=now["at"],
            note="Breathing space notified by the adviser",
        )


def _daughter(now: _Now) -> None:
    wishes.note_representative(
        **now, role="family", name="Heike Brandt", phone="+493023125411", evidence="Authority form sent, not back yet"
    )


def _carer(now: _Now) -> None:
    wishes.note_representative(
        **now, role="carer", name="Camille Roux", organisation="Aide à domicile du Port", phone="+33639980044",
        may_be_told=True, evidence="Form signed by the customer, in the post of the 3rd",
    )  # fmt: skip


def _no_texts(now: _Now) -> None:
    wishes.stop(**now, channels=["sms"], source="customer's page", evidence="Switched off on the page")


def _may_call_more(now: _Now) -> None:
    wishes.note_consent(
        **now, channel="call", purpose="extra_calls", given=True, until=now["at"] + timedelta(days=7), source="call",
        evidence="Recording 0:42: call me again this week, as often as you need",
    )  # fmt: skip


def _electronic(now: _Now) -> None:
    for channel in ("sms", "email"):
        wishes.note_consent(
            **now, channel=channel, purpose="electronic", given=True, source="customer's page",
            evidence="Box ticked on the page, wording 3 of the consent",
        )  # fmt: skip


def _moved_clock(now: _Now) -> None:
    wishes.state_timezone(**now, timezone="America/Denver")


def _support(category: str, severity: str, needs: tuple[str, ...], note: str, *, review: int = 0) -> Wish:
    """Support noted with the customer's agreement, to be looked at again after ``review`` days (0: the longest)."""

    def noted(now: _Now) -> None:
        wishes.note_vulnerability(
            **now,
            category=category,
            severity=severity,
            needs=needs,
            review_on=now["as_of"] + timedelta(days=review) if review else None,
            consented_at=now["at"],
            source="told an agent",
            note=note,
        )

    return noted


def _support_alone(now: _Now) -> None:
    wishes.note_vulnerability(**now, category=wishes.SUPPORT, severity="medium", source="told an agent")


Wish = Callable[[_Now], None]


@dataclass(frozen=True, slots=True)
class _Told:
    """One wish: so many days before the last one, of a customer of that country and state, or of a hand-made one."""

    days_before: int
    wish: Wish
    country: str = ""
    region: str = ""
    city: str = ""
    hand_made: int = 0
    actor: str = AGENT


#: Of hand-made accounts the number after the first.
_TOLD = (
    _Told(52, _support("health", "medium", ("more_time", "written_summary"), "Letters and short calls", review=49),
          country="US", region="PA", actor=SPECIALIST),
    _Told(40, _support("reliance", "high", ("telecare", "third_party"), "Daughter sorts the post", review=52),
          hand_made=2, actor=SPECIALIST),
    _Told(39, _daughter, hand_made=2, actor=SPECIALIST),
    _Told(33, _electronic, country="US", city="New York"),
    _Told(30, _support("money_stress", "low", ("debt_advice",), "Hours were cut, wants to pay"), country="ES"),
    _Told(28, _evenings, country="US", region="CA"),
    _Told(27, _attorney, country="US", region="TX"),
    _Told(26, _support("caring", "low", ("shift_worker",), "Cares for a parent, evenings are best"), country="DE"),
    _Told(24, _not_at_work, country="US", region="MA"),
    _Told(22, _by_mail, country="FR"),
    _Told(19, _support("life_event", "medium", ("single_contact",), "One contact person"), country="FR",
          actor=SPECIALIST),
    _Told(17, _carer, country="FR", region="IDF", actor=SPECIALIST),
    _Told(16, _support("communication", "low", ("large_print",), "Large print, please", review=12), country="GB",
          region="ENG", actor=SPECIALIST),
    _Told(15, _cease, country="US", region="FL"),
    _Told(14, _debt_adviser, hand_made=12, actor=SPECIALIST),
    _Told(13, _moved_clock, country="US", region="IL"),
    _Told(12, _support("safety", "high", ("safe_contact_only", "no_joint_mail"), "Only by e-mail"), country="GB",
          actor=SPECIALIST),
    _Told(11, _saturdays, country="AE"),
    _Told(9, _no_texts, country="IN"),
    _Told(8, _evenings, hand_made=13),
    _Told(7, _support_alone, country="US", region="WA"),
    _Told(6, _not_at_work, hand_made=0),
    _Told(5, _may_call_more, country="US", region="GA"),
    _Told(4, _by_mail, country="DE"),
    _Told(3, _evenings, country="ES"),
)  # fmt: skip


def tell(*, as_of: date, at: datetime, last_day: date) -> None:
    """The wishes of that day."""
    for place, told in enumerate(_TOLD):
        if as_of == last_day - timedelta(days=told.days_before):
            customer = _who(told, place)
            if customer is not None:
                told.wish({"customer_id": customer, "actor": told.actor, "as_of": as_of, "at": at})


def _who(told: _Told, place: int) -> int | None:
    """A customer who is behind and told us nothing yet; which of them follows from the wish's place."""
    customers = Customer.objects.order_by("pk")
    if told.hand_made or not told.country:
        ref = f"A{FIRST_NUMBER + told.hand_made}"
        return customers.filter(accounts__ref=ref).values_list("pk", flat=True).first()
    where = {"country": told.country, "region": told.region, "city": told.city}
    behind = customers.filter(
        kind="residential", accounts__overdue__gt=0, **{name: value for name, value in where.items() if value}
    ).filter(preferences=None, representatives=None, vulnerabilities=None)
    found = list(behind.values_list("pk", flat=True).distinct()[:40])
    return found[place * 7 % len(found)] if found else None


#: What helps, where the customer file named a circumstance alone.
_HELPS = {
    "reliance": ("emergency_reliance",),
    "health": ("more_time",),
    "life_event": ("single_contact",),
    "support": ("single_contact",),
    "communication": ("written_summary",),
    "capability": ("easy_read",),
    "caring": ("carer",),
    "money_stress": ("debt_advice",),
}
_ASKED_A_DAY = 2


def ask_what_helps(*, as_of: date, at: datetime) -> None:
    """The specialist asks customers of whom the file named a circumstance what helps, and notes it with their word."""
    of_the_file = Vulnerability.objects.filter(ended_on=None, consented_at=None, needs=[], recorded_by="")
    for row in of_the_file.exclude(category=wishes.SUPPORT).order_by("pk")[:_ASKED_A_DAY]:
        wishes.note_vulnerability(
            customer_id=row.customer_id,
            category=row.category,
            severity=row.severity,
            needs=_HELPS.get(row.category, ()),
            consented_at=at,
            source="told an agent",
            note=row.note,
            actor=SPECIALIST,
            as_of=as_of,
            at=at,
        )


# Messages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """One message: so many days before the last one, in answer to a notice of that channel and language."""

    days_before: int
    channel: str
    language: str
    text: str
    subject: str = ""
    automatic: Literal["", "auto_reply"] = ""


_SAID = (
    _Said(41, "sms", "en", "STOP"),
    _Said(40, "email", "de", "Ich habe gestern bezahlt, Beleg im Anhang.", "AW: Ihre Rechnung"),
    _Said(38, "sms", "es", "Ya pagué"),
    _Said(36, "email", "en", "I am out of the office until Monday.", "Automatic reply", "auto_reply"),
    _Said(34, "sms", "fr", "ARRET"),
    _Said(33, "email", "en", "Please call me tomorrow, I do not understand this bill.", "Re: your bill"),
    _Said(31, "email", "es", "No puedo pagar este mes, perdí mi trabajo.", "Re: factura"),
    _Said(29, "sms", "en", "Wrong number, I don't know this person"),
    _Said(27, "email", "fr", "Je conteste cette facture, le montant est incorrect.", "Re : votre facture"),
    _Said(25, "sms", "de", "STOPP"),
    _Said(23, "email", "hi", "मैंने कल पैसे जमा कर दिए", "Re: बिल"),
    _Said(21, "sms", "en", "Paid this morning by card"),
    _Said(19, "sms", "es", "¿Pueden llamarme mañana por la tarde?"),
    _Said(17, "email", "ar", "هل يمكن الدفع بالتقسيط؟", "رد: فاتورتكم"),
    _Said(15, "email", "de", "Die Rechnung ist falsch, der Router ist längst zurück.", "AW: Erinnerung"),
    _Said(13, "sms", "en", "HELP"),
    _Said(11, "sms", "en", "Already paid!"),
    _Said(9, "email", "fr", "J'ai payé hier par virement.", "Re : rappel"),
    _Said(8, "sms", "es", "BAJA"),
    _Said(7, "email", "en", "This bill is wrong, I returned the router in May.", "Re: your bill"),
    _Said(6, "sms", "de", "Rufen Sie mich bitte an"),
    _Said(5, "sms", "en", "Stop"),
    _Said(4, "email", "en", "I can't pay this month, my hours were cut. Can I pay in instalments?", "Re: reminder"),
    # Those of the last two days wait in the box.
    _Said(
        1, "email", "fr", "Bonjour, je ne peux pas payer ce mois-ci. Puis-je payer en plusieurs fois ?", "Re : rappel"
    ),
    _Said(1, "sms", "de", "Bitte um Rückruf nach 17 Uhr"),
    _Said(1, "email", "hi", "मैंने भुगतान कर दिया है", "Re: बिल"),
    _Said(1, "sms", "es", "La factura está mal, no he llamado a esos números"),
    _Said(1, "email", "ar", "لا أستطيع الدفع هذا الشهر", "رد: تذكير"),
    _Said(1, "email", "en", "ok, see you thursday then", "Re: a reminder"),
    _Said(1, "email", "de", "Bitte schreiben Sie mir nicht mehr, ich kläre das mit meiner Frau.", "AW: Erinnerung"),
    _Said(0, "sms", "en", "STOP"),
    _Said(0, "sms", "es", "Ya pagué ayer en la tienda"),
    _Said(
        0, "email", "fr", "Mon mari est décédé en octobre. Je ne sais pas encore comment faire.", "Re : votre facture"
    ),
    _Said(0, "sms", "en", "I paid this yesterday at the store, have the receipt"),
    _Said(0, "email", "en", "The roaming on this bill is wrong, I was at home all month.", "Re: your bill"),
    _Said(0, "email", "en", "I can't go on like this. There is no point in living.", "Re: final notice"),
    _Said(0, "sms", "en", "call me after 5 please"),
)
#: Somebody whose number nobody has.
_ASTRAY = _Said(0, "sms", "en", "Hello, is this the pharmacy?")
_STRANGER = "+447700900987"


def write_back(*, as_of: date, at: datetime, last_day: date) -> int:
    """The messages that came by now, each in answer to a notice of the last days; how many."""
    made = 0
    for place, said in enumerate(_SAID):
        if as_of >= last_day - timedelta(days=said.days_before) and not _came(ref := f"reply-{place:03d}"):
            notice = _answered(said, at)
            if notice is not None:
                _receive(said, ref, sender=notice.address, reference=notice.provider_ref, as_of=as_of, at=at)
                made += 1
    if as_of == last_day and not _came("reply-stranger"):
        _receive(
            _Said(0, "sms", "en", "Hello, is this the pharmacy?"),
            "reply-stranger",
            sender=_STRANGER,
            as_of=as_of,
            at=at,
        )
        made += 1
    return made


def _came(ref: str) -> bool:
    return InboundMessage.objects.filter(provider_ref=ref).exists()


def _answered(said: _Said, at: datetime) -> Notice | None:
    """The latest notice that such a message may answer, of a customer who has not written yet."""
    left = Notice.objects.filter(
        channel=said.channel, language__startswith=said.language, sent_at__gt=at - ANSWERS, sent_at__lte=at,
        state__in=("sent", "delivered"), account__overdue__gt=0, case__isnull=False,
    )  # fmt: skip
    left = left.exclude(address="").exclude(
        customer__in=InboundMessage.objects.exclude(customer=None).values("customer")
    )
    return left.order_by("-sent_at", "pk").first()


def _receive(said: _Said, ref: str, *, sender: str, as_of: date, at: datetime, reference: str = "") -> None:
    inbound.receive(
        Incoming(
            gateway=said.channel,
            provider_ref=ref,
            channel=said.channel,
            sender=sender,
            recipient="+15555550100" if said.channel == "sms" else "billing@northwind.example",
            text=said.text,
            subject=said.subject,
            received_at=at,
            references=(reference,) if reference else (),
            automatic=said.automatic,
        ),
        as_of=as_of,
        at=at,
    )


def work_the_box(*, as_of: date, at: datetime) -> None:
    """Agents finish what customers wrote some days ago."""
    if as_of.isoweekday() > 5:
        return
    agents = list(Agent.objects.filter(groups__name="agent").order_by("username"))
    for place, agent in enumerate(agents):
        old = answers.waiting(agent).filter(received_at__lt=at - FINISHED_AFTER).exclude(account=None)
        for message in sorted(old[: len(agents) * 2], key=lambda message: message.pk)[place :: len(agents)]:
            answers.finish(message_id=message.pk, agent=agent, as_of=as_of, at=at)
