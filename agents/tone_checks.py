"""What a note is judged by, and a text beside what is known of its reader. Pure: rules and texts in, findings out.

A note that repeats what the customer said is not the agent's own word: what stands in quotation marks, or behind
"customer said", weighs one step less. Two things weigh the same whoever said them, because they are kept all the same:
a card number, and what belongs to the special categories of data (GDPR Art. 9).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from accounts.sensitive_words import diagnosis_in
from dunning.gate.checks.cards import masked
from dunning.tone import CARD, NOTES, NOTICES, SEVERITIES, Found, Lexicon, around, judged, milder

#: Found by looking the words of ``accounts.sensitive_words`` up.
HEALTH = "health-detail"
#: Found in what a text says to whom it was sent.
FIRM_TO_VULNERABLE, HARSH_AFTER_KEPT = "firm-to-vulnerable", "harsh-after-kept"

#: Whoever kept a promise within so many days before is not to be threatened.
JUST_KEPT = timedelta(days=10)
#: Checks whose code begins so are about what is kept, not about how somebody speaks.
KEPT_WHOEVER_SAID_IT = ("special-",)

#: Somebody else speaks, in the languages of the desk's notes: what follows up to the end of the sentence is theirs.
_REPORTS = re.compile(
    r"""
      \b(?:customer|cust|cx|client|caller|debtor|consumer|he|she|they|wife|husband|mother|father|partner)\s+
        (?:(?:has|had|have|just|then|also|again)\s+)?
        (?:said|says|say|saying|told|tells|claims?|claimed|states?|stated|thinks?|shouted|shouts|yelled|screamed|
           called|calls|threatened|threatens|complained|complains|asked|asks|mentioned|swore|wrote|writes)\b
    | \b(?:kunde|kundin|kd|kdn|anrufer|anruferin|er|sie|ehemann|ehefrau|mutter|vater)\s+
        (?:(?:hat|hatte|uns|mich|mir)\s+)*
        (?:sagt|sagte|gesagt|meint|meinte|behauptet|behauptete|nennt|nannte|schreit|schrie|droht|drohte|beschwert|
           beschwerte|fragt|fragte|erzählt|erzählte|schreibt|schrieb)\b
    | \b(?:cliente|clienta|titular|él|ella|esposa|esposo|marido|madre|padre)\s+(?:(?:me|nos|le|ha|se)\s+)*
        (?:dice|dijo|dicho|afirma|afirmó|grita|gritó|llama|llamó|amenaza|amenazó|pregunta|preguntó|queja|quejó|cuenta|
           contó|escribe|escribió)\b
    | \b(?:dice|dijo|afirma|afirmó)\s+que\b
    | (?:ग्राहक|कस्टमर|उन्होंने|उसने|पत्नी|पति)\s+(?:ने\s+|का\s+)?
        (?:मुझे\s+|हमें\s+)?(?:कहा|कहना|बोला|बोली|बोले|बताया|पूछा|चिल्लाया|चिल्लाई|धमकी|कहता|कहती|बोलता|बोलती)
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: The agent's own word, also where it is quoted.
_OWN = re.compile(
    r"\b(?:i|we|agent)\s+(?:said|told|warned|informed|answered|replied|explained)\b"
    r"|\b(?:ich|wir)\s+(?:habe|haben|sagte|sagten|teilte)\b|\b(?:dije|dijimos|avisé|contesté)\b"
    r"|(?:मैंने|हमने)\s",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    '"[^"\n]{1,400}"|\u201c[^\u201d\n]{1,400}\u201d|\u201e[^\u201c\u201d\n]{1,400}[\u201c\u201d]|«[^»\n]{1,400}»'
)
_SENTENCE_ENDS = re.compile(r"[.!?\n\u0964](?=\s|$)")


def judge_note(text: str, *, lexicon: Lexicon) -> list[Found]:
    """What stands against something that somebody here wrote down, the worst first; each check once.

    Words of every language are looked for: notes are written in any.
    """
    text = judged(text)
    found: dict[str, Found] = {}
    for hit in lexicon.hits(text, where=NOTES):
        severity = hit.rule.severity
        if not hit.rule.code.startswith(KEPT_WHOEVER_SAID_IT) and is_reported(text, hit.begin, hit.end):
            severity = milder(severity)
        known = found.get(hit.rule.code)
        if known is None or SEVERITIES.index(severity) > SEVERITIES.index(known.severity):
            found[hit.rule.code] = Found(hit.rule.code, severity, around(text, hit.begin, hit.end))
    if (severity_of_card := lexicon.severity_of(CARD, where=NOTES)) and masked(text)[1]:
        found[CARD] = Found(CARD, severity_of_card, around(text, 0, len(text)))
    if (severity_of_health := lexicon.severity_of(HEALTH, where=NOTES)) and (word := diagnosis_in(text)):
        begin = max(text.casefold().find(word.casefold()), 0)
        found[HEALTH] = Found(HEALTH, severity_of_health, around(text, begin, begin + len(word)))
    return sorted(found.values(), key=lambda one: -SEVERITIES.index(one.severity))


def is_reported(text: str, begin: int, end: int) -> bool:
    """Whether the words at that place are the customer's, repeated: quoted, or behind "customer said"."""
    first = max((match.end() for match in _SENTENCE_ENDS.finditer(text, 0, begin)), default=0)
    before = text[first:begin]
    quoted = any(match.start() < begin and end <= match.end() for match in _QUOTED.finditer(text))
    speakers = [(match.start(), True) for match in _REPORTS.finditer(before)]
    speakers += [(match.start(), False) for match in _OWN.finditer(before)]
    if not speakers:
        return quoted
    return max(speakers)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What was known of the customer on the day a text was sent."""

    sent_on: date
    #: Needs support, by what was noted and not ended.
    in_need: bool
    #: When the last promise that they kept was kept.
    kept_on: date | None = None


def judge_for_reader(
    text: str, *, tone: str, has_gentle: bool, consequence: str, reader: Reader, lexicon: Lexicon
) -> list[Found]:
    """What stands against having sent that text to that customer on that day.

    ``has_gentle``: whether its template has a gentle wording in that language: where it has none, asking for it
    changed nothing.
    """
    is_gentle = tone == "gentle" and has_gentle
    is_firm = tone == "firm" or bool(consequence)
    just_kept = reader.kept_on is not None and timedelta(0) <= reader.sent_on - reader.kept_on <= JUST_KEPT
    stands = {
        FIRM_TO_VULNERABLE: reader.in_need and is_firm and not is_gentle,
        HARSH_AFTER_KEPT: just_kept and is_firm,
    }
    excerpt = around(text, 0, min(len(text), 120))
    return [
        Found(check, severity, excerpt)
        for check, holds in stands.items()
        if holds and (severity := lexicon.severity_of(check, where=NOTICES)) is not None
    ]
