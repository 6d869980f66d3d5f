"""Episodes of dunning. A step is a row with a unique key: it can neither be lost nor repeated."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account, Bill
from dunning.models.experiment import Arm
from dunning.models.policy import PolicyVersion


class Case(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cases")
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="cases")
    opened_on = models.DateField()
    closed_on = models.DateField(null=True, blank=True)
    close_reason = models.CharField(max_length=60, blank=True, default="")
    #: Code of the last step taken, and its day.
    stage = models.CharField(max_length=60, blank=True, default="")
    last_step_on = models.DateField(null=True, blank=True)
    #: When to look again; null while nothing can become due by time alone.
    next_on = models.DateField(null=True, blank=True)
    #: Warnings made before that day justify nothing that hurts (a dispute ended, service was restored).
    warnings_from = models.DateField()
    #: Code of the step at which it came in again after a broken promise or plan: up to it no step waits for its day.
    re_entered_at = models.CharField(max_length=60, blank=True, default="", db_default="")
    #: The account's main segment when the case opened, and its arm where an experiment ran.
    segment = models.CharField(max_length=60, blank=True, default="")
    arm = models.ForeignKey(Arm, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account"], condition=Q(closed_on__isnull=True), name="case_one_open"),
        ]
        indexes = [
            models.Index(
                fields=["next_on", "account"],
                condition=Q(closed_on__isnull=True, next_on__isnull=False),
                name="case_next_on",
            ),
            models.Index(fields=["account", "-closed_on"], name="case_account_closed"),
        ]

    def __str__(self) -> str:
        return f"case {self.pk} of {self.account_id}"


class CaseStep(models.Model):
    """A step whose turn came in a case: taken, passed over, or waiting with its reason."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="steps")
    code = models.CharField(max_length=60)
    action = models.CharField(max_length=24)
    #: 0 the first time; a warning that no longer counts is sent again as 1, 2 …; a limit undone is taken again.
    repeat = models.PositiveIntegerField(default=0)
    #: ``taken``, ``undeliverable``, ``nothing_to_do``, ``passed_over``, ``waiting: …``, ``withdrawn: …``.
    result = models.CharField(max_length=60)
    #: The business date its turn came, and the one it was done (null while it waits).
    came_on = models.DateField()
    done_on = models.DateField(null=True, blank=True)
    #: A limit whose service was given back inside the case: it may come again, after a fresh warning.
    undone_on = models.DateField(null=True, blank=True)
    #: It waited so long that a person was asked.
    escalated_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "code", "repeat"], name="case_step_once")]
        indexes = [models.Index(fields=["done_on"], name="case_step_done_on")]

    def __str__(self) -> str:
        return f"{self.code}: {self.result}"


class BillStep(models.Model):
    """A step before the due date: it belongs to a bill, not to a case, and is taken once."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    bill = models.ForeignKey(Bill, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=60)
    on = models.DateField()
    result = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["bill", "code"], name="bill_step_once")]
        indexes = [models.Index(fields=["on"], name="bill_step_on")]

    def __str__(self) -> str:
        return f"{self.code}: {self.result}"
