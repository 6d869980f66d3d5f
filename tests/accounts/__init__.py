"""The facts: money, settling, importing, the history."""

from __future__ import annotations
