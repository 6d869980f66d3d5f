"""A notice as an e-mail page: tables, inline styles, and every word escaped. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dunning.wording_facts import NoticeBody, Table

# Mail programs honour inline styles and tables, and little else.
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans Devanagari',Arial,sans-serif"
_PARAGRAPH = "margin:0 0 16px;font-size:16px;line-height:24px;color:#1f2933"
_CELL = "padding:8px 10px;border-bottom:1px solid #d5dce3;font-size:14px;line-height:20px;color:#1f2933"
_TOTAL = f"{_CELL};font-weight:700;border-bottom:0"
_BUTTON = (
    "display:inline-block;background:#0b5cad;color:#ffffff;text-decoration:none;font-size:16px;line-height:24px;"
    "font-weight:600;padding:10px 20px;border-radius:6px"
)
_SHEET = "max-width:640px;background:#ffffff;border-radius:8px"
_HEADING = f"padding:18px 28px;border-bottom:3px solid #0b5cad;font-size:18px;font-weight:700;color:#0b3d70;{_FONT}"
_SMALL_PRINT = f"padding:14px 28px;font-size:13px;color:#52606d;{_FONT}"
_FRAME = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0"'


def html_page(body: NoticeBody) -> str:
    """The whole page. Names and references come from outside: nothing reaches the page unescaped."""
    parts = [_paragraph(body.greeting), *map(_paragraph, body.opening)]
    if body.table is not None:
        parts.append(_table(body.table))
    if body.pay_url is not None:
        parts.append(
            f'<p style="margin:0 0 20px"><a href="{escape(body.pay_url)}" style="{_BUTTON}">'
            f"{escape(body.labels['pay_button'])}</a></p>"
        )
    if body.ways_to_pay:
        ways = "".join(f'<li style="margin:0 0 4px">{escape(way)}</li>' for way in body.ways_to_pay)
        heading = escape(body.labels["how_to_pay"])
        parts.append(f'<p style="{_PARAGRAPH};margin-bottom:4px;font-weight:600">{heading}</p>')
        parts.append(f'<ul style="{_PARAGRAPH};padding-left:22px">{ways}</ul>')
    parts += map(_paragraph, body.closing)
    parts.append(f'<p style="{_PARAGRAPH}">{escape(body.sign_off)}<br>{escape(body.operator_name)}</p>')
    content = "\n".join(parts)
    return f"""<!doctype html>
<html lang="{escape(body.locale)}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(body.subject)}</title></head>
<body style="margin:0;padding:0;background:#f3f5f7;{_FONT}">
{_FRAME}><tr><td align="center" style="padding:24px 8px">
{_FRAME} style="{_SHEET}">
<tr><td style="{_HEADING}">{escape(body.operator_name)}</td></tr>
<tr><td style="padding:28px;{_FONT}">
{content}
</td></tr>
<tr><td style="{_SMALL_PRINT}">{escape(body.labels["account"])}: {escape(body.account_ref)}</td></tr>
</table>
</td></tr></table>
</body>
</html>
"""


def _paragraph(text: str) -> str:
    return f'<p style="{_PARAGRAPH}">{escape(text)}</p>'


def _table(table: Table) -> str:
    head = _row(table.headings, table, tag="th scope=col", style=f"{_CELL};font-weight:600;color:#52606d")
    rows = "\n".join(_row(row, table, tag="td", style=_CELL) for row in table.rows)
    return f"""<div style="overflow-x:auto;margin:0 0 20px">
<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse">
{head}
{rows}
<tr><td colspan="{len(table.headings) - 1}" style="{_TOTAL}">{escape(table.total_label)}</td>
<td align="right" style="{_TOTAL};white-space:nowrap">{escape(table.total)}</td></tr>
</table></div>"""


def _row(cells: Sequence[str], table: Table, *, tag: str, style: str) -> str:
    sides = ("right" if place >= table.numbers_from else "left" for place in range(len(cells)))
    return (
        "<tr>"
        + "".join(
            f'<{tag} align="{side}" style="{style}">{escape(cell)}</{tag.split()[0]}>'
            for cell, side in zip(cells, sides, strict=True)
        )
        + "</tr>"
    )
