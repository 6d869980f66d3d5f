"""``import_policy`` and ``export_policy``: files in and out, with their exit codes."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dunning import policy_file, writing
from dunning.models import PolicyVersion
from tests.dunning.test_writing import RESIDENTIAL

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "residential.yaml"
    path.write_text(RESIDENTIAL, encoding="utf-8")
    return path


def run(command: str, *arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refusal(*arguments: object) -> str:
    """The sentence on standard error of a command that does nothing."""
    with pytest.raises(CommandError) as refused:
        run(*arguments)  # type: ignore[arg-type]
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_file_becomes_a_draft(file: Path) -> None:
    assert run("import_policy", file) == ("residential@1 is a draft with 10 steps.\n", "")
    assert dict(PolicyVersion.objects.values_list("number", "state")) == {1: "draft"}


def test_importing_again_updates_the_draft(file: Path) -> None:
    run("import_policy", file)
    file.write_text(RESIDENTIAL.replace("day: 24", "day: 26"), encoding="utf-8")
    run("import_policy", file)
    draft = PolicyVersion.objects.get()
    assert draft.steps.get(code="bar").day == 26


def test_publishing_is_repeatable(file: Path) -> None:
    assert run("import_policy", file, "--publish")[0] == "residential@1 is published with 10 steps.\n"
    assert run("import_policy", file, "--publish")[0] == "residential@1 is published and says the same already.\n"
    file.write_text(RESIDENTIAL.replace("day: 24", "day: 26"), encoding="utf-8")
    assert run("import_policy", file, "--publish")[0] == "residential@2 is published with 10 steps.\n"
    assert dict(PolicyVersion.objects.values_list("number", "state")) == {1: "retired", 2: "published"}


def test_what_comes_out_goes_in_again(file: Path, tmp_path: Path) -> None:
    run("import_policy", file, "--publish")
    exported, _ = run("export_policy", "residential")
    assert policy_file.tidy(writing.read(exported)) == policy_file.tidy(writing.read(RESIDENTIAL))
    copy = tmp_path / "copy.yaml"
    copy.write_text(exported, encoding="utf-8")
    assert "says the same already" in run("import_policy", copy, "--publish")[0]


def test_the_published_version_is_exported_before_the_draft(file: Path) -> None:
    run("import_policy", file)
    assert "day: 24" in run("export_policy", "residential")[0]
    run("import_policy", file, "--publish")
    file.write_text(RESIDENTIAL.replace("day: 24", "day: 26"), encoding="utf-8")
    run("import_policy", file)
    assert "day: 24" in run("export_policy", "residential")[0]


def test_a_wrong_value_is_refused_with_its_line(file: Path) -> None:
    file.write_text(RESIDENTIAL.replace("warned_by: final, notice_days: 5", "warned_by: final", 1), encoding="utf-8")
    said = refusal("import_policy", file)
    assert said.startswith(f"{file}, line 17, steps[4].notice_days: is missing")
    assert not PolicyVersion.objects.exists()


def test_a_key_given_twice_is_refused_with_its_line(file: Path) -> None:
    file.write_text(RESIDENTIAL + "code: again\n", encoding="utf-8")
    assert refusal("import_policy", file) == f"{file}, line 23: 'code' stands here twice."


def test_what_is_no_text_or_no_file_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert refusal("import_policy", file) == f"{file}: is not UTF-8 text."
    assert refusal("import_policy", tmp_path / "gone.yaml") == f"{tmp_path / 'gone.yaml'}: No such file or directory."


def test_a_template_nobody_wrote_is_noted_and_allowed(file: Path) -> None:
    file.write_text(RESIDENTIAL.replace("template: reminder", "template: poem"), encoding="utf-8")
    out, err = run("import_policy", file)
    assert "is a draft" in out
    assert err == f"{file}: nobody wrote a template poem; the general wording is used.\n"


def test_a_policy_nobody_knows_cannot_be_exported() -> None:
    assert refusal("export_policy", "nothing") == "There is no policy nothing that is published or a draft."
