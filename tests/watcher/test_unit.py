"""The unit that keeps the watcher running."""

from pathlib import Path

from computer import Computer

from backupkit.watcher.unit import unit_text


def test_a_folder_with_any_name_is_one_word_of_the_command() -> None:
    text = unit_text(Path("/opt/my tools/100%/backupkit"), ["--repo", '/media/a "b" $c\\d'])

    assert 'ExecStart="/opt/my tools/100%%/backupkit" watch --no-input --repo "/media/a \\"b\\" $$c\\\\d"\n' in text


def test_the_unit_runs_what_was_called_and_needs_no_repository(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "me")

    shown = computer.run("watch", "--print-unit", "--repo", "elsewhere", BACKUPKIT_PROFILE="travel").out
    told = computer.run("watch", "--print-unit", "--json").last

    assert f'--repo "{computer.home / "elsewhere"}" --profile "travel"' in shown
    # Where it goes and what starts it, and then the unit.
    where, start, heading, *_ = told["unit"].splitlines()
    assert (where, heading) == ("# ~/.config/systemd/user/backupkit-watch.service", "[Unit]")
    assert start == "# systemctl --user enable --now backupkit-watch"
    assert not computer.repository.exists()
