"""A version on trial is as fixed as a published one: it may be published (it won) or retired, and nothing else."""

from __future__ import annotations

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION dunning_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text[] := ARRAY['state'];
BEGIN
    IF OLD.state = 'draft' THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        ELSIF NEW.state IN ('draft', {from_draft}) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        {trial}
        IF to_jsonb(NEW) - told = to_jsonb(OLD) - told
            AND (NEW.state = OLD.state OR (OLD.state, NEW.state) IN ({moves})) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'policy version % is %: % refused', OLD.id, OLD.state, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""
#: The one that wins is published by somebody, on some day.
TRIAL = """
        IF OLD.state = 'trial' AND NEW.state = 'published' THEN
            told := ARRAY['state', 'published_by', 'published_at'];
        END IF;
"""


class Migration(migrations.Migration):
    dependencies = [("dunning", "0004_policy_as_a_product")]

    operations = [
        migrations.RunSQL(
            FUNCTION.format(
                from_draft="'published', 'trial'",
                trial=TRIAL,
                moves="('published', 'retired'), ('trial', 'published'), ('trial', 'retired')",
            ),
            FUNCTION.format(from_draft="'published'", trial="", moves="('published', 'retired'), (NULL, NULL)"),
        ),
    ]
