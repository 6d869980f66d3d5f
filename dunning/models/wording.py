"""The texts of notices as an admin writes them, and the print runs that letters leave in."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class NoticeText(models.Model):
    """One notice in one language and tone; a published one never changes, the desk's own files are what was there
    before the first.
    """

    class Tone(models.TextChoices):
        PLAIN = "plain", "Plain"
        #: For customers whose circumstances ask for it: help first, demands last.
        GENTLE = "gentle", "Gentle"
        FIRM = "firm", "Firm"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "In use"
        RETIRED = "retired", "Replaced"

    #: The name that steps give; ``_phrases`` for what all notices of a language share.
    template = models.CharField(max_length=60)
    language = models.CharField(max_length=12)
    tone = models.CharField(max_length=6, choices=Tone, default=Tone.PLAIN)
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    #: The parts, as the file of a text has them.
    content = models.JSONField()
    #: Registered ids of the text message, where a market asks for them: entity_id, header, header_class, template_id.
    registration = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    changed_by = models.CharField(max_length=80, blank=True, default="")
    changed_at = models.DateTimeField()
    published_by = models.CharField(max_length=80, blank=True, default="")
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("publish_noticetext", "Can put a notice's text in use")]
        constraints = [
            models.UniqueConstraint(fields=["template", "language", "tone", "version"], name="notice_text_version"),
            models.UniqueConstraint(
                fields=["template", "language", "tone"], condition=Q(state="published"), name="notice_text_in_use_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} ({self.language}, {self.tone}) v{self.version}"


class PrintRun(models.Model):
    """Letters that went to the print house together."""

    made_at = models.DateTimeField()
    letters = models.PositiveIntegerField(default=0)
    sheets = models.PositiveIntegerField(default=0)
    #: Where it lies: the name of the folder or archive that was handed over.
    name = models.CharField(max_length=120, unique=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True, default="")

    def __str__(self) -> str:
        return self.name
