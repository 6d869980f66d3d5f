"""What each disposition counts as, clocks of disputes by market, three more roles, and rights over all of it."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# code: rang, result, phone, asks a reason, hold and its days, stops contact
DISPOSITIONS = {
    "no_answer": (True, "rang_no_answer", "", False, "", None, False),
    "busy": (False, "no_connect_busy", "", False, "", None, False),
    "voicemail": (True, "voicemail_left", "", False, "", None, False),
    "rpc_promise": (True, "answered_right_party", "good", True, "", None, False),
    "rpc_plan": (True, "answered_right_party", "good", True, "", None, False),
    "rpc_dispute": (True, "answered_right_party", "good", False, "", None, False),
    "rpc_callback": (True, "answered_right_party", "good", False, "", None, False),
    "rpc_refused": (True, "answered_right_party", "good", True, "", None, False),
    "wrong_number": (True, "answered_wrong_party", "wrong", False, "", None, False),
    "rpc_paid_now": (True, "answered_right_party", "good", False, "", None, False),
    "rpc_already_paid": (True, "answered_right_party", "good", False, "payment_in_flight", 7, False),
    "rpc_hardship": (True, "answered_right_party", "good", True, "", None, False),
    "third_party": (True, "answered_third_party", "", False, "", None, False),
    "disconnected_number": (False, "no_connect_invalid", "dead", False, "", None, False),
    "language_barrier": (True, "", "", False, "", None, False),
    "attorney": (True, "answered_right_party", "good", False, "legal", None, False),
    "bankruptcy": (True, "answered_right_party", "good", False, "bankruptcy", None, False),
    "deceased": (True, "answered_third_party", "", False, "deceased", None, False),
    "cease": (True, "answered_right_party", "good", False, "", None, True),
}

# country, days to confirm receipt, days to decide, where from
CLOCKS = (
    ("", 5, 30, "The desk's own"),
    ("IN", 3, 28, "TRAI consumer guidance: a billing complaint is resolved within four weeks"),
    ("GB", 5, 56, "Ofcom: eight weeks, then alternative dispute resolution"),
    ("US", 5, 30, "The desk's own; the disputed amount is held meanwhile (12 CFR 1006.38)"),
)

#: Between an agent and an admin: who may let go of how much.
ROLES = ("team_lead", "manager", "finance")
ADMINS_EDIT = ("queueorder", "scripttext", "disputeclock")


def tell_dispositions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Disposition: Any = apps.get_model("agents", "Disposition")
    for code, (rang, result, phone, asks_reason, hold, days, stops) in DISPOSITIONS.items():
        Disposition.objects.filter(code=code).update(
            rang=rang,
            result=result,
            phone=phone,
            asks_reason=asks_reason,
            hold_reason=hold,
            hold_days=days,
            stops_contact=stops,
        )
    Disposition.objects.get_or_create(
        code="rpc_settlement",
        defaults={
            "label": "Settles for less", "position": 95, "connected": True, "conversation": True, "right_party": True,
            "asks": "settlement", "result": "answered_right_party", "phone": "good", "asks_reason": True,
        },
    )  # fmt: skip


def add_clocks(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    DisputeClock: Any = apps.get_model("agents", "DisputeClock")
    DisputeClock.objects.bulk_create(
        [
            DisputeClock(country=country, acknowledge_days=acknowledge, decide_days=decide, source=source)
            for country, acknowledge, decide, source in CLOCKS
        ],
        ignore_conflicts=True,
    )


def close_old_disputes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Dispute: Any = apps.get_model("agents", "Dispute")
    Dispute.objects.filter(resolved_on__isnull=False).update(stage="closed")


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    room = apps.get_app_config("agents")
    room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
    create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    room.models_module = None
    of_room = Permission.objects.filter(content_type__app_label="agents")
    views = of_room.filter(codename__startswith="view_").exclude(
        content_type__model__in=("apianswer", "portalvisit", "undo", "disputeevidence", "budget")
    )
    for role in ROLES:
        Group.objects.get_or_create(name=role)
    Group.objects.get(name="supervisor").permissions.add(*views)
    Group.objects.get(name="manager").permissions.set(Group.objects.get(name="supervisor").permissions.all())
    Group.objects.get(name="admin").permissions.add(*views, *of_room.filter(content_type__model__in=ADMINS_EDIT))


class Migration(migrations.Migration):
    dependencies = [("agents", "0008_calls_agreements_and_evidence")]

    operations = [
        migrations.RunPython(tell_dispositions, migrations.RunPython.noop),
        migrations.RunPython(add_clocks, migrations.RunPython.noop),
        migrations.RunPython(close_old_disputes, migrations.RunPython.noop),
        migrations.RunPython(add_rights, migrations.RunPython.noop),
    ]
