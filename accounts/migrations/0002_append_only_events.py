"""The history refuses UPDATE, DELETE and TRUNCATE in the database itself; writers and the sealer meet at a lock.

Also the sequence that numbers journals. Runs before the deploy.
"""

from __future__ import annotations

from django.db import migrations

FORWARD = """
CREATE SEQUENCE accounts_journal_no;

CREATE FUNCTION accounts_refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER accounts_event_append_only BEFORE UPDATE OR DELETE ON accounts_accountevent
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_rewrite();
CREATE TRIGGER accounts_event_no_truncate BEFORE TRUNCATE ON accounts_accountevent
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_rewrite();
CREATE TRIGGER accounts_seal_append_only BEFORE UPDATE OR DELETE ON accounts_seal
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_rewrite();
CREATE TRIGGER accounts_seal_no_truncate BEFORE TRUNCATE ON accounts_seal
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_rewrite();

-- Writers share this lock until they commit; the sealer takes it alone for a moment (accounts.audit), so that no event
-- with a lower id can appear behind a seal.
CREATE FUNCTION accounts_event_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7301001);
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_event_writer BEFORE INSERT ON accounts_accountevent
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_event_writer();
"""

BACKWARD = """
DROP TRIGGER accounts_event_writer ON accounts_accountevent;
DROP FUNCTION accounts_event_writer();
DROP TRIGGER accounts_seal_no_truncate ON accounts_seal;
DROP TRIGGER accounts_seal_append_only ON accounts_seal;
DROP TRIGGER accounts_event_no_truncate ON accounts_accountevent;
DROP TRIGGER accounts_event_append_only ON accounts_accountevent;
DROP FUNCTION accounts_refuse_rewrite();
DROP SEQUENCE accounts_journal_no;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
