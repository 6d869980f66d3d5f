"""By when complaints are answered, by market, and who may look at complaints, customers' answers, costs and paid time."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# country, days to acknowledge, days to answer, where from
CLOCKS = (
    ("", 5, 30, "The desk's own"),
    (
        "GB",
        5,
        42,
        "Ofcom, General Condition C4: six weeks until dispute resolution, since April 2026. Credit agreements: FCA DISP "
        "1.6, eight weeks, acknowledged promptly",
    ),
    ("IN", 3, 28, "TRAI consumer guidance: a billing complaint is resolved within four weeks"),
    ("US", 5, 30, "The desk's own; what the FCC forwards is usually due within 30 days (47 CFR 1.717)"),
)

SEEN = ("complaint", "complaintclock", "survey", "cost", "stretch")
ADMINS_EDIT = ("complaintclock", "cost")


def add_clocks(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    ComplaintClock: Any = apps.get_model("agents", "ComplaintClock")
    ComplaintClock.objects.bulk_create(
        [
            ComplaintClock(country=country, acknowledge_days=acknowledge, answer_days=answer, source=source)
            for country, acknowledge, answer, source in CLOCKS
        ],
        ignore_conflicts=True,
    )


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    room = apps.get_app_config("agents")
    room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
    create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    room.models_module = None
    of_room = Permission.objects.filter(content_type__app_label="agents")
    views = of_room.filter(codename__in=[f"view_{name}" for name in SEEN])
    for role in ("supervisor", "manager", "admin"):
        Group.objects.get(name=role).permissions.add(*views)
    Group.objects.get(name="admin").permissions.add(*of_room.filter(content_type__model__in=ADMINS_EDIT))


class Migration(migrations.Migration):
    dependencies = [("agents", "0016_snapshots_stay")]

    operations = [
        migrations.RunPython(add_clocks, migrations.RunPython.noop),
        migrations.RunPython(add_rights, migrations.RunPython.noop),
    ]
