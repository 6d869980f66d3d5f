"""Indexes for searching the whole history, and heads that were given out stay as they are. Runs before the deploy."""

from __future__ import annotations

import django.contrib.postgres.indexes
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER accounts_head_append_only BEFORE UPDATE OR DELETE ON accounts_sealedhead
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_rewrite();
CREATE TRIGGER accounts_head_no_truncate BEFORE TRUNCATE ON accounts_sealedhead
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_rewrite();
"""

BACKWARD = """
DROP TRIGGER accounts_head_no_truncate ON accounts_sealedhead;
DROP TRIGGER accounts_head_append_only ON accounts_sealedhead;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_sealed_heads"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(fields=["on", "id"], name="event_on"),
        ),
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(fields=["actor", "on"], name="event_actor"),
        ),
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(
                condition=models.Q(("policy", ""), _negated=True), fields=["policy", "on"], name="event_policy"
            ),
        ),
        migrations.AddIndex(
            model_name="accountevent",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("payload__has_any_keys", ["rules", "gate"])),
                fields=["payload"],
                name="event_rules",
                opclasses=["jsonb_path_ops"],
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
