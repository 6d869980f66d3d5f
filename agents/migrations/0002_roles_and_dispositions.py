"""The three roles with what they may do in the admin site, and the dispositions a desk starts with."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROOMS = ("accounts", "dunning", "agents")

#: Facts and history are looked at, never edited by hand; what an admin shapes is strategy, wording and people.
ADMIN_EDITS = (
    ("dunning", ("policy", "policyversion", "step", "agency")),
    ("agents", ("team", "agent", "disposition")),
)
#: What the desk wrote for itself, and nobody needs to look at.
HIDDEN = ("apianswer", "portalvisit", "pendingevent", "unsettled", "outboxmessage")

# code, label, key, connected, conversation, right party, asks, hours to the next contact, bad number
DISPOSITIONS = (
    ("no_answer", "No answer", "1", False, False, False, "", 4, False),
    ("busy", "Busy", "2", False, False, False, "", 1, False),
    ("voicemail", "Voicemail", "3", True, False, False, "", 24, False),
    ("rpc_promise", "Promise to pay", "4", True, True, True, "promise", None, False),
    ("rpc_plan", "Instalment plan", "5", True, True, True, "plan", None, False),
    ("rpc_dispute", "Disputes the bill", "6", True, True, True, "dispute", None, False),
    ("rpc_callback", "Call back later", "7", True, True, True, "callback", None, False),
    ("rpc_refused", "Refuses to pay", "8", True, True, True, "", 168, False),
    ("wrong_number", "Wrong number", "9", True, True, False, "", 4, True),
    ("rpc_paid_now", "Paid during the call", "", True, True, True, "", None, False),
    ("rpc_already_paid", "Says it is paid already", "", True, True, True, "", 168, False),
    ("rpc_hardship", "Cannot pay: hardship", "", True, True, True, "hardship", None, False),
    ("third_party", "Somebody else answered", "", True, True, False, "", 24, False),
    ("disconnected_number", "Number not in service", "", False, False, False, "", 4, True),
    ("language_barrier", "Language barrier", "", True, True, False, "", 24, False),
    ("attorney", "Represented by an attorney", "", True, True, True, "", None, False),
    ("bankruptcy", "Bankruptcy", "", True, True, True, "", None, False),
    ("deceased", "Customer has died", "", True, True, False, "", None, False),
    ("cease", "Asks not to be contacted", "", True, True, True, "", None, False),
)


def add_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Groups and their permissions, which Django itself would create only after the last migration."""
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    for room in ROOMS:
        room_config = apps.get_app_config(room)
        room_config.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
        create_permissions(room_config, apps=apps, verbosity=0, using=schema_editor.connection.alias)
        room_config.models_module = None
    of_rooms = Permission.objects.filter(content_type__app_label__in=ROOMS).exclude(content_type__model__in=HIDDEN)
    views = of_rooms.filter(codename__startswith="view_")
    Group.objects.get_or_create(name="agent")
    supervisors, _ = Group.objects.get_or_create(name="supervisor")
    supervisors.permissions.add(*views)
    admins, _ = Group.objects.get_or_create(name="admin")
    admins.permissions.add(*views)
    for room, models in ADMIN_EDITS:
        admins.permissions.add(*of_rooms.filter(content_type__app_label=room, content_type__model__in=models))


def add_dispositions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Disposition: Any = apps.get_model("agents", "Disposition")
    Disposition.objects.bulk_create(
        [
            Disposition(
                code=code,
                label=label,
                key=key,
                position=position * 10,
                connected=connected,
                conversation=conversation,
                right_party=right_party,
                asks=asks,
                next_contact_hours=hours,
                bad_number=bad_number,
            )
            for position, (
                code, label, key, connected, conversation, right_party, asks, hours, bad_number,
            ) in enumerate(DISPOSITIONS, start=1)
        ],
        ignore_conflicts=True,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0001_initial"),
        ("accounts", "0001_initial"),
        ("dunning", "0002_published_versions_never_change"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(add_roles, migrations.RunPython.noop),
        migrations.RunPython(add_dispositions, migrations.RunPython.noop),
    ]
