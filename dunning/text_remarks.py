"""What the checks of words say to the text of a notice while it is written: to look at, nothing that forbids it.

What the rules of the packs object to is another matter (``notice_texts.problems``): that keeps a text out of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from dunning import notice_texts
from dunning.notice_samples import House, Sample, for_table, samples, usual_country
from dunning.notice_texts import PLAIN, Key
from dunning.tone import SEVERITIES, Lexicon, as_read, judge_notice
from dunning.wording import CHANNELS, Wordings, word_notice
from dunning.wording_texts import FALLBACK_TEMPLATE, TONES

#: The made-up facts that a text is said with: the usual ones, and the last of what may follow.
_TRIED = (0, -1)
#: A letter says what the e-mail says.
_SAID_ON = tuple(channel for channel in CHANNELS if channel != "letter")


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """What one check says to a text on some channels."""

    language: str
    template: str
    tone: str
    check: str
    severity: str
    channels: tuple[str, ...]
    excerpt: str


def lexicon() -> Lexicon:
    """The checks in force: they are kept in the room above, which is asked by its dotted name."""
    found: Lexicon = import_string(settings.DESK_WORD_CHECKS)()
    return found


def of_text(key: Key, content: Mapping[str, Any], *, today: date) -> list[Remark]:
    """What stands against a text as it is written, the worst first. Raises ``WordingError`` where it cannot be said."""
    wordings = notice_texts.with_text(key, content)
    template = FALLBACK_TEMPLATE if key.is_shared else key.template
    return _sorted(_remarks(wordings, lexicon(), template, key.language, key.tone, today=today))


def of_templates(templates: Iterable[str], *, today: date) -> list[Remark]:
    """What stands against those templates as they are in use, in every language and tone that is written."""
    wordings, checks = notice_texts.in_use(), lexicon()
    found: list[Remark] = []
    for template in sorted(set(templates)):
        for code, language in wordings.languages.items():
            for tone in (str(PLAIN), *TONES):
                if (template if tone == PLAIN else f"{template}.{tone}") in language.templates:
                    found += _remarks(wordings, checks, template, code, tone, today=today)
    return _sorted(found)


def _remarks(
    wordings: Wordings, checks: Lexicon, template: str, language: str, tone: str, *, today: date
) -> list[Remark]:
    spoken = "" if tone == PLAIN else tone
    chosen = wordings.choose(template, language, spoken)[1]
    asks = chosen.pays and chosen.table == "bills"
    found: dict[str, tuple[str, str, list[str]]] = {}
    for sample in _tried(language, today):
        said = for_table(sample.facts, chosen.table)
        for channel in _SAID_ON:
            worded = word_notice(template=template, channel=channel, facts=said, wordings=wordings, tone=spoken)
            # A customer's name in capitals is not ours to judge; nor is the bank's.
            text = as_read(worded.subject, worded.text, channel=channel).replace(said.customer_name, "\u2026")
            for one in judge_notice(
                text, language=language, channel=channel, lexicon=checks, amount=said.total_due if asks else None
            ):
                channels = found.setdefault(one.check, (one.severity, one.excerpt, []))[2]
                if channel not in channels:
                    channels.append(channel)
    return [
        Remark(language, template, tone, check, severity, tuple(channels), excerpt)
        for check, (severity, excerpt, channels) in found.items()
    ]


def _tried(language: str, today: date) -> list[Sample]:
    house: House = notice_texts.house()
    tried = samples(language=language, country=usual_country(language), house=house, today=today)
    return [tried[place] for place in _TRIED]


def _sorted(found: list[Remark]) -> list[Remark]:
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one))
