"""Why a bill was not paid, as customers tell it: codes that are kept and counted, and the words for them."""

from __future__ import annotations

from django.utils.functional import Promise as Words
from django.utils.translation import gettext_lazy as _

#: In the order in which they are offered: what is heard most comes first.
REASONS: dict[str, str | Words] = {
    "forgot": _("Forgot it"),
    "away": _("Was away or did not get the bill"),
    "short_of_money": _("Short of money this month"),
    "job_lost": _("Lost their job or income"),
    "illness": _("Illness"),
    "bereavement": _("A death in the family"),
    "bill_too_high": _("The bill is higher than expected"),
    "service_faulty": _("The service did not work"),
    "disputed": _("Contests the bill"),
    "payment_failed": _("The payment failed or went astray"),
    "moved": _("Moved house or left"),
    "refuses": _("Does not want to pay"),
    "other": _("Something else"),
}


def is_known(code: str) -> bool:
    """Whether it is one of ours; empty is: nobody said why."""
    return not code or code in REASONS


def words(code: str) -> str:
    """The code as a person reads it; one of an older system as it stands."""
    return str(REASONS.get(code) or code.replace("_", " ").capitalize())
