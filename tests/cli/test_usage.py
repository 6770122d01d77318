"""What is wrong with a command line is said in four parts, in one language, with exit 2."""

import re

import pytest
from command_line import Run

ENGLISH = re.compile(r"[A-Za-z]{3,} [a-z]{3,} [a-z]{2,}")


@pytest.mark.parametrize(
    ("arguments", "code", "facts"),
    [
        (["snapshto"], "command-unknown", {"command": "snapshto", "nearest": "snapshot, snapshots"}),
        (["key", "lst"], "command-unknown", {"command": "key lst", "nearest": "list"}),
        ([], "command-missing", {"command": "backupkit"}),
        (["guard"], "command-missing", {"command": "backupkit guard"}),
        (["status", "--jsno"], "option-unknown", {"option": "--jsno", "nearest": "--json"}),
        (["--jsno", "status"], "option-unknown", {"option": "--jsno"}),
        (["restore", "latest"], "argument-missing", {"name": "--to", "form": "--to DIR"}),
        (["guard", "install"], "argument-missing", {"name": "--store", "form": "--store apt|pacman"}),
        (["restore", "--to"], "option-needs-value", {"option": "--to", "expected": "DIR"}),
        (["status", "--json=yes"], "option-takes-no-value", {"option": "--json"}),
        (["diff"], "argument-missing", {"name": "SNAPSHOT"}),
        (["status", "now", "please"], "argument-too-many", {"found": "now please"}),
        (["--color", "blue", "status"], "value-wrong", {"name": "--color", "found": "blue", "expected": "auto | always | never"}),
        (["status", "--lang", "fr"], "value-wrong", {"name": "--lang", "found": "fr", "expected": "en | zh-CN"}),
        (["snapshots", "--last", "many"], "value-wrong", {"name": "--last", "found": "many", "expected": "1, 2, 3, ..."}),
        (
            ["snapshots", "--state", "verifed"], "value-wrong",
            {"name": "--state", "found": "verifed", "expected": "saved | verified | drilled | partial | damaged"},
        ),
        (["snapshots", "--last", "0"], "value-wrong", {"name": "--last", "found": "0", "expected": "1, 2, 3, ..."}),
        (["snapshot", ""], "argument-missing", {"name": "PATH|SOURCE"}),
        (["restore", "latest", "--to", ""], "argument-missing", {"name": "--to"}),
        (["restore", "latest", "--to="], "argument-missing", {"name": "--to"}),
        (["--repo", "", "status"], "argument-missing", {"name": "--repo"}),
        (["status", "--repo="], "argument-missing", {"name": "--repo"}),
        (["preview-loss", ""], "argument-missing", {"name": "PATH|SOURCE"}),
        (["show", ""], "argument-missing", {"name": "SNAPSHOT"}),
        (["guard", "inspect", ""], "argument-missing", {"name": "FILE"}),
        (["snapshot", ".", "--package", "../../x"], "value-wrong", {"name": "--package", "found": "../../x"}),
        (["preview-loss", ".", "--package", "../../x"], "value-wrong", {"name": "--package", "found": "../../x"}),
        (["completion", "tcsh"], "value-wrong", {"found": "tcsh", "expected": "bash | zsh | fish"}),
        (["config", "schema", "status"], "value-wrong", {"name": "NAME", "found": "status"}),
        (["explain", "no-repostory"], "code-unknown", {"code": "no-repostory"}),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_code_and_facts(
    run: Run, arguments: list[str], code: str, facts: dict[str, str]
) -> None:
    ran = run("--json", *arguments)

    assert ran.last["type"] == "error"
    assert ran.last["code"] == code
    assert {name: ran.last["params"][name] for name in facts} == facts
    assert ran.code == ran.last["exit_code"] == (22 if code == "code-unknown" else 2)
    assert ran.notes == ""


@pytest.mark.parametrize(
    "arguments", [["snapshto"], ["restore"], ["status", "--nope"], ["--color", "x", "status"], ["status", "a"], []]
)
def test_a_mistake_is_said_in_chinese_only(run: Run, arguments: list[str]) -> None:
    ran = run("--lang", "zh-CN", *arguments)

    assert ran.code == 2
    assert ran.out == ""
    assert [line.split()[0] for line in ran.notes.splitlines() if re.match("  [^ ]", line)] == ["原因", "办法", "代码"]
    assert not ENGLISH.search(ran.notes.split("代码")[0].replace("backupkit --help", "")), ran.notes


@pytest.mark.parametrize("flag", [["--lang", "zh"], ["--lang=zh_CN"], ["--lang", "ZH-cn"], ["--lang=zh_CN.UTF-8"]])
def test_chinese_may_be_asked_for_in_the_forms_that_people_type(run: Run, flag: list[str]) -> None:
    before, after = run(*flag, "status", "a"), run("status", "a", *flag)

    assert before.notes == after.notes == run("--lang", "zh-CN", "status", "a").notes


def test_what_follows_two_dashes_is_no_language(run: Run) -> None:
    ran = run("doctor", "--json", "--", "--lang", "zh")

    assert ran.last["params"]["found"] == "zh"


def test_a_mistake_shows_no_traceback(run: Run) -> None:
    ran = run("status", "--lang")

    assert ran.code == 2
    assert "Traceback" not in ran.notes


def test_options_stand_before_or_after_the_verb(run: Run) -> None:
    before, after = run("--json", "config", "check"), run("config", "check", "--json")

    assert before.last == after.last
    assert before.last["type"] == "summary"
    assert run("--lang", "zh-CN", "config", "check", "--lang", "en").out.startswith("There is no file")


def test_the_version_is_shown(run: Run) -> None:
    assert run("--version").out == "backupkit 0.1.0\n"
    assert run("--version", "--json").last == {"type": "summary", "v": 1, "version": "0.1.0"}
