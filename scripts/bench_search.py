"""Measures `backupkit search` beside SQLite's FTS5 on the same text: what is found, and how long a look-up takes.

MESSAGES is 100,000 unless told otherwise; times are CPU seconds of this process.

Texts are Chinese and English mixed, drawn by Zipf's law from made-up words, with some real ones in between, so that common and
rare words are as far apart as in real chats.
"""

import argparse
import json
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from backup_scene import PASSPHRASE, Scene

from backupkit.ops.events import tell_nobody
from backupkit.ops.searching.search import Question, search_messages
from backupkit.ops.unlock import Secret

ASKED = ("钱", "生日", "转账", "生日快乐", "birthday", "irthda", "ing", "地铁上信号")
_RARE = {"生日快乐": 400, "转账": 900, "钱": 150, "birthday": 500, "我在地铁上信号不好": 3000, "日生": 50_000}


def texts(messages: int) -> Iterator[str]:
    """Invent messages."""
    dice = random.Random(1)
    characters = [chr(0x4E00 + dice.randrange(0x51A5)) for _ in range(3000)]
    words = ["".join(dice.choices(characters, k=dice.choice((1, 2, 2, 2, 3)))) for _ in range(20_000)]
    words += ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(5000)]
    dice.shuffle(words)
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    lengths = iter(dice.choices(range(1, 12), k=messages))
    pool = iter(dice.choices(words, weights, k=messages * 12))
    for number, length in enumerate(lengths):
        said = [next(pool) for _ in range(length)]
        said += [word for word, every in _RARE.items() if number % every == every // 2]
        yield " ".join(said) if number % 7 == 0 else "".join(said)


def write_chat(folder: Path, messages: int) -> None:
    """Write them as Telegram Desktop would, ten chats with as many messages each."""
    folder.mkdir(parents=True)
    with (folder / "result.json").open("w", encoding="utf-8") as out:
        out.write('{"personal_information":{"user_id":1},"chats":{"list":[')
        stream = enumerate(texts(messages))
        for chat in range(10):
            out.write(
                ("," if chat else "")
                + json.dumps({"name": f"Chat {chat}", "type": "private_group", "id": chat + 10})[:-1]
            )
            out.write(',"messages":[')
            for place in range(messages // 10):
                number, text = next(stream)
                at = 1_500_000_000 + number * 240
                row = {
                    "id": number, "type": "message", "date": "2020-01-01T00:00:00", "date_unixtime": str(at),
                    "from": f"Person {number % 40}", "from_id": f"user{number % 40}", "text": text,
                }  # fmt: skip
                out.write(("," if place else "") + json.dumps(row, ensure_ascii=False))
            out.write("]}")
        out.write("]}}")


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return the least CPU seconds of five runs, and what came of it."""
    best, result = float("inf"), None
    for _ in range(5):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def fts_hits(path: Path, tokenizer: str, asked: str) -> int:
    """Ask FTS5 for a phrase and show the newest 50."""
    phrase = '"' + asked.replace('"', '""') + '"'
    with closing(sqlite3.connect(path)) as database:
        table = f"fts_{tokenizer}"
        database.execute(
            f"select text from {table} where {table} match ? order by rowid desc limit 50", (phrase,)
        ).fetchall()
        return int(database.execute(f"select count(*) from {table} where {table} match ?", (phrase,)).fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("messages", nargs="?", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the tables here")
    asked = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="bench-search-"))
    try:
        found = measure(root, asked.messages)
    finally:
        shutil.rmtree(root)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


def measure(root: Path, messages: int) -> dict[str, dict[str, list[list[str]] | list[str]]]:
    """Build the indexes, ask them, print what came of it, and return it as two tables."""
    scene = Scene(root / "disk")
    scene.folder.mkdir()
    scene.initialise()
    scene.chats.mkdir()
    write_chat(scene.chats / "chat", messages)
    scene.take(app="telegram")

    def ask(text: str) -> int:
        question = Question(text)
        return search_messages(scene.places, question, secret=scene.secret, tell=tell_nobody).matches

    start = time.process_time()
    ask("钱")
    built = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = sum(path.stat().st_size for path in (scene.repository.cache / "search").rglob("*") if path.is_file())
    print(f"{messages:,} messages: index built in {built:.1f} s CPU, {size / 1e6:.1f} MB, peak memory {peak} MB")
    key, _ = timed(lambda: scene.repository.unlock(lambda: Secret(passphrase=PASSPHRASE)))
    print(f"deriving the key from the passphrase: {1000 * key:.0f} ms CPU (not in the times below)")

    built_in = [["backupkit", f"{messages:,}", f"{built:.0f}", f"{size / 1e6:.0f}", str(peak)]]
    rows = list(enumerate(texts(messages)))
    path = root / "fts.db"
    with closing(sqlite3.connect(path)) as database:
        for tokenizer in ("unicode61", "trigram"):
            start = time.process_time()
            database.execute(f"create virtual table fts_{tokenizer} using fts5(text, tokenize='{tokenizer}')")
            database.executemany(f"insert into fts_{tokenizer} (rowid, text) values (?, ?)", rows)
            database.commit()
            took = time.process_time() - start
            print(f"FTS5 {tokenizer}: built in {took:.1f} s CPU")
            built_in.append([f"FTS5 {tokenizer}", f"{messages:,}", f"{took:.0f}", "", ""])
    print(f"FTS5 with both tables: {path.stat().st_size / 1e6:.1f} MB, unencrypted")
    print(
        f"{'asked':12} {'there':>7} | {'backupkit':>9} {'ms':>6} | {'unicode61':>9} {'ms':>6} | {'trigram':>9} {'ms':>6}"
    )
    answers = []
    for asked in ASKED:
        there = sum(asked in text for _, text in rows)
        ours, found = timed(lambda asked=asked: ask(asked))  # type: ignore[misc]
        cells = [f"{found:>9} {1000 * ours:6.0f}"]
        answers.append([asked, f"{there:,}", f"{found:,}", f"{1000 * ours:.0f}"])
        for tokenizer in ("unicode61", "trigram"):
            took, hits = timed(lambda asked=asked, tokenizer=tokenizer: fts_hits(path, tokenizer, asked))  # type: ignore[misc]
            cells.append(f"{hits:>9} {1000 * took:6.1f}")
            answers[-1] += [f"{hits:,}", f"{1000 * took:.0f}"]
        print(f"{asked:12} {there:>7} | {' | '.join(cells)}")
    return {
        "built": {"head": ["index", "messages", "CPU s", "MB", "peak MB"], "rows": built_in},
        "asked": {"head": ["asked", "there", "backupkit", "ms", "unicode61", "ms", "trigram", "ms"], "rows": answers},
    }


if __name__ == "__main__":
    main()
