"""`doctor --mapping`, as somebody uses it while writing a mapping."""

import json
import os
from importlib import resources
from pathlib import Path

from computer import Computer
from json_schema import differences

MAPPING = 'mapping = 1\napp = "soul"\n[message]\ntext = "body"\nsender_name = "who"\n'


def test_a_mapping_is_tried_on_an_export_and_shows_its_first_messages(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    records = [{"body": f"said {number}", "who": "林晓雨"} for number in range(5)]
    (computer.home / "copy.json").write_text(json.dumps(records), "utf-8")
    (computer.home / "mine.toml").write_text(MAPPING, "utf-8")
    schema = json.loads((resources.files("backupkit") / "ui" / "schemas" / "doctor-1.json").read_text("utf-8"))

    answer = computer.run("doctor", "copy.json", "--mapping", "mine.toml", "--json").last
    shown = computer.run("doctor", "copy.json", "--mapping", "mine.toml").out
    (computer.home / "mine.toml").write_text(MAPPING + "colour = 1\n", "utf-8")
    wrong = computer.run("doctor", "copy.json", "--mapping", "mine.toml", "--json", expect=2).last

    assert differences(answer, schema) == []
    assert (answer["messages"], answer["format"]) == (5, "mapping-soul")
    assert [one["text"] for one in answer["first_messages"]] == ["said 0", "said 1", "said 2"]
    assert "林晓雨" in shown
    assert wrong["code"] == "mapping-wrong"
    computer.run("doctor", "copy.json", "--mapping", "nowhere.toml", expect=2)
    (computer.home / "key").write_text("1234 " * 7, "utf-8")
    assert (
        computer.run("doctor", "copy.json", "--chat-key-file", "key", "--json", expect=2).last["code"]
        == "export-key-wrong"
    )


def test_a_wrong_unit_of_time_is_seen_in_the_first_messages(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    records = [{"body": "早安", "at": 1_700_000_000_000, "chat": 7, "name": "外婆"}]
    (computer.home / "copy.json").write_text(json.dumps(records), "utf-8")
    mapping = MAPPING + '[conversation]\nid = "chat"\ntitle = "name"\n[time]\nfrom = "at"\nformat = "unix-ms"\n'
    (computer.home / "mine.toml").write_text(mapping, "utf-8")

    told = computer.run("doctor", "copy.json", "--mapping", "mine.toml", "--json").last["first_messages"][0]
    shown = computer.run("doctor", "copy.json", "--mapping", "mine.toml", TZ="UTC").out

    assert (told["title"], told["time"], told["time_as_written"]) == (
        "外婆",
        "2023-11-14T22:13:20Z",
        "1700000000000 (utc)",
    )
    assert "2023-11-14 22:13 +00:00  外婆 | " in shown


def test_a_mapping_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    computer = Computer(tmp_path)
    (computer.home / "copy.json").write_text("[]", "utf-8")
    os.mkfifo(computer.home / "pipe")

    answer = computer.run("doctor", "copy.json", "--mapping", "pipe", "--json", expect=2)

    assert answer.last["code"] == "source-not-found"
