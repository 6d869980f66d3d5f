"""Who may write what: read from the syntax trees of the rooms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.models.account import AccountStatus, ServiceStatus

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "dunning", "agents", "collections_desk")
DOOR = "accounts/status.py"
#: Where work may be asked for by name: tasks of the room itself, which import what asks for them.
SENDS = frozenset({"collections_desk/journey.py", "collections_desk/dry_runs.py"})
#: Where rows of files become rows of the book, a service's or account's first status among them.
LANDING = "accounts/importing/"

#: What a row would be called whose status somebody sets.
_ATTRIBUTES = {f"{name}.status" for name in ("account", "service", "payer", "parent", "child")}
TRANSITIONS = {f"to_{state}" for state in (*AccountStatus.values, *ServiceStatus.values)}
#: An UPDATE that sets a status of accounts or services.
RAW_STATUS = re.compile(
    r"update\s+accounts_(account|service)\b[^;]*?\bset\b(?:(?!\bwhere\b|\bfrom\b).)*\bstatus\s*=", re.I | re.S
)


def modules() -> dict[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        # The demo's accounts are plain rows of files, not rows of the book.
        if "migrations" not in path.parts and "demo" not in path.parts
    }


MODULES = modules()


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string, the fixed parts of f-strings joined."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else " … " for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)


def queried_model(call: ast.Call) -> str:
    """``Account`` of ``Account.objects.filter(…).update(…)``."""
    node: ast.AST = call.func
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute) and node.attr == "objects" and isinstance(node.value, ast.Name):
            return node.value.id
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return ""


def status_writes(tree: ast.AST) -> Iterator[int]:
    """Lines that write the status of an account or service without asking the door."""
    for call in calls(tree):
        moves_by_name = name_of(call) == "getattr" and any("to_" in text for _, text in texts(call))
        if name_of(call) in TRANSITIONS or moves_by_name:
            yield call.lineno
        elif queried_model(call) in ("Account", "Service"):
            said = {keyword.arg for keyword in call.keywords}
            listed = {text for argument in (*call.args, *call.keywords) for _, text in texts(argument)}
            if (name_of(call) == "update" and "status" in said) or (
                name_of(call) == "bulk_update" and "status" in listed
            ):
                yield call.lineno
    for node in ast.walk(tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target) in _ATTRIBUTES:
                yield node.lineno
    yield from (line for line, text in texts(tree) if RAW_STATUS.search(text))


@pytest.mark.parametrize(
    "code",
    [
        "account.to_overdue()",
        "getattr(account, f'to_{target}')()",
        "Account.objects.filter(pk=1).update(status='closed')",
        "Service.objects.select_for_update().filter(pk=1).exclude(pk=2).update(status=rung, x=1)",
        "Account.objects.bulk_update(rows, ['status'])",
        "account.status = 'closed'",
        "cursor.execute('UPDATE accounts_account SET open_amount = 1, status = %s')",
        "cursor.execute(f'update accounts_service s set {x}, status = 1 where id = 2')",
    ],
)
def test_a_back_door_would_be_seen(code: str) -> None:
    assert list(status_writes(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "status.move_accounts(moves)",
        "Case.objects.filter(account__status='closed').update(next_on=None)",
        "Promise.objects.update(status='kept')",
        "Account.objects.filter(status='current').update(taken_over_stage='')",
        "promise.status = 'kept'",
        "cursor.execute('UPDATE accounts_account SET open_amount = 1 WHERE status = %s')",
    ],
)
def test_the_front_door_is_no_back_door(code: str) -> None:
    assert not list(status_writes(ast.parse(code)))


def test_only_the_door_moves_accounts_and_services() -> None:
    found = {name: lines for name, tree in MODULES.items() if (lines := list(status_writes(tree)))}
    assert set(found) == {DOOR}


def test_a_row_is_saved_column_by_column() -> None:
    """``save()`` of a whole row writes back what somebody else has changed meanwhile."""
    saves = [
        f"{name}:{call.lineno}"
        for name, tree in MODULES.items()
        for call in calls(tree)
        if name_of(call) == "save"
        and isinstance(call.func, ast.Attribute)
        and not call.args  # into a file: a picture
        and not (isinstance(call.func.value, ast.Name) and call.func.value.id == "self")
        and not (isinstance(call.func.value, ast.Call) and name_of(call.func.value) == "super")
        and not {"update_fields", "commit"} & {keyword.arg for keyword in call.keywords}  # a form's, not yet saved
    ]
    assert saves == []


def test_no_room_reaches_another_by_name() -> None:
    """The import contracts would not see a model or a task asked for by its name."""
    by_name = [
        f"{name}:{call.lineno}"
        for name, tree in MODULES.items()
        for call in calls(tree)
        if (name_of(call) == "send_task" and name not in SENDS)
        or (
            name_of(call) == "get_model"
            and call.args
            and isinstance(call.args[0], ast.Constant)
            and str(call.args[0].value).partition(".")[0] in ROOMS
            and not name.startswith(str(call.args[0].value).partition(".")[0])
        )
    ]
    assert by_name == []


def test_work_asked_for_by_name_is_the_buildings_own() -> None:
    named = {
        str(call.args[0].value)
        for sends in SENDS
        for call in calls(MODULES[sends])
        if name_of(call) == "send_task" and isinstance(call.args[0], ast.Constant)
    }
    tasks = {
        f"collections_desk.tasks.{node.name}"
        for node in MODULES["collections_desk/tasks.py"].body
        if isinstance(node, ast.FunctionDef)
    }
    assert named <= tasks


def test_nobody_listens_to_signals() -> None:
    listeners = [
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("django")
            and "signals" in (node.module or "")
        )
        or (isinstance(node, ast.Call) and name_of(node) == "receiver")
    ]
    assert listeners == []


def test_imports_stand_at_the_top() -> None:
    inner = [
        f"{name}:{node.lineno}"
        for name, tree in MODULES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inner == []
