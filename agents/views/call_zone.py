"""What the account's page shows of a call: the one that goes on, who was verified in it, and what to say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import get_language

from accounts.models import Account, Hold
from accounts.models.account import ServiceStatus
from agents import dialling, identity, scripting
from agents.models import Agent, Interaction, LiveCall, Plan, Promise, ScriptText
from agents.scripting import Script, Situation, Spoken

#: A callback is theirs that was asked for about now.
AROUND = timedelta(hours=12)


def call_lists(account: Account, agent: Agent) -> dict[str, Any]:
    """What ``call_zone`` is told, to be read with other lists of the page."""
    languages = {scripting.language_of(account.customer.language), own_language(agent)}
    return {
        "live": LiveCall.objects.exclude(state__in=dialling.CLOSED)
        .filter(agent=agent)
        .select_related("account__customer", "identity"),
        "script_texts": ScriptText.objects.filter(language__in=languages).order_by("pk"),
    }


def call_zone(
    account: Account,
    agent: Agent,
    lists: Mapping[str, list[Any]],
    *,
    requires: Collection[str],
    stage: str | None,
    as_of: date,
    at: datetime,
) -> dict[str, Any]:
    """The call, and the script for it. No query; one where something must be ticked as said in a call that goes on."""
    live: LiveCall | None = next(iter(lists["live"]), None)
    here = live is not None and live.account_id == account.pk
    verified = live is not None and here and identity.passed(live)
    shown = script_of(
        account, agent, lists, requires=requires, stage=stage, live=live if here else None, as_of=as_of, at=at
    )
    return {
        "live": live if here else None,
        "live_elsewhere": None if here else live,
        "verified": verified,
        "script": shown,
        "give_up_reasons": dialling.GIVEN_UP.items(),
    }


def script_of(
    account: Account,
    agent: Agent,
    lists: Mapping[str, list[Any]],
    *,
    requires: Collection[str],
    stage: str | None,
    live: LiveCall | None,
    as_of: date,
    at: datetime,
) -> Script:
    """What to say to this customer now; what discloses is withheld until somebody is verified in the call."""
    holds: list[Hold] = lists["holds"]
    promises: list[Promise] = lists["promises"]
    broken = next((row for row in promises[:2] if row.status == Promise.Status.BROKEN), None)
    talked = next((row for row in lists["talks"] if row.callback_at is not None), None)
    in_flight = [hold for hold in holds if hold.reason == Hold.Reason.PAYMENT_IN_FLIGHT]
    situation = scripting.situation_of(
        Situation(
            holds=frozenset(hold.reason for hold in holds),
            represented_by=frozenset(row.role for row in lists["speakers"]),
            disputed=bool(account.disputed),
            vulnerable=bool(lists["needs"]),
            callback_agreed=talked is not None and abs(talked.callback_at - at) <= AROUND,
            broken_plan=any(row.status == Plan.Status.BROKEN for row in lists["plans"][:1]),
            broken_promise=broken is not None,
            inbound=live is not None and live.direction == Interaction.Direction.INBOUND,
            service_limited=any(row.status != ServiceStatus.ACTIVE for row in lists["services"]),
            reminded=bool(stage),
            days_past_due=(as_of - account.oldest_due_on).days if account.oldest_due_on else 0,
        )
    )
    return scripting.script(
        situation=situation,
        spoken=Spoken(
            operator=settings.DESK_OPERATOR["name"],
            agent=str(agent),
            customer=account.customer.name,
            account=account.ref,
            currency=account.currency,
            overdue=account.overdue,
            disputed=account.disputed,
            since=account.oldest_due_on,
            promised=broken.amount if broken else None,
            promised_on=broken.due_on if broken else None,
            until=in_flight[0].ends_on if in_flight else None,
        ),
        language=account.customer.language or scripting.DESK_LANGUAGE,
        own_language=own_language(agent),
        requires=requires,
        verified=live is not None and identity.passed(live),
        hints=agent.hints,
        texts=[row for row in lists["script_texts"] if row.situation in (situation, scripting.EVERY)],
    )


def own_language(agent: Agent) -> str:
    """The desk's language for this person, where the script has it."""
    return scripting.language_of(agent.interface_language or get_language() or scripting.DESK_LANGUAGE)
