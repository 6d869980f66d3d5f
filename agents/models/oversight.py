"""What supervisors judge by and keep: figures as they stood, targets, costs, time, complaints, answers, delegations."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import Account, fields
from agents.models.people import Agent, Team
from agents.models.talk import Interaction


class Standing(models.Model):
    """What an account had past due at the end of a day, as far as is known now: late facts write it anew."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    on = models.DateField()
    #: What is open in each of ``accounts.position.BUCKETS``, in their order; disputed amounts included.
    amounts = ArrayField(fields.amount())
    days_past_due = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["on", "account"], name="standing_once_a_day")]
        indexes = [models.Index(fields=["account", "on"], name="standing_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.on}"


class StandingDay(models.Model):
    """A day of which it is kept where every account stood: who has no ``Standing`` of it had nothing past due."""

    on = models.DateField(primary_key=True)

    def __str__(self) -> str:
        return self.on.isoformat()


class Stale(models.Model):
    """Where an account stood from that day on is to be written anew: facts came that are dated back."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="+")
    since = models.DateField()

    def __str__(self) -> str:
        return f"{self.pk} since {self.since}"


class Snapshot(models.Model):
    """The figures of a period for one scope, as they were recorded: rows of a day that is over never change."""

    class Dimension(models.TextChoices):
        ALL = "all", "The whole book"
        TEAM = "team", "Team"
        AGENT = "agent", "Agent"
        SEGMENT = "segment", "Segment"
        PRODUCT = "product", "Product"
        POLICY = "policy", "Policy"
        ARM = "arm", "Arm of an experiment"

    as_of = models.DateField()
    days = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    dimension = models.CharField(max_length=8, choices=Dimension, default=Dimension.ALL)
    #: Which one: a team's name, an agent's login, a segment's or policy's code; empty for the whole book.
    member = models.CharField(max_length=120, blank=True, default="")
    recorded_at = models.DateTimeField()
    #: Computed again after its day was over, from what was known by then; the day's own record stays beside it.
    restated = models.BooleanField(default=False)
    #: As ``kpis --json`` prints them.
    receivables = models.JSONField(encoder=DjangoJSONEncoder)
    kpis = models.JSONField(encoder=DjangoJSONEncoder)
    #: Matrices, funnels, heat map and the like, by name.
    pictures = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "days", "dimension", "member", "as_of"],
                condition=Q(restated=False),
                name="snapshot_one_a_day",
            )
        ]
        indexes = [
            models.Index(fields=["as_of", "days", "currency"], name="snapshot_of_day"),
            models.Index(fields=["currency", "days", "dimension", "member", "as_of"], name="snapshot_series"),
        ]

    def __str__(self) -> str:
        return f"{self.as_of} {self.days} {self.currency} {self.dimension} {self.member}".strip()


class KpiTarget(models.Model):
    """What a figure should come to, from a day on, for a team or for everybody."""

    class Aim(models.TextChoices):
        AT_LEAST = "at_least", "At least"
        AT_MOST = "at_most", "At most"

    kpi = models.CharField(max_length=40, help_text="Name of the figure, such as kept_rate")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="targets")
    aim = models.CharField(max_length=8, choices=Aim)
    value = models.DecimalField(max_digits=18, decimal_places=4)
    from_on = models.DateField()
    set_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kpi", "team", "from_on"], nulls_distinct=False, name="kpi_target_once")
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.aim} {self.value}"


class Cost(models.Model):
    """What collecting costs, from a day on: an hour of an agent, a message, a month of everything else."""

    class Kind(models.TextChoices):
        AGENT_HOUR = "agent_hour", "An hour of an agent"
        CALL_MINUTE = "call_minute", "A minute of a call"
        SMS = "sms", "An SMS"
        EMAIL = "email", "An e-mail"
        LETTER = "letter", "A letter"
        IN_APP = "in_app", "A message in the app"
        VOICE = "voice", "A voice message"
        OVERHEAD_MONTH = "overhead_month", "A month of everything else"

    kind = models.CharField(max_length=16, choices=Kind)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=18, decimal_places=4, validators=[MinValueValidator(0)])
    from_on = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "currency", "from_on"], name="cost_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"


class Stretch(models.Model):
    """A stretch of a person's paid time: what they were there for, and until when they were seen."""

    class What(models.TextChoices):
        WORK = "work", "At work"
        BREAK = "break", "Break"
        TRAINING = "training", "Training"
        MEETING = "meeting", "Meeting"

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="stretches")
    what = models.CharField(max_length=8, choices=What, default=What.WORK)
    begun_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent"], condition=Q(ended_at__isnull=True), name="stretch_one_an_agent")
        ]
        indexes = [models.Index(fields=["agent", "begun_at"], name="stretch_agent")]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.what}"


class Complaint(models.Model):
    """A customer is not content with us: received, acknowledged, looked into, answered by its clock."""

    class State(models.TextChoices):
        RECEIVED = "received", "Received"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        CLOSED = "closed", "Answered"

    class Outcome(models.TextChoices):
        UPHELD = "upheld", "Upheld"
        PARTLY_UPHELD = "partly_upheld", "Partly upheld"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="complaints")
    received_on = models.DateField()
    #: How it reached us.
    channel = models.CharField(max_length=10)
    #: A code of ``agents.complaints``.
    category = models.CharField(max_length=30)
    text = models.TextField(blank=True, default="")
    #: Whom it is about, where it is about somebody.
    about = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="complaints")
    interaction = models.ForeignKey(
        Interaction, null=True, blank=True, on_delete=models.SET_NULL, related_name="complaints"
    )
    state = models.CharField(max_length=12, choices=State, default=State.RECEIVED)
    acknowledge_by = models.DateField()
    answer_by = models.DateField()
    acknowledged_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    outcome = models.CharField(max_length=14, choices=Outcome, blank=True, default="")
    #: What the customer was told, and what was done about the cause.
    answer = models.TextField(blank=True, default="")
    cause = models.CharField(max_length=300, blank=True, default="")
    redress = fields.amount(default=0)
    #: The earlier one of the same account and category.
    repeats = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="repeated_by")
    assigned_to = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    taken_by = models.CharField(max_length=80)
    closed_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["account", "-received_on"], name="complaint_account"),
            models.Index(fields=["received_on"], name="complaint_received"),
            models.Index(fields=["answer_by"], condition=~Q(state="closed"), name="complaint_open"),
        ]

    def __str__(self) -> str:
        return self.ref


class ComplaintClock(models.Model):
    """By when a complaint is acknowledged and answered in a market."""

    country = models.CharField(max_length=2, blank=True, default="", unique=True, help_text="Empty: every other market")
    acknowledge_days = models.PositiveIntegerField(help_text="Calendar days until it is acknowledged")
    answer_days = models.PositiveIntegerField(help_text="Calendar days until it is answered")
    source = models.CharField(max_length=200, blank=True, default="", help_text="Where the figures come from")

    def __str__(self) -> str:
        return self.country or "every other market"


class Survey(models.Model):
    """One customer asked how they were treated; a score of 1 to 5, with reasons, once they answered."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="surveys")
    #: What it asks about: ``call``, ``plan``, ``payment`` or ``page``.
    about = models.CharField(max_length=10)
    interaction = models.OneToOneField(
        Interaction, null=True, blank=True, on_delete=models.SET_NULL, related_name="survey"
    )
    #: Whose work it judges, where somebody's.
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    score = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    #: Codes of ``agents.satisfaction``.
    reasons = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    comment = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(score__isnull=True) | Q(score__gte=1, score__lte=5), name="survey_score_of_five"
            )
        ]
        indexes = [
            models.Index(fields=["account", "-asked_at"], name="survey_account"),
            models.Index(fields=["answered_at"], condition=Q(answered_at__isnull=False), name="survey_answered"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.score or 'asked'}"


class Delegation(models.Model):
    """Somebody decides in somebody else's place for some days; never what they asked for themselves."""

    of = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="delegations")
    to = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="stands_in")
    from_on = models.DateField()
    until_on = models.DateField()
    reason = models.CharField(max_length=200)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(of=F("to")), name="delegation_to_somebody_else"),
            models.CheckConstraint(condition=Q(until_on__gte=F("from_on")), name="delegation_has_days"),
        ]
        indexes = [models.Index(fields=["to", "until_on"], name="delegation_to")]

    def __str__(self) -> str:
        return f"{self.to_id} for {self.of_id} until {self.until_on}"


class Asked(models.Model):
    """A word of somebody else asked for, where nothing else keeps it: letting a fee go, for instance."""

    class Kind(models.TextChoices):
        FEE_WAIVER = "fee_waiver", "Let a fee go"

    class State(models.TextChoices):
        WAITING = "waiting", "Waits"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        EXPIRED = "expired", "Nobody answered in time"
        WITHDRAWN = "withdrawn", "Withdrawn"

    kind = models.CharField(max_length=16, choices=Kind)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="asked")
    #: What it is about: a fee's id.
    subject = models.CharField(max_length=64)
    amount = fields.amount(null=True, blank=True)
    reason = models.CharField(max_length=300)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    expires_on = models.DateField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    decided_by = models.CharField(max_length=80, blank=True, default="")
    #: In whose place; empty in their own name.
    decided_for = models.CharField(max_length=80, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state="waiting"), name="asked_once_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["expires_on"], condition=Q(state="waiting"), name="asked_waiting")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} {self.state}"


class TeamMessage(models.Model):
    """A word from a supervisor to a team, or to everybody, until its moment is over."""

    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="messages")
    text = models.CharField(max_length=300)
    sent_by = models.CharField(max_length=80)
    sent_at = models.DateTimeField()
    until = models.DateTimeField()
    seen_by = models.ManyToManyField(Agent, through="MessageSeen", related_name="+")

    class Meta:
        indexes = [models.Index(fields=["until"], name="team_message_until")]

    def __str__(self) -> str:
        return self.text


class MessageSeen(models.Model):
    message = models.ForeignKey(TeamMessage, on_delete=models.CASCADE, related_name="seen")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "agent"], name="message_seen_once")]

    def __str__(self) -> str:
        return f"{self.message_id} by {self.agent_id}"
