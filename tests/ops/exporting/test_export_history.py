import json
import random
from pathlib import Path
from typing import Any

import pytest
from backup_scene import Scene
from hypothesis import HealthCheck, given, settings, strategies as st
from json_schema import differences, schema_of

from backupkit.i18n import Catalogue
from backupkit.ops.events import Found
from backupkit.ops.exporting.export import Exported
from backupkit.ops.exporting.forms import Voice, Wish
from backupkit.ops.exporting.history import HistoryCounts, export_history
from backupkit.ops.failures import ConversationNotFound

WORDS = ("ok", "在吗", "ha", "周末回来吃饭吗")


ENGLISH = Voice(Catalogue("en").say, "en")


def telegram(scene: Scene, folder: str, messages: list[dict[str, Any]], *, name: str = "Family", chat: int = 7) -> None:
    path = scene.chats / folder / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": one["id"], "type": "message", "date": "2024-03-01T08:00:00",
            "date_unixtime": str(1709280000 + 60 * one["id"]), "from": "Li", "from_id": "user1", "text": one["text"],
        }
        for one in messages
    ]  # fmt: skip
    path.write_text(json.dumps({"name": name, "type": "private_supergroup", "id": chat, "messages": rows}))


def whatsapp(scene: Scene, folder: str, lines: list[tuple[int, str, str]], name: str = "Family") -> None:
    path = scene.chats / folder / f"WhatsApp Chat with {name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f"13/03/2024, {at // 60:02}:{at % 60:02} - {who}: {text}\n" for at, who, text in lines), "utf-8"
    )


def everything(scene: Scene, to: str = "out", **more: Any) -> tuple[Exported, HistoryCounts, list[dict[str, Any]]]:
    exported, counts = export_history(
        scene.places, scene.folder / to, Wish("jsonl", ENGLISH, **more), secret=scene.secret,
        clock=scene.clock, tell=scene.tell,
    )  # fmt: skip
    lines = (scene.folder / to / "messages.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return exported, counts, [row for row in rows if row["type"] == "message"]


def said(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["text"], row["history"]["state"]) for row in rows]


def test_what_was_edited_recalled_deleted_and_added_is_told_apart_in_one_history(scene: Scene) -> None:
    days = [
        [{"id": n, "text": f"said {n}"} for n in range(1, 31)],
        [{"id": n, "text": "better words" if n == 3 else f"said {n}"} for n in range(1, 36) if n != 5],
        [{"id": n, "text": "better words" if n == 3 else f"said {n}"} for n in range(1, 40) if n not in {5, 7}],
    ]
    snapshots = []
    for day in days:
        telegram(scene, "tg", day)
        snapshots.append(scene.take(app="telegram").snapshot)

    exported, counts, rows = everything(scene)

    assert [row["id"] for row in rows] == [str(n) for n in range(1, 40)]
    by_id = {row["id"]: row for row in rows}
    assert by_id["3"]["text"] == "better words"
    assert by_id["3"]["edits"] == [{"time": None, "text": "said 3"}]
    assert by_id["5"]["history"] == {
        "state": "deleted", "first_seen": snapshots[0], "last_seen": snapshots[0], "gone_in": snapshots[1], "versions": 1,
    }  # fmt: skip
    assert by_id["7"]["history"]["last_seen"] == snapshots[1]
    assert by_id["38"]["history"]["first_seen"] == snapshots[2]
    assert counts == HistoryCounts(3, 37, 1, 0, 2, 0, 0)
    assert exported.messages == 39
    schema = schema_of("export-message-1")
    wrong = [one for row in rows for one in differences(row, schema)]
    assert wrong == []


def test_a_smaller_export_deletes_nothing_and_a_wiped_app_is_called_so(scene: Scene) -> None:
    whole = [{"id": n, "text": f"said {n}"} for n in range(1, 61)]
    telegram(scene, "tg", whole)
    scene.take(app="telegram")
    telegram(scene, "tg", whole[30:])
    scene.take(app="telegram")

    _, counts, rows = everything(scene)

    assert {state for _, state in said(rows)[:30]} == {"out-of-scope"}
    assert counts.deleted == 0
    telegram(scene, "tg", [{"id": 900, "text": "new phone"}], chat=8)
    scene.take(app="telegram")
    _, counts, rows = everything(scene, "later")
    assert (counts.app_wiped, counts.deleted, counts.present) == (30, 0, 1)
    assert sum(row["history"]["state"] == "app-wiped" for row in rows) == 30


def test_two_phones_are_one_history_where_they_share_messages_and_two_where_they_do_not(scene: Scene) -> None:
    shared = [(60 + n, "Li", f"shared {n}") for n in range(10)]
    whatsapp(scene, "phone-a", [(50, "Li", "only on a"), *shared])
    whatsapp(scene, "phone-b", [*shared, (80, "Wang", "only on b")])
    whatsapp(scene, "phone-c", [(55, "Mum", "another family"), (56, "Dad", "yes")])
    scene.take(*(scene.chats / name for name in ("phone-a", "phone-b", "phone-c")))

    exported, counts, rows = everything(scene)

    assert exported.conversations == 2
    texts = [row["text"] for row in rows]
    assert texts[:12] == ["only on a", *(text for _, _, text in shared), "only on b"]
    assert texts[12:] == ["another family", "yes"]
    assert counts.present == 14
    assert "exports-disagree" not in scene.codes()


def test_two_phones_that_contradict_each_other_are_told_and_both_kept(scene: Scene) -> None:
    shared = [(60 + n, "Li", f"shared {n}") for n in range(10)]
    whatsapp(scene, "phone-a", [*shared[:5], (64, "Li", "I owe you 500"), *shared[5:]])
    whatsapp(scene, "phone-b", [*shared[:7], (66, "Li", "you owe me 500"), *shared[7:]])
    scene.take(scene.chats / "phone-a", scene.chats / "phone-b")

    _, _, rows = everything(scene)

    assert {"I owe you 500", "you owe me 500"} <= {row["text"] for row in rows}
    (found,) = [one for one in scene.told if isinstance(one, Found) and one.code == "exports-disagree"]
    assert (found.facts["before"], found.facts["now"], found.facts["shared"]) == (1, 1, 10)


def test_files_that_a_later_export_left_out_come_from_the_one_that_has_them(scene: Scene) -> None:
    path = scene.chats / "tg"
    path.mkdir(parents=True)
    row = {
        "id": 1, "type": "message", "date": "2024-03-01T08:00:00", "date_unixtime": "1709280000", "from": "Li",
        "from_id": "user1", "text": "", "photo": "photos/one.jpg", "width": 1, "height": 1,
    }  # fmt: skip
    chat = {"name": "Family", "type": "private_supergroup", "id": 7, "messages": [row]}
    (path / "result.json").write_text(json.dumps(chat))
    scene.write("tg/photos/one.jpg", b"\xff\xd8\xff the photo")
    scene.take(app="telegram")
    (path / "photos/one.jpg").unlink()
    row["photo"] = "(File not included. Change data exporting settings to download.)"
    (path / "result.json").write_text(json.dumps(chat))
    scene.take(app="telegram")

    _, _, rows = everything(scene)

    (media,) = rows[0]["media"]
    assert (scene.folder / "out" / media["file"]).read_bytes() == b"\xff\xd8\xff the photo"


def test_a_cut_export_marks_nothing_as_gone(scene: Scene) -> None:
    telegram(scene, "tg", [{"id": n, "text": f"said {n}"} for n in range(1, 31)])
    scene.take(app="telegram")
    result = scene.chats / "tg/result.json"
    result.write_bytes(result.read_bytes()[:2500])
    scene.take(app="telegram")

    _, counts, rows = everything(scene)

    assert len(rows) == counts.present == 30


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_windows_of_a_chat_with_repeats_become_the_whole_chat(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    dice = random.Random(seed)
    scene = Scene(tmp_path_factory.mktemp("history"))
    scene.initialise()
    at, whole = 0, []
    for number in range(120):
        at += dice.choice([0, 0, 1, 4])
        text = dice.choice(WORDS) if dice.random() < 0.5 else f"sentence {number}"
        whole.append((at, dice.choice(["Li", "Wang"]), text))
    start = 0
    while start < len(whole):
        end = min(start + dice.randrange(40, 90), len(whole))
        whatsapp(scene, "wa", whole[max(0, start - 30) : end])
        scene.take(app="whatsapp")
        start = end

    _, _, rows = everything(scene)

    assert [(row["sender"]["name"], row["text"]) for row in rows] == [(who, text) for _, who, text in whole]


def test_only_one_conversation_is_merged_when_asked_for(scene: Scene) -> None:
    telegram(scene, "tg", [{"id": 1, "text": "a"}], name="Family")
    telegram(scene, "other", [{"id": 1, "text": "b"}], name="Work", chat=9)
    scene.take(app="telegram")

    _, _, rows = everything(scene, only=("Work",))

    assert [row["text"] for row in rows] == ["b"]
    with pytest.raises(ConversationNotFound):
        everything(scene, "none", only=("Nobody",))


@pytest.mark.parametrize("form", ["html", "csv", "text"])
def test_every_form_says_what_is_gone(scene: Scene, form: str) -> None:
    telegram(scene, "tg", [{"id": n, "text": f"said {n}"} for n in range(1, 31)])
    scene.take(app="telegram")
    telegram(scene, "tg", [{"id": n, "text": f"said {n}"} for n in range(1, 31) if n != 9])
    scene.take(app="telegram")

    export_history(
        scene.places, scene.folder / "out", Wish(form, ENGLISH), secret=scene.secret,
        clock=scene.clock, tell=scene.tell,
    )  # fmt: skip

    files: list[Path] = [path for path in (scene.folder / "out").rglob("*") if path.is_file()]
    text = "".join(path.read_text("utf-8") for path in files)
    mark = "deleted" if form == "csv" else "gone from later exports"
    assert text.count(mark) == 1
