"""With every fact the database notes from which day on it counts, so that whoever keeps the past learns of late ones.

A note a statement and account for new facts; for one that is superseded, each of its two days. Settling writes other
columns and notes nothing. Runs before the deploy.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

#: Table; the day from which a fact counts; which facts move what is owed; what they say of it.
_FACTS = (
    ("accounts_bill", "issued_on", "true", ("account_id", "issued_on", "due_on", "amount", "status", "cancelled_on")),
    ("accounts_payment", "received_on", "true", ("account_id", "received_on", "amount", "bill_ref", "reverses_id")),
    (
        "accounts_adjustment",
        '"on"',
        "true",
        ("account_id", '"on"', "amount", "kind", "bill_ref", "dispute_ref", "fee_ref"),
    ),
    (
        "accounts_hold",
        "starts_on",
        "reason = 'dispute'",
        ("account_id", "reason", "starts_on", "ends_on", "lifted_on", "amount", "bill_refs"),
    ),
)

_FORWARD = """
CREATE FUNCTION {table}_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_touched (account_id, since)
    SELECT account_id, min({day}) FROM written WHERE {which} GROUP BY account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_written AFTER INSERT ON {table} REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_written();
CREATE FUNCTION {table}_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_touched (account_id, since)
    SELECT account_id, {day} FROM (SELECT (OLD).* UNION ALL SELECT (NEW).*) fact WHERE {which};
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_changed AFTER UPDATE OF {columns} ON {table}
    FOR EACH ROW WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION {table}_changed();
"""
_BACKWARD = """
DROP TRIGGER {table}_changed ON {table};
DROP FUNCTION {table}_changed();
DROP TRIGGER {table}_written ON {table};
DROP FUNCTION {table}_written();
"""


def _of(template: str) -> str:
    return "".join(
        template.format(
            table=table,
            day=day,
            which=which,
            columns=", ".join(columns),
            old=", ".join(f"OLD.{column}" for column in columns),
            new=", ".join(f"NEW.{column}" for column in columns),
        )
        for table, day, which, columns in _FACTS
    )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_the_trail_searched"),
    ]

    operations = [
        migrations.CreateModel(
            name="Touched",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "touched accounts",
            },
        ),
        migrations.RunSQL(_of(_FORWARD), _of(_BACKWARD)),
    ]
