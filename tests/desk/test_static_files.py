"""What is collected is what is served: the desk's own files, small and whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from collections_desk import static_files


def test_what_is_collected_is_small_and_whole(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "collections_desk.static_files.SmallStaticFiles"},
    }
    call_command("collectstatic", interactive=False, verbosity=0)

    for source in sorted((settings.BASE_DIR / "static").rglob("*.*")):
        name = source.relative_to(settings.BASE_DIR / "static")
        wanted = static_files.small(name.as_posix(), source.read_text()) if source.suffix in static_files.KINDS else ""
        served = [tmp_path / name, *(tmp_path / name.parent).glob(f"{name.stem}.*{name.suffix}")]
        assert len(served) >= 2, f"{name} has no name with what is in it"
        for file in served:
            if wanted and "url(" not in wanted and "import" not in wanted and "sourceMappingURL" not in wanted:
                assert file.read_text() == wanted, f"{file.name} is not what is written"
            assert file.stat().st_size > 0, f"{file.name} is empty"


@pytest.mark.parametrize("name", ["desk/desk.css", "desk/desk.js"])
def test_small_keeps_what_matters(name: str) -> None:
    text = (settings.BASE_DIR / "static" / name).read_text()
    made = static_files.small(name, text)

    assert len(made) < len(text) * 0.9
    for kept in ("light-dark(#", "@layer") if name.endswith("css") else ("htmx:afterSwap", "addEventListener"):
        assert made.count(kept) == text.count(kept), kept


def test_what_libraries_bring_is_served_as_they_bring_it() -> None:
    assert static_files.small("django_htmx/htmx.js", "let  a = 1;") == "let  a = 1;"
