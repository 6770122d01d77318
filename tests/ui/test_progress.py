"""Progress on a terminal and in a log."""

import io

import pytest

from backupkit.i18n import LANGUAGES, Catalogue, Language
from backupkit.ops.events import Phase, Progress
from backupkit.text import width
from backupkit.ui.progress import ProgressBar, ProgressLines, describe
from backupkit.ui.terminal import Terminal


class Watch:
    """A stop watch that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def bar(watch: Watch, *, columns: int = 80, language: Language = "en") -> tuple[io.StringIO, ProgressBar]:
    stream = io.StringIO()
    return stream, ProgressBar(stream, Terminal(is_tty=True, columns=columns), Catalogue(language), watch)


def test_a_bar_shows_bytes_per_cent_and_time_left() -> None:
    watch = Watch()
    stream, shown = bar(watch)

    shown.show(Progress(Phase.STORE, 0, 10_000_000_000))
    watch.seconds = 100
    shown.show(Progress(Phase.STORE, 5_000_000_000, 10_000_000_000))

    last = stream.getvalue().split("\r")[-1]
    assert "50%" in last
    assert "5.0 of 10.0 GB" in last
    assert "1 min 40 s left" in last
    assert "██████████░░░░░░░░░░" in last


def test_a_bar_is_drawn_at_most_ten_times_a_second() -> None:
    watch = Watch()
    stream, shown = bar(watch)

    for step in range(1000):
        watch.seconds = step / 1000
        shown.show(Progress(Phase.READ, step, 1000))

    assert stream.getvalue().count("\r") <= 10


def test_the_last_state_of_a_phase_stays_on_the_screen() -> None:
    watch = Watch()
    stream, shown = bar(watch)

    shown.show(Progress(Phase.READ, 1, 100))
    shown.show(Progress(Phase.READ, 100, 100))
    shown.show(Progress(Phase.CHECK, 1, 100))

    assert "100%" in stream.getvalue().split("\n")[0].split("\r")[-1]


def test_a_phase_that_ends_early_because_the_rest_was_not_needed_leaves_no_half_full_bar() -> None:
    stream, shown = bar(Watch())

    shown.show(Progress(Phase.READ, 83, 100, done_files=2))
    shown.show(Progress(Phase.CHECK, 50, 100))
    # What is stopped in the middle is left as it was.
    shown.close()

    read, checked = (line.split("\r")[-1] for line in stream.getvalue().split("\n")[:2])
    assert "83 B" in read
    assert not set("%█░") & set(read)
    assert "50%" in checked


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_a_bar_never_fills_the_line_because_chinese_is_wide(language: Language, columns: int) -> None:
    watch = Watch()
    stream, shown = bar(watch, columns=columns, language=language)

    for step in range(5):
        watch.seconds = step * 10.0
        shown.show(Progress(Phase.RESTORE, 10**9 * step, 10**10, done_files=step, total_files=9))

    frames = [frame.replace("\x1b[K", "").strip("\n") for frame in stream.getvalue().split("\r")]
    assert max(width(frame) for frame in frames) < columns


def test_no_time_left_is_guessed_in_the_first_moments() -> None:
    watch = Watch()
    stream, shown = bar(watch)

    shown.show(Progress(Phase.STORE, 0, 100))
    watch.seconds = 1
    shown.show(Progress(Phase.STORE, 50, 100))

    assert "left" not in stream.getvalue()


def test_lines_come_at_quarters_and_at_the_end_of_a_phase() -> None:
    watch = Watch()
    stream = io.StringIO()
    shown = ProgressLines(stream, Catalogue("en"), watch)

    for done in range(101):
        shown.show(Progress(Phase.STORE, done, 100))
    shown.close()

    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["0%", "25%", "50%", "75%", "100%"]


def test_a_total_that_is_not_known_yet_is_no_per_cent() -> None:
    line = describe(Progress(Phase.SCAN, 1_200_000, None, 1), None, Catalogue("en"), cells=20)

    assert line == "Looking    1.2 MB  1 file"


def test_a_terminal_that_went_away_does_not_stop_the_work() -> None:
    watch = Watch()
    stream, shown = bar(watch)
    stream.close()

    shown.show(Progress(Phase.STORE, 1, 100))
    shown.close()
