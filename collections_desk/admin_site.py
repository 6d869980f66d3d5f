"""Who comes in here: admins and supervisors, by their role, through the desk's one login page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from unfold.sites import UnfoldAdminSite

from agents import rights


class DeskAdminSite(UnfoldAdminSite):
    """Supervisors look, admins shape; what each may do with a model is a permission of their group."""

    index_title = "All records"

    def has_permission(self, request: HttpRequest) -> bool:
        return not {rights.ADMIN, rights.SUPERVISOR}.isdisjoint(rights.roles(request.user))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME, request.path), resolve_url(settings.LOGIN_URL))
