"""How far the checks of words have come, and which texts to customers they know."""

from __future__ import annotations

from django.db import models

from dunning.models import Notice


class CheckedUntil(models.Model):
    """One row: everything written down or sent up to this event was judged. It goes forward only."""

    #: Of ``accounts.AccountEvent``; behind a sealed one no event can appear any more.
    event_id = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "checked until"

    def __str__(self) -> str:
        return f"event {self.event_id}"


class CheckedText(models.Model):
    """A text that was sent, once for all its copies: names, figures, dates and links are left out of it."""

    #: SHA-256 over policy, step, template, language, channel, tone and the words.
    digest = models.CharField(max_length=64, unique=True)
    #: The first copy: what was found in it stands for all of them.
    notice = models.OneToOneField(Notice, on_delete=models.CASCADE, related_name="checked_text")
    copies = models.PositiveIntegerField(default=1)
    first_sent_at = models.DateTimeField()
    last_sent_at = models.DateTimeField()
    #: Of the rules it was judged by: with others it is judged again.
    judged_by = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.notice_id}, {self.copies} copies"
