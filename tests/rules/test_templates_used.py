"""Every page is shown by somebody, and everything that is shown is there and can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.template import engines
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
#: Django asks for these itself.
BY_CONVENTION = {"403.html", "404.html", "500.html", "registration/login.html", "registration/logged_out.html"}

NAMES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file())
#: A name of a template, in Python or in another template; with or without the partial after ``#``.
NAMED = re.compile(r"""["']([\w./-]+\.(?:html|txt|xml))(?:#[\w-]+)?["']""")


#: A page chosen by its word: ``f"portal/{name}.html"`` shows each of the folder.
CHOSEN = re.compile(r"""f["']([\w/-]+)/\{\w+\}\.html["']""")


def named_anywhere() -> set[str]:
    sources = [
        *(
            path
            for room in ("accounts", "dunning", "agents", "collections_desk")
            for path in (ROOT / room).rglob("*.py")
        ),
        *TEMPLATES.rglob("*.*"),
        *(path for room in ("accounts", "dunning", "agents") for path in (ROOT / room).rglob("*.html")),
    ]
    said = [path.read_text(encoding="utf-8") for path in sources]
    words = {word for source in said for word in re.findall(r"[\"'](\w+)[\"']", source)}
    folders = {folder for source in said for folder in CHOSEN.findall(source)}
    return {name for source in said for name in NAMED.findall(source)} | {
        f"{folder}/{word}.html" for folder in folders for word in words
    }


def of_the_admin(name: str) -> bool:
    """``admin/<room>/<model>/change_list.html`` and the like are looked for by the admin site."""
    parts = name.split("/")
    if parts[0] != "admin":
        return False
    if len(parts) == 2:
        return True
    models = {model._meta.model_name for model in apps.get_app_config(parts[1]).get_models()}
    return parts[-1] in {"change_list.html", "change_form.html", "delete_confirmation.html", "app_index.html"} and (
        len(parts) == 3 or parts[2] in models
    )


def test_every_template_is_used() -> None:
    used = named_anywhere()
    assert [name for name in NAMES if name not in used | BY_CONVENTION and not of_the_admin(name)] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".html")])
def test_every_template_can_be_read(name: str) -> None:
    assert get_template(name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".html")])
def test_what_a_template_includes_is_there(name: str) -> None:
    source = (TEMPLATES / name).read_text(encoding="utf-8")
    for wanted in re.findall(r"""{%\s*(?:include|extends)\s+["']([^"'#]+)""", source):
        assert engines["django"].get_template(wanted)
