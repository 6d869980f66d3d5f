"""The effect matrix that a desk starts with: one line a reason, which admins change from then on."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

EVERYTHING = ["calls", "fees", "limits", "notices", "transfers"]

# Reason, what it stops, whether the clock stands, who may end it before its day. A dispute stops nothing beside its
# amount; a manual hold stops what is ticked when it is placed.
RULES = (
    ("dispute", [], False, "supervisor"),
    ("promise", EVERYTHING, False, "supervisor"),
    ("plan", EVERYTHING, False, "supervisor"),
    ("hardship", EVERYTHING, True, "supervisor"),
    ("breathing_space", EVERYTHING, True, "supervisor"),
    ("vulnerability_review", ["fees", "limits", "transfers"], False, "supervisor"),
    ("bankruptcy", EVERYTHING, True, "supervisor"),
    ("deceased", EVERYTHING, True, "supervisor"),
    ("legal", EVERYTHING, True, "supervisor"),
    ("fraud", EVERYTHING, True, "supervisor"),
    ("payment_in_flight", EVERYTHING, False, "agent"),
    ("manual", [], False, "agent"),
)


def add_rules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    HoldRule: Any = apps.get_model("dunning", "HoldRule")
    HoldRule.objects.bulk_create(
        [
            HoldRule(reason=reason, stops=stops, stops_clock=clock, lifted_by=role)
            for reason, stops, clock, role in RULES
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("dunning", "0006_segments_to_begin_with")]

    operations = [migrations.RunPython(add_rules, migrations.RunPython.noop)]
