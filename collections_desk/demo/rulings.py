"""The demo's admin on rules and texts: markets sorted, values set, a choice that waits, texts published and drafted.

Each act goes through the operation that its admin page calls, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from collections_desk.demo.strategy import ADMIN, SUPERVISOR
from dunning import notice_texts, rule_packs, segments
from dunning.models import MarketPacks, NoticeText, PackChange, Segment

#: Markets whose rules ask for another pace: the segments that policies are for.
_MARKETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "long-warning": ("Where a warning runs two weeks", ("ES", "FR", "GB")),
    "from-hundred": ("Where limits begin at 100 euros", ("DE",)),
    "two-warnings": ("Where a warning goes out twice", ("IN",)),
}


#: Where something is filled in, thirty characters at most: a day, a link and a number take several.
_FILLED = "{#var#}"


#: As whom texts go out in India, also those in English.
_REGISTERED = {"entity_id": "1101420180000012345", "header": "NRTHWD", "header_class": "service"}


def sort_markets(*, at: datetime) -> None:
    """The segments that the demo's policies name."""
    known = set(Segment.objects.values_list("code", flat=True))
    for code, (name, countries) in _MARKETS.items():
        if code not in known:
            rule = {"all": [{"fact": "country", "is_any_of": list(countries)}]}
            segments.keep(Segment(code=code, name=name, rule=rule), actor=ADMIN, at=at)


def register_texts(*, at: datetime) -> None:
    """The reminder in Hindi as it is registered with the networks: without that no text leaves there."""
    reminder = notice_texts.Key("reminder", "hi")
    if not _is_written(reminder):
        texts = {
            **notice_texts.shipped()["hi"]["reminder"],
            "sms": ["$operator_name: खाता $account_ref पर $total_due का भुगतान बाकी है।", "$ask_to_pay_short"],
        }
        words = f"{_FILLED}: खाता {_FILLED} पर {_FILLED} का भुगतान बाकी है। कृपया {_FILLED * 11} "
        words += "SMS बंद करने हेतु STOP लिखकर भेजें।"
        registration = {**_REGISTERED, "template_id": "1107160000000098765", "words": words}
        _publish(reminder, texts, registration, reason="as registered with the networks", at=at)


def rule(*, as_of: date, at: datetime, last_day: date) -> None:
    """What the admin and the supervisor decide about rules and texts on a day; what was decided is not done again."""
    ago = (last_day - as_of).days
    if ago <= 24:
        _change("GB", "UK-CONT-01", "closes", "20:00", reason="complaints about calls after eight", at=at)
    if ago <= 16:
        _change("US-FED", "US-FREQ-01", "most", 5, reason="five calls a week reach as many", at=at)
    if ago <= 11:
        _choose("US-IN", [*rule_packs.packs_of("US-IN"), "US-FL"], reason="no quiet hours of its own", at=at)
    if ago <= 9:
        _publish_softer_reminder(at=at)
    if ago <= 3:
        _change("EU", "EU-HOURS-01", "closes", "21:00", reason="evenings are when people are at home", at=at)
    if ago <= 2:
        _choose("US-WA", [], reason="the pack is for agencies; we collect for ourselves", at=at)
        _draft_gentler_warning(at=at)


def _change(pack: str, which: str, parameter: str, value: Any, *, reason: str, at: datetime) -> None:
    if not PackChange.objects.filter(pack=pack, rule=which, parameter=parameter).exists():
        rule_packs.change(pack=pack, rule=which, parameter=parameter, value=value, reason=reason, actor=ADMIN, at=at)


def _choose(market: str, packs: list[str], *, reason: str, at: datetime) -> None:
    if not MarketPacks.objects.filter(market=market).exists():
        rule_packs.choose(market=market, packs=packs, reason=reason, actor=ADMIN, at=at)


def _publish_softer_reminder(*, at: datetime) -> None:
    key = notice_texts.Key("reminder", "en")
    if not _is_written(key):
        shipped = notice_texts.shipped()["en"]["reminder"]
        opening = [
            "Thank you for being with us. One small thing is still open.",
            *shipped["opening"],
        ]
        words = f"{_FILLED}: a reminder that {_FILLED * 16} Reply STOP to opt out."
        registration = {**_REGISTERED, "template_id": "1107160000000098766", "words": words}
        _publish(key, {**shipped, "opening": opening}, registration, reason="friendlier first words", at=at)


def _draft_gentler_warning(*, at: datetime) -> None:
    key = notice_texts.Key("suspension-warning", "es")
    if not _is_written(key):
        shipped = notice_texts.shipped()["es"]["suspension-warning"]
        closing = [*shipped["closing"], "Si le resulta más fácil, podemos repartir el importe en plazos."]
        content = {**shipped, "closing": closing}
        notice_texts.draft(
            template=key.template, language=key.language, tone=key.tone, content=content, registration={}, actor=ADMIN,
            at=at,
        )  # fmt: skip


def _is_written(key: notice_texts.Key) -> bool:
    return NoticeText.objects.filter(template=key.template, language=key.language, tone=key.tone).exists()


def _publish(
    key: notice_texts.Key, content: Mapping[str, Any], registration: Mapping[str, str], *, reason: str, at: datetime
) -> None:
    draft = notice_texts.draft(
        template=key.template, language=key.language, tone=key.tone, content=content, registration=registration,
        actor=ADMIN, at=at,
    )  # fmt: skip
    notice_texts.publish(text_id=draft.pk, actor=SUPERVISOR, at=at + timedelta(minutes=20), reason=reason)
