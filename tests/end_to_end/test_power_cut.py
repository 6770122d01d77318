"""The power fails at any moment of a run: all that was committed restores, and the next snapshot completes.

A sample of the moments is replayed here; `scripts/crash_replay.py` replays them all.
"""

import os
import random
import shutil
from pathlib import Path

import pytest
from power_cut import Recorder
from power_cut_story import RUNS, Cut, Run, tell_story

CUTS = int(os.environ.get("BACKUPKIT_TEST_CUTS", "4"))
"""How many moments of each run are replayed."""


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_nothing_that_was_committed_is_lost_when_the_power_fails(run: Run, tmp_path: Path) -> None:
    story = tell_story(run, tmp_path)

    cuts = list(story.cuts())
    assert len(cuts) > len(story.recorder.calls)
    # What was asked for last is what a person was told is safe, so that the end is always among them.
    end = Cut(len(story.recorder.calls), "nothing-unsynced", "after")
    for cut in [end, *random.Random(run.name).sample(cuts, CUTS - 1)]:
        story.replay(cut, tmp_path / "replayed")
        shutil.rmtree(tmp_path / "replayed")


def test_a_change_that_goes_past_the_recorder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    recorder = Recorder(tmp_path, ("state",))

    with recorder.recording():
        (tmp_path / "state" / "unseen").write_bytes(b"through a file object")
        shutil.copyfile(tmp_path / "state" / "unseen", tmp_path / "elsewhere")

    assert [one.split()[0] for one in recorder.missed] == ["open"]
