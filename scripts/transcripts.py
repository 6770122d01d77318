"""Makes the sessions that the README files show, by running them. Run by hand; a test compares.

What differs from run to run (ids, times, stored sizes, the home folder) is written as one fixed value, so a session in
the README is what the programs print today, or the test fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import apk_factory  # noqa: E402  the packages and chats are made by what the tests use
import chat_factory  # noqa: E402
from computer import Computer  # noqa: E402

PACKAGE = "org.telegram.messenger"
FILES = {"en": "README.md", "zh-CN": "README.zh-CN.md"}
LOCALES = {"en": "en_US.UTF-8", "zh-CN": "zh_CN.UTF-8"}
SESSIONS = {
    "guard": ("backupkit guard check --candidate update.apk --installed installed.apk",),
    "save": ("backupkit snapshot ~/Exports/telegram --app telegram", "backupkit status"),
    "restore": ("backupkit restore latest --to ~/restored",),
}
TUTORIALS = {"en": "docs/tutorial/the-accident-of-2018.md", "zh-CN": "docs/tutorial/the-accident-of-2018.zh-CN.md"}
ACCIDENT = {"drill": ("backupkit guard drill",)}
COLUMNS = "100"


ID = re.compile(r"\b[0-9a-f]{8}\b")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)(\s+)(\d\d:\d\d)(?=\s+\+00:00)")
STORED = re.compile(r"(?<=; )[\d.]+ [kM]?B(?= newly)|(?<=新占用 )[\d.]+ [kM]?B")
HELD = re.compile(r"(?<=snapshot, )[\d.]+ [kM]?B|(?<=个快照，)[\d.]+ [kM]?B")


def made_the_same(text: str, home: str, started: datetime) -> str:
    """Replace what differs from run to run. Times of the chats are older than the run and stay."""

    def time(found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(f"{found[1]} {found[3]}+00:00")
        if moment < started - timedelta(hours=1):
            return found[0]
        day = 22 if moment < started + timedelta(hours=12) else 23
        return f"2026-11-{day}{found[2]}09:30"

    text = TIME.sub(time, text.replace(home, "/home/me"))
    text = STORED.sub("251.2 kB", text)
    return HELD.sub("305.6 kB", ID.sub("7c1f09ab", text))


def sessions(folder: Path, language: str) -> dict[str, str]:
    """Run every session in a new home below `folder` and return what a person sees: command lines and results."""
    computer = Computer(folder / "home" / "me", LOCALES[language])
    chat_factory.make_demo_phone(computer.home / "Exports" / "telegram", seed=2018, language=language[:2])
    maker, stranger = (apk_factory.make_key("ec", name) for name in ("maker", "stranger"))
    (computer.home / "installed.apk").write_bytes(apk_factory.sign_v2(apk_factory.build_apk(PACKAGE, 10), maker))
    (computer.home / "update.apk").write_bytes(apk_factory.sign_v2(apk_factory.build_apk(PACKAGE, 20), stranger))
    computer.initialise()
    return _shown(computer, SESSIONS)


def accident(folder: Path, language: str) -> dict[str, str]:
    """Play the accident of 2018 in a new home below `folder`, and return what a person sees."""
    return _shown(Computer(folder / "home" / "me", LOCALES[language]), ACCIDENT)


def _shown(computer: Computer, sessions: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    programs = computer.environment | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": COLUMNS, "TZ": "UTC",
    }  # fmt: skip
    shown = {}
    started = datetime.now(UTC)
    for name, commands in sessions.items():
        lines = []
        for command in commands:
            done = subprocess.run(
                ["sh", "-c", command], env=programs, cwd=computer.home, capture_output=True, text=True, check=False
            )
            assert done.stdout, done.stderr
            lines += [f"$ {command}", made_the_same(done.stdout.rstrip(), str(computer.home), started)]
        shown[name] = "```\n" + "\n".join(lines) + "\n```"
    return shown


def session_in(text: str, name: str) -> re.Match[str]:
    """Find the place of a session in a README."""
    found = re.search(rf"(?<=<!-- session:{name} -->\n).*?(?=\n<!-- /session -->)", text, re.DOTALL)
    assert found, name
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for files, play in ((FILES, sessions), (TUTORIALS, accident)):
        for language, file in files.items():
            path = ROOT / file
            text = path.read_text("utf-8")
            with tempfile.TemporaryDirectory() as folder:
                for name, shown in play(Path(folder), language).items():
                    place = session_in(text, name)
                    text = text[: place.start()] + shown + text[place.end() :]
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
