"""Rules of the house that no linter knows, asked of the code itself."""

from __future__ import annotations
