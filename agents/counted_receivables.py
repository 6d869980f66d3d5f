"""What was billed, what is and was open, where it went: of a day, and from one end of a period to the other.

Accounts with a write-off, and those of the sample for the months' curves, are read one by one.
"""

from __future__ import annotations

from datetime import timedelta

from accounts.money import from_mills
from accounts.position import BUCKETS, PAYMENT, WRITE_OFF, books_of
from agents import ageing as open_amounts
from agents import scopes
from agents.counting import (
    AGEING_WEEKS,
    IN_FORCE,
    QUARTER_DAYS,
    SUSTAINED_DAYS,
    VINTAGE_ACCOUNTS,
    VINTAGE_DAYS,
    VINTAGE_MONTHS,
    Tally,
    in_chunks,
    read_rows,
    roll_start,
    year_before,
)


def sales(tally: Tally) -> None:
    """Bills in force, by the month of issue; and those of a quarter and of a year."""
    as_of = tally.period.end
    tally.of_accounts(
        f"SELECT b.account_id, b.issued_on, b.amount, to_char(b.issued_on, 'YYYY-MM') AS month "
        f"FROM accounts_bill b WHERE {IN_FORCE}",
        tally.params(quarter=as_of - timedelta(days=QUARTER_DAYS), year=year_before(as_of)),
        by=["month"],
        sums="""sum(amount) AS sales_of_month,
            sum(amount) FILTER (WHERE issued_on > %(quarter)s) AS sales_of_quarter,
            sum(amount) FILTER (WHERE issued_on > %(year)s) AS sales_of_year""",
    )


def still_open(tally: Tally) -> None:
    """What is open at the end of the day: by bucket, by days past due, by the month of issue."""
    params = tally.params()
    tally.of_accounts(
        'SELECT * FROM figures_at WHERE "on" = %(end)s',
        params,
        sums=", ".join(f'sum({column}) AS "closing {bucket}"' for bucket, column in open_amounts.bucket_columns())
        + ", count(*) FILTER (WHERE b1 + b2 + b3 + b4 + b5 > 0) AS overdue_accounts",
    )
    tally.of_accounts(
        'SELECT *, "on" - due_on AS late, "on" - issued_on AS age, to_char(issued_on, \'YYYY-MM\') AS month '
        'FROM figures_open WHERE "on" = %(end)s',
        params,
        by=["month"],
        sums="""count(*) AS open_bills, count(*) FILTER (WHERE late > 0) AS overdue_bills,
            sum(disputed) AS disputed, sum(open * greatest(late, 0)) AS amount_days, sum(open * age) AS age_days""",
    )


def write_offs(tally: Tally) -> None:
    """What was written off and what of it came back, in the year that ends with the day, and of its bills."""
    as_of = tally.period.end
    year = year_before(as_of)
    written = read_rows(
        """SELECT DISTINCT account_id FROM accounts_adjustment JOIN figures_account USING (account_id)
            WHERE kind = 'write_off' AND "on" <= %(end)s ORDER BY account_id""",
        tally.params(),
    )
    for chunk in in_chunks(row["account_id"] for row in written):
        places = scopes.places_of(chunk)
        dated = {
            (row["account_id"], WRITE_OFF + row["ref"]): (row["on"], row["bill_ref"])
            for row in read_rows(
                """SELECT account_id, ref, "on", bill_ref FROM accounts_adjustment
                    WHERE kind = 'write_off' AND "on" <= %(end)s AND account_id = ANY(%(keys)s)""",
                tally.params(keys=chunk),
            )
        }
        for account_id, account in books_of(chunk, as_of=as_of).items():
            into = tally.parts.money[places[account_id].cell]
            issued = {row.fact.ref: row.fact.issued_on for row in account.bills}
            for entry in account.books.recoveries:
                amount = from_mills(entry.amount)
                on, _bill = dated[account_id, entry.write_off_ref]
                if entry.credit_ref.startswith(PAYMENT):
                    if entry.on > year:
                        into.plus(("recovered_in_year",), amount)
                    if on > year:
                        into.plus(("written_off_in_year",), amount)
                        into.plus(("recovered_of_year",), amount)
            for ref, standing_amount in account.books.written_off.items():
                on, bill_ref = dated[account_id, ref]
                if on > year:
                    into.plus(("written_off_in_year",), from_mills(standing_amount))
                if bill_ref in issued and issued[bill_ref] > year:
                    into.plus(("written_off_of_bills",), from_mills(standing_amount))


def given_up(tally: Tally) -> None:
    """What was written off in the period of what is receivable, and would be open at its end without that.

    Neither what found nothing open, nor what was paid since, nor fees of ours, which are no receivables of bills.
    """
    written = """SELECT DISTINCT account_id FROM accounts_adjustment JOIN figures_account USING (account_id)
                  WHERE kind = 'write_off' AND bill_ref <> '' AND "on" > %(start)s AND "on" <= %(end)s
                  ORDER BY account_id"""
    of_period = """SELECT account_id, ref FROM accounts_adjustment
                    WHERE kind = 'write_off' AND bill_ref <> '' AND "on" > %(start)s AND "on" <= %(end)s
                      AND account_id = ANY(%(keys)s)"""
    for chunk in in_chunks(row["account_id"] for row in read_rows(written, tally.params())):
        places, books = scopes.places_of(chunk), books_of(chunk, as_of=tally.period.end)
        for row in read_rows(of_period, tally.params(keys=chunk)):
            standing = books[row["account_id"]].books.written_off.get(WRITE_OFF + row["ref"], 0)
            tally.parts.money[places[row["account_id"]].cell].plus(("written_off",), from_mills(standing))


def ageing(tally: Tally) -> None:
    """What was past due, by bucket, week by week, as far as it was kept (``agents.standing``)."""
    days = [tally.period.end - timedelta(weeks=weeks) for weeks in range(AGEING_WEEKS)]
    kept = 'SELECT "on" FROM agents_standingday WHERE "on" = ANY(%(days)s)'
    tally.parts.known.update(f"ageing {row['on']}" for row in read_rows(kept, {"days": days}))
    tally.of_accounts(
        'SELECT account_id, "on" AS day, amounts FROM agents_standing WHERE "on" = ANY(%(days)s)',
        tally.params(days=days),
        by=["day"],
        sums=", ".join(
            f'sum(amounts[{position}]) AS "ageing {bucket}"'
            for position, bucket in enumerate(BUCKETS, 1)
            if position > 1
        ),
    )


def vintages(tally: Tally) -> None:
    """Of each month's bills, what was paid within so many days of their issue; of a sample where accounts are many."""
    as_of = tally.period.end
    first = as_of.replace(day=1)
    for _ in range(VINTAGE_MONTHS - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    counted = sum(row["n"] for row in read_rows("SELECT count(*) AS n FROM figures_account", {}))
    every = max(-(-counted // VINTAGE_ACCOUNTS), 1)
    keys = read_rows(
        # Scattered by the key's own digits, or neighbours that joined together would stand for everybody.
        "SELECT account_id FROM figures_account WHERE hashint8(account_id) %% %(every)s = 0 ORDER BY account_id",
        {"every": every},
    )
    tally.parts.sampled_one_in = every
    for chunk in in_chunks(row["account_id"] for row in keys):
        places = scopes.places_of(chunk)
        for account_id, account in books_of(chunk, as_of=as_of).items():
            issued = {
                row.fact.ref: row.fact.issued_on
                for row in account.bills
                if first <= row.fact.issued_on <= as_of and not (row.fact.ends_on and row.fact.ends_on <= as_of)
            }
            into = tally.parts.money[places[account_id].cell]
            for row in account.bills:
                if row.fact.ref in issued:
                    into.plus(("vintage_billed", f"{row.fact.issued_on:%Y-%m}"), from_mills(row.fact.amount))
            for entry in account.books.applied:
                on = issued.get(entry.bill_ref)
                if on is not None and entry.credit_ref.startswith(PAYMENT):
                    for days in VINTAGE_DAYS:
                        if entry.on <= on + timedelta(days=days):
                            into.plus(("vintage_paid", f"{on:%Y-%m}", str(days)), from_mills(entry.amount))


def billed(tally: Tally) -> None:
    tally.of_accounts(
        f"SELECT b.account_id, b.amount FROM accounts_bill b WHERE {IN_FORCE} AND b.issued_on > %(start)s",
        tally.params(),
        sums="sum(amount) AS sales",
    )


def opening(tally: Tally) -> None:
    tally.of_accounts(
        'SELECT * FROM figures_at WHERE "on" = %(start)s',
        tally.params(),
        sums=", ".join(f'sum({column}) AS "opening {bucket}"' for bucket, column in open_amounts.bucket_columns()),
    )


def rolls(tally: Tally) -> None:
    """What the accounts that held something in a bucket a month ago have in the same, the next and the one before."""
    columns = [column for _, column in open_amounts.bucket_columns()]
    sums = []
    for position, bucket in enumerate(BUCKETS):
        held = f"h{position}"
        sums.append(f'sum({held}) AS "held {bucket}"')
        sums.append(f'sum({held}) FILTER (WHERE late = 0) AS "rolled_off {bucket}"')
        sums.append(f'sum({columns[position]}) FILTER (WHERE {held} > 0) AS "stayed {bucket}"')
        if position + 1 < len(BUCKETS):
            sums.append(f'sum({columns[position + 1]}) FILTER (WHERE {held} > 0) AS "rolled {bucket}"')
        if position > 1:
            sums.append(f'sum({columns[position - 1]}) FILTER (WHERE {held} > 0) AS "rolled_back {bucket}"')
    then = ", ".join(f"o.{column} AS h{number}" for number, column in enumerate(columns))
    now = ", ".join(f"coalesce(c.{column}, 0) AS {column}" for column in columns)
    tally.of_accounts(
        f"""SELECT o.account_id, {then}, {now}, coalesce(c.b1 + c.b2 + c.b3 + c.b4 + c.b5, 0) AS late
              FROM figures_at o LEFT JOIN figures_at c ON c.account_id = o.account_id AND c."on" = %(end)s
             WHERE o."on" = %(rolls_from)s""",
        tally.params(rolls_from=roll_start(tally.period)),
        sums=", ".join(sums),
    )


def _worst(alias: str) -> str:
    """SQL: the bucket of an account's oldest open bill."""
    whens = [f"WHEN {alias}.{column} > 0 THEN '{bucket}'" for bucket, column in reversed(open_amounts.bucket_columns())]
    return f"CASE {' '.join(whens)} END"


def matrix(tally: Tally) -> None:
    """Where the balance of each bucket went within the month: accounts by their worst bucket then and now."""
    tally.of_accounts(
        f"""SELECT o.account_id, {_worst("o")} AS was, o.b0 + o.b1 + o.b2 + o.b3 + o.b4 + o.b5 AS amount,
                   CASE WHEN c.account_id IS NOT NULL THEN {_worst("c")}
                        WHEN EXISTS (SELECT 1 FROM accounts_adjustment w
                                      WHERE w.account_id = o.account_id AND w.kind = 'write_off'
                                        AND w."on" > %(rolls_from)s AND w."on" <= %(end)s) THEN 'written_off'
                        WHEN a.closed_on <= %(end)s THEN 'closed' ELSE 'paid' END AS became
              FROM figures_at o JOIN accounts_account a ON a.id = o.account_id
              LEFT JOIN figures_at c ON c.account_id = o.account_id AND c."on" = %(end)s
             WHERE o."on" = %(rolls_from)s""",
        tally.params(rolls_from=roll_start(tally.period)),
        by=["was", "became"],
        sums="sum(amount) AS matrix",
    )


def recovered(tally: Tally) -> None:
    """What payments of the period settled of bills that were past due when it began, and which accounts that cured."""
    tally.of_accounts(
        'SELECT *, NOT late_still AND collected >= amount AS cured FROM figures_late WHERE "on" = %(start)s',
        tally.params(),
        sums="""sum(amount) AS past_due_at_start, sum(collected) AS collected, count(*) AS delinquent,
            count(*) FILTER (WHERE NOT late_still) AS cured_any, count(*) FILTER (WHERE cured) AS cured,
            sum(amount) FILTER (WHERE cured) AS cured_amount""",
    )


def sustained(tally: Tally) -> None:
    """Accounts late so many days before the period's start, not at that distance of its end, and at its end."""
    for days in SUSTAINED_DAYS:
        then = tally.period.earlier(days)
        params = tally.params(then, now=tally.period.end)
        known = next(
            read_rows(
                """SELECT count(*) = 3 AS kept FROM agents_standingday
                    WHERE "on" IN (%(start)s, %(end)s, %(now)s)""",
                params,
            )
        )
        if known["kept"]:
            tally.parts.known.add(f"sustained {days}")
            tally.of_accounts(
                """SELECT s.account_id, NOT EXISTS (SELECT 1 FROM agents_standing n
                            WHERE n.account_id = s.account_id AND n."on" = %(now)s) AS still
                     FROM agents_standing s WHERE s."on" = %(start)s
                      AND NOT EXISTS (SELECT 1 FROM agents_standing c
                            WHERE c.account_id = s.account_id AND c."on" = %(end)s)""",
                params,
                sums=f'count(*) AS "cured_before {days}", count(*) FILTER (WHERE still) AS "still_cured {days}"',
            )
