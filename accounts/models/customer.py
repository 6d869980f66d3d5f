"""Who owes: a person or a business, how they may be reached, and what they told us about themselves."""

from __future__ import annotations

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
    timezone = models.CharField(max_length=64, blank=True, default="")
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
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=400)
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
    """What a customer allowed or forbade on a channel; the latest row dated by a moment holds at that moment."""

    class Channel(models.TextChoices):
        CALL = "call", "Call"
        SMS = "sms", "SMS"
        EMAIL = "email", "E-mail"
        LETTER = "letter", "Letter"
        IN_APP = "in_app", "In-app"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10, choices=Channel)
    given = models.BooleanField()
    at = models.DateTimeField()
    source = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "channel", "at"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.channel} {'given' if self.given else 'withdrawn'}"


class Vulnerability(models.Model):
    """A circumstance that asks for gentle treatment; the least that is needed, with a date to look again."""

    class Severity(models.TextChoices):
        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="vulnerabilities")
    category = models.CharField(max_length=60)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.MEDIUM)
    noted_on = models.DateField()
    review_on = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        verbose_name_plural = "vulnerabilities"
        constraints = [
            models.UniqueConstraint(fields=["customer", "category", "noted_on"], name="vulnerability_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} ({self.severity})"
