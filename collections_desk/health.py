"""The three pages that machines ask: alive, ready for work, and the numbers."""

from __future__ import annotations

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from redis.backoff import NoBackoff
from redis.retry import Retry


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database and the broker answer, else 503 with which one does not."""
    found = {"database": database_answers(), "redis": redis_answers()}
    ready = all(found.values())
    answer = {"status": "ready" if ready else "unavailable"}
    answer |= {name: "ok" if answers else "no answer" for name, answers in found.items()}
    return JsonResponse(answer, status=200 if ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers in Prometheus' text format, read when asked: the desk keeps no counters of its own."""
    registry = CollectorRegistry()
    up = Gauge("desk_up", "1 where the dependency answers", ["dependency"], registry=registry)
    up.labels("database").set(database_answers())
    up.labels("redis").set(redis_answers())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def redis_answers() -> bool:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2, retry=once)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
