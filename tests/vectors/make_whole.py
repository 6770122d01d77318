"""Makes the whole golden repository under `tests/vectors/whole` with the real command line, once.

`tests/vectors/store` holds what the store alone writes; here is what a person's first week leaves behind: keys, slots, log,
statements, parity, two snapshots of two sources, and the machine's own state, so that the story can go on. Run it as
`python tests/vectors/make_whole.py FOLDER HOME` to look at a new one beside the old; HOME is a path that may be read by all,
for it is kept in the manifests.
"""

import hashlib
import json
import platform
import random
import shutil
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from computer import PASSPHRASE, Computer, files_of, words_on

from backupkit.clock import FixedClock
from backupkit.ops.repository.repository import PLACE_FILE


def make_whole(folder: Path, home: Path) -> None:
    platform.node = lambda: "laptop"  # this machine's own name is nobody's business
    computer, dice = Computer(home), random.Random(2018)
    now = datetime(2018, 6, 1, 8, 30, tzinfo=UTC)
    words = home / "words"

    def run(*arguments: object) -> dict[str, object]:
        nonlocal now
        now += timedelta(hours=1)
        computer.clock = FixedClock(now)
        return computer.run_here(*arguments, "--json").last

    run("init", "--no-input", "--recovery-sheet", home / "sheet.html")
    words.write_text(" ".join(words_on(home / "sheet.html")))
    run("key", "confirm", "--recovery-words-file", words)
    chats, notes = home / "chats", home / "notes"
    (chats / "deep" / "er").mkdir(parents=True)
    notes.mkdir()
    (chats / "hello.txt").write_text("你好，再见。\n" * 900)
    (chats / "photo.jpg").write_bytes(b"\xff\xd8\xff" + dice.randbytes(30_000))
    (chats / "empty").write_bytes(b"")
    (chats / "deep" / "er" / "still.txt").write_text("still here\n")
    (chats / "newest").symlink_to("photo.jpg")
    (notes / "one.txt").write_text("a note\n")
    database = sqlite3.connect(chats / "messages.db")
    database.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, text)")
    _say(database, dice, 300)
    files = {run("snapshot", chats, notes)["snapshot"]: {"chats": _sums(chats), "notes": _sums(notes)}}
    _say(database, dice, 40)
    (chats / "second.txt").write_text("one day later\n")
    files[run("snapshot", chats, notes)["snapshot"]] = {"chats": _sums(chats), "notes": _sums(notes)}
    database.close()
    run("repair")
    _keep(computer, folder)
    facts = {"passphrase": PASSPHRASE, "words": words.read_text(), "files": files}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _say(database: sqlite3.Connection, dice: random.Random, messages: int) -> None:
    with database:
        texts = [("".join(dice.choices("在吗你好hello ", k=60)),) for _ in range(messages)]
        database.executemany("INSERT INTO message (text) VALUES (?)", texts)


def _sums(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files_of(folder).items())}


def _keep(computer: Computer, folder: Path) -> None:
    shutil.copytree(computer.repository, folder / "repository")
    (folder / "repository" / ".lock").unlink(missing_ok=True)
    (memory,) = (computer.home / ".local/state/backupkit/repositories").iterdir()
    shutil.copytree(memory, folder / "state", ignore=shutil.ignore_patterns(PLACE_FILE, "*.lock", "journal.jsonl"))


if __name__ == "__main__":
    make_whole(Path(sys.argv[1]), Path(sys.argv[2]))
