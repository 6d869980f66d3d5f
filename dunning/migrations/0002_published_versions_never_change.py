"""A published version never changes, whoever asks: the database itself refuses.

A draft may change and be deleted; publishing it is its last change but one. A published version may only be retired, a
retired one stays as it is, neither can be deleted, and their steps are as fixed as they are. Runs before the deploy.
"""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE FUNCTION dunning_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        ELSIF NEW.state IN ('draft', 'published') THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state'
            AND (NEW.state = OLD.state OR (OLD.state = 'published' AND NEW.state = 'retired')) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'policy version % is %: % refused', OLD.id, OLD.state, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER dunning_version_fixed BEFORE UPDATE OR DELETE ON dunning_policyversion
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_version_change();

-- The share lock keeps the version a draft until the step is committed: publishing waits for it.
CREATE FUNCTION dunning_refuse_step_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked bigint;
BEGIN
    FOREACH asked IN ARRAY
        CASE TG_OP
            WHEN 'INSERT' THEN ARRAY[NEW.version_id]
            WHEN 'DELETE' THEN ARRAY[OLD.version_id]
            ELSE ARRAY[OLD.version_id, NEW.version_id]
        END
    LOOP
        PERFORM FROM dunning_policyversion WHERE id = asked AND state = 'draft' FOR SHARE;
        IF NOT FOUND AND EXISTS (SELECT FROM dunning_policyversion WHERE id = asked) THEN
            RAISE EXCEPTION 'the steps of policy version % are fixed: % refused', asked, TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER dunning_step_fixed BEFORE INSERT OR UPDATE OR DELETE ON dunning_step
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_step_change();
"""

BACKWARD = """
DROP TRIGGER dunning_step_fixed ON dunning_step;
DROP FUNCTION dunning_refuse_step_change();
DROP TRIGGER dunning_version_fixed ON dunning_policyversion;
DROP FUNCTION dunning_refuse_version_change();
"""


class Migration(migrations.Migration):
    dependencies = [("dunning", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="policyversion",
            options={"permissions": [("publish_policyversion", "Can publish a policy version")]},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
