"""`backupkit guard drill`: the accident of 2018, played through for a person and for a program."""

from pathlib import Path

import pytest
from computer import Computer
from json_schema import differences, schema_of

from backupkit.clock import SystemClock
from backupkit.guard.examination import judged_of
from backupkit.guard.request import UpdateRequest
from backupkit.guard.verdict import Decision, Verdict, undecided
from backupkit.i18n import LANGUAGES
from backupkit.ops.guarding import accident
from backupkit.ops.guarding.accident import AccidentNotPrevented, replay_accident


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_step_is_answered_as_it_must_be_and_nothing_of_the_owners_changes(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    before = everything_in(computer.home)

    answer = computer.run("guard", "drill", "--json")

    *steps, summary = answer.objects
    assert [problem for step in steps for problem in differences(step, schema_of("drill-step-1"))] == []
    assert differences(summary, schema_of("guard-drill-1")) == []
    assert [(step["step"], step["decision"], step["reason"], step["exit_code"]) for step in steps] == [
        ("offered", "hold", "no-verified-backup", 40),
        ("saved", None, None, None),
        ("covered", "allow", "backup-covers", 0),
        ("careless", "hold", "consent-refused", 40),
        ("consented", "allow", "backup-covers", 0),
        ("swapped", "undecided", "package-swapped", 42),
        ("restored", None, None, None),
    ]
    assert [step["consent"] for step in steps[2:5]] == ["needed", "needed", "given"]
    assert everything_in(computer.home) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_sees_numbers_both_steps_and_nothing_unsaid(tmp_path: Path, language: str) -> None:
    shown = Computer(tmp_path / "home").run("guard", "drill", "--lang", language).out

    assert "guard.drill" not in shown
    assert "{" not in shown
    assert shown.count("120") >= 5
    assert "may lead to data loss" not in shown
    assert ("ASK FIRST" if language == "en" else "先问本人") in shown


def test_a_guard_that_lets_the_update_through_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless:
        def __init__(self, *_: object) -> None:
            pass

        def answer(self, request: UpdateRequest, _: object) -> Verdict:
            return undecided("guard-failed", judged_of(request))

    monkeypatch.setattr(accident, "Desk", Careless)

    with pytest.raises(AccidentNotPrevented) as caught:
        next(replay_accident(tmp_path, SystemClock()))

    assert caught.value.facts == {"step": "offered", "decision": Decision.UNDECIDED.value, "reason": "guard-failed"}
