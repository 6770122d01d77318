"""The judged corpus through the command line: exactly the counts of its manifest, or an honest nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from computer import Computer

FORMATS = {"Telegram Desktop result.json": "telegram", "WhatsApp export txt": "whatsapp"}


def judged(corpus: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (corpus / "chats" / "MANIFEST.jsonl").read_text("utf-8").splitlines()]
    return [row for row in rows if row["format"].startswith(tuple(FORMATS))]


@pytest.mark.corpus
def test_telegram_and_whatsapp_files_give_the_counts_of_the_manifest(ready_computer: Computer, corpus: Path) -> None:
    rows = judged(corpus)
    wrong = []
    for row in rows:
        file = corpus / "chats" / row["file"]
        for words in (("doctor", file), ("snapshot", file)):
            answer = ready_computer.run_here(*words, "--json", expect=None)
            found = (answer.code, answer.last["messages"], answer.last["conversations"])
            if found != (0, row["messages"], row["conversations"]):
                wrong.append(f"{words[0]} {row['file']}: {found} instead of {row['messages']}, {row['conversations']}")

    assert len(rows) >= 6
    assert not wrong, "\n".join(wrong)


def test_a_file_that_is_no_chat_is_saved_as_files_and_says_so(ready_computer: Computer, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "list.txt").write_text("eggs\nmilk\n")

    assert ready_computer.run_here("doctor", tmp_path / "notes", "--json", expect=30).last["messages"] is None
    summary = ready_computer.run_here("snapshot", tmp_path / "notes", "--json").last
    assert summary["messages"] is None
    assert summary["state"] == "verified"
