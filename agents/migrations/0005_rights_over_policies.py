"""Admins shape segments, experiments and holds; a supervisor is the second pair of eyes of a publish."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ADMINS_EDIT = ("segment", "experiment", "arm", "guardrail", "holdrule", "dryrun", "policychange")
ADMINS_MAY = ("publish_policyversion", "exceed_blast_radius", "migrate_case", "run_experiment")
SUPERVISORS_MAY = ("publish_policyversion", "exceed_blast_radius", "add_dryrun", "run_experiment")


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    room = apps.get_app_config("dunning")
    room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
    create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    room.models_module = None
    of_room = Permission.objects.filter(content_type__app_label="dunning")
    views = of_room.filter(codename__startswith="view_").exclude(content_type__model="outboxmessage")
    supervisors = Group.objects.get(name="supervisor")
    supervisors.permissions.add(*views, *of_room.filter(codename__in=SUPERVISORS_MAY))
    admins = Group.objects.get(name="admin")
    admins.permissions.add(
        *views, *of_room.filter(content_type__model__in=ADMINS_EDIT), *of_room.filter(codename__in=ADMINS_MAY)
    )


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_wording"), ("dunning", "0005_trial_versions_are_fixed")]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
