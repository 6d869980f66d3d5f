"""The facts, to look at: nothing here is edited, and no page counts a big table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from accounts.models import (
    Account,
    AccountEvent,
    Adjustment,
    Bill,
    Consent,
    ContactPoint,
    ContactPreference,
    Customer,
    Fee,
    Hold,
    JournalEntry,
    Payment,
    RejectedRow,
    Representative,
    Seal,
    Service,
    UnreachableAddress,
    Vulnerability,
)
from accounts.money import plain

# Roles are the three groups of agents.rights; people get them on their own page.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)


def actor_of(request: HttpRequest) -> str:
    """How events name the person at this page."""
    return f"agent:{request.user.get_username()}"


def signed(name: str, at: datetime) -> str:
    """Who did something and when, as the pages tell it."""
    return f"{name}, {timezone.localtime(at):%d %b %Y, %H:%M}"


class NothingToEdit:
    """No adding, changing or deleting, whatever the permissions say."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(NothingToEdit, ModelAdmin):
    """Found by exact id, through an index: rows of the id typed, and rows of the account or customer of that id."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    actions = None
    ordering = ("-pk",)
    #: Fields of this model that hold the typed id itself.
    own_ids: tuple[str, ...] = ("ref",)
    #: Whether rows belong to an account, and are found by its id and its customer's.
    of_account = True

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.own_ids or (("account",) if self.of_account else ())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        found = Q(pk__in=())
        for name in self.own_ids:
            found |= Q(**{name: term})
        if self.of_account:
            accounts = Account.objects.filter(ref=term).order_by().values_list("pk", flat=True)
            of_customer = Account.objects.filter(customer__ref=term).order_by().values_list("pk", flat=True)
            found |= Q(account_id__in=[*accounts, *of_customer])
        return queryset.filter(found), False


class ReadOnlyInline(NothingToEdit, TabularInline):
    extra = 0
    can_delete = False


def desk_page(ref: str) -> str:
    """The account's page on the desk, as a link; its id alone where the desk is not mounted."""
    try:
        return format_html('<a class="text-link" href="{}">{}</a>', reverse("account", args=[ref]), ref)
    except NoReverseMatch:
        return ref


def in_currency(row: Any, name: str) -> str:
    """An amount of an account, or of a row of one, with the currency."""
    amount, currency = getattr(row, name), (row if isinstance(row, Account) else row.account).currency
    return "-" if amount is None else f"{plain(amount, currency)} {currency}"


class ContactPoints(ReadOnlyInline):
    model = ContactPoint
    fields = ("ref", "kind", "value", "use", "line", "shared", "permitted", "preferred", "valid_from", "valid_to")


class Consents(ReadOnlyInline):
    model = Consent
    fields = ("channel", "purpose", "value", "given", "at", "until", "source", "evidence", "recorded_by")
    ordering = ("-at", "-pk")


class Preferences(ReadOnlyInline):
    model = ContactPreference
    fields = (
        "kind",
        "wanted",
        "weekdays",
        "opens",
        "closes",
        "place",
        "channel",
        "starts_at",
        "ends_at",
        "recorded_by",
    )
    ordering = ("-starts_at", "-pk")


class Representatives(ReadOnlyInline):
    model = Representative
    fields = ("role", "name", "organisation", "may_be_told", "since", "until", "written_to_at", "answered_at")
    ordering = ("-since", "-pk")


class Vulnerabilities(ReadOnlyInline):
    model = Vulnerability
    fields = ("category", "severity", "needs", "noted_on", "review_on", "ended_on", "consented_at", "recorded_by")
    ordering = ("-noted_on", "-pk")


class AccountsOfCustomer(ReadOnlyInline):
    model = Account
    fields = ("ref", "status", "currency", "overdue", "open_amount")
    show_change_link = True


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("ref", "name", "kind", "country", "city", "language")
    list_filter = ("kind",)
    search_help_text = "Customer id or phone number, exactly"
    own_ids = ("ref", "phone")
    of_account = False
    inlines = (AccountsOfCustomer, ContactPoints, Consents, Preferences, Representatives, Vulnerabilities)


STATUS_COLOURS = {
    "Current": "success",
    "Overdue": "warning",
    "In collections": "danger",
    "With an agency": "danger",
    "Written off": "info",
}


class ServicesOfAccount(ReadOnlyInline):
    model = Service
    fields = ("ref", "kind", "number", "status", "reported_status", "protected", "monthly_fee")
    show_change_link = True


class HoldsOfAccount(ReadOnlyInline):
    model = Hold
    fields = ("ref", "reason", "starts_on", "ends_on", "amount", "placed_by", "lifted_on")
    show_change_link = True


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("ref", "customer", "state", "past_due", "open", "oldest_due_on", "on_desk")
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_help_text = "Account or customer id, exactly"
    of_account = False
    fieldsets = (
        (None, {"fields": (("ref", "customer"), ("state", "on_desk"), ("its_rows",))}),
        (
            "What it owes at the business date",
            {"fields": (("past_due", "oldest_due_on"), ("open", "contested"), ("waiting", "charged"))},
        ),
        (
            "What it is",
            {
                "fields": (
                    ("product", "segment"),
                    ("payment_method", "currency"),
                    ("parent", "pays_itself"),
                    ("opened_on", "closed_on"),
                    ("taken_over_stage", "taken_over_warned_on"),
                )
            },
        ),
    )
    readonly_fields = ("state", "on_desk", "its_rows", "past_due", "open", "contested", "waiting", "charged")
    inlines = (ServicesOfAccount, HoldsOfAccount)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        of_customer = Customer.objects.filter(ref=term).values_list("pk", flat=True)
        return queryset.filter(Q(ref=term) | Q(customer_id__in=list(of_customer))), False

    @display(description="status", ordering="status", label=STATUS_COLOURS)
    def state(self, account: Account) -> str:
        return str(account.get_status_display())

    @display(description="past due")
    def past_due(self, account: Account) -> str:
        return in_currency(account, "overdue")

    @display(description="open")
    def open(self, account: Account) -> str:
        return in_currency(account, "open_amount")

    @display(description="disputed")
    def contested(self, account: Account) -> str:
        return in_currency(account, "disputed")

    @display(description="unapplied")
    def waiting(self, account: Account) -> str:
        return in_currency(account, "unapplied")

    @display(description="our fees")
    def charged(self, account: Account) -> str:
        return in_currency(account, "fees")

    @display(description="on the desk")
    def on_desk(self, account: Account) -> str:
        return desk_page(account.ref)

    @display(description="its rows")
    def its_rows(self, account: Account) -> str:
        models = (Bill, Payment, Adjustment, Fee, Hold, JournalEntry, AccountEvent)
        return format_html_join(
            " · ",
            '<a class="text-link" href="{}?account__id__exact={}">{}</a>',
            (
                (
                    reverse(f"admin:accounts_{model._meta.model_name}_changelist"),
                    account.pk,
                    model._meta.verbose_name_plural,
                )
                for model in models
            ),
        )


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ("ref", "account", "kind", "number", "status", "reported_status", "protected")
    list_filter = ("kind", "status")
    list_select_related = ("account",)
    search_help_text = "Service, account or customer id, or the number, exactly"
    own_ids = ("ref", "number")


@admin.register(Bill)
class BillAdmin(ReadOnlyAdmin):
    list_display = ("ref", "account", "issued_on", "due_on", "billed", "open", "disputed", "status")
    list_filter = ("status",)
    list_select_related = ("account",)
    search_help_text = "Bill, account or customer id, exactly"

    @display(description="amount")
    def billed(self, bill: Bill) -> str:
        return in_currency(bill, "amount")

    @display(description="open")
    def open(self, bill: Bill) -> str:
        return in_currency(bill, "open_amount")

    @display(description="disputed")
    def disputed(self, bill: Bill) -> str:
        return in_currency(bill, "disputed_amount")


class MoneyAdmin(ReadOnlyAdmin):
    """Facts with an amount in their account's currency."""

    list_select_related: tuple[str, ...] = ("account",)

    @display(description="amount")
    def money(self, row: Any) -> str:
        return in_currency(row, "amount")


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ("ref", "account", "received_on", "money", "method", "bill_ref", "reverses")
    list_select_related = ("account", "reverses")
    search_help_text = "Payment, account or customer id, exactly"


@admin.register(Adjustment)
class AdjustmentAdmin(MoneyAdmin):
    list_display = ("ref", "account", "on", "money", "kind", "bill_ref", "reason")
    list_filter = ("kind",)
    search_help_text = "Adjustment, account, customer or dispute id, exactly"
    own_ids = ("ref", "dispute_ref")


@admin.register(Fee)
class FeeAdmin(MoneyAdmin):
    list_display = ("ref", "account", "kind", "on", "money", "waived_on")
    list_filter = ("kind",)
    search_help_text = "Fee, account or customer id, exactly"


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("ref", "account", "reason", "starts_on", "ends_on", "lifted_on", "placed_by")
    list_filter = ("reason",)
    list_select_related = ("account",)
    search_help_text = "Hold, account or customer id, exactly"


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ("journal_ref", "account", "on", "event_type", "debit_code", "credit_code", "amount", "currency")
    list_select_related = ("account",)
    search_help_text = "Account or customer id, exactly"
    own_ids = ()


@admin.register(AccountEvent)
class AccountEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "account", "kind", "actor", "reason", "policy", "on")
    list_select_related = ("account",)
    search_help_text = "Account or customer id, or the event's kind, exactly"
    own_ids = ("kind",)


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    list_display = ("first_event_id", "last_event_id", "events", "sealed_at", "fingerprint")
    fields = ("first_event_id", "last_event_id", "events", "sealed_at", "fingerprint", "previous_fingerprint")
    readonly_fields = ("events", "fingerprint", "previous_fingerprint")
    own_ids = ()
    of_account = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seal]:
        return super().get_queryset(request).defer("digests")  # type: ignore[no-any-return]

    @display(description="events")
    def events(self, seal: Seal) -> int:
        return len(seal.event_ids)

    @display(description="hash")
    def fingerprint(self, seal: Seal) -> str:
        return bytes(seal.hash).hex()

    @display(description="hash of the seal before")
    def previous_fingerprint(self, seal: Seal) -> str:
        return bytes(seal.previous).hex() or "-"


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = ("file", "line", "column", "value", "reason", "rejected_at", "resolved_at")
    list_filter = ("file", ("resolved_at", admin.EmptyFieldListFilter))
    own_ids = ()
    of_account = False
    list_before_template = "admin/accounts/rejectedrow/mended_elsewhere.html"


@admin.register(UnreachableAddress)
class UnreachableAddressAdmin(ReadOnlyAdmin):
    list_display = ("kind", "value", "since", "reason")
    list_filter = ("kind",)
    search_help_text = "The address or number, exactly"
    own_ids = ("value",)
    of_account = False
