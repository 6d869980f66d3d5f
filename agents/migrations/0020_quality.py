"""Quality: score cards, what is sampled and reviewed, calibration, coaching, findings; with cards to begin with."""

from __future__ import annotations

from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

#: Per subject: code, title, pass mark, and its questions: section, code, text, help, weight, answers, critical.
CARDS: dict[str, tuple[str, str, int, tuple[tuple[str, str, str, str, int, str, bool], ...]]] = {
    "call": (
        "call",
        "A conversation",
        80,
        (
            (
                "Opening",
                "identity",
                "Checked who is on the line before anything of the debt was said",
                "Two details that match, or the market's own rule. No: a debt, an amount or the operator's claim was "
                "mentioned first.",
                10,
                "yes_no",
                True,
            ),
            (
                "Opening",
                "disclosure",
                "Said who calls and why, in the words the market asks for",
                "United States: that it is an attempt to collect a debt (15 USC 1692e(11)). Not applicable where no "
                "pack asks for it.",
                10,
                "yes_no",
                True,
            ),
            (
                "Listening",
                "empathy",
                "Listened, and answered what was said",
                "4: named what the customer feels and slowed down for it. 2: polite. 0: talked over them.",
                10,
                "scale",
                False,
            ),
            (
                "Listening",
                "need",
                "Found out why it was not paid, and what the customer can do",
                "4: the reason, the means and by when. 2: the reason alone. 0: neither was asked.",
                10,
                "scale",
                False,
            ),
            (
                "Listening",
                "difficulty",
                "Heard signs of difficulty and did what they ask for",
                "Illness, loss, no means: support was offered or the account handed on. Not applicable: no sign.",
                10,
                "yes_no",
                False,
            ),
            (
                "Solution",
                "offer",
                "Offered what fits, and what may be offered",
                "Within one's own authority, or put to somebody who may; nothing better for the customer was held back.",
                10,
                "yes_no",
                False,
            ),
            (
                "Solution",
                "honest",
                "No threat, no pressure, nothing untrue",
                "What may happen was said as it is, with its day. No: a consequence that does not follow, or shame.",
                10,
                "yes_no",
                True,
            ),
            (
                "Closing",
                "read-back",
                "Read back what was agreed, and heard a yes",
                "Amount, day and way to pay. Not applicable: nothing was agreed.",
                10,
                "yes_no",
                False,
            ),
            (
                "Closing",
                "next-step",
                "Said what happens next, and how to reach us",
                "",
                5,
                "yes_no",
                False,
            ),
            (
                "Record",
                "outcome",
                "The outcome is the one that fits",
                "Also the reason for not paying, where it was given.",
                5,
                "yes_no",
                False,
            ),
            (
                "Record",
                "note",
                "Whoever reads the note can go on from it",
                "4: what was said, agreed and comes next. 2: gaps. 0: empty, or says nothing.",
                10,
                "scale",
                False,
            ),
        ),
    ),
    "note": (
        "note",
        "A note",
        80,
        (
            ("Content", "facts", "Says what happened, who said it and when", "", 30, "scale", False),
            ("Content", "next-step", "Says what comes next, or that nothing does", "", 20, "yes_no", False),
            (
                "Words",
                "respect",
                "Could be read out to the customer",
                "They may ask for it. No: an insult, mockery, a guess about their character.",
                30,
                "yes_no",
                True,
            ),
            (
                "Words",
                "needed",
                "Keeps no detail that the work does not need",
                "Health and family in codes of support, never card numbers or passwords.",
                20,
                "yes_no",
                True,
            ),
        ),
    ),
    "notice": (
        "text",
        "A text to a customer",
        85,
        (
            ("Facts", "right", "Amount, dates and bills are those of the account", "", 25, "yes_no", True),
            (
                "Facts",
                "consequence",
                "Says what may happen, by when, and what stops it",
                "Not applicable: nothing is announced.",
                20,
                "yes_no",
                False,
            ),
            (
                "Words",
                "wording",
                "Has the words its market asks for",
                "Who writes, what it is about, how to contest it, how to opt out.",
                25,
                "yes_no",
                True,
            ),
            (
                "Words",
                "plain",
                "Is understood at first reading",
                "Short, in the customer's language.",
                15,
                "scale",
                False,
            ),
            ("Words", "tone", "Is as firm as the step, and never a threat", "", 15, "scale", False),
        ),
    ),
}

#: Code, title, subject, conditions, percent or none, so many for each agent in a week or none, days until it is due.
RULES: tuple[tuple[str, str, str, dict[str, Any], int | None, int | None, int], ...] = (
    ("calls-of-everybody", "Conversations of everybody, at random", "call", {"conversation": True}, None, 3, 7),
    (
        "calls-of-new-people",
        "Conversations of whoever is new",
        "call",
        {"conversation": True, "new_agent_days": 30},
        10,
        None,
        3,
    ),
    ("calls-badly-judged", "Customers judged it 1 or 2 of 5", "call", {"survey_at_most": 2}, 100, None, 3),
    ("calls-complained-of", "A complaint followed", "call", {"complaint": True, "conversation": True}, 100, None, 3),
    ("calls-against-the-gate", "Called although the gate said no", "call", {"override": True}, 100, None, 3),
    ("notes-in-breach", "Notes with words that must not be there", "note", {"severity": "breach"}, 100, None, 3),
    ("texts-in-breach", "Texts with words that must not be there", "notice", {"severity": "breach"}, 5, None, 3),
)

SEEN = (
    "scorecard", "criterion", "samplingrule", "review", "answer", "calibrationround", "coaching", "finding", "wordcheck",
)  # fmt: skip
ADMINS_EDIT = ("scorecard", "criterion", "samplingrule", "wordcheck")


def add_cards(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    ScoreCard: Any = apps.get_model("agents", "ScoreCard")
    Criterion: Any = apps.get_model("agents", "Criterion")
    SamplingRule: Any = apps.get_model("agents", "SamplingRule")
    cards = {}
    for subject, (code, title, pass_mark, questions) in CARDS.items():
        cards[subject] = ScoreCard.objects.create(code=code, title=title, subject=subject, pass_mark=pass_mark)
        Criterion.objects.bulk_create(
            Criterion(
                card=cards[subject],
                code=name,
                position=10 * place,
                section=section,
                text=text,
                help=about,
                weight=weight,
                answers=answers,
                critical=critical,
            )
            for place, (section, name, text, about, weight, answers, critical) in enumerate(questions, start=1)
        )
    SamplingRule.objects.bulk_create(
        SamplingRule(
            code=code,
            title=title,
            subject=subject,
            conditions=conditions,
            percent=percent,
            per_agent_week=per_week,
            card=cards[subject],
            due_days=due_days,
        )
        for code, title, subject, conditions, percent, per_week, due_days in RULES
    )


def add_rights(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Permission: Any = apps.get_model("auth", "Permission")
    room = apps.get_app_config("agents")
    room.models_module = True  # type: ignore[assignment]  # historical apps have none, and are skipped then
    create_permissions(room, apps=apps, verbosity=0, using=schema_editor.connection.alias)
    room.models_module = None
    of_room = Permission.objects.filter(content_type__app_label="agents")
    cards = of_room.filter(codename__in=("view_scorecard", "view_criterion", "view_samplingrule", "view_wordcheck"))
    for role in ("supervisor", "manager"):
        Group.objects.get(name=role).permissions.add(*cards)
    admin = Group.objects.get(name="admin").permissions
    admin.add(*of_room.filter(codename__in=[f"view_{name}" for name in SEEN]))
    admin.add(*of_room.filter(content_type__model__in=ADMINS_EDIT))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_the_trail_searched"),
        ("agents", "0019_the_floor"),
        ("dunning", "0012_confirmations_and_re_entry"),
    ]

    operations = [
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "value",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                ("comment", models.CharField(blank=True, default="", max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="CalibrationRound",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=120)),
                ("opened_by", models.CharField(max_length=80)),
                ("opened_at", models.DateTimeField()),
                ("closes_on", models.DateField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, default="", max_length=80)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Coaching",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("written_at", models.DateTimeField()),
                ("text", models.TextField()),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                ("answer", models.TextField(blank=True, default="")),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, default="", max_length=80)),
            ],
            options={
                "verbose_name_plural": "coaching",
            },
        ),
        migrations.CreateModel(
            name="Criterion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40)),
                ("position", models.PositiveIntegerField(default=100)),
                ("section", models.CharField(blank=True, default="", max_length=80)),
                ("text", models.CharField(max_length=200)),
                (
                    "help",
                    models.CharField(
                        blank=True, default="", help_text="What is a yes, and what is not", max_length=400
                    ),
                ),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "answers",
                    models.CharField(
                        choices=[("yes_no", "Yes or no"), ("scale", "0 to 4")], default="yes_no", max_length=6
                    ),
                ),
                ("critical", models.BooleanField(default=False, help_text="A No, or a 0, fails the whole")),
            ],
            options={
                "verbose_name_plural": "criteria",
            },
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("check_code", models.SlugField(max_length=60)),
                (
                    "severity",
                    models.CharField(
                        choices=[("note", "Note"), ("warn", "Warning"), ("breach", "Breach")], max_length=6
                    ),
                ),
                ("excerpt", models.CharField(blank=True, default="", max_length=300)),
                ("found_at", models.DateTimeField()),
                ("looked_at", models.DateTimeField(blank=True, null=True)),
                ("looked_by", models.CharField(blank=True, default="", max_length=80)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[("", "Nobody looked yet"), ("right", "Right"), ("wrong", "Wrong")],
                        default="",
                        max_length=5,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("drawn_on", models.DateField()),
                ("due_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "To do"),
                            ("doing", "Begun"),
                            ("done", "Done"),
                            ("set_aside", "Set aside"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                ("score", models.DecimalField(blank=True, decimal_places=2, max_digits=5, null=True)),
                ("passed", models.BooleanField(blank=True, null=True)),
                ("critical", models.BooleanField(default=False)),
                ("summary", models.TextField(blank=True, default="")),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SamplingRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40, unique=True)),
                ("title", models.CharField(max_length=120)),
                (
                    "subject",
                    models.CharField(
                        choices=[("call", "Calls"), ("note", "Notes"), ("notice", "Texts sent")], max_length=6
                    ),
                ),
                ("conditions", models.JSONField(blank=True, default=dict)),
                (
                    "percent",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Percent of what matches, at random",
                        max_digits=5,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "per_agent_week",
                    models.PositiveSmallIntegerField(
                        blank=True, help_text="Or: so many for each agent in a calendar week, at random", null=True
                    ),
                ),
                (
                    "due_days",
                    models.PositiveSmallIntegerField(default=5, help_text="Calendar days until the review is due"),
                ),
                ("active", models.BooleanField(default=True)),
            ],
        ),
        migrations.CreateModel(
            name="ScoreCard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=40)),
                ("version", models.PositiveIntegerField(default=1)),
                ("title", models.CharField(max_length=120)),
                (
                    "subject",
                    models.CharField(
                        choices=[("call", "Calls"), ("note", "Notes"), ("notice", "Texts sent")], max_length=6
                    ),
                ),
                (
                    "pass_mark",
                    models.PositiveSmallIntegerField(
                        default=80,
                        help_text="Percent; less is not passed",
                        validators=[django.core.validators.MaxValueValidator(100)],
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                ("changed_by", models.CharField(blank=True, default="", max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name="WordCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(max_length=60, unique=True)),
                ("title", models.CharField(max_length=120)),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[("note", "Notes"), ("notice", "Texts sent")], max_length=6
                        ),
                        help_text="Where it is looked for",
                        size=None,
                    ),
                ),
                (
                    "languages",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=12),
                        blank=True,
                        default=list,
                        help_text="Such as en, es; empty: every language",
                        size=None,
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[("note", "Note"), ("warn", "Warning"), ("breach", "Breach")],
                        default="warn",
                        max_length=6,
                    ),
                ),
                ("why", models.CharField(blank=True, default="", help_text="The rule it comes from", max_length=300)),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=80),
                        blank=True,
                        default=list,
                        help_text="Whole words or phrases, in any case",
                        size=None,
                    ),
                ),
                (
                    "patterns",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200),
                        blank=True,
                        default=list,
                        help_text="Regular expressions, in any case",
                        size=None,
                    ),
                ),
                ("active", models.BooleanField(default=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="note",
            index=models.Index(fields=["at"], name="note_at"),
        ),
        migrations.AddField(
            model_name="calibrationround",
            name="interaction",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.interaction",
            ),
        ),
        migrations.AddField(
            model_name="calibrationround",
            name="note",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.note",
            ),
        ),
        migrations.AddField(
            model_name="calibrationround",
            name="notice",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="dunning.notice",
            ),
        ),
        migrations.AddField(
            model_name="coaching",
            name="agent",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="coached", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="coaching",
            name="written_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="coaches",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="coaching",
            name="goal",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="agents.criterion",
            ),
        ),
        migrations.AddField(
            model_name="answer",
            name="criterion",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="given", to="agents.criterion"
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="findings", to="accounts.account"
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="agent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="findings",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="interaction",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.interaction",
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="note",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.note",
            ),
        ),
        migrations.AddField(
            model_name="finding",
            name="notice",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="dunning.notice",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="reviews", to="accounts.account"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="agent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="reviews",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="calibration",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reviews",
                to="agents.calibrationround",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="interaction",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.interaction",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="note",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="agents.note",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="notice",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="%(class)ss",
                to="dunning.notice",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="reviewer",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="reviews_done",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="coaching",
            name="review",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="coaching",
                to="agents.review",
            ),
        ),
        migrations.AddField(
            model_name="answer",
            name="review",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="agents.review"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="rule",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="reviews",
                to="agents.samplingrule",
            ),
        ),
        migrations.AddConstraint(
            model_name="scorecard",
            constraint=models.UniqueConstraint(fields=("code", "version"), name="score_card_version"),
        ),
        migrations.AddConstraint(
            model_name="scorecard",
            constraint=models.UniqueConstraint(
                condition=models.Q(("active", True)), fields=("code",), name="score_card_in_use_once"
            ),
        ),
        migrations.AddField(
            model_name="samplingrule",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="rules", to="agents.scorecard"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="reviews", to="agents.scorecard"
            ),
        ),
        migrations.AddField(
            model_name="criterion",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="criteria", to="agents.scorecard"
            ),
        ),
        migrations.AddField(
            model_name="calibrationround",
            name="card",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="calibrations", to="agents.scorecard"
            ),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(fields=["found_at"], name="finding_found"),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(
                condition=models.Q(("agent__isnull", False)), fields=["agent", "found_at"], name="finding_agent"
            ),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(fields=["account", "-found_at"], name="finding_account"),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(
                condition=models.Q(("looked_at__isnull", True)), fields=["found_at", "id"], name="finding_to_look_at"
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("interaction__isnull", False), ("note__isnull", True), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", False), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", True), ("notice__isnull", False)),
                    _connector="OR",
                ),
                name="finding_one_piece",
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("interaction__isnull", False)),
                fields=("interaction", "check_code"),
                name="finding_in_a_call_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("note__isnull", False)),
                fields=("note", "check_code"),
                name="finding_in_a_note_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(
                condition=models.Q(("notice__isnull", False)),
                fields=("notice", "check_code"),
                name="finding_in_a_notice_once",
            ),
        ),
        migrations.AddIndex(
            model_name="coaching",
            index=models.Index(fields=["agent", "-written_at"], name="coaching_agent"),
        ),
        migrations.AddIndex(
            model_name="coaching",
            index=models.Index(
                condition=models.Q(("answered_at__isnull", True), ("closed_at__isnull", True)),
                fields=["agent"],
                name="coaching_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.UniqueConstraint(fields=("review", "criterion"), name="answer_once"),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.CheckConstraint(
                condition=models.Q(("value__isnull", True), ("value__lte", 4), _connector="OR"), name="answer_of_four"
            ),
        ),
        migrations.AddConstraint(
            model_name="samplingrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("per_agent_week__isnull", False), ("percent__isnull", True)),
                    models.Q(("per_agent_week__isnull", True), ("percent__isnull", False)),
                    _connector="OR",
                ),
                name="sampling_rule_one_share",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "doing"])), fields=["due_on"], name="review_to_do"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("state", "done")), fields=["agent", "-reviewed_at"], name="review_of_agent"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(condition=models.Q(("state", "done")), fields=["reviewed_at"], name="review_done"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("rule__isnull", False)), fields=["rule", "drawn_on"], name="review_by_rule"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("interaction__isnull", False), ("note__isnull", True), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", False), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", True), ("notice__isnull", False)),
                    _connector="OR",
                ),
                name="review_one_piece",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("calibration__isnull", True)), fields=("interaction",), name="review_of_a_call_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("calibration__isnull", True)), fields=("note",), name="review_of_a_note_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("calibration__isnull", True)), fields=("notice",), name="review_of_a_notice_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("calibration__isnull", False)),
                fields=("calibration", "reviewer"),
                name="review_once_a_reviewer",
            ),
        ),
        migrations.AddConstraint(
            model_name="criterion",
            constraint=models.UniqueConstraint(fields=("card", "code"), name="criterion_once_a_card"),
        ),
        migrations.AddIndex(
            model_name="calibrationround",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", True)), fields=["closes_on"], name="calibration_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="calibrationround",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("interaction__isnull", False), ("note__isnull", True), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", False), ("notice__isnull", True)),
                    models.Q(("interaction__isnull", True), ("note__isnull", True), ("notice__isnull", False)),
                    _connector="OR",
                ),
                name="calibrationround_one_piece",
            ),
        ),
        migrations.RunPython(add_cards, migrations.RunPython.noop),
        migrations.RunPython(add_rights, migrations.RunPython.noop),
    ]
