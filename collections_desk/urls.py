"""The front door: every room's pages hang here."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from collections_desk import health
from collections_desk.mail_callbacks import MailCallback
from collections_desk.portal.published import how_we_collect

urlpatterns = [
    path("healthz/", health.healthz, name="healthz"),
    path("readyz/", health.readyz, name="readyz"),
    path("metrics/", health.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("how-we-collect/", how_we_collect, name="how_we_collect"),
    path("pay/", include("collections_desk.portal.urls")),
    path("api/v1/", include("collections_desk.api.urls")),
    path("callbacks/mail/<slug:provider>/", MailCallback.as_view(), name="mail_callback"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("", include("agents.urls")),
]
