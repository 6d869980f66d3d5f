"""An agreement as an agent makes it: the quote is asked for, read aloud, and agreed to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.test import Client

from accounts.models import Account

HTMX = {"HX-Request": "true"}
_MARK = re.compile(r'name="heard" value="(\w+)"')


def heard(client: Client, account: Account, act: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The terms with the mark of the words that were read for them, and the customer's yes."""
    quote = client.get(f"/accounts/{account.ref}/{act}/quote/", terms, headers=HTMX).content.decode()
    found = _MARK.search(quote)
    mark = {"heard": found.group(1)} if found else {}
    return {**terms, "agreed": "on", "agreed_by": "phone", **mark}


def agree(client: Client, account: Account, act: str, terms: Mapping[str, Any], **more: Any) -> Any:
    """The answer to the form of that act, as a browser with htmx sends it."""
    typed = heard(client, account, act, terms)
    return client.post(f"/accounts/{account.ref}/{act}/", {**typed, **more}, headers=HTMX)
