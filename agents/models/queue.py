"""An account's place in the agents' queue: one open item an account, claimed by lease."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import Account, fields
from agents.models.people import Agent, Team


class WorkItem(models.Model):
    class Kind(models.TextChoices):
        COLLECT = "collect", "Collect"
        TASK = "task", "Task"
        APPROVAL = "approval", "Approval"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="work_items")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.COLLECT)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="work_items")
    #: Why it is here, in words: handed over by the policy, broken promise, a task's text.
    reason = models.CharField(max_length=200, blank=True, default="")
    score = models.IntegerField(default=0)
    #: ``[{name, points, text}]``, summing to ``score``.
    score_parts = models.JSONField(default=list)
    created_at = models.DateTimeField()
    #: Not offered before that moment: a callback, a promise's day, contact hours.
    not_before = models.DateTimeField(null=True, blank=True)
    #: The contact gate lets nobody call before this moment, and why; null where it does, or was not asked yet.
    callable_from = models.DateTimeField(null=True, blank=True)
    uncallable_because = models.CharField(max_length=300, blank=True, default="")
    #: A callback is its agent's for a while after its moment, then anybody's.
    kept_for = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    #: Put on top by a supervisor, and why.
    pinned_by = models.CharField(max_length=80, blank=True, default="")
    pinned_because = models.CharField(max_length=200, blank=True, default="")
    #: How much that is worth: 1000 is above everything that is weighed; and its last day, none where it has no end.
    pin_points = models.PositiveSmallIntegerField(default=1000, db_default=1000)
    pinned_until = models.DateField(null=True, blank=True)
    claimed_by = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="claims")
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    #: What the agent had typed and not saved, by form field.
    draft = models.JSONField(default=dict)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    outcome = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind"], condition=Q(done_at__isnull=True), name="work_item_one_open"
            ),
        ]
        indexes = [
            models.Index(F("score").desc(), "id", condition=Q(done_at__isnull=True), name="work_item_next"),
            models.Index(
                fields=["claimed_by"],
                condition=Q(done_at__isnull=True, claimed_by__isnull=False),
                name="work_item_held",
            ),
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="work_item_done"),
            models.Index(
                fields=["callable_from"],
                condition=Q(done_at__isnull=True, callable_from__isnull=False),
                name="work_item_parked",
            ),
            models.Index(
                fields=["not_before"],
                condition=Q(done_at__isnull=True, kept_for__isnull=False),
                name="work_item_callback",
            ),
            models.Index(
                fields=["pinned_until"],
                condition=Q(done_at__isnull=True, pinned_until__isnull=False),
                name="work_item_pin_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.account_id}"


class QueueOrder(models.Model):
    """In which order a team works its queue: how much each part of the score weighs, or another order altogether."""

    class First(models.TextChoices):
        SCORE = "score", "What matters most"
        LARGEST = "largest", "What owes most"
        OLDEST = "oldest", "What is longest past due"
        WAITING = "waiting", "What waits longest"

    name = models.CharField(max_length=80)
    #: None: every team that has no order of its own.
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="orders")
    first = models.CharField(max_length=10, choices=First, default=First.SCORE)
    #: Percent by part of the score; a part that is not named weighs 100.
    weights = models.JSONField(default=dict, blank=True)
    in_force = models.BooleanField(default=False)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team"], condition=Q(in_force=True), nulls_distinct=False, name="queue_order_one_in_force"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CallEffect(models.Model):
    """How often calls of a kind brought a promise or money within a week, counted by the day's run."""

    #: Bucket, and what is known of earlier calls and promises, as ``agents.chances`` puts it.
    band = models.CharField(max_length=60, primary_key=True)
    calls = models.PositiveIntegerField(default=0)
    helped = models.PositiveIntegerField(default=0)
    counted_on = models.DateField()

    def __str__(self) -> str:
        return f"{self.band}: {self.helped} of {self.calls}"


class ActEffect(models.Model):
    """How often another thing than a call brought money, counted by the day's run; ``agents.act_effects`` says what."""

    act = models.CharField(max_length=20)
    band = models.CharField(max_length=40)
    tried = models.PositiveIntegerField(default=0)
    worked = models.PositiveIntegerField(default=0)
    counted_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["act", "band"], name="act_effect_once")]

    def __str__(self) -> str:
        return f"{self.act}, {self.band}: {self.worked} of {self.tried}"


class Suggestion(models.Model):
    """What the desk suggested to do next on an account, and what the agent made of it."""

    class Answer(models.TextChoices):
        NONE = "", "Not answered"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="suggestions")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=30)
    #: ``[{name, text, value}]``: why, and what each reason is worth.
    reasons = models.JSONField(default=list)
    #: What it should bring, in the account's currency.
    expected = fields.amount(default=0)
    currency = models.CharField(max_length=3)
    made_at = models.DateTimeField()
    answer = models.CharField(max_length=10, choices=Answer, blank=True, default=Answer.NONE)
    answered_at = models.DateTimeField(null=True, blank=True)
    #: A code of ``agents.suggestions.DECLINED``, where the agent said why.
    declined_because = models.CharField(max_length=20, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["account", "-made_at"], name="suggestion_account"),
            models.Index(fields=["answered_at"], condition=Q(answered_at__isnull=False), name="suggestion_answered"),
        ]

    def __str__(self) -> str:
        return f"{self.action} on {self.account_id}"


class Undo(models.Model):
    """What an agent did last and may take back for a minute, where nothing has left the house."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    #: What was done, such as ``promise`` or ``note``, and the rows it made, by name.
    act = models.CharField(max_length=20)
    rows = models.JSONField(default=dict)
    said = models.CharField(max_length=200)
    done_at = models.DateTimeField()
    until = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["agent", "-done_at"], name="undo_agent")]

    def __str__(self) -> str:
        return f"{self.act} on {self.account_id}"
