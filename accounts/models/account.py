"""The thing that is dunned, and its services, with the two state machines.

Transitions say what is possible and nothing else: only ``accounts.status`` calls them (tests/rules/test_one_door.py).
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from accounts.models import fields
from accounts.models.customer import Customer


class AccountStatus(models.TextChoices):
    CURRENT = "current", "Current"
    OVERDUE = "overdue", "Overdue"
    COLLECTIONS = "collections", "In collections"
    AGENCY = "agency", "With an agency"
    WRITTEN_OFF = "written_off", "Written off"
    CLOSED = "closed", "Closed"


class ServiceStatus(models.TextChoices):
    """The service ladder, mildest first; the order of the rungs is the order of this list."""

    ACTIVE = "active", "Active"
    THROTTLED = "throttled", "Throttled"
    OUTGOING_BARRED = "outgoing_barred", "Outgoing barred"
    SUSPENDED = "suspended", "Suspended"
    DISCONNECTED = "disconnected", "Disconnected"


class Account(models.Model):
    """A billing account. The amounts are what the facts dated up to the business date say (``accounts.settling``)."""

    ref = fields.ref()
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="accounts")
    currency = models.CharField(max_length=3)
    opened_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    product = models.CharField(max_length=60, blank=True, default="")
    payment_method = models.CharField(max_length=40, blank=True, default="")
    segment = models.CharField(max_length=60, blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    pays_itself = models.BooleanField(default=False)

    status = FSMField(default=AccountStatus.CURRENT, choices=AccountStatus, protected=True)

    #: Everything open on issued bills, disputed or not, due or not.
    open_amount = fields.amount(default=0)
    #: Open, undisputed and past due: ``overdue`` of the account resource.
    overdue = fields.amount(default=0)
    #: Open, disputed and past due.
    overdue_disputed = fields.amount(default=0)
    #: Open and disputed, past due or not.
    disputed = fields.amount(default=0)
    #: Over-payment and money that waits for its bill.
    unapplied = fields.amount(default=0)
    #: The desk's own fees that billing has not charged yet.
    fees = fields.amount(default=0)
    #: Due date of the oldest past-due bill with something open and undisputed.
    oldest_due_on = models.DateField(null=True, blank=True)

    #: How far the account was with another system when it was taken over (accounts.csv).
    taken_over_stage = models.CharField(max_length=60, blank=True, default="")
    taken_over_warned_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=AccountStatus.values), name="account_status_known"),
            models.CheckConstraint(
                condition=Q(open_amount__gte=0, overdue__gte=0, overdue_disputed__gte=0, unapplied__gte=0),
                name="account_amounts_not_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["status"], condition=~Q(status="current"), name="account_not_current"),
            models.Index(fields=["oldest_due_on"], condition=Q(oldest_due_on__isnull=False), name="account_overdue"),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def balance(self) -> object:
        """What the account owes in all: open bills and our fees, less money not yet applied."""
        return self.open_amount + self.fees - self.unapplied

    S = AccountStatus

    @transition(field=status, source=[S.CURRENT, S.COLLECTIONS, S.CLOSED, S.WRITTEN_OFF], target=S.OVERDUE)
    def to_overdue(self) -> None:
        """Something undisputed is past due; a case exits with a remainder; a reversal or a late bill."""

    @transition(field=status, source=[S.OVERDUE, S.AGENCY], target=S.COLLECTIONS)
    def to_collections(self) -> None:
        """Handed to agents; recalled from an agency."""

    @transition(field=status, source=S.COLLECTIONS, target=S.AGENCY)
    def to_agency(self) -> None:
        """Placed outside."""

    @transition(field=status, source=[S.OVERDUE, S.COLLECTIONS, S.AGENCY], target=S.CURRENT)
    def to_current(self) -> None:
        """Nothing past due: cured."""

    @transition(field=status, source=[S.OVERDUE, S.COLLECTIONS, S.AGENCY], target=S.WRITTEN_OFF)
    def to_written_off(self) -> None:
        """Taken out of the receivables."""

    @transition(field=status, source=[S.CURRENT, S.WRITTEN_OFF], target=S.CLOSED)
    def to_closed(self) -> None:
        """Left with nothing owed; recovered, or final."""

    del S


class Service(models.Model):
    """A line or product on an account: what is limited and restored."""

    class Kind(models.TextChoices):
        MOBILE = "mobile", "Mobile"
        FIXED = "fixed", "Fixed line"
        BROADBAND = "broadband", "Broadband"
        TV = "tv", "TV"
        OTHER = "other", "Other"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="services")
    kind = models.CharField(max_length=10, choices=Kind)
    number = models.CharField(max_length=40, blank=True, default="")
    #: Emergency, medical or basic service: never taken past the rung that its market allows.
    protected = models.BooleanField(default=False)
    #: The last day on which it is not limited, whatever the policy says.
    keep_until = models.DateField(null=True, blank=True)
    monthly_fee = fields.amount(null=True, blank=True)

    #: What the desk last knew the network to have done.
    status = FSMField(default=ServiceStatus.ACTIVE, choices=ServiceStatus, protected=True)
    #: What the network last reported in a file; compared with ours and listed, never a transition.
    reported_status = models.CharField(max_length=20, choices=ServiceStatus, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ServiceStatus.values), name="service_status_known"),
        ]
        indexes = [
            models.Index(fields=["number"], condition=~Q(number=""), name="service_number"),
            models.Index(
                fields=["id"],
                condition=~Q(reported_status="") & ~Q(reported_status=F("status")),
                name="service_differs",
            ),
            models.Index(
                fields=["id"],
                condition=Q(status__in=["throttled", "outgoing_barred", "suspended"]),
                name="service_limited",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    S = ServiceStatus

    @transition(field=status, source=S.ACTIVE, target=S.THROTTLED)
    def to_throttled(self) -> None: ...

    @transition(field=status, source=[S.ACTIVE, S.THROTTLED], target=S.OUTGOING_BARRED)
    def to_outgoing_barred(self) -> None: ...

    @transition(field=status, source=[S.ACTIVE, S.THROTTLED, S.OUTGOING_BARRED], target=S.SUSPENDED)
    def to_suspended(self) -> None: ...

    @transition(field=status, source=[S.ACTIVE, S.THROTTLED, S.OUTGOING_BARRED, S.SUSPENDED], target=S.DISCONNECTED)
    def to_disconnected(self) -> None: ...

    @transition(field=status, source=[S.THROTTLED, S.OUTGOING_BARRED, S.SUSPENDED], target=S.ACTIVE)
    def to_active(self) -> None:
        """Restored; a disconnected service does not come back."""

    del S
