"""Who owes: a person or a business, how they may be reached, and what they told us about themselves."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from accounts.models import fields


class Customer(models.Model):
    class Kind(models.TextChoices):
        RESIDENTIAL = "residential", "Residential"
        BUSINESS = "business", "Business"

    ref = fields.ref()
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.RESIDENTIAL)
    language = models.CharField(max_length=12, blank=True, default="")
    #: When the customer chose it; unknown where billing has it on file.
    language_stated_on = models.DateField(null=True, blank=True)
    timezone = models.CharField(max_length=64, blank=True, default="")
    #: When the customer told us that zone; unknown where billing has it on file.
    timezone_stated_on = models.DateField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True, default="")
    region = models.CharField(max_length=64, blank=True, default="")
    city = models.CharField(max_length=120, blank=True, default="")
    postal_code = models.CharField(max_length=20, blank=True, default="")
    address = models.CharField(max_length=400, blank=True, default="")
    email = models.CharField(max_length=254, blank=True, default="")
    phone = models.CharField(max_length=40, blank=True, default="")
    birth_date = models.DateField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["phone"], condition=~Q(phone=""), name="customer_phone"),
            models.Index(Upper("email"), condition=~Q(email=""), name="customer_email"),
            GinIndex(SearchVector("name", config="simple"), name="customer_name_words"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.ref})"


class ContactPoint(models.Model):
    """One way to reach a customer beside the columns of ``Customer``: an address, a number, a mailbox."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        ADDRESS = "address", "Postal address"

    ref = fields.ref()
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="contact_points")

    class Use(models.TextChoices):
        HOME = "home", "Home"
        WORK = "work", "Work"

    class Line(models.TextChoices):
        MOBILE = "mobile", "Mobile"
        LANDLINE = "landline", "Landline"

    class Source(models.TextChoices):
        CUSTOMER = "customer", "The customer"
        TRACING = "tracing", "Tracing"
        OTHERS = "others", "Somebody else"

    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=400)
    #: What is known of it decides how it may be used; empty where nobody said.
    use = models.CharField(max_length=6, choices=Use, blank=True, default="")
    line = models.CharField(max_length=10, choices=Line, blank=True, default="")
    source = models.CharField(max_length=10, choices=Source, blank=True, default="")
    #: Others may hear or read what arrives there.
    shared = models.BooleanField(default=False)
    #: At work: null nobody asked, True the customer asked us to use it, False the employer forbids it.
    permitted = models.BooleanField(null=True, blank=True)
    preferred = models.BooleanField(default=False)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "value"], name="contact_point_value")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class UnreachableAddress(models.Model):
    """An e-mail address, number or postal address that bounced: not used again until somebody corrects it."""

    kind = models.CharField(max_length=10, choices=ContactPoint.Kind)
    value = models.CharField(max_length=400)
    since = models.DateTimeField()
    reason = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "unreachable addresses"
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="unreachable_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Consent(models.Model):
    """What a customer allowed or forbade on a channel, for a purpose; the latest row dated by a moment holds then."""

    class Channel(models.TextChoices):
        CALL = "call", "Call"
        SMS = "sms", "SMS"
        EMAIL = "email", "E-mail"
        LETTER = "letter", "Letter"
        IN_APP = "in_app", "In-app"

    class Purpose(models.TextChoices):
        SERVICE = "service", "Bills and arrears"
        AUTOMATED = "automated", "Recorded or automatic calls and messages"
        EXTRA_CALLS = "extra_calls", "More calls than the rules allow"
        ELECTRONIC = "electronic", "Electronic messages about a debt"
        MARKETING = "marketing", "Marketing"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10, choices=Channel)
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.SERVICE)
    #: One number or address only; empty: the whole channel.
    value = models.CharField(max_length=254, blank=True, default="")
    given = models.BooleanField()
    at = models.DateTimeField()
    #: What it was given for ends then of itself.
    until = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=120, blank=True, default="")
    #: The words, or where they are kept: what proves it.
    evidence = models.CharField(max_length=1000, blank=True, default="")
    recorded_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "channel", "purpose", "value", "at"], name="consent_once"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {'given' if self.given else 'withdrawn'}"


class ContactPreference(models.Model):
    """When, where and how a customer wants to be reached, or does not, until they say otherwise."""

    class Kind(models.TextChoices):
        TIME = "time", "Times"
        PLACE = "place", "A place"
        CHANNEL = "channel", "A channel they prefer"
        #: All contact about the debt is to end, in writing (12 CFR 1006.6(c)).
        CEASE = "cease", "No contact at all"

    class Place(models.TextChoices):
        HOME = "home", "At home"
        WORK = "work", "At work"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="preferences")
    kind = models.CharField(max_length=8, choices=Kind)
    #: Times: True at these alone, False not at these.
    wanted = models.BooleanField(default=False)
    #: ISO weekdays, 1 Monday to 7 Sunday; empty: every day.
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    opens = models.TimeField(null=True, blank=True)
    closes = models.TimeField(null=True, blank=True)
    place = models.CharField(max_length=6, choices=Place, blank=True, default="")
    channel = models.CharField(max_length=10, choices=Consent.Channel, blank=True, default="")
    #: Received: a letter counts from its arrival.
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=120, blank=True, default="")
    evidence = models.CharField(max_length=1000, blank=True, default="")
    recorded_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["customer", "starts_at"], name="preference_customer")]

    def __str__(self) -> str:
        return self.get_kind_display()


class Representative(models.Model):
    """Somebody who stands between us and the customer: whom to write to instead, or who may be told."""

    class Role(models.TextChoices):
        ATTORNEY = "attorney", "Attorney"
        DEBT_ADVISER = "debt_adviser", "Debt adviser"
        EXECUTOR = "executor", "Executor or administrator"
        GUARDIAN = "guardian", "Parent or guardian"
        TRUSTEE = "trustee", "Trustee in insolvency"
        CARER = "carer", "Carer"
        FAMILY = "family", "Family"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="representatives")
    role = models.CharField(max_length=14, choices=Role)
    name = models.CharField(max_length=200)
    organisation = models.CharField(max_length=200, blank=True, default="")
    email = models.CharField(max_length=254, blank=True, default="")
    phone = models.CharField(max_length=40, blank=True, default="")
    address = models.CharField(max_length=400, blank=True, default="")
    #: The customer, or a court, said that they may hear about the debt.
    may_be_told = models.BooleanField(default=False)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    #: Silence after it gives the customer back to us, where the rules say so.
    written_to_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    evidence = models.CharField(max_length=1000, blank=True, default="")
    recorded_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["customer", "since"], name="representative_customer")]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.name}"


class Vulnerability(models.Model):
    """A circumstance that asks for gentle treatment; the least that is needed, with a date to look again."""

    class Severity(models.TextChoices):
        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="vulnerabilities")
    category = models.CharField(max_length=60)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    #: Codes of what helps: large_print, slow_speech, telecare, no_joint_mail … Never the diagnosis.
    needs = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    noted_on = models.DateField()
    #: To look again; until somebody does, it stays in force.
    review_on = models.DateField(null=True, blank=True)
    ended_on = models.DateField(null=True, blank=True)
    #: The customer was told how it is used and agreed (GDPR Art. 9(2)(a)); without it, the need alone is kept.
    consented_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=120, blank=True, default="")
    recorded_by = models.CharField(max_length=80, blank=True, default="")
    note = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        verbose_name_plural = "vulnerabilities"
        constraints = [
            models.UniqueConstraint(fields=["customer", "category", "noted_on"], name="vulnerability_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} ({self.severity})"
