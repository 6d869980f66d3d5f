"""Who may come in, the moment of the request, and answers that are given once.

Roles are those of ``agents.rights``. A machine that brings facts needs no role: its user is in the group
``integration``, may bring and read facts, and sees every account.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions, serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.business_day import business_date
from accounts.models import Account
from accounts.refusals import Refused
from agents import rights
from agents.models import Agent, ApiAnswer
from agents.rights import Act
from collections_desk.api.problems import answer_to, problem

INTEGRATION = "integration"
LONGEST_KEY = 200
#: Refusals that are kept with their key, because the operation was reached. What could not be read is not: the caller
#: may mend it and use the key again.
_KEPT = frozenset({"conflict", "blocked", "refused"})

AnyBody = TypeVar("AnyBody", bound=serializers.Serializer[Any])
View = Callable[..., Response]


def is_integration(user: Any) -> bool:
    """Whether the user is a machine that brings facts; one query for the life of ``user``."""
    if not getattr(user, "is_active", False):
        return False
    known: bool | None = user.__dict__.get("_desk_integration")
    if known is None:
        known = user.groups.filter(name=INTEGRATION).exists()
        user.__dict__["_desk_integration"] = known
    return known


def allowed(user: Any, act: Act) -> bool:
    """Whether the user may do ``act`` here: by role, or as the machine that brings facts."""
    return rights.may(user, act) or (act is Act.IMPORT_FACTS and is_integration(user))


def visible_accounts(user: Any) -> QuerySet[Account]:
    """The accounts on the user's side of the team wall; a machine that brings facts sees them all."""
    return Account.objects.all() if is_integration(user) else rights.visible_accounts(user)


class MayAct(BasePermission):
    """The acts a view names for its method; reading accounts is open to whoever works, or brings facts."""

    message = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        assert isinstance(view, DeskView)
        acts = view.acts.get(request.method or "", view.act)
        return any(allowed(request.user, act) for act in acts)


class DeskView(APIView):
    """A view with its moment, its business date and its caller."""

    permission_classes = [IsAuthenticated, MayAct]
    #: Any of them suffices.
    act: tuple[Act, ...] = (Act.WORK,)
    #: By method, where they differ.
    acts: dict[str, tuple[Act, ...]] = {}

    at: datetime
    as_of: date

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.at = timezone.now()
        self.as_of = business_date(at=self.at)

    @property
    def agent(self) -> Agent:
        assert isinstance(self.request.user, Agent)  # the permission let nobody else in
        return self.request.user

    @property
    def actor(self) -> str:
        return rights.actor(self.request.user)

    def account(self, ref: str) -> Account:
        """The account by the operator's id; another team's is not there. Raises ``Http404``."""
        found = visible_accounts(self.request.user).filter(ref=ref).first()
        if found is None:
            raise Http404
        return found

    def body(self, shape: type[AnyBody]) -> dict[str, Any]:
        """The body's fields. Raises ``ValidationError``."""
        given = shape(data=self.request.data)
        given.is_valid(raise_exception=True)
        fields: dict[str, Any] = given.validated_data
        return fields

    def query(self, shape: type[AnyBody]) -> dict[str, Any]:
        """The address's parameters, each given once. Raises ``ValidationError``."""
        for name, values in self.request.query_params.lists():
            if len(values) > 1:
                raise serializers.ValidationError({name[:100]: "Is given twice."})
        given = shape(data=self.request.query_params.dict())
        given.is_valid(raise_exception=True)
        fields: dict[str, Any] = given.validated_data
        return fields


def given_once(view: View) -> View:
    """With an ``Idempotency-Key``, the work is done once and its answer kept: the same call gets it again.

    The key is a row, inserted first: a second call at the same moment waits for the first one's commit and then finds
    its answer. The key belongs to the caller; used for another address or body it is a conflict.
    """

    @wraps(view)
    def answer(self: DeskView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(self, request, *args, **kwargs)
        if not key or len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
            raise serializers.ValidationError({"Idempotency-Key": f"1 to {LONGEST_KEY} printable ASCII characters."})
        call = {"path": request.path[:200], "digest": digest_of(request)}
        with transaction.atomic():
            kept, is_first = ApiAnswer.objects.get_or_create(
                user=self.agent, key=key, defaults={**call, "at": self.at, "status": None, "body": None}
            )
            if not is_first:
                return _again(kept, call)
            try:
                response = view(self, request, *args, **kwargs)
            except (Refused, Http404, exceptions.APIException) as error:
                refused = answer_to(error, {})
                if refused is None:
                    raise
                response = refused
            code = response.data.get("code") if response.status_code >= 400 else None
            if response.status_code < 300 or code in _KEPT:
                kept.status, kept.body = response.status_code, response.data
                kept.save(update_fields=["status", "body"])
            else:
                transaction.set_rollback(True)
        return response

    return answer


def digest_of(request: Request) -> str:
    """What was asked, whatever the order of its fields."""
    content = json.dumps([request.method, request.data], sort_keys=True, default=str)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def _again(kept: ApiAnswer, call: dict[str, str]) -> Response:
    if (kept.path, kept.digest) != (call["path"], call["digest"]):
        return problem("conflict", "This Idempotency-Key was used for another call.")
    refused = kept.status is not None and kept.status >= 400
    response = Response(kept.body, status=kept.status, content_type="application/problem+json" if refused else None)
    response["Idempotency-Replayed"] = "true"
    return response
