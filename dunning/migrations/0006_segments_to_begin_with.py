"""Segments as an operator may begin with them: each an example to change, switch off or delete."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("vulnerable", "Vulnerable customers", {"all": [{"fact": "vulnerable", "is": True}]}),
    (
        "new",
        "New customers",
        {"all": [{"fact": "customer_kind", "is": "residential"}, {"fact": "tenure_days", "at_most": 180}]},
    ),
    (
        "high_value",
        "High value",
        {
            "all": [
                {
                    "fact": "monthly_fee",
                    "at_least": {"USD": "150.00", "EUR": "120.00", "GBP": "110.00", "INR": "3000.00"},
                },
                {"fact": "tenure_days", "at_least": 365},
            ]
        },
    ),
    ("business", "Businesses", {"all": [{"fact": "customer_kind", "is": "business"}]}),
    (
        "low_risk",
        "Low risk",
        {
            "all": [
                {"fact": "tenure_days", "at_least": 365},
                {"fact": "cases_opened", "at_most": 1},
                {"fact": "reversed_payments", "at_most": 0},
                {"fact": "broken_promises", "at_most": 0},
                {"fact": "self_cure_percent", "at_least": 50},
            ]
        },
    ),
    (
        "prepaid_like",
        "Prepaid-like: one cheap line",
        {
            "all": [
                {"fact": "services", "is": 1},
                {"fact": "service_kind", "is": "mobile"},
                {
                    "fact": "monthly_fee",
                    "at_most": {"USD": "35.00", "EUR": "15.00", "GBP": "15.00", "INR": "350.00"},
                },
            ]
        },
    ),
    (
        "broadband",
        "With broadband",
        {"any": [{"fact": "service_kind", "is": "broadband"}, {"fact": "product", "begins_with": "fiber"}]},
    ),
    (
        "long_standing",
        "Five years with us",
        {"all": [{"fact": "customer_kind", "is": "residential"}, {"fact": "tenure_days", "at_least": 1826}]},
    ),
)


def add_segments(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Segment: Any = apps.get_model("dunning", "Segment")
    Segment.objects.bulk_create(
        [
            Segment(code=code, name=name, position=position, rule=rule, changed_by="desk:setup")
            for position, (code, name, rule) in enumerate(SEGMENTS)
        ],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("dunning", "0005_trial_versions_are_fixed")]

    operations = [migrations.RunPython(add_segments, migrations.RunPython.noop)]
