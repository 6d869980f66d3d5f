"""From its start on an experiment is what it was planned as, and an assignment never changes: the database refuses."""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE FUNCTION dunning_refuse_experiment_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text[] := ARRAY['state', 'ended_on', 'end_reason'];
BEGIN
    IF OLD.state = 'planned' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    ELSIF TG_OP = 'UPDATE' AND to_jsonb(NEW) - told = to_jsonb(OLD) - told
        AND (OLD.state = NEW.state OR (OLD.state, NEW.state) = ('running', 'ended')) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'experiment % is %: % refused', OLD.id, OLD.state, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER dunning_experiment_fixed BEFORE UPDATE OR DELETE ON dunning_experiment
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_experiment_change();

-- Arms and guard rails; an arm may be stopped. The share lock keeps the experiment planned until the row is committed.
CREATE FUNCTION dunning_refuse_plan_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text[] := ARRAY['stopped_on', 'stop_reason'];
    asked bigint;
BEGIN
    FOREACH asked IN ARRAY
        CASE TG_OP
            WHEN 'INSERT' THEN ARRAY[NEW.experiment_id]
            WHEN 'DELETE' THEN ARRAY[OLD.experiment_id]
            ELSE ARRAY[OLD.experiment_id, NEW.experiment_id]
        END
    LOOP
        PERFORM FROM dunning_experiment WHERE id = asked AND state = 'planned' FOR SHARE;
        IF FOUND OR NOT EXISTS (SELECT FROM dunning_experiment WHERE id = asked) THEN
            CONTINUE;
        ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'dunning_arm' THEN
            IF to_jsonb(NEW) - told = to_jsonb(OLD) - told THEN
                CONTINUE;
            END IF;
        END IF;
        RAISE EXCEPTION 'the plan of experiment % is fixed: % refused', asked, TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END LOOP;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER dunning_arm_fixed BEFORE INSERT OR UPDATE OR DELETE ON dunning_arm
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_plan_change();
CREATE TRIGGER dunning_guard_rail_fixed BEFORE INSERT OR UPDATE OR DELETE ON dunning_guardrail
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_plan_change();

CREATE FUNCTION dunning_refuse_assignment_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'assignment % is fixed: % refused', OLD.id, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER dunning_assignment_fixed BEFORE UPDATE OR DELETE ON dunning_assignment
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_assignment_change();
"""

BACKWARD = """
DROP TRIGGER dunning_assignment_fixed ON dunning_assignment;
DROP FUNCTION dunning_refuse_assignment_change();
DROP TRIGGER dunning_guard_rail_fixed ON dunning_guardrail;
DROP TRIGGER dunning_arm_fixed ON dunning_arm;
DROP FUNCTION dunning_refuse_plan_change();
DROP TRIGGER dunning_experiment_fixed ON dunning_experiment;
DROP FUNCTION dunning_refuse_experiment_change();
"""


class Migration(migrations.Migration):
    dependencies = [("dunning", "0007_hold_rules_to_begin_with")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
