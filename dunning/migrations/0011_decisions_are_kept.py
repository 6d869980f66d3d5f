"""What the gate said is kept as it was said, and a text that was in use as it was written."""

from __future__ import annotations

from django.db import migrations

FIX = """
CREATE TRIGGER dunning_gate_decision_append_only BEFORE UPDATE OR DELETE ON dunning_gatedecision
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_rewrite();
CREATE TRIGGER dunning_gate_decision_no_truncate BEFORE TRUNCATE ON dunning_gatedecision
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_rewrite();
"""
FIX += """
CREATE FUNCTION dunning_refuse_text() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL AND (TG_OP = 'DELETE' OR
        (NEW.template, NEW.language, NEW.tone, NEW.version, NEW.content, NEW.registration, NEW.published_at)
        IS DISTINCT FROM
        (OLD.template, OLD.language, OLD.tone, OLD.version, OLD.content, OLD.registration, OLD.published_at)) THEN
        RAISE EXCEPTION 'a text that was in use never changes' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER dunning_notice_text_fixed BEFORE UPDATE OR DELETE ON dunning_noticetext
    FOR EACH ROW EXECUTE FUNCTION dunning_refuse_text();
"""
UNFIX = """
DROP TRIGGER dunning_notice_text_fixed ON dunning_noticetext;
DROP FUNCTION dunning_refuse_text();
DROP TRIGGER dunning_gate_decision_no_truncate ON dunning_gatedecision;
DROP TRIGGER dunning_gate_decision_append_only ON dunning_gatedecision;
"""


class Migration(migrations.Migration):
    dependencies = [("dunning", "0010_gate_texts_and_answers"), ("accounts", "0002_append_only_events")]

    operations = [migrations.RunSQL(FIX, UNFIX)]
