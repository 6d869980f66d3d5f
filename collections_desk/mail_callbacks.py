"""What a mail provider tells of its own accord, in its own form: delivered, bounced, complained.

The provider proves itself as its documentation says (a signature, or a user and password in the address); the desk's
own form of the same news is ``/api/v1/callbacks/email/``.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import wishes
from accounts.business_day import business_date
from collections_desk import clock
from dunning import mail_provider, receipts
from dunning.models import Notice


@method_decorator(csrf_exempt, name="dispatch")
class MailCallback(View):
    """POST news. HEAD answers, as some providers ask before they begin."""

    def head(self, request: HttpRequest, provider: str) -> HttpResponse:
        return HttpResponse()

    def post(self, request: HttpRequest, provider: str, **_more: Any) -> HttpResponse:
        if not mail_provider.is_provider(provider):
            raise Http404
        at = clock.business_now()
        as_of = business_date(at=at)
        try:
            news = mail_provider.read_callback(request, at=at)
        except SuspiciousOperation:
            return JsonResponse({"detail": "The signature does not fit."}, status=403)
        except ValueError as problem:
            return JsonResponse({"detail": str(problem)}, status=400)
        taken = receipts.take(news.receipts, as_of=as_of, at=at)
        customers = Notice.objects.filter(key__in=news.objections).values_list("customer_id", flat=True).distinct()
        for customer in customers:
            wishes.stop(
                customer_id=customer, channels=["email"], actor="provider", as_of=as_of, at=at, source="mail provider"
            )
        return JsonResponse({"taken": taken, "stopped": len(customers)})
