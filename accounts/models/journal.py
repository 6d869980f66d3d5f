"""The money's book: postings that balance by construction, and which accounts are to be brought to date, since when."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import fields
from accounts.models.account import Account


class JournalEntry(models.Model):
    """One debit and the credit of the same amount. Entries of one ``journal_ref`` form one journal.

    A row cannot be out of balance, so neither can a journal; a correction is another row, never an edit.
    """

    journal_ref = models.CharField(max_length=120)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="journal_entries")
    on = models.DateField()
    event_type = models.CharField(max_length=30)
    debit_code = models.CharField(max_length=10)
    credit_code = models.CharField(max_length=10)
    amount = fields.amount()
    currency = models.CharField(max_length=3)
    source_ref = models.CharField(max_length=64, blank=True, default="")
    description = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name_plural = "journal entries"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="journal_entry_amount_positive"),
            models.CheckConstraint(condition=~Q(debit_code=F("credit_code")), name="journal_entry_two_codes"),
        ]
        indexes = [models.Index(fields=["on", "journal_ref"], name="journal_entry_on")]

    def __str__(self) -> str:
        return f"{self.journal_ref}: {self.debit_code} to {self.credit_code} {self.amount}"


class Unsettled(models.Model):
    """An account with facts that its amounts do not show yet. Written with the facts, deleted by settling."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="+")

    class Meta:
        verbose_name_plural = "unsettled accounts"

    def __str__(self) -> str:
        return str(self.pk)


class Touched(models.Model):
    """From that day on an account may have owed something else than was believed until then.

    The database writes a row with every fact, in its transaction, whoever writes the fact; whoever has brought the past
    to it deletes the row. Nothing can slip behind: a row that is not there yet belongs to a fact that is not either.
    """

    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    since = models.DateField()

    class Meta:
        verbose_name_plural = "touched accounts"

    def __str__(self) -> str:
        return f"{self.account_id} since {self.since}"
