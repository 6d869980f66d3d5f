"""What an agent does: presses Next, opens the account or not, says what came of it, thinks, and again.

Every account served is kept with when and by whom, and written to ``LOAD_SERVED`` at the end.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import string
import time
from pathlib import Path
from typing import Any

from locust import HttpUser, constant_pacing, events, task

#: The session of each agent, by name.
SESSIONS: dict[str, str] = json.loads(os.environ.get("LOAD_SESSIONS", "{}"))
#: Any token will do: what is checked is that cookie and header are the same.
TOKEN = "".join(secrets.choice(string.ascii_letters) for _ in range(32))
SERVED = os.environ.get("LOAD_SERVED", "")
#: Seconds from one Next to the following; a person needs minutes.
PACE = float(os.environ.get("LOAD_PACE", "5"))
#: Whether agents open the account page as well.
PAGES = os.environ.get("LOAD_PAGES", "") == "1"

_numbers = itertools.count(1)
served: list[dict[str, Any]] = []


class Agent(HttpUser):
    wait_time = constant_pacing(PACE)

    def on_start(self) -> None:
        self.name = f"load-agent-{next(_numbers)}"
        self.client.cookies.set("sessionid", SESSIONS[self.name])
        self.client.cookies.set("csrftoken", TOKEN)

    @task
    def work(self) -> None:
        """One account: next, what came of it, on to the following."""
        # What the machine and the server take at the least, in the same run: only the ratio to it counts.
        self.client.get("/healthz/", name="floor: GET /healthz/")
        asked = time.time()
        with self.client.post(
            "/queue/next/",
            headers=self._headers(),
            allow_redirects=False,
            name="POST /queue/next/",
            catch_response=True,
        ) as answer:
            found = re.fullmatch(r"(?:https?://[^/]+)?/accounts/([^/]+)/", answer.headers.get("Location", ""))
            if answer.status_code != 302 or (found is None and answer.headers.get("Location") != "/queue/"):
                answer.failure(f"answered {answer.status_code}")
                return
            answer.success()
        if found is None:
            served.append({"agent": self.name, "account": None, "at": asked})
            return
        if PAGES:
            self.client.get(f"/accounts/{found[1]}/", name="GET /accounts/…/")
        # The claim is renewed, and says which item it is.
        item = self.client.post("/api/v1/queue/next/", json={}, headers=self._headers(), name="which item").json()
        served.append({"agent": self.name, "account": found[1], "item": item["item"], "at": asked})
        if item["account_id"] != found[1]:
            raise RuntimeError(f"{self.name} was served {found[1]} and holds {item['account_id']}")
        self.client.post(
            f"/api/v1/queue/{item['item']}/complete/",
            json={"outcome": "load"},
            headers=self._headers(),
            name="POST …/complete/",
        )

    def _headers(self) -> dict[str, str]:
        return {"X-CSRFToken": TOKEN, "Referer": f"{self.host}/"}


@events.quitting.add_listener
def keep_what_was_served(environment: Any, **_: Any) -> None:
    """For whoever compares it with the audit trail."""
    if not SERVED:
        return
    times = {
        name: {
            "requests": row.num_requests,
            "failures": row.num_failures,
            "p50": row.get_response_time_percentile(0.5),
            "p99": row.get_response_time_percentile(0.99),
            "most": row.max_response_time,
        }
        for (name, _method), row in environment.stats.entries.items()
    }
    Path(SERVED).write_text(json.dumps({"served": served, "times": times}))
