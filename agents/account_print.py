"""The file of an account on paper: what is in it as tables, texts and pairs, typeset to PDF. No database here.

The layout is ``on_paper/account.typ``; all words reach it as JSON data, so nothing a customer wrote becomes markup. The
sheet is in English, as everything that is kept.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import override
from pymupdf_fonts import FiraGO_Bold, FiraGO_Regular  # type: ignore[import-untyped]

from agents import audit_words
from agents.words import of_code

LAYOUT = Path(__file__).with_name("on_paper") / "account.typ"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    heading: str
    detail: str = ""
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One heading of the sheet and what stands under it; with nothing under it, it says so."""

    title: str
    intro: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    #: Which columns are amounts, and stand at their end.
    numbers: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    nothing: str = "None."

    @property
    def empty(self) -> bool:
        return not (self.pairs or self.rows or self.texts)


def typeset(file: Mapping[str, Any]) -> bytes:
    """The sheet as PDF/A-2a: tagged, with its contents as bookmarks. The same file gives the same bytes."""
    with override("en"):
        sheet = _sheet(file)
    with tempfile.TemporaryDirectory(prefix="sheet-fonts-") as fonts:
        for name, font in (("regular", FiraGO_Regular), ("bold", FiraGO_Bold)):
            (Path(fonts) / f"{name}.ttf").write_bytes(font.fontbuffer)
        pdf = typst.Compiler(
            str(LAYOUT), root=str(LAYOUT.parent), font_paths=[fonts], ignore_system_fonts=True
        ).compile(
            format="pdf",
            sys_inputs={"file": json.dumps(sheet, ensure_ascii=False)},
            timestamp=int(datetime.fromisoformat(file["made_at"]).timestamp()),
            pdf_standards="a-2a",
        )
    if not isinstance(pdf, bytes):
        raise TypeError("the compiler returned no PDF")
    return pdf


def _sheet(file: Mapping[str, Any]) -> dict[str, Any]:
    account, customer = file["account"], file["customer"]
    made = f"Made on {_moment(file['made_at'])}"
    events = file["events"]
    facts = [
        ("Operator", file["operator"]),
        ("Account", f"{account['ref']}, {account['currency']}, {_words(account['status'])}"),
        ("Customer", f"{customer['name']} ({customer['ref']})"),
        ("Made", _moment(file["made_at"])),
        ("Events in the trail", str(len(events))),
        ("As sealed", _sealed_in_words(events)),
        ("Head of the chain", _head_in_words(file["head"])),
        ("Left out", "; ".join(file["left_out"])),
    ]
    return {
        "title": f"File of account {account['ref']}",
        "description": "Everything about one account, with the trail of events and the seals over it",
        "subtitle": customer["name"],
        "operator": file["operator"],
        "made": made,
        "page_label": "Page",
        "contents_label": "Contents",
        "facts": [fact for fact in facts if fact[1]],
        "sections": [asdict(section) | {"empty": section.empty} for section in _sections(file)],
    }


def _sections(file: Mapping[str, Any]) -> Iterable[Section]:
    yield from _parties(file)
    yield from _money(file)
    yield from _treatment(file)
    yield from _contacts(file)
    yield from _agreements(file)
    yield from _trail(file)


def _parties(file: Mapping[str, Any]) -> Iterable[Section]:
    yield Section(title="The account", pairs=_pairs(file["account"]))
    yield Section(title="The customer", pairs=_pairs(file["customer"]))
    yield Section(title="Other addresses and numbers", texts=_all_of(file["contact_points"], "value"))
    yield Section(title="Who speaks for the customer", texts=_all_of(file["representatives"], "name"))
    yield Section(title="Consents and refusals", texts=_all_of(file["consents"], "channel"))
    yield Section(title="Wishes about contact", texts=_all_of(file["preferences"], "kind"))
    yield Section(
        title="Support the customer needs",
        intro="; ".join(file["left_out"]),
        texts=_all_of(file["vulnerabilities"], "category"),
    )


def _money(file: Mapping[str, Any]) -> Iterable[Section]:
    currency = file["account"]["currency"]
    yield _table(
        "Bills", file["bills"],
        [("Bill", "ref", 3), ("Issued", "issued_on", 2), ("Due", "due_on", 2), (f"Amount, {currency}", "amount", 2),
         ("Still open", "open_amount", 2), ("Contested", "disputed_amount", 2), ("Status", "status", 2)],
        numbers=[3, 4, 5],
    )  # fmt: skip
    yield _table(
        "Payments", file["payments"],
        [("Payment", "ref", 3), ("Received", "received_on", 2), (f"Amount, {currency}", "amount", 2),
         ("Method", "method", 2), ("For bill", "bill_ref", 2), ("Takes back", "reverses", 2)],
        numbers=[2],
    )  # fmt: skip
    yield _table(
        "Credits and charges", file["adjustments"],
        [("Entry", "ref", 3), ("Day", "on", 2), (f"Amount, {currency}", "amount", 2), ("Kind", "kind", 2),
         ("Bill", "bill_ref", 2), ("Reason", "reason", 3)],
        numbers=[2],
    )  # fmt: skip
    yield _table(
        "Fees of the desk", file["fees"],
        [("Fee", "ref", 3), ("Day", "on", 2), (f"Amount, {currency}", "amount", 2), ("Kind", "kind", 2),
         ("Let go on", "waived_on", 2), ("By", "waived_by", 2), ("Why", "waive_reason", 3)],
        numbers=[2],
    )  # fmt: skip
    yield Section(title="Written off", texts=_all_of(file["write_offs"], "amount"))
    yield Section(title="With agencies", texts=_all_of(file["placements"], "agency"))


def _treatment(file: Mapping[str, Any]) -> Iterable[Section]:
    yield _table(
        "Services", file["services"],
        [("Service", "ref", 3), ("Kind", "kind", 2), ("Number", "number", 3), ("Status", "status", 2),
         ("Protected", "protected", 2), ("Kept until", "keep_until", 2)],
    )  # fmt: skip
    yield _table(
        "Holds", file["holds"],
        [("Reason", "reason", 2), ("From", "starts_on", 2), ("To", "ends_on", 2), ("Bills", "bill_refs", 2),
         ("Placed by", "placed_by", 2), ("Lifted", "lifted_on", 2), ("Note", "note", 3)],
    )  # fmt: skip
    steps = [{**step, "version": case["version"]} for case in file["cases"] for step in case["steps"]]
    yield _table(
        "Steps of policies", steps,
        [("Policy", "version", 3), ("Step", "code", 2), ("Action", "action", 2), ("Result", "result", 3),
         ("Its turn came", "came_on", 2), ("Done", "done_on", 2)],
    )  # fmt: skip
    yield _table(
        "Orders to the network", file["orders"],
        [("Service", "service", 2), ("Order", "kind", 2), ("To", "rung", 2), ("Step", "step_code", 2),
         ("State", "state", 2), ("Sent", "sent_at", 3), ("Confirmed", "confirmed_at", 3)],
    )  # fmt: skip


def _contacts(file: Mapping[str, Any]) -> Iterable[Section]:
    yield Section(
        title="Notices as they were sent",
        texts=[
            Text(
                heading=f"{_words(row['step_code'])} by {_words(row['channel'])}: {_words(row['state'])}",
                detail=_joined(
                    f"made {_day(row['made_on'])}", f"sent {_moment(row['sent_at'])}" if row["sent_at"] else "",
                    f"delivered {_moment(row['delivered_at'])}" if row["delivered_at"] else "",
                    f"to {row['address']}" if row["address"] else "", f"language {row['language']}",
                    f"amount {row['amount']} {row['currency']}", row["reason"], f"key {row['key']}",
                ),
                lines=_lines(_joined(row["subject"], row["body"], by="\n\n") or "It was not worded: it never left."),
            )
            for row in file["notices"]
        ],
    )  # fmt: skip
    yield Section(
        title="Messages received",
        texts=[
            Text(
                heading=f"{_words(row['channel'])} of {_moment(row['received_at'])}: {_words(row['intent'])}",
                detail=_joined(f"from {row['sender']}", _words(row["state"]), row["done_by"]),
                lines=_lines(_joined(row["subject"], row["text"], by="\n\n")),
            )
            for row in file["messages_received"]
        ],
    )
    yield Section(
        title="Calls and other talks",
        texts=[
            Text(
                heading=f"{_words(row['kind'])}, {_words(row['direction'])}, {_moment(row['at'])}: "
                f"{_words(row['disposition'])}",
                detail=_joined(
                    f"by {row['agent']}" if row["agent"] else "", f"number {row['number']}" if row["number"] else "",
                    f"{row['duration_seconds']} seconds" if row["duration_seconds"] else "",
                    "the customer spoke" if row["right_party"] else "",
                    f"said: {', '.join(row['said'])}" if row["said"] else "",
                    f"although the gate said no: {row['override_code']}" if row["override_code"] else "",
                    "taken back: a slip" if row["undone_at"] else "",
                ),
                lines=_lines(row["note"]),
            )
            for row in file["interactions"]
        ],
    )  # fmt: skip
    yield Section(
        title="Notes",
        texts=[
            Text(heading=_moment(row["at"]), detail=_joined(row["by"], "taken back" if row["undone_at"] else ""),
                 lines=_lines(row["text"]))
            for row in file["notes"]
        ],
    )  # fmt: skip
    yield _table(
        "What the contact gate said", file["contacts_decided"],
        [("When, UTC", "at", 3), ("Action", "action", 2), ("Asked by", "actor", 2), ("Answer", "outcome", 2),
         ("Rules", "rule_ids", 3), ("Reasons", "reasons", 5), ("Gone on by", "overridden_by", 2)],
        intro="Contacts, limits and other acts that were asked for, allowed or not, with the rules that said so.",
    )  # fmt: skip


def _agreements(file: Mapping[str, Any]) -> Iterable[Section]:
    for title, name, headed in (
        ("Promises", "promises", "amount"), ("Plans", "plans", "ref"), ("Time to pay", "extensions", "until"),
        ("Settlements", "settlements", "amount"), ("Cheaper products", "downgrades", "to_product"),
        ("Budgets", "budgets", "made_on"), ("Disputes", "disputes", "ref"), ("Complaints", "complaints", "ref"),
        ("What the customer said of us", "surveys", "asked_at"), ("Identity checks", "identity_checks", "at"),
    ):  # fmt: skip
        yield Section(title=title, texts=_all_of(file[name], headed))


def _trail(file: Mapping[str, Any]) -> Iterable[Section]:
    yield Section(
        title="The trail",
        intro="Every event of the account in the order in which it was written: UTC, by whom or by which version of a "
        "policy, on which facts, and the number of the seal over it.",
        columns=["Event", "When", "What", "By", "On which facts", "Seal"],
        widths=[1.3, 2, 3.4, 2.8, 6, 1.2],
        rows=[_event(row) for row in file["events"]],
    )
    yield Section(
        title="The seals over it",
        intro="Each seal is a SHA-256 over the digests of its events and the seal before it.",
        columns=["Seal", "Events from", "to", "Sealed, UTC", "Hash"],
        widths=[1.2, 1.6, 1.6, 3, 9],
        rows=[
            [
                str(row["seal"]),
                str(row["first_event_id"]),
                str(row["last_event_id"]),
                _moment(row["sealed_at"]),
                row["hash"],
            ]
            for row in file["seals"]
        ],
    )
    head = file["head"]
    yield Section(
        title="The head that covers them",
        intro="Kept by whoever gets this file, it proves later that nothing above was changed: the chain of the "
        "operator's desk must still contain it. The key below checks its signature.",
        texts=[
            Text(heading="Head", lines=_lines(head["text"])),
            Text(heading="Public key", lines=_lines(file["public_key"])),
        ]
        if head
        else [],
    )


def _event(row: Row) -> list[str]:
    doer = audit_words.doer(actor=row["actor"], policy=row["policy"], payload=row["payload"])
    facts = "; ".join(f"{name}: {value}" for name, value in audit_words.facts(row["payload"]))
    seal = str(row["seal"] or "not yet") + (": DIFFERS" if row["as_sealed"] is False else "")
    return [
        str(row["event_id"]),
        _moment(row["at"]) + (f"\nfor {_day(row['on'])}" if row["on"] not in row["at"] else ""),
        f"{row['title']}\n{row['kind']}",
        "\n".join(filter(None, [doer.name, doer.policy_words, f"step {doer.step}" if doer.step else ""])),
        "\n".join(filter(None, [row["reason"], facts])),
        seal,
    ]


def _sealed_in_words(events: Sequence[Row]) -> str:
    waiting = sum(row["seal"] is None for row in events)
    differing = [str(row["event_id"]) for row in events if row["as_sealed"] is False]
    if differing:
        return f"NOT: events {', '.join(differing[:20])} differ from what was sealed"
    return f"All of them{f' but {waiting} that are not sealed yet' if waiting else ''}"


def _head_in_words(head: Row | None) -> str:
    if head is None:
        return ""
    return f"Seal {head['seal']}{'' if head['covers_every_seal'] else '; some seals are newer'}: see the last pages"


def _table(
    title: str, rows: Iterable[Row], columns: Sequence[tuple[str, str, float]], *, numbers: Sequence[int] = (),
    intro: str = "",
) -> Section:  # fmt: skip
    return Section(
        title=title,
        intro=intro,
        columns=[words for words, _, _ in columns],
        widths=[width for _, _, width in columns],
        numbers=list(numbers),
        rows=[[_cell(name, row[name]) for _, name, _ in columns] for row in rows],
    )


#: Names and numbers of the operator's: shown as they are, whatever they look like.
_AS_THEY_ARE = frozenset(
    {"ref", "bill_ref", "reverses", "version", "number", "service", "key", "note", "text", "address", "rule_ids"}
)


def _cell(name: str, value: Any) -> str:
    if value in (None, "", []):
        return ""
    if isinstance(value, list):
        return ", ".join(_cell(name, one) for one in value)
    return str(value) if name in _AS_THEY_ARE else _words(value)


def _words(value: object) -> str:
    """A code, a day or a moment as people read it."""
    text = str(value)
    if text.endswith("Z") and "T" in text:
        return _moment(text)
    if isinstance(value, str) and text.islower() and text.replace("_", "").replace("-", "").isalpha():
        return of_code(text)
    return audit_words.value_of(value)


def _pairs(row: Row) -> list[tuple[str, str]]:
    return [
        (audit_words.name_of(name), _cell(name, value)) for name, value in row.items() if value not in (None, "", [])
    ]


def _all_of(rows: Iterable[Row], headed: str) -> list[Text]:
    """Rows of which every column is shown, each under what it is told apart by."""
    return [
        Text(
            heading=_cell(headed, row[headed]) or NOTHING_SAID,
            lines=[line for name, value in row.items() if name != headed for line in _told(name, value)],
        )
        for row in rows
    ]


NOTHING_SAID = "(not said)"


def _told(name: str, value: Any) -> list[str]:
    if value in (None, "", [], {}):
        return []
    if isinstance(value, list) and isinstance(value[0], dict):
        return [
            f"{audit_words.name_of(name)} {place}: "
            + "; ".join(
                f"{audit_words.name_of(key)} {_cell(key, one)}" for key, one in part.items() if one not in ("", None)
            )
            for place, part in enumerate(value, start=1)
        ]
    return _lines(f"{audit_words.name_of(name)}: {_cell(name, value)}")


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _joined(*parts: str, by: str = " \N{MIDDLE DOT} ") -> str:
    return by.join(part for part in parts if part)


def _moment(text: str) -> str:
    at = datetime.fromisoformat(text).astimezone(UTC)
    return f"{at.day} {at:%b %Y %H:%M:%S}"


def _day(text: str) -> str:
    on = date.fromisoformat(text)
    return f"{on.day} {on:%b %Y}"
