"""A notice as it would read for one account today: composed like the real one, and then neither written nor sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import F

from accounts.models import Account, Bill, Customer, Service
from accounts.refusals import Refused
from dunning import composing, confirming, contact, policy, reading, rulebook
from dunning.confirming import Agreed
from dunning.gateways.base import Message
from dunning.models import Case, Notice, PolicyVersion
from dunning.policy import PolicyRules, StepRule
from dunning.reading import NEEDS, AccountFacts
from dunning.text_messages import SmsLength, sms_segments
from dunning.wording_facts import Consequence
from dunning.wording_texts import Wordings

#: Among so many overdue accounts somebody is looked for whom the policy applies to.
SEARCHED = 500

#: Stands where a channel has no address: the words can be looked at all the same.
NO_ADDRESS = "(no address)"
#: A text that is looked at by itself demands payment within so many days.
PREVIEWED_DAYS = 14


class CannotPreview(Refused):
    """There is nothing that a notice of that step could say to that account."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Preview:
    """One channel's message, and what keeps it from going out just like that."""

    channel: str
    message: Message
    #: Places and parts of a text message.
    length: SmsLength | None
    #: Sentences; empty when it could leave today as it stands.
    remarks: tuple[str, ...]


def notice_steps(rules: PolicyRules) -> list[StepRule]:
    """The steps that say something."""
    return [step for step in rules.steps if step.action == policy.NOTIFY]


def example_account(version: PolicyVersion, *, as_of: date) -> str:
    """The id of some account that the version is for, one that owes something if there is one; empty when none is.

    An account with an open case of the policy comes first.
    """
    open_cases = Case.objects.filter(version__policy=version.policy_id, closed_on=None).order_by("-pk")
    if ref := open_cases.values_list("account__ref", flat=True).first():
        return str(ref)
    rules = rulebook.rules_of([version.pk])[version.pk]
    overdue = Account.objects.filter(oldest_due_on__lt=as_of).order_by("pk").values_list("pk", flat=True)
    any_account = Account.objects.order_by("pk").values_list("pk", flat=True)
    for keys in (list(overdue[:SEARCHED]), list(any_account[:SEARCHED])):
        for fact in reading.read(keys, as_of=as_of).values():
            if rules.applies(fact.traits, fact.currency):
                return fact.ref
    return ""


def preview(
    version: PolicyVersion,
    *,
    step_code: str,
    account_ref: str,
    language: str,
    as_of: date,
    channels: Sequence[str] = (),
) -> list[Preview]:
    """The notice of a step on each of its channels (or those named), in a language, from the account's facts now.

    ``language`` is a language of the wordings; empty is the customer's own. Raises ``CannotPreview`` when there is no
    such account or step, or the account owes nothing that the notice could be about.
    """
    rules = rulebook.rules_of([version.pk])[version.pk]
    step = next((step for step in notice_steps(rules) if step.code == step_code), None)
    if step is None:
        raise CannotPreview(f"{version} has no notice {step_code}.")
    account = Account.objects.select_related("customer").filter(ref=account_ref.strip()).first()
    if account is None:
        raise CannotPreview(f"There is no account {account_ref.strip() or 'without an id'}.")
    fact = reading.read([account.pk], as_of=as_of)[account.pk]
    bills = _bills(fact, step, as_of)
    if not bills:
        when = "falls due after today" if step.day < 0 else "is past due, undisputed and under no promise"
        raise CannotPreview(f"Nothing of {account.ref} {when}: no notice would be made. Choose another account.")
    services = Service.objects.filter(account=account, protected=False).order_by("pk").values_list("number", "kind")
    named = [number or kind for number, kind in services]
    said = _in_language(fact, language)
    wanted = [channel for channel in step.channels if not channels or channel in channels]
    return [_one(version, rules, step, channel, said, account.customer, bills, named, as_of) for channel in wanted]


def preview_text(
    *,
    template: str,
    tone: str,
    language: str,
    account_ref: str,
    wordings: Wordings,
    at: datetime,
    as_of: date,
    channels: Sequence[str],
    consequence: Consequence | None = None,
) -> list[Preview]:
    """A notice of any template with those texts, from the account's facts now and what its market asks for.

    Nothing is written or sent.
    ``tone`` is empty for the plain one. Raises ``CannotPreview`` when there is no such account, or nothing that such a
    notice could say to it.
    """
    account = Account.objects.select_related("customer").filter(ref=account_ref.strip()).first()
    if account is None:
        raise CannotPreview(f"There is no account {account_ref.strip() or 'without an id'}.")
    fact = reading.read([account.pk], as_of=as_of)[account.pk]
    bills = _past_due(fact, as_of) or _coming(fact, as_of)
    services = Service.objects.filter(account=account, protected=False).order_by("pk").values_list("number", "kind")
    known = dict.fromkeys(NEEDS.values(), NO_ADDRESS) | fact.contact
    said = replace(_in_language(fact, language), contact=known)
    gate = contact.Gate({fact.pk: fact}, at=at, as_of=as_of)
    manner = replace(gate.manner_of(fact.pk), tone=tone)
    shown = []
    for channel in channels:
        notice = Notice(
            account_id=fact.pk, customer=account.customer, key="preview", step_code="preview", template=template,
            channel=channel, currency=fact.currency, pay_by_days=PREVIEWED_DAYS, consequence=consequence or "",
        )  # fmt: skip
        try:
            message = composing.compose(
                notice, said, account.customer, bills, [number or kind for number, kind in services], as_of=as_of,
                manner=manner, wordings=wordings,
            )  # fmt: skip
        except ValueError as problem:  # a notice that itemizes a debt, of an account with none to itemize
            raise CannotPreview(f"{problem}.") from problem
        remarks = () if channel in fact.reachable() else (_unreachable(fact, channel),)
        length = sms_segments(message.text) if channel == "sms" else None
        shown.append(Preview(channel, message, length, remarks))
    return shown


def preview_confirmation(*, template: str, account_id: int, agreed: Agreed, at: datetime, as_of: date) -> Preview:
    """A confirmation as it would go to the account's customer now, by the channel it would take first.

    Nothing is written or sent. Raises ``CannotPreview`` where it cannot be said, with the reason.
    """
    account = Account.objects.select_related("customer").get(pk=account_id)
    channels = confirming.channels_for(account, as_of=as_of, at=at)
    fact = reading.read([account.pk], as_of=as_of)[account.pk]
    said = replace(fact, contact=dict.fromkeys(NEEDS.values(), NO_ADDRESS) | fact.contact)
    channel = channels[0] if channels else "letter"
    notice = Notice(
        account_id=account.pk, customer=account.customer, key="preview", step_code=contact.CONFIRMATION,
        template=template, channel=channel, currency=account.currency,
    )  # fmt: skip
    manner = contact.Gate({fact.pk: fact}, at=at, as_of=as_of).manner_of(fact.pk)
    try:
        message = composing.compose(
            notice, said, account.customer, _details(notice.bill_refs), (), as_of=as_of, manner=manner, agreed=agreed
        )
    except ValueError as problem:
        raise CannotPreview(f"{problem}.") from problem
    remarks = () if channels else ("No channel reaches the customer: tell them by telephone, or by hand.",)
    return Preview(channel, message, sms_segments(message.text) if channel == "sms" else None, remarks)


def owing_account(*, as_of: date, language: str = "") -> str:
    """The id of some account that owes something, of a customer who reads that language if there is one."""
    overdue = Account.objects.filter(oldest_due_on__lt=as_of).order_by("pk")
    accounts = [overdue.filter(customer__language__startswith=language), overdue, Account.objects.order_by("pk")]
    refs = (found.values_list("ref", flat=True).first() for found in accounts)
    return next((str(ref) for ref in refs if ref), "")


def _one(
    version: PolicyVersion,
    rules: PolicyRules,
    step: StepRule,
    channel: str,
    fact: AccountFacts,
    customer: Customer,
    bills: Sequence[composing.BillDetail],
    services: Sequence[str],
    as_of: date,
) -> Preview:
    reachable = fact.reachable()
    known = dict.fromkeys(NEEDS.values(), NO_ADDRESS) | fact.contact
    hurts = next((rule for rule in rules.after_due if rule.hurts and rule.warned_by == step.code), None)
    notice = Notice(
        account_id=fact.pk,
        customer=customer,
        case=Case(version=version) if step.day >= 0 else None,
        key="preview",
        step_code=step.code,
        template=step.template,
        channel=channel,
        currency=fact.currency,
        pay_by_days=step.pay_by_days,
        consequence=(hurts.rung or "agency") if hurts else "",
    )
    message = composing.compose(notice, replace(fact, contact=known), customer, bills, services, as_of=as_of)
    remarks = []
    if not rules.applies(fact.traits, fact.currency):
        remarks.append(f"{version} is not for this account.")
    elif not step.only_if.includes(fact.traits):
        remarks.append("The step is not for this account and would be passed over.")
    if channel not in reachable:
        remarks.append(_unreachable(fact, channel))
    length = sms_segments(message.text) if channel == "sms" else None
    return Preview(channel, message, length, tuple(remarks))


def _unreachable(fact: AccountFacts, channel: str) -> str:
    if channel in fact.refused_channels:
        return "The customer does not want to be reached on this channel."
    return "There is no usable address."


def _bills(fact: AccountFacts, step: StepRule, as_of: date) -> list[composing.BillDetail]:
    return _past_due(fact, as_of) if step.day >= 0 else _coming(fact, as_of)


def _past_due(fact: AccountFacts, as_of: date) -> list[composing.BillDetail]:
    return _details([bill.ref for bill in fact.judged(as_of)])


def _coming(fact: AccountFacts, as_of: date) -> list[composing.BillDetail]:
    ahead = Bill.objects.filter(account=fact.pk, due_on__gt=as_of, open_amount__gt=F("disputed_amount"))
    return _details(list(ahead.order_by("due_on", "pk").values_list("ref", flat=True)[:1]))


def _details(refs: Sequence[str]) -> list[composing.BillDetail]:
    details = composing.bill_details(refs)
    return [details[ref] for ref in refs if ref in details]


def _in_language(fact: AccountFacts, language: str) -> AccountFacts:
    """With the words of that language; the customer's own tag is kept where it is of it, for dates and amounts."""
    own = fact.language.replace("_", "-").partition("-")[0].lower()
    return fact if not language or language == own else replace(fact, language=language)
