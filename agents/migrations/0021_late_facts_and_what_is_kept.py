"""Which days it is kept of where accounts stood, whose past is to be written anew, and which records may go.

The record of a day that is over still never changes. Of teams, agents and other parts of the book it may be removed
after a hundred days, but for the last one of a month; the whole book's stays for good. Runs before the deploy.
"""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE OR REPLACE FUNCTION agents_snapshot_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    today date := (SELECT "on" FROM accounts_businessdate WHERE id = 1);
BEGIN
    IF TG_OP = 'DELETE' AND OLD.dimension <> 'all' AND OLD.as_of < today - 100 AND (
        OLD.restated AND OLD.recorded_at < today - 100
        OR NOT OLD.restated AND EXISTS (
            SELECT 1 FROM agents_snapshot later
             WHERE later.currency = OLD.currency AND later.days = OLD.days AND later.dimension = OLD.dimension
               AND later.member = OLD.member AND NOT later.restated AND later.as_of > OLD.as_of
               AND later.as_of < date_trunc('month', OLD.as_of) + interval '1 month')
        ) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'TRUNCATE' OR (TG_OP <> 'INSERT' AND OLD.as_of < today) THEN
        RAISE EXCEPTION 'the figures of a day that is over stay as they were recorded: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.as_of < today AND NOT NEW.restated THEN
        RAISE EXCEPTION 'the figures of a day that is over are only restated: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
INSERT INTO agents_standingday ("on") SELECT DISTINCT "on" FROM agents_standing;
"""

BACKWARD = """
CREATE OR REPLACE FUNCTION agents_snapshot_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    today date := (SELECT "on" FROM accounts_businessdate WHERE id = 1);
BEGIN
    IF TG_OP = 'TRUNCATE' OR (TG_OP <> 'INSERT' AND OLD.as_of < today) THEN
        RAISE EXCEPTION 'the figures of a day that is over stay as they were recorded: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.as_of < today AND NOT NEW.restated THEN
        RAISE EXCEPTION 'the figures of a day that is over are only restated: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_touched_by_late_facts"),
        ("agents", "0020_quality"),
    ]

    operations = [
        migrations.CreateModel(
            name="StandingDay",
            fields=[
                ("on", models.DateField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="Stale",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                ("since", models.DateField()),
            ],
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
