"""Admins choose packs and write texts; a supervisor is the second person, and may go on where the gate says no.

Specialists see what support a customer needs.
"""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ADMINS_EDIT = ("marketpacks", "packchange", "noticetext")
ADMINS_MAY = ("loosen_packchange", "publish_noticetext", "change_inboundmessage")
SUPERVISORS_MAY = ("loosen_packchange", "publish_noticetext", "override_gatedecision", "change_inboundmessage")


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    for label in ("accounts", "dunning"):
        room = apps.get_app_config(label)
        room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
        create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        room.models_module = None
    of_rooms = Permission.objects.filter(content_type__app_label__in=("accounts", "dunning"))
    views = of_rooms.filter(codename__startswith="view_").exclude(content_type__model="outboxmessage")
    of_dunning = of_rooms.filter(content_type__app_label="dunning")
    supervisors = Group.objects.get(name="supervisor")
    supervisors.permissions.add(*views, *of_dunning.filter(codename__in=SUPERVISORS_MAY))
    Group.objects.get_or_create(name="specialist")  # an agent who sees what support a customer needs
    admins = Group.objects.get(name="admin")
    admins.permissions.add(
        *views, *of_dunning.filter(content_type__model__in=ADMINS_EDIT), *of_dunning.filter(codename__in=ADMINS_MAY)
    )


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0006_calls_against_the_gate"),
        ("accounts", "0006_wishes_and_who_speaks_for_whom"),
        ("dunning", "0011_decisions_are_kept"),
    ]

    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]
