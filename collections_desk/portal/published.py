"""How the operator treats late payment, for whoever asks: the policies in force in plain words, made from the data.

Markets want it published before a service is limited: Directive (EU) 2018/1972, Annex VI Part A(e); Ofcom's General
Conditions C3.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from collections_desk.portal.texts import words_for
from collections_desk.portal.views import face
from dunning import rulebook
from dunning.describing import describe


@require_safe
def how_we_collect(request: HttpRequest) -> HttpResponse:
    """Every published policy, sentence by sentence; no account, no sign-in."""
    return face(request, words_for(request), "published", policies=[describe(rules) for rules in rulebook.published()])
