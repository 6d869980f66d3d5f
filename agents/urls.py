"""The addresses of the desk in the browser."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from agents.views import account, inbound, messages, network, queue, search, session, supervise, wishes, write_offs

urlpatterns = [
    path("", session.landing, name="landing"),
    path("login/", session.sign_in, name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", session.theme, name="theme"),
    path("queue/", queue.queue_page, name="queue"),
    path("queue/next/", queue.next_account, name="next"),
    path("inbox/", inbound.inbox, name="inbox"),
    path("inbox/<int:pk>/done/", inbound.done, name="inbox_done"),
    path("inbox/<int:pk>/read-again/", inbound.read_again, name="inbox_read_again"),
    path("inbox/<int:pk>/place/", inbound.place, name="inbox_place"),
    path("inbox/<int:pk>/opt-out/", inbound.opt_out, name="inbox_opt_out"),
    path("search/", search.search_page, name="search"),
    path("accounts/<str:ref>/", account.account_page, name="account"),
    path("accounts/<str:ref>/timeline/", account.account_timeline, name="account_timeline"),
    path("accounts/<str:ref>/plan/quote/", account.plan_quote, name="plan_quote"),
    path("accounts/<str:ref>/keep/", account.keep, name="keep"),
    path("accounts/<str:ref>/release/", account.release, name="release"),
    path("accounts/<str:ref>/take-over/", account.take_over, name="take_over"),
    path("accounts/<str:ref>/services/<str:service>/keep/", account.keep_service, name="keep_service"),
    path("accounts/<str:ref>/holds/<str:hold>/lift/", account.lift_hold, name="lift_hold"),
    path("accounts/<str:ref>/disputes/<str:dispute>/resolve/", account.resolve_dispute, name="resolve_dispute"),
    path("accounts/<str:ref>/promises/<str:promise>/cancel/", account.cancel_promise, name="cancel_promise"),
    path("accounts/<str:ref>/plans/<str:plan>/cancel/", account.cancel_plan, name="cancel_plan"),
    path("accounts/<str:ref>/fees/<str:fee>/waive/", account.waive_fee, name="waive_fee"),
    path("accounts/<str:ref>/wishes/heard/", wishes.heard, name="wish_heard"),
    path("accounts/<str:ref>/wishes/<slug:what>/", wishes.wish, name="wish"),
    path("accounts/<str:ref>/wishes/<slug:what>/<int:pk>/end/", wishes.end_wish, name="end_wish"),
    path("accounts/<str:ref>/wishes/vulnerability/<int:pk>/look/", wishes.look_again, name="look_again"),
    path("accounts/<str:ref>/<slug:act>/", account.account_act, name="account_act"),
    path("supervise/", supervise.desk, name="supervise"),
    path("supervise/accounts/<str:ref>/audit/", supervise.audit, name="audit"),
    path("supervise/rejected/", supervise.rejected, name="rejected"),
    path("supervise/rejected/again/", supervise.run_again, name="run_again"),
    path("supervise/rejected/<int:pk>/mend/", supervise.mend, name="mend"),
    path("supervise/rejected/<int:pk>/set-aside/", supervise.set_aside, name="set_aside"),
    path("supervise/messages/", messages.messages_page, name="messages"),
    path("supervise/messages/resend/", messages.resend, name="resend"),
    path("supervise/network/", network.network, name="network"),
    path("supervise/network/orders/<int:pk>/again/", network.ask_again, name="ask_again"),
    path("supervise/network/orders/<int:pk>/give-up/", network.give_up, name="give_up"),
    path("supervise/network/services/<str:service>/again/", network.ask_for_ours, name="ask_for_ours"),
    path("supervise/network/services/<str:service>/restore/", network.restore, name="restore_service"),
    path("supervise/approvals/", supervise.approvals, name="approvals"),
    path("supervise/plans/<str:plan>/decide/", supervise.decide_plan, name="decide_plan"),
    path("supervise/write-offs/", write_offs.write_offs, name="write_offs"),
    path("supervise/write-offs/accounts.csv", write_offs.write_offs_file, name="write_offs_file"),
    path("supervise/write-offs/<int:pk>/decide/", supervise.decide_write_off, name="decide_write_off"),
]
