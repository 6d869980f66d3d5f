"""Django's admin with our own site in it."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class DeskAdminConfig(AdminConfig):
    default_site = "collections_desk.admin_site.DeskAdminSite"
