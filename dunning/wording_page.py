"""A notice as an e-mail page: tables, inline styles, and every word escaped. Pure.

Nothing is fetched from anywhere. A bill is a block of its own and not a row of six columns, so that twelve of them can
be read on a phone. The few rules in the head only repaint for a dark screen; a program that drops them shows the page
in light colours.
"""

from __future__ import annotations

from html import escape

from dunning.wording_facts import NoticeBody, Table

# Mail programs honour inline styles and tables, and little else.
_FONT = (
    "font-family:-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans Devanagari','Noto Sans Arabic',Arial,sans-serif"
)
_INK = "color:#1f2933"
_QUIET = "color:#52606d"
_PARAGRAPH = f"margin:0 0 16px;font-size:16px;line-height:25px;{_INK}"
_BUTTON = (
    "display:inline-block;background:#0b5cad;color:#ffffff;text-decoration:none;font-size:16px;line-height:24px;"
    "font-weight:600;padding:12px 24px;border-radius:6px"
)
_SHEET = "width:100%;max-width:600px;background:#ffffff;border-radius:8px"
_HEADING = f"padding:18px 24px;border-bottom:3px solid #0b5cad;font-size:18px;font-weight:700;color:#0b3d70;{_FONT}"
_SMALL_PRINT = f"padding:14px 24px;border-top:1px solid #d5dce3;font-size:13px;line-height:20px;{_QUIET};{_FONT}"
_CELL = "padding:10px 0;border-bottom:1px solid #d5dce3"
_NAME = f"font-size:15px;line-height:22px;font-weight:600;{_INK}"
_DETAIL = f"font-size:13px;line-height:20px;{_QUIET}"
_AMOUNT = f"font-size:16px;line-height:22px;font-weight:700;white-space:nowrap;{_INK}"
_FRAME = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
# Seen by the inbox, not by the reader; what follows it keeps the inbox from showing the beginning of the page.
_UNSEEN = "display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;opacity:0"
_AFTER_PREVIEW = "&#8199;&#65279;&#847; " * 30
_DARK = """\
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.back{background:#0e1116!important}
.sheet{background:#171b23!important}
.ink{color:#e9ecf1!important}
.quiet{color:#a9b3c3!important}
.accent{color:#a8c7ff!important;border-color:#4c8dff!important}
.rule{border-color:#39424f!important}
.button{background:#2f6fd0!important;color:#ffffff!important}
}
@media (max-width:480px){.pad{padding-left:16px!important;padding-right:16px!important}}"""


def html_page(body: NoticeBody) -> str:
    """The whole page. Names and references come from outside: nothing reaches the page unescaped."""
    start = "right" if body.rtl else "left"
    parts = [_paragraph(body.greeting), *map(_paragraph, body.opening)]
    if body.table is not None:
        parts.append(_table(body.table, body.labels["colon"], rtl=body.rtl))
    if body.pay_url is not None:
        parts.append(
            f'<p style="margin:0 0 22px"><a class="button" href="{escape(body.pay_url)}" style="{_BUTTON}">'
            f"{escape(body.labels['pay_button'])}</a></p>"
        )
    if body.ways_to_pay:
        ways = "".join(f'<li style="margin:0 0 4px">{_way(way, body)}</li>' for way in body.ways_to_pay)
        heading = escape(body.labels["how_to_pay"])
        parts.append(f'<p class="ink" style="{_PARAGRAPH};margin-bottom:4px;font-weight:600">{heading}</p>')
        parts.append(f'<ul class="ink" style="{_PARAGRAPH};padding-{start}:22px;word-break:break-word">{ways}</ul>')
    parts += map(_paragraph, body.closing)
    parts.append(f'<p class="ink" style="{_PARAGRAPH}">{escape(body.sign_off)}<br>{escape(body.operator_name)}</p>')
    content = "\n".join(parts)
    direction = "rtl" if body.rtl else "ltr"
    return f"""<!doctype html>
<html lang="{escape(body.locale)}" dir="{direction}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no,date=no,address=no,email=no">
<title>{escape(body.subject)}</title>
<style>
{_DARK}
</style></head>
<body class="back" dir="{direction}" style="margin:0;padding:0;background:#f3f5f7;{_FONT}">
<div style="{_UNSEEN}">{escape(body.preview)} {_AFTER_PREVIEW}</div>
{_FRAME}><tr><td align="center" style="padding:24px 8px">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0"><tr><td><![endif]-->
{_FRAME} class="sheet" dir="{direction}" style="{_SHEET}">
<tr><td class="accent pad" align="{start}" style="{_HEADING}">{escape(body.operator_name)}</td></tr>
<tr><td class="pad" align="{start}" style="padding:24px;{_FONT}">
{content}
</td></tr>
<tr><td class="quiet rule pad" align="{start}" style="{_SMALL_PRINT}">\
{escape(body.labels["account"] + body.labels["colon"])} {escape(body.account_ref)}</td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"""


def _way(way: str, body: NoticeBody) -> str:
    """A way to pay; an address of the web keeps its order where the text runs from right to left."""
    said, address = escape(way), escape(body.pay_url or "")
    return said.replace(address, f'<span dir="ltr">{address}</span>') if body.rtl and address else said


def _paragraph(text: str) -> str:
    return f'<p class="ink" style="{_PARAGRAPH}">{escape(text)}</p>'


def _table(table: Table, colon: str, *, rtl: bool) -> str:
    start, end = ("right", "left") if rtl else ("left", "right")
    rows = []
    for row in table.rows:
        first, label, amount = row[0], "", row[-1]
        details = []
        if table.headings:
            first, label = f"{table.headings[0]} {row[0]}", table.headings[-1]
            pairs = [f"{heading}{colon} {cell}" for heading, cell in zip(table.headings, row, strict=True)]
            details = [" · ".join(pairs[1 : table.numbers_from]), " · ".join(pairs[table.numbers_from : -1])]
        lines = "".join(f'<div class="quiet" style="{_DETAIL}">{escape(line)}</div>' for line in details if line)
        said = f'<div class="quiet" style="{_DETAIL}">{escape(label)}</div>' if label else ""
        rows.append(
            f'<tr><td class="rule" align="{start}" valign="top" style="{_CELL}">'
            f'<div class="ink" style="{_NAME}">{escape(first)}</div>{lines}</td>'
            f'<td class="rule" align="{end}" valign="top" style="{_CELL};padding-{start}:12px">{said}'
            f'<div class="ink" style="{_AMOUNT}">{escape(amount)}</div></td></tr>'
        )
    lines = "\n".join(rows)
    return f"""{_FRAME} style="margin:0 0 22px;border-collapse:collapse">
{lines}
<tr><td class="ink" align="{start}" style="padding:12px 0;font-size:17px;font-weight:700;{_INK}">\
{escape(table.total_label)}</td>
<td class="ink" align="{end}" style="padding:12px 0;font-size:17px;font-weight:700;white-space:nowrap;{_INK}">\
{escape(table.total)}</td></tr>
</table>"""
