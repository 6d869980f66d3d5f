"""The record of a day that is over stays as it is, in the database itself; what is computed later stands beside it.

Also who may see and set targets.
"""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FORWARD = """
CREATE FUNCTION agents_snapshot_stays() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER agents_snapshot_stays BEFORE INSERT OR UPDATE OR DELETE ON agents_snapshot
    FOR EACH ROW EXECUTE FUNCTION agents_snapshot_stays();
CREATE TRIGGER agents_snapshot_no_truncate BEFORE TRUNCATE ON agents_snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION agents_snapshot_stays();
"""

BACKWARD = """
DROP TRIGGER agents_snapshot_no_truncate ON agents_snapshot;
DROP TRIGGER agents_snapshot_stays ON agents_snapshot;
DROP FUNCTION agents_snapshot_stays();
"""


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    room = apps.get_app_config("agents")
    room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
    create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    room.models_module = None
    of_targets = Permission.objects.filter(content_type__app_label="agents", content_type__model="kpitarget")
    for role in ("supervisor", "manager"):
        Group.objects.get(name=role).permissions.add(*of_targets.filter(codename__startswith="view_"))
    Group.objects.get(name="admin").permissions.add(*of_targets)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_sealed_heads"),
        ("agents", "0015_what_supervisors_keep"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["currency", "days", "dimension", "member", "as_of"], name="snapshot_series"),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunPython(add_rights, migrations.RunPython.noop),
    ]
