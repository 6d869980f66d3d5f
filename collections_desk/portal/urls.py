"""The addresses of ``/pay/``: the token names the account, and proves that the desk made the link."""

from __future__ import annotations

from django.urls import path

from collections_desk.portal import views

urlpatterns = [
    path("<str:token>/", views.customer_page, name="pay"),
    path("<str:token>/paid/", views.paid, name="pay_paid"),
    path("<str:token>/help/", views.help_wanted, name="pay_help"),
    path("<str:token>/contact/", views.contact, name="pay_contact"),
    path("<str:token>/complaint/", views.complaint, name="pay_complaint"),
    path("<str:token>/feedback/", views.feedback, name="pay_feedback"),
    path("<str:token>/leave/", views.leave, name="pay_leave"),
]
