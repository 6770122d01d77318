"""The same events as text, as JSON and as plain records."""

import errno
import io
import json
from typing import ClassVar

import pytest
from hypothesis import given, strategies as st

from backupkit.errors import BackupkitError, ExitCode
from backupkit.i18n import Catalogue, Language, messages
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity
from backupkit.ui.json_fields import path_fields
from backupkit.ui.json_printer import JsonPrinter, json_line
from backupkit.ui.output import Output, OutputLost
from backupkit.ui.plain_printer import PlainPrinter
from backupkit.ui.progress import NoProgress, ProgressBar
from backupkit.ui.terminal import ColorChoice, Terminal, progress_kind, wants_color
from backupkit.ui.text_printer import TextPrinter


class Mistaken(BackupkitError):
    code: ClassVar[str] = "bug"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG


def text_printer(*, verbosity: int = 0, language: Language = "en") -> tuple[io.StringIO, io.StringIO, TextPrinter]:
    out, notes = io.StringIO(), io.StringIO()
    printer = TextPrinter(
        Output(out),
        notes,
        catalogue=Catalogue(language),
        terminal=Terminal(),
        progress=NoProgress(),
        verbosity=verbosity,
    )
    return out, notes, printer


def objects(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_results_go_to_the_output_and_everything_else_to_the_notes() -> None:
    out, notes, printer = text_printer()

    printer.event(Found("strange"))
    printer.record("snapshot", {"snapshot": "7c"}, ["7c1f09ab  verified"])
    printer.error(Mistaken(kind="KeyError", report="r.txt"))

    assert out.getvalue() == "7c1f09ab  verified\n"
    assert "! finding.strange" in notes.getvalue()


@pytest.mark.parametrize(("language", "labels"), [("en", ["Why", "Try", "Code"]), ("zh-CN", ["原因", "办法", "代码"])])
def test_an_error_has_four_parts_in_both_languages(language: Language, labels: list[str]) -> None:
    _, notes, printer = text_printer(language=language)

    printer.error(Mistaken(kind="KeyError", report="r.txt"))

    lines = notes.getvalue().splitlines()
    starts = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("    ")]
    assert starts == labels
    assert "bug" in lines[-1]


def test_what_is_to_be_done_stands_once_and_below_the_results() -> None:
    """It stood in the middle of the bars of a long run, and nobody read it there."""
    screen = io.StringIO()
    printer = TextPrinter(Output(screen), screen, catalogue=Catalogue("en"), terminal=Terminal(), progress=NoProgress())

    printer.event(Notice("recovery-not-confirmed"))
    printer.event(Notice("recovery-not-confirmed"))
    printer.summary({}, ["Snapshot 7c1f09ab  verified"])
    printer.summary({}, ["Snapshot 7c1f09ac  verified"])

    first, *remark, second = screen.getvalue().splitlines()
    assert (first, second) == ("Snapshot 7c1f09ab  verified", "Snapshot 7c1f09ac  verified")
    assert remark[0].startswith("! The recovery words have not been typed back")
    assert " ".join(remark).count("backupkit key confirm") == 1


def test_quiet_leaves_out_what_is_to_be_done() -> None:
    _, notes, printer = text_printer(verbosity=-1)

    printer.event(Notice("recovery-not-confirmed"))
    printer.summary({}, ["Snapshot 7c1f09ab  verified"])

    assert notes.getvalue() == ""


def test_the_bar_is_finished_before_the_first_result_and_not_below_the_last() -> None:
    screen = io.StringIO()
    bar = ProgressBar(screen, Terminal(columns=80), Catalogue("en"), lambda: 0.0)
    printer = TextPrinter(Output(screen), screen, catalogue=Catalogue("en"), terminal=Terminal(), progress=bar)

    printer.event(Progress(Phase.INDEX, 1000, 1000))
    printer.record("hit", {}, ["Grandma: happy birthday"])
    printer.summary({}, ["1 found"])

    lines = screen.getvalue().replace("\r", "\n").replace("\x1b[K", "").split("\n")
    assert [line.split()[0] for line in lines if line] == ["Indexing", "Indexing", "Grandma:", "1"]


def test_many_findings_of_one_kind_are_counted_after_the_twentieth() -> None:
    _, notes, printer = text_printer()

    for _ in range(1000):
        printer.event(Found("strange"))
    printer.close()

    assert notes.getvalue().count("finding.strange") == 20
    assert "980 more of this kind" in notes.getvalue()


def test_quiet_leaves_out_notices_and_notes_but_no_warning() -> None:
    _, notes, printer = text_printer(verbosity=-1)

    printer.event(Notice("made"))
    printer.note("word.yes")
    printer.event(Found("strange", Severity.ERROR))

    assert notes.getvalue() == "x finding.strange\n"


def test_json_is_one_object_per_line_with_type_and_version() -> None:
    out = io.StringIO()
    printer = JsonPrinter(Output(out), now=lambda: 0.0)

    printer.event(Progress(Phase.STORE, 1, 2))
    printer.event(Found("strange", facts={"path": "a"}))
    printer.note("word.yes")
    printer.summary({"snapshot": "7c"})

    assert [(line["type"], line["v"]) for line in objects(out)] == [("progress", 1), ("finding", 1), ("summary", 1)]


def test_json_progress_is_thinned_but_its_last_state_is_told() -> None:
    out = io.StringIO()
    printer = JsonPrinter(Output(out), now=lambda: 0.0)

    for done in range(101):
        printer.event(Progress(Phase.STORE, done, 100))
    printer.summary({})

    assert [line.get("done_bytes") for line in objects(out)] == [0, 100, None]


def test_a_json_error_carries_code_exit_code_and_parameters() -> None:
    out = io.StringIO()

    JsonPrinter(Output(out), now=lambda: 0.0).error(Mistaken(kind="KeyError", report="r.txt"))

    assert objects(out) == [{
        "type": "error", "v": 1, "code": "bug", "exit_code": 1,
        "params": {"kind": "KeyError", "report": "r.txt"}, "try": [],
    }]  # fmt: skip


def test_a_json_reader_that_left_does_not_stop_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    printer = JsonPrinter(Output(Gone()), now=lambda: 0.0)

    printer.event(Found("strange"))

    with pytest.raises(BrokenPipeError):
        printer.summary({})


@given(st.text(), st.text())
def test_every_text_survives_json_and_no_text_can_speak_to_the_terminal(key: str, value: str) -> None:
    line = json_line({"k" + key: value})

    line.encode("utf-8")
    assert json.loads(line) == {"k" + key: value}
    assert not set(line) & {"\x1b", "\n", "\u202e", "\u009b"}


def test_a_path_that_is_no_utf8_is_given_in_base64_too() -> None:
    assert path_fields("ok.txt") == {"path": "ok.txt"}
    assert path_fields("a\udcff") == {"path": "a\ufffd", "path_b64": "Yf8="}


def test_plain_gives_one_record_per_line() -> None:
    out = io.StringIO()
    _, _, people = text_printer()
    printer = PlainPrinter(Output(out), people)

    printer.event(Progress(Phase.STORE, 1, 2))
    printer.record("source", {"name": "we\tchat", "files": 3, "complete": True, "chat": None, "tags": ["a", "b"]})
    printer.summary({"unreadable": [{"path": "x", "reason": "gone"}]})

    assert out.getvalue().splitlines() == [
        "source\tname=we\\x09chat\tfiles=3\tcomplete=true\tchat=\ttags=a,b",
        "summary\tunreadable.0.path=x\tunreadable.0.reason=gone",
    ]


@pytest.mark.parametrize(
    ("choice", "environment", "is_tty", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_is_the_readers_choice(
    choice: ColorChoice, environment: dict[str, str], is_tty: bool, expected: bool
) -> None:
    assert wants_color(choice, environment, is_tty=is_tty) is expected


def test_a_bar_needs_a_terminal_that_can_draw_over_a_line() -> None:
    assert progress_kind("auto", {}, is_tty=True, quiet=False) == "bar"
    assert progress_kind("auto", {"TERM": "dumb"}, is_tty=True, quiet=False) == "lines"
    assert progress_kind("auto", {}, is_tty=False, quiet=False) == "lines"
    assert progress_kind("bar", {}, is_tty=True, quiet=True) == "none"


def test_colour_never_carries_meaning_alone() -> None:
    painted = Terminal(color=True).paint("good", "verified")

    assert painted == "\x1b[32mverified\x1b[0m"
    assert Terminal().paint("good", "verified") == "verified"


def test_the_catalogues_are_loaded_once() -> None:
    assert messages("en") is messages("en")


def test_a_full_disk_behind_the_output_is_an_error_of_its_own() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputLost) as caught:
        JsonPrinter(Output(Full()), now=lambda: 0.0).summary({"a": 1})

    assert caught.value.facts == {"reason": "No space left on device"}
    assert caught.value.exit_code == 14


def test_a_remark_is_broken_between_words_on_a_screen_and_nowhere_else() -> None:
    remark = "! The repository is on the same disk as this computer's own data. One broken disk would take both."
    command = "Next:  backupkit snapshot '/home/me/Exports/WhatsApp Chat with Maya' --app whatsapp --no-verify"

    def shown(terminal: Terminal, line: str) -> list[str]:
        out = io.StringIO()
        printer = TextPrinter(
            Output(out), io.StringIO(), catalogue=Catalogue("en"), terminal=terminal, progress=NoProgress()
        )
        printer.summary({}, [line])
        return out.getvalue().splitlines()

    sentence = remark.removeprefix("! ")
    assert [len(line) < 60 for line in shown(Terminal(is_tty=True, columns=60), sentence)] == [True, True]
    assert shown(Terminal(columns=60), remark) == [remark]
    assert shown(Terminal(is_tty=True, columns=60), command) == [command]
    broken = shown(Terminal(is_tty=True, color=True, columns=60), f"\x1b[33m!\x1b[0m {remark[2:]}")
    assert broken[0].startswith("\x1b[33m!\x1b[0m The repository")
    assert broken[1].startswith("  ")
    assert " ".join(line.strip() for line in broken) == f"\x1b[33m!\x1b[0m {remark[2:]}"
