"""What people's time went to, and what collecting costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from agents.counting import CALLS, Tally, read_rows
from agents.scopes import Parts

#: Prices by the day: the last that was set by then.
_PRICE = """(SELECT k.amount FROM agents_cost k WHERE k.kind = {kind} AND k.currency = {currency} AND k.from_on <= {on}
             ORDER BY k.from_on DESC LIMIT 1)"""


def time_and_pay(tally: Tally) -> None:
    """People's paid time, their time at work, what they spent on accounts; and what their time costs."""
    spent: dict[str, dict[str, dict[int, Decimal]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for row in read_rows(
        # Also about accounts of another currency than the one looked at: a person has one day.
        f"""SELECT c.agent, a.currency, coalesce(f.cell, 0) AS cell, sum(c.seconds) AS seconds FROM ({CALLS}) c
              JOIN accounts_account a ON a.id = c.account_id LEFT JOIN figures_account f ON f.account_id = a.id
             WHERE c.agent <> '' AND c.seconds > 0 GROUP BY 1, 2, 3""",
        tally.params(),
    ):
        spent[row["agent"]][row["currency"]][row["cell"]] += Decimal(row["seconds"])
    for agent, by_currency in spent.items():
        handled = sum((sum(cells.values(), Decimal(0)) for cells in by_currency.values()), Decimal(0))
        tally.parts.worked(agent, ("handled",), handled)
    hour = _PRICE.format(kind="'agent_hour'", currency="c.currency", on="(l.begun AT TIME ZONE %(zone)s)::date")
    at_work: dict[str, Decimal] = {}
    pay: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in read_rows(
        f"""
        WITH stretch AS (
            SELECT p.username AS agent, s.what, greatest(s.begun_at, %(from_at)s) AS begun,
                   least(coalesce(s.ended_at, s.seen_at), %(to_at)s) AS ended
              FROM agents_stretch s JOIN figures_person p ON p.id = s.agent_id
             WHERE s.begun_at < %(to_at)s AND coalesce(s.ended_at, s.seen_at) > %(from_at)s
        ), length AS (
            SELECT agent, what, begun, extract(epoch FROM ended - begun) AS seconds FROM stretch
        ), currency AS (SELECT DISTINCT currency FROM agents_cost WHERE kind = 'agent_hour')
        SELECT l.agent, coalesce(c.currency, '') AS currency, sum(l.seconds) AS seconds,
               sum(l.seconds) FILTER (WHERE l.what = 'work') AS at_work,
               sum(l.seconds * {hour} / 3600) AS pay
          FROM length l LEFT JOIN currency c ON true
         GROUP BY l.agent, c.currency
        """,
        tally.params(),
    ):
        agent = row["agent"]
        if agent not in at_work:
            at_work[agent] = row["at_work"] or Decimal(0)
            tally.parts.worked(agent, ("paid",), row["seconds"])
            tally.parts.worked(agent, ("at_work",), at_work[agent])
        if row["pay"]:
            pay[agent][row["currency"]] = row["pay"]
    for agent, paid in pay.items():
        _share_pay(tally.parts, agent, paid, spent.get(agent, {}))


def _share_pay(
    parts: Parts, agent: str, paid: Mapping[str, Decimal], spent: Mapping[str, Mapping[int, Decimal]]
) -> None:
    """An agent's pay goes to the accounts that took the time; of who worked on none, to the book as a whole."""
    whole = sum((sum(cells.values(), Decimal(0)) for cells in spent.values()), Decimal(0))
    for currency, amount in paid.items():
        cells = spent.get(currency, {})
        own = sum(cells.values(), Decimal(0))
        share = amount * own / whole if whole else amount / len(paid)
        if not share:
            continue
        key = ("cost_pay",)
        parts.teams[currency, parts.people.get(agent, "")].plus(key, share)
        parts.agents[currency, agent].plus(key, share)
        if not own:
            parts.beside[currency].plus(key, share)
        for cell, seconds in cells.items():
            parts.talk[cell].plus(key, share * seconds / own)


def costs(tally: Tally) -> None:
    """Messages at their price, minutes of calls, and so much of a month of everything else as the period has of it."""
    message = _PRICE.format(kind="n.channel", currency="f.currency", on="(n.sent_at AT TIME ZONE %(zone)s)::date")
    tally.of_accounts(
        f"""SELECT n.account_id, {message} * CASE WHEN n.channel = 'sms' THEN coalesce(n.segments, 1) ELSE 1 END AS cost
              FROM dunning_notice n JOIN figures_account f USING (account_id)
             WHERE n.sent_at >= %(from_at)s AND n.sent_at < %(to_at)s""",
        tally.params(),
        sums="sum(cost) AS cost_messages",
    )
    minute = _PRICE.format(kind="'call_minute'", currency="f.currency", on="(c.at AT TIME ZONE %(zone)s)::date")
    tally.of_people(
        f"""SELECT c.account_id, c.agent, {minute} * c.talk / 60.0 AS cost
              FROM ({CALLS}) c JOIN figures_account f USING (account_id) WHERE c.talk > 0""",
        tally.params(),
        sums="sum(cost) AS cost_calls",
    )
    price = _PRICE.format(kind="'overhead_month'", currency="c.currency", on="day.on::date")
    for row in read_rows(
        f"""
        SELECT c.currency, sum({price} / extract(
                   day FROM date_trunc('month', day.on) + interval '1 month' - interval '1 day')) AS overhead
          FROM (SELECT DISTINCT currency FROM agents_cost) c
          CROSS JOIN generate_series(%(start)s::date + 1, %(end)s::date, interval '1 day') AS day("on")
         GROUP BY c.currency
        """,
        tally.params(),
    ):
        tally.parts.known.add(f"costs {row['currency']}")
        if row["overhead"]:
            tally.parts.beside[row["currency"]].plus(("cost_overhead",), row["overhead"])
            tally.parts.teams[row["currency"], ""].plus(("cost_overhead",), row["overhead"])
