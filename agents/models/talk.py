"""Conversations and their outcomes."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from accounts.models import Account, Hold, fields
from agents.models.people import Agent


class Disposition(models.Model):
    """What a call came to, as data: what it counts as, and what must be recorded with it."""

    class Asks(models.TextChoices):
        NOTHING = "", "Nothing"
        PROMISE = "promise", "A promise"
        PLAN = "plan", "A plan"
        DISPUTE = "dispute", "A dispute"
        CALLBACK = "callback", "A callback"
        HARDSHIP = "hardship", "A hardship hold"
        SETTLEMENT = "settlement", "A settlement"

    class Phone(models.TextChoices):
        UNKNOWN = "", "Says nothing of the number"
        GOOD = "good", "The number is theirs"
        WRONG = "wrong", "The number is somebody else's"
        DEAD = "dead", "The number is not in service"

    class Result(models.TextChoices):
        NO_ANSWER = "rang_no_answer", "Rang, nobody answered"
        BUSY = "no_connect_busy", "Busy: nothing rang"
        INVALID = "no_connect_invalid", "No such number: nothing rang"
        VOICEMAIL = "voicemail_left", "Voicemail"
        WRONG_PARTY = "answered_wrong_party", "Somebody else's number"
        THIRD_PARTY = "answered_third_party", "Somebody else answered"
        RIGHT_PARTY = "answered_right_party", "The customer answered"

    code = models.CharField(max_length=40, primary_key=True)
    label = models.CharField(max_length=80)
    key = models.CharField(max_length=1, blank=True, default="", help_text="Key on the account page")
    position = models.PositiveIntegerField(default=100)
    connected = models.BooleanField(default=False, help_text="Somebody or something answered")
    conversation = models.BooleanField(default=False)
    right_party = models.BooleanField(default=False)
    asks = models.CharField(max_length=10, choices=Asks, blank=True, default=Asks.NOTHING)
    #: Hours until the account is offered again; null: by the day's score.
    next_contact_hours = models.PositiveIntegerField(null=True, blank=True)
    #: The number called is not used again.
    bad_number = models.BooleanField(default=False)
    #: Counts as an attempt where the law counts them: something rang.
    rang = models.BooleanField(default=True, help_text="Counts as an attempt: something rang")
    #: What the contact gate counts it as.
    result = models.CharField(max_length=24, choices=Result, blank=True, default="")
    phone = models.CharField(max_length=8, choices=Phone, blank=True, default=Phone.UNKNOWN)
    asks_reason = models.BooleanField(default=False, help_text="Ask why it was not paid")
    #: A hold that comes with it, and its last day counted from today; null: until it is lifted.
    hold_reason = models.CharField(max_length=24, choices=Hold.Reason, blank=True, default="")
    hold_days = models.PositiveIntegerField(null=True, blank=True)
    stops_contact = models.BooleanField(default=False, help_text="Nothing more is begun by call, SMS or e-mail")
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.label


class Interaction(models.Model):
    """A call, message or visit, either direction."""

    class Kind(models.TextChoices):
        CALL = "call", "Call"
        SMS = "sms", "SMS"
        EMAIL = "email", "E-mail"
        LETTER = "letter", "Letter"
        VISIT = "visit", "Visit"
        IN_APP = "in_app", "In-app"

    class Direction(models.TextChoices):
        OUTBOUND = "outbound", "Outbound"
        INBOUND = "inbound", "Inbound"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="interactions")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="interactions")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CALL)
    direction = models.CharField(max_length=8, choices=Direction)
    #: The code of a ``Disposition``, or an older system's own.
    disposition = models.CharField(max_length=40)
    right_party = models.BooleanField(default=False)
    number = models.CharField(max_length=40, blank=True, default="")
    at = models.DateTimeField()
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    callback_at = models.DateTimeField(null=True, blank=True)
    #: The gate said no and somebody with the right to it went on: the code of why.
    override_code = models.CharField(max_length=30, blank=True, default="")
    #: Why it was not paid, as the customer tells it: a code of ``agents.reasons``.
    nonpayment_reason = models.CharField(max_length=30, blank=True, default="")
    #: What had to be said and was: codes of the gate's requirements and of the script.
    said = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    #: Linked accounts that it was about too: it counts as a call about each of them, and once about the customer.
    also_about = ArrayField(models.BigIntegerField(), default=list, blank=True)
    #: Seconds from hanging up to the saved outcome.
    wrap_seconds = models.PositiveIntegerField(null=True, blank=True)
    #: Taken back within a minute: the outcome was a slip. The call itself was made.
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at"], name="interaction_account"),
            models.Index(fields=["agent", "at"], condition=Q(agent__isnull=False), name="interaction_agent"),
            models.Index(fields=["at"], name="interaction_at"),
            GinIndex(fields=["also_about"], condition=~Q(also_about=[]), name="interaction_also_about"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.disposition} {self.at:%Y-%m-%d}"


class Note(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="notes")
    text = models.TextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=80)
    #: The dispute that it is about, where it is about one.
    dispute = models.ForeignKey("Dispute", null=True, blank=True, on_delete=models.SET_NULL, related_name="notes")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at"], name="note_account"),
            models.Index(fields=["at"], name="note_at"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class IdentityCheck(models.Model):
    """Who was on the line, by which details: codes only, never the answers."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="identity_checks")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    #: ``customer``, or the representative they named.
    party = models.CharField(max_length=20, default="customer")
    matched = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    failed = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    passed = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "-at"], name="identity_check_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {'passed' if self.passed else 'failed'}"


class LiveCall(models.Model):
    """A call from the moment its number was dialled until its outcome is saved."""

    class State(models.TextChoices):
        DIALLED = "dialled", "Dialled"
        RINGING = "ringing", "Rings"
        ANSWERED = "answered", "Answered"
        ENDED = "ended", "Ended"
        FAILED = "failed", "Could not be placed"
        LOGGED = "logged", "Logged"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="live_calls")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="live_calls")
    direction = models.CharField(max_length=8, choices=Interaction.Direction, default=Interaction.Direction.OUTBOUND)
    number = models.CharField(max_length=40, blank=True, default="")
    #: ``tel`` where the agent's own telephone dials, ``cti`` where the telephone system was asked to.
    via = models.CharField(max_length=4, default="tel")
    state = models.CharField(max_length=8, choices=State, default=State.DIALLED)
    reason = models.CharField(max_length=200, blank=True, default="")
    begun_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    #: Checked on this call.
    identity = models.ForeignKey(IdentityCheck, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    interaction = models.OneToOneField(
        Interaction, null=True, blank=True, on_delete=models.SET_NULL, related_name="live_call"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent"], condition=~Q(state__in=["logged", "failed"]), name="live_call_one_an_agent"
            )
        ]
        indexes = [models.Index(fields=["account", "-begun_at"], name="live_call_account")]

    def __str__(self) -> str:
        return f"{self.number} {self.state}"


class ScriptText(models.Model):
    """Words of the script as an admin wrote them, over those that ship."""

    situation = models.CharField(max_length=30)
    step = models.CharField(max_length=20)
    language = models.CharField(max_length=10, default="en")
    words = models.TextField(help_text="What to say")
    prompt = models.TextField(blank=True, default="", help_text="How to say it: a hint for the agent")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["situation", "step", "language"], name="script_text_once"),
        ]

    def __str__(self) -> str:
        return f"{self.situation}, {self.step} ({self.language})"
