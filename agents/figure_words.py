"""Titles, units and formulas of the figures in the page's language.

What is kept of a figure is English, with its numbers in it. Its sentence is looked up with a ``#`` in the place of each
number, and the numbers are put back in their order.
"""

from __future__ import annotations

import re
from itertools import chain

from django.utils.translation import gettext_noop as _

from agents.words import said

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def of_formula(text: str) -> str:
    """A formula, or the reason why there is no value, in the page's language; what nobody knows stays as it is."""
    pattern, numbers = _NUMBER.sub("#", text), _NUMBER.findall(text)
    words = said(pattern)
    if words == pattern or words.count("#") != len(numbers):
        return text
    parts = words.split("#")
    return "".join(chain.from_iterable(zip(parts, [*numbers, ""], strict=True)))


#: What is looked up, for the catalogue: titles,
TITLES = (
    _("Days sales outstanding"),
    _("DSO without what is disputed"),
    _("Count-back DSO"),
    _("Best possible DSO"),
    _("Average days delinquent"),
    _("Days delinquent, weighted by everything open"),
    _("Days delinquent, weighted by what is past due"),
    _("Collection effectiveness"),
    _("Collection effectiveness with a month's sales"),
    _("Collection effectiveness without write-offs"),
    _("Recovery rate"),
    _("Cure rate, by payment"),
    _("Roll rates"),
    _("Right-party contact rate"),
    _("Promise rate"),
    _("Promises kept"),
    _("Instalments kept"),
    _("Cost per unit collected"),
    _("Satisfied customers"),
    _("Complaints per 1,000 accounts contacted"),
    _("Churn after collections"),
    _("DSO of average receivables"),
    _("DSO over a quarter"),
    _("DSO over a year"),
    _("True DSO"),
    _("Days after the due date that bills were paid"),
    _("Days after the due date that bills were paid, early as on time"),
    _("Collection effectiveness with a month's sales, without write-offs"),
    _("Recovery rate less agency commission"),
    _("Paid within 30 days of placing with an agency"),
    _("Paid within 60 days of placing with an agency"),
    _("Paid within 90 days of placing with an agency"),
    _("Paid within 30 days of placing, less the agency's commission"),
    _("Paid within 60 days of placing, less the agency's commission"),
    _("Paid within 90 days of placing, less the agency's commission"),
    _("Recovered after write-off"),
    _("Cure rate, by anything"),
    _("Cure rate by amount"),
    _("Cured and not late 60 days on"),
    _("Cured and not late 90 days on"),
    _("Roll rates without following accounts"),
    _("Stayed in the bucket"),
    _("Rolled back"),
    _("Cured, by bucket"),
    _("Right party of calls made"),
    _("Right party of accounts worked"),
    _("Promised of what was past due"),
    _("Promises kept by amount"),
    _("Promises cancelled before their day"),
    _("Contact rate"),
    _("Contact rate of accounts"),
    _("Days from a conversation to the payment, median"),
    _("Days from a conversation to the payment, nine in ten"),
    _("Days from the first conversation to the payment, median"),
    _("Days from the first conversation to the payment, nine in ten"),
    _("Payments without a conversation before"),
    _("Resolved in one conversation"),
    _("Paid after a warning"),
    _("Paid something after a warning"),
    _("Limited in error"),
    _("Bad-debt ratio"),
    _("Bad debt of a year's bills"),
    _("Mean score"),
    _("Customers who answered"),
    _("Complaints per 1,000 contacts"),
    _("Complaints upheld"),
    _("Complaints made again"),
    _("Days until a complaint is answered"),
    _("Churn by the customer"),
    _("Churn by us"),
    _("Retention after collections"),
    _("Churn of accounts outside collections"),
    _("Occupancy"),
    _("Utilization"),
    _("Contacts refused by a rule"),
    _("Refusals overridden"),
    _("Contacts outside the hours"),
)
#: units,
UNITS = (
    _("days"),
    _("per 1000"),
    _("of 5"),
)
#: how targets are meant,
AIMS = (_("At least"), _("At most"))
#: formulas,
FORMULAS = (
    _("receivables / sales of the period * # days"),
    _("receivables not disputed / sales of the period * # days"),
    _("days of the latest months whose sales make up the receivables, the last of them in proportion"),
    _("receivables not past due / sales of the period * # days"),
    _("DSO - best possible DSO = receivables past due / sales of the period * # days"),
    _("Σ (open amount * days past due) / Σ open amount"),
    _("Σ (open amount * days past due) / Σ open amount past due"),
    _(
        "(opening receivables + sales - closing receivables) / (opening receivables + sales - closing "
        "receivables not past due) * #"
    ),
    _(
        "(opening receivables + sales * # / # - closing receivables) / (opening receivables + sales * # / # - "
        "closing receivables not past due) * #"
    ),
    _(
        "(opening receivables + sales - closing receivables - written off in the period and not paid since) / "
        "(opening receivables + sales - closing receivables not past due) * #"
    ),
    _(
        "(opening receivables + sales * # / # - closing receivables - written off in the period and not paid "
        "since) / (opening receivables + sales * # / # - closing receivables not past due) * #"
    ),
    _(
        "collected on bills past due at the start (credits, cancellations and write-offs left out) / past due "
        "at the start * #"
    ),
    _(
        "accounts past due at the start that paid all of it and have nothing past due at the end / accounts "
        "past due at the start * #"
    ),
    _("balance in the next bucket of the same accounts / balance in the bucket # days earlier * #"),
    _("calls with the right party / calls connected * #"),
    _("promises made (one an account and day, self-service left out) / calls with the right party * #"),
    _(
        "promises paid in full by the due date + # days / promises that fell due (cancelled before, or still "
        "in those days: left out) * #"
    ),
    _("instalments paid by the due date + # days / instalments that fell due (still in those days: left out) * #"),
    _("(pay + messages + agency commission + overhead) / money received"),
    _("answers of # or # out of # / answers * #"),
    _("complaints / accounts contacted * #"),
    _(
        "accounts closed within # days of the end of their dunning case / accounts whose case ended in the "
        "period that lies # days back * #"
    ),
    _("(receivables at the start + at the end) / # / sales of the period * # days"),
    _("receivables / sales of the last # days * # days"),
    _("Σ (days since issue * open amount / sales of the month of issue) over open bills"),
    _(
        "Σ (day paid in full - due date, negative where it was paid early) / bills that payments naming them "
        "paid in full in the period"
    ),
    _(
        "Σ (day paid in full - due date, none where it was paid early) / bills that payments naming them paid "
        "in full in the period"
    ),
    _("(collected on bills past due at the start - agency commission of the period) / past due at the start * #"),
    _("payments within # days of placing / placed with agencies in the period that lies # days back * #"),
    _(
        "(payments - agency commission) within # days of placing / placed with agencies in the period that "
        "lies # days back * #"
    ),
    _("paid since on what was written off in the last year / written off in the last year * #"),
    _(
        "accounts past due at the start that have nothing past due at the end, paid, credited or written off "
        "/ accounts past due at the start * #"
    ),
    _(
        "past due at the start of accounts that paid all of it and have nothing past due at the end / past "
        "due at the start * #"
    ),
    _(
        "accounts with nothing past due still / accounts past due at the start and no more at the end of the "
        "period that lies # days back * #"
    ),
    _("balance in the next bucket, of any account / balance in the bucket # days earlier * #"),
    _("balance in the same bucket of the same accounts / balance in the bucket # days earlier * #"),
    _("balance in the bucket before of the same accounts / balance in the bucket # days earlier * #"),
    _("balance of accounts that have nothing past due any more / balance in the bucket # days earlier * #"),
    _("calls made that reached the right party / calls made * #"),
    _("accounts whose right party was reached / accounts with a call * #"),
    _(
        "amounts promised (one promise an account and day) / past due of the accounts reached, at the start "
        "or at the end, the larger * #"
    ),
    _("Σ paid by the due date + # days, at most what was promised / Σ promised for days in the period * #"),
    _("promises cancelled by their due date, for a dispute or another agreement / promises for days in the period * #"),
    _("calls made and connected / calls made * #"),
    _("accounts where a call we made connected / accounts called * #"),
    _(
        "days from the last conversation with the right party to the payment that half of the payments with "
        "one in the # days before do not exceed"
    ),
    _(
        "days from the last conversation with the right party to the payment that # % of the payments with "
        "one in the # days before do not exceed"
    ),
    _(
        "days from the first conversation with the right party to the payment that half of the payments with "
        "one in the # days before do not exceed"
    ),
    _(
        "days from the first conversation with the right party to the payment that # % of the payments with "
        "one in the # days before do not exceed"
    ),
    _("payments without a conversation in the # days before / payments * #"),
    _(
        "accounts that paid what was due or agreed a plan within # days of the first conversation, without "
        "another call / accounts whose right party was reached in the period that lies # days back * #"
    ),
    _(
        "accounts that paid what the warning named within # days of a warning / accounts warned of a limit in "
        "the period that lies # days back * #"
    ),
    _(
        "accounts that paid something within # days of a warning / accounts warned of a limit in the period "
        "that lies # days back * #"
    ),
    _("accounts limited with nothing undisputed past due the evening before, as is known now / accounts limited * #"),
    _("(written off - recovered of write-offs) in the last year / sales of the last year * #"),
    _("written off and not recovered of the bills issued in the last year / sales of the last year * #"),
    _("Σ scores of # to # / answers"),
    _("customers who answered / customers asked * #"),
    _("complaints / calls made and messages sent * #"),
    _("complaints upheld, wholly or in part / complaints answered and not withdrawn * #"),
    _("complaints made before on the same matter / complaints * #"),
    _("Σ days from receipt to answer / complaints answered"),
    _(
        "accounts closed by the customer within # days of the end of their dunning case / accounts whose case "
        "ended in the period that lies # days back * #"
    ),
    _(
        "accounts closed by a write-off or a disconnection within # days of the end of their dunning case / "
        "accounts whose case ended in the period that lies # days back * #"
    ),
    _(
        "accounts still there # days after the end of their dunning case / accounts whose case ended in the "
        "period that lies # days back * #"
    ),
    _(
        "accounts closed within # days of the end of the period that lies # days back / accounts without a "
        "dunning case in that period * #"
    ),
    _(
        "(talk + hold + wrap-up) / (talk + hold + wrap-up + available) * #, in hours; available is the time "
        "at work less the first three"
    ),
    _("(talk + hold + wrap-up + available) / paid time, with breaks, training and meetings * #, in hours"),
    _("contacts and limits the rules did not allow / asked for * #"),
    _("refusals that somebody with the right to it overrode / asked for * #"),
    _("calls made and texts sent before #:# or from #:# at the customer / calls made and texts sent * #"),
)
#: and why there is no value.
REASONS = (
    _("no sales in the period"),
    _("no sales in the last # days"),
    _("no sales in the last year"),
    _("the receivables are more than the sales of # months"),
    _("nothing is open"),
    _("nothing is past due"),
    _("nothing could be collected"),
    _("nothing was past due at the start"),
    _("no account was past due at the start"),
    _("the bucket was empty"),
    _("no call was connected"),
    _("no call reached the right party"),
    _("no call was made"),
    _("no account had a call"),
    _("no promise fell due"),
    _("no promise was for these days"),
    _("no instalment fell due"),
    _("no costs are recorded"),
    _("nothing was collected"),
    _("no answers of customers are recorded"),
    _("fewer than # customers answered"),
    _("nobody answered"),
    _("nobody was asked"),
    _("no complaints are recorded"),
    _("no complaint was answered"),
    _("nobody complained"),
    _("no account was contacted"),
    _("nobody was contacted"),
    _("nobody was called or texted"),
    _("no case ended in the period that lies # days back"),
    _("every account had a dunning case then"),
    _("no such bill was paid"),
    _("nothing was placed in the period that lies # days back"),
    _("nothing was written off in the last year"),
    _("where accounts stood then was not kept"),
    _("no account was cured then"),
    _("nothing was past due on the accounts reached"),
    _("no payment followed one"),
    _("nothing was paid"),
    _("nobody was reached in the period that lies # days back"),
    _("nobody was warned in the period that lies # days back"),
    _("no account was limited"),
    _("nobody's time is recorded"),
    _("nobody was at work"),
    _("nobody was paid"),
    _("nothing was asked for"),
)
