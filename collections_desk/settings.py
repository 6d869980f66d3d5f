"""Settings of the desk: one file, driven by the environment.

Nothing has to be set. Without DATABASE_URL and REDIS_URL the servers of `collections_desk.embedded` are used; a
wrong value stops the start with one sentence. Reading this file starts nothing.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from collections_desk import embedded
from collections_desk.admin_navigation import UNFOLD as UNFOLD
from collections_desk.environment import address, flag, listing, number, pairs, refuse, text, zone

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = embedded.var_dir()  # everything the desk writes for itself; DESK_VAR_DIR moves it


def kept_secret(path: Path) -> str:
    """The secret in `path`, made on first use; whoever reads it can sign sessions, so only its owner may."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as made:
            made.write(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)  # fails where another process was first: then theirs counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text(encoding="ascii").strip()
    except PermissionError:
        refuse("DESK_SECRET_KEY", "", f"is not set, and {path} belongs to another user")


# --- Where the desk is reached ----------------------------------------------------------------------------------------

# What people type into their browser, and what links in notices begin with. With https:// the desk expects a proxy in
# front that ends TLS and sets X-Forwarded-Proto; cookies are then marked secure and plain http is redirected.
DESK_PUBLIC_URL = address("DESK_PUBLIC_URL", "http://127.0.0.1:8000", schemes=("http", "https")).rstrip("/")
ENCRYPTED = DESK_PUBLIC_URL.startswith("https://")

DEBUG = flag("DESK_DEBUG", default=False)
SECRET_KEY = text("DESK_SECRET_KEY", "") or kept_secret(VAR_DIR / "secret-key")
if len(SECRET_KEY) < 50:
    refuse("DESK_SECRET_KEY", "", "is shorter than 50 characters")

# Signs the heads of the event chain that are given out: an Ed25519 key as PEM, made on first use.
DESK_AUDIT_KEY = text("DESK_AUDIT_KEY", str(VAR_DIR / "audit-key"))

ALLOWED_HOSTS = [urlsplit(DESK_PUBLIC_URL).hostname or "", "localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS += listing("DESK_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = [DESK_PUBLIC_URL, *listing("DESK_TRUSTED_ORIGINS")]

# --- The desk's own rules ---------------------------------------------------------------------------------------------

# The operator's zone: its midnight begins the business date. Customers' zones set contact hours only.
DESK_TIME_ZONE = zone("DESK_TIME_ZONE", "UTC")

PROMISE_GRACE_DAYS = number("DESK_PROMISE_GRACE_DAYS", default=3)  # a promise is broken after its due date plus this
INSTALMENT_GRACE_DAYS = number("DESK_INSTALMENT_GRACE_DAYS", default=5)  # an instalment is unpaid after due plus this
PLAN_BREAK_DAYS = number("DESK_PLAN_BREAK_DAYS", default=30, least=1)  # one instalment later than this breaks a plan
PROMISE_KEPT_PERCENT = number("DESK_PROMISE_KEPT_PERCENT", default=100)  # of what was promised, paid by then: kept
PROMISE_MAX_DAYS = number("DESK_PROMISE_MAX_DAYS", default=30)  # nobody promises further ahead than this
# What an agent, and a supervisor, may agree alone: so many instalments, the last one at most so many days ahead.
AGENT_PLAN_MAX_COUNT = number("DESK_AGENT_PLAN_MAX_COUNT", default=6)
AGENT_PLAN_MAX_DAYS = number("DESK_AGENT_PLAN_MAX_DAYS", default=190)
SUPERVISOR_PLAN_MAX_COUNT = number("DESK_SUPERVISOR_PLAN_MAX_COUNT", default=12)
SUPERVISOR_PLAN_MAX_DAYS = number("DESK_SUPERVISOR_PLAN_MAX_DAYS", default=370)

# A published policy was tried on the book, and is published by somebody else than who changed it last.
DESK_PUBLISH_FOUR_EYES = flag("DESK_PUBLISH_FOUR_EYES", default=True)
DESK_PUBLISH_DRY_RUN = flag("DESK_PUBLISH_DRY_RUN", default=True)
# A version that limits more than so many percent of all open accounts on one day needs a reason; 0: none ever does.
DESK_BLAST_RADIUS_PERCENT = number("DESK_BLAST_RADIUS_PERCENT", default=5)
# What one message costs, by channel, for what a dry run adds up.
DESK_CHANNEL_COSTS = pairs("DESK_CHANNEL_COSTS", "sms=0.05,email=0.001,letter=0.95,in_app=0,voice=0.08", amounts=True)
DESK_COST_CURRENCY = text("DESK_COST_CURRENCY", "USD")
# Whoever opened a dispute credits so much of it alone, by currency ("*": any other); of more somebody else decides.
DESK_DISPUTE_ALONE_UP_TO = pairs("DESK_DISPUTE_ALONE_UP_TO", "USD=500,EUR=500,GBP=400", amounts=True)
# What waits for the answer to a complaint, where whoever takes it says so.
DESK_COMPLAINT_STOPS = text("DESK_COMPLAINT_STOPS", "notices,calls").split(",")
if unknown := set(DESK_COMPLAINT_STOPS) - {"notices", "calls", "fees", "limits", "transfers"}:
    refuse("DESK_COMPLAINT_STOPS", min(unknown), "is none of notices, calls, fees, limits, transfers")
# Of so many customers in a hundred it is asked how they were treated.
DESK_SURVEY_SHARE = min(number("DESK_SURVEY_SHARE", default=100), 100)
# How many days somebody has to decide on what was asked for, by kind ("*": any other); then it is declined.
DESK_APPROVAL_DAYS = pairs("DESK_APPROVAL_DAYS", "*=7,write_off=30,rule_change=30,pack_choice=30", amounts=True)
# How much of a fee of the desk each role lets go alone, by role or role and currency; a role that is not named: any.
DESK_WAIVE_ALONE_UP_TO = pairs(
    "DESK_WAIVE_ALONE_UP_TO", "team_lead=25,team_lead:INR=2000,supervisor=100,supervisor:INR=8000", amounts=True
)
# What is kept of evidence: the largest file, how many of a dispute, and how much they come to.
DESK_EVIDENCE_FILE_MB = number("DESK_EVIDENCE_FILE_MB", default=5, least=1)
DESK_EVIDENCE_FILES = number("DESK_EVIDENCE_FILES", default=10, least=1)
DESK_EVIDENCE_DISPUTE_MB = number("DESK_EVIDENCE_DISPUTE_MB", default=25, least=1)
# How far down a protected service may go, by country ("*": anywhere else).
DESK_PROTECTED_RUNGS = pairs(
    "DESK_PROTECTED_RUNGS", "*=active", known=("active", "throttled", "outgoing_barred", "suspended")
)

# Who writes to customers: the letterhead, where to call, where to pay.
DESK_OPERATOR: dict[str, Any] = {
    "name": text("DESK_OPERATOR_NAME", "Northwind Telecom"),
    "phone": text("DESK_OPERATOR_PHONE", "+1 202 555 0100"),
    "email": text("DESK_OPERATOR_EMAIL", "billing@northwind.example"),
    "address": text("DESK_OPERATOR_ADDRESS", "Northwind Telecom, 1 Harbour Street, Springfield").split(", "),
    "bank": text("DESK_OPERATOR_BANK", "First Example Bank"),
    "iban": text("DESK_OPERATOR_IBAN", "GB33BUKB20201555555555"),
}

# Called with account ids after events that somebody must react to were committed (accounts.events).
DESK_NUDGE = "collections_desk.journey.nudge"
# Called with the key of a dry run that somebody asked for in the admin; whether a worker could be asked.
DESK_START_DRY_RUN = "collections_desk.dry_runs.start"
# Called with a day and a length of period whose figures somebody asked for; whether a worker could be asked.
DESK_START_FIGURES = "collections_desk.tasks.start_figures"
# Books of up to so many accounts compute figures that are not recorded at once; larger ones in a worker.
DESK_FIGURES_AT_ONCE = number("DESK_FIGURES_AT_ONCE", default=2_000)
# Records of figures of teams, agents and other parts of the book stay so many days, then the last one of each month.
DESK_FIGURES_KEPT_DAYS = number("DESK_FIGURES_KEPT_DAYS", default=400, least=100)
# Reports leave for addresses of people who do not work here only in these domains; without any, for none.
DESK_REPORT_DOMAINS = [domain.lower().removeprefix("@") for domain in listing("DESK_REPORT_DOMAINS")]
# The checks of words in force: texts of notices are judged by them while they are written.
DESK_WORD_CHECKS = "agents.word_checks.in_use"
# Every file an operator may bring; the desk's page of rejected rows runs them again through it.
DESK_BOOK = "collections_desk.book.BOOK"
# Reactions of so many accounts happen in the process that caused them; of more, in a worker.
DESK_REACT_INLINE = number("DESK_REACT_INLINE", default=25)

# Into how many parts a day's run is split for the workers.
DESK_SHARDS = number("DESK_SHARDS", default=4, least=1)

# As whom the desk collects: for itself in its own name, or for others. Rules differ.
DESK_COLLECTOR_ROLE = text("DESK_COLLECTOR_ROLE", "first_party")
if DESK_COLLECTOR_ROLE not in {"first_party", "first_party_other_name", "bpo", "third_party", "debt_buyer"}:
    refuse("DESK_COLLECTOR_ROLE", DESK_COLLECTOR_ROLE, "is not a role that rules know")

# The number that automatic calls show, and that can be called back.
DESK_CALLER_NUMBER = text("DESK_CALLER_NUMBER", text("DESK_OPERATOR_PHONE", "+1 202 555 0100"))
# Where the operator says how it treats late payment, for whoever asks; markets want it published before a limit.
DESK_POLICY_URL = text("DESK_POLICY_URL", f"{DESK_PUBLIC_URL}/how-we-collect/")
# What is left of the speed of a throttled line, in kbit/s.
DESK_THROTTLED_KBPS = number("DESK_THROTTLED_KBPS", default=512)

# Learn when and how customers answer, and send then.
DESK_BEST_MOMENT = flag("DESK_BEST_MOMENT", default=True)

# Set by the demo: its logins are shown on the login page.
DESK_DEMO_PASSWORD = text("DESK_DEMO_PASSWORD", "")
DESK_DEMO = bool(DESK_DEMO_PASSWORD)

# Where each channel hands over. "outbox" keeps what is sent inside the desk, for demos and tests.
# Where it says so, all workers together hand over at most so many a second; 0: as fast as they can.
GATEWAYS: dict[str, dict[str, Any]] = {
    "sms": {
        "url": text("DESK_SMS_URL", "outbox"),  # https://, smpp://, smpps://
        "secret": text("DESK_SMS_SECRET", ""),
        "per_second": number("DESK_SMS_PER_SECOND", default=0),
    },
    "email": {
        "url": text("DESK_SMTP_URL", "outbox"),  # smtp://, smtps://, anymail://
        "per_second": number("DESK_EMAIL_PER_SECOND", default=0),
    },
    "letter": {"url": text("DESK_LETTER_DIR", "outbox")},  # file:///, sftp://
    "in_app": {
        "url": text("DESK_PUSH_URL", "outbox"),
        "secret": text("DESK_PUSH_SECRET", ""),
        "per_second": number("DESK_PUSH_PER_SECOND", default=0),
    },
    "voice": {
        "url": text("DESK_VOICE_URL", "outbox"),
        "secret": text("DESK_VOICE_SECRET", ""),
        "per_second": number("DESK_VOICE_PER_SECOND", default=0),
    },
    "network": {"url": text("DESK_NETWORK_URL", "outbox"), "secret": text("DESK_NETWORK_SECRET", "")},
}
# The telephone system that places agents' calls, https:// or http://; without one the agent's own telephone does.
DESK_CTI_URL = text("DESK_CTI_URL", "")
if DESK_CTI_URL:
    DESK_CTI_URL = address("DESK_CTI_URL", "", schemes=("https", "http"))
DESK_CTI_SECRET = text("DESK_CTI_SECRET", "")  # signs what we ask of it
# Whether the page rings the agent's own telephone by itself, as soon as a call is dialled. A browser that has not been
# told to open `tel:` for this desk asks first, and its question swallows the keys that come next.
DESK_FOLLOW_TEL = flag("DESK_FOLLOW_TEL", default=False)
# So many details beside the name must match before anything about a debt is said in a call that we make.
DESK_IDENTITY_DETAILS = number("DESK_IDENTITY_DETAILS", default=2, least=1)

# Webhooks may reach into private networks: for a desk whose listeners stand beside it.
DESK_WEBHOOK_PRIVATE = flag("DESK_WEBHOOK_PRIVATE", default=False)
# Signs what gateways call back with. Without one, a callback cannot be proved and is refused.
CALLBACK_SECRET = text("DESK_CALLBACK_SECRET", "")

# Where customers' mails arrive: imaps://user:password@host/folder. Without one, `read_mail` takes pipes and maildirs.
DESK_INBOX_URL = text("DESK_INBOX_URL", "")

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "collections_desk.admin_app.DeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "dunning",
    "agents",
    "collections_desk",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "collections_desk.content_policy.RelaxedWhereNeeded",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "agents.interface_language.SpeaksTheirLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "collections_desk.urls"
WSGI_APPLICATION = "collections_desk.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "agents.Agent"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

try:
    DATABASES = {"default": environ.Env.db_url_config(text("DATABASE_URL", embedded.database_url()))}
except (ValueError, environ.ImproperlyConfigured):
    refuse("DATABASE_URL", "", "cannot be read as postgresql://user:password@host:port/name")
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    refuse("DATABASE_URL", "", "does not begin with postgresql://")
DATABASES["default"]["CONN_MAX_AGE"] = number("DESK_CONNECTION_SECONDS", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# Only speed depends on Redis: an empty cache or a lost queue costs time, never work.
REDIS_URL = address("REDIS_URL", embedded.redis_url(), schemes=("redis", "rediss", "unix"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "desk",
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

USE_TZ = True
TIME_ZONE = DESK_TIME_ZONE
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish")), ("de", _("German")), ("hi", _("Hindi")), ("ar", _("Arabic"))]
LOCALE_PATHS = [BASE_DIR / "agents" / "locale"]

# --- Static files -----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# `serve`, `demo` and the container collect first and say so; tests and other commands read the sources as they are.
COLLECTED_STATIC = flag("DESK_COLLECTED_STATIC", default=False)
WHITENOISE_USE_FINDERS = not COLLECTED_STATIC
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "collections_desk.static_files.SmallStaticFiles"
        if COLLECTED_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MEDIA_ROOT = VAR_DIR / "media"

# --- Security ---------------------------------------------------------------------------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENCRYPTED
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENCRYPTED else None
SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^readyz/$", r"^metrics/$"]  # asked by machines beside the server
SECURE_HSTS_SECONDS = number("DESK_HSTS_SECONDS", default=31_536_000) if ENCRYPTED else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENCRYPTED
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = number("DESK_SESSION_SECONDS", default=12 * 3600, least=60)  # one shift
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024  # one API call of some ten thousand facts
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# All files of one form together, and the form; more is refused before it is read.
DESK_UPLOAD_MB = DESK_EVIDENCE_DISPUTE_MB + 5
FILE_UPLOAD_HANDLERS = [
    "collections_desk.uploads.RefusesFloods",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Nothing from elsewhere and nothing inline; the pages of others that need more are in `content_policy`.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "frame-src": [SELF, "tel:"],  # the agent's own telephone is rung in a frame that is gone at once
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- API --------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["collections_desk.api.bodies.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "collections_desk.api.schema.DeskSchema",
    "EXCEPTION_HANDLER": "collections_desk.api.problems.answer_to",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Collections Desk",
    "DESCRIPTION": "Who owes what, what was said and done about it, and what was agreed.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CustomerKind": "accounts.models.Customer.Kind",
        "ServiceKind": "accounts.models.Service.Kind",
        "ItemKind": "agents.models.WorkItem.Kind",
        "HoldReason": "accounts.models.Hold.Reason",
        "HoldByHand": "collections_desk.api.acts.HOLDS_BY_HAND",
        "IdentityDetail": "collections_desk.api.acts.DETAILS",
        "DisputeOutcome": "agents.models.Dispute.Outcome",
        "ComplaintOutcome": "agents.models.Complaint.Outcome",
        "ComplaintState": "agents.models.Complaint.State",
        "ComplaintCategory": "agents.complaints.CATEGORIES",
        "ComplaintChannel": "agents.complaints.CHANNELS",
        "GateOutcome": "collections_desk.api.shapes.OUTCOMES",
        "AccountStatus": "accounts.models.account.AccountStatus",
        "ServiceStatus": "accounts.models.account.ServiceStatus",
        "BillStatus": "accounts.models.Bill.Status",
        "PromiseStatus": "agents.models.Promise.Status",
        "PlanStatus": "agents.models.Plan.Status",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Tasks ------------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = embedded.broker_url(REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "global_keyprefix": "desk-tasks:"}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True  # work is rows; a task carries ids and answers nobody
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONCURRENCY = number("DESK_WORKERS", default=2, least=1)
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = DESK_TIME_ZONE
# Each is asked for often and does nothing where nothing is due; what waited past its successor is dropped.
CELERY_BEAT_SCHEDULE = {
    "run-day": {
        "task": "collections_desk.tasks.start_day",
        "schedule": crontab(minute="*/5"),
        "options": {"expires": 300},
    },
    "deliver": {"task": "collections_desk.tasks.deliver", "schedule": 20.0, "options": {"expires": 20}},
    "reports": {"task": "collections_desk.tasks.send_reports", "schedule": 30.0, "options": {"expires": 30}},
    "webhooks": {"task": "collections_desk.tasks.call_webhooks", "schedule": 15.0, "options": {"expires": 15}},
    "react": {"task": "collections_desk.tasks.react", "schedule": 5.0, "options": {"expires": 5}},
}

# --- Logging ----------------------------------------------------------------------------------------------------------

LOG_LEVEL = text("DESK_LOG_LEVEL", "INFO").upper()
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    refuse("DESK_LOG_LEVEL", LOG_LEVEL, "is not one of DEBUG, INFO, WARNING, ERROR")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False}
        for name in ("django", "collections_desk", "agents", "dunning", "accounts")
    },
}
# Celery tells of every task at INFO: four lines a second of nothing new.
CELERY_LOG_LEVEL = "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL
LOGGING["loggers"]["celery"] = {"handlers": ["stderr"], "level": CELERY_LOG_LEVEL, "propagate": False}
