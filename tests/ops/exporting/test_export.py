import csv
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chat_factory
import hostile_chat
import pytest
from backup_scene import Scene, some_chats
from json_schema import differences, schema_of

from backupkit.chats.export.html import PAGE_MESSAGES
from backupkit.i18n import Catalogue
from backupkit.i18n.language import Language
from backupkit.ops.events import Found
from backupkit.ops.exporting.export import (
    ChatsLost,
    Exported,
    NothingToExport,
    export_snapshot,
    partial_folder,
    require_place,
)
from backupkit.ops.exporting.forms import Voice, Wish
from backupkit.ops.failures import ConversationNotFound, TargetNotEmpty
from backupkit.ops.unlock import Secret
from backupkit.store import layout


def export(
    scene: Scene,
    form: str = "html",
    to: str = "out",
    *,
    language: Language = "en",
    stop: Callable[[], bool] = lambda: False,
    **more: Any,
) -> Exported:
    catalogue = Catalogue(language)
    return export_snapshot(
        scene.places, "latest", scene.folder / to, Wish(form, Voice(catalogue.say, language), **more),
        secret=scene.secret, clock=scene.clock, tell=scene.tell, stop=stop,
    )  # fmt: skip


def pages_of(scene: Scene, to: str = "out") -> list[Path]:
    return sorted((scene.folder / to / "chats").rglob("[0-9]*.html"))


def test_every_message_is_on_exactly_one_page_and_every_present_photo_is_beside_it(scene: Scene) -> None:
    written = chat_factory.write_telegram_chat(scene.chats, messages=PAGE_MESSAGES + 20)
    scene.take(app="telegram")

    exported = export(scene)

    assert (exported.messages, exported.conversations) == (written.messages, written.conversations)
    assert (exported.media, exported.media_missing) == (written.media, written.media_missing)
    pages = [page.read_text("utf-8") for page in pages_of(scene)]
    numbers = [int(number) for page in pages for number in re.findall(r'<li class="m \w+" id="m(\d+)"', page)]
    assert numbers == list(range(1, written.messages + 1))
    copied = sorted(path.read_bytes() for path in (scene.folder / "out/media").iterdir())
    saved = sorted(path.read_bytes() for path in scene.chats.rglob("*.jpg"))
    assert copied == saved
    assert "".join(pages).count('<div class="gone">') == written.media_missing


def test_links_between_the_files_lead_somewhere(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=PAGE_MESSAGES * 2 + 5)
    scene.take(app="telegram")
    export(scene)

    broken = []
    for page in (scene.folder / "out").rglob("*.html"):
        text = re.sub(r"<script>.*?</script>", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r'(?:href|src)="([^"]+)"', text):
            file, _, part = link.partition("#")
            target = page.parent / file if file else page
            if not target.is_file() or (part and f'id="{part}"' not in target.read_text("utf-8")):
                broken.append((page.name, link))
    assert broken == []


def test_each_line_of_json_is_as_its_schema_says(scene: Scene) -> None:
    hostile_chat.write_hostile_chat(scene.chats / "eve")
    chat_factory.write_telegram_chat(scene.chats / "tg", messages=60)
    scene.take(app="telegram")

    exported = export(scene, "jsonl")

    lines = [json.loads(line) for line in exported.path.read_text("utf-8").splitlines()]
    for line in lines:
        assert differences(line, schema_of(f"export-{line['type']}-1")) == []
    messages = [line for line in lines if line["type"] == "message"]
    assert len(messages) == exported.messages
    assert all(json.loads(line["raw"])["id"] == line["seq"] for line in messages)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", exported.path.read_text("utf-8"))


def test_a_table_holds_every_message_and_no_formula(scene: Scene) -> None:
    hostile_chat.write_hostile_chat(scene.chats)
    scene.take(app="telegram")

    exported = export(scene, "csv")

    with exported.path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert exported.path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert len(rows) == exported.messages
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_a_transcript_is_a_file_for_each_conversation(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=30, language="zh")
    scene.take(app="telegram")

    exported = export(scene, "text", language="zh-CN")

    (path,) = exported.path.glob("*.txt")
    assert path.name == "c0001-一家人.txt"
    assert "== 2024年3月4日 星期一 ==" in path.read_text("utf-8")


def test_messages_are_in_the_order_of_their_times_however_the_export_has_them(scene: Scene) -> None:
    path = chat_factory.write_telegram_chat(scene.chats, messages=40).path
    file = next(path.rglob("result.json")) if path.is_dir() else path
    chat = json.loads(file.read_text("utf-8"))
    random.Random(1).shuffle(chat["messages"])
    file.write_text(json.dumps(chat))
    scene.take(app="telegram")

    exported = export(scene, "jsonl")

    times = [
        line["time_us"] for line in map(json.loads, exported.path.read_text("utf-8").splitlines()) if "time_us" in line
    ]
    assert times == sorted(times)


def test_only_the_wanted_conversation_and_its_media_are_written(scene: Scene) -> None:
    hostile_chat.write_hostile_chat(scene.chats / "eve")
    chat_factory.write_telegram_chat(scene.chats / "tg", messages=60)
    scene.take(app="telegram")

    exported = export(scene, only=("family",), with_media=False)

    assert exported.conversations == 1
    assert not (scene.folder / "out/media").exists()
    assert exported.messages == 60
    with pytest.raises(ConversationNotFound):
        export(scene, to="other", only=("nobody",))
    assert not (scene.folder / "other").exists()


def test_nothing_is_written_over(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=5)
    scene.take(app="telegram")
    (scene.folder / "out").mkdir()
    (scene.folder / "out/mine.txt").write_text("mine")

    with pytest.raises(TargetNotEmpty):
        export(scene)

    assert [path.name for path in (scene.folder / "out").iterdir()] == ["mine.txt"]


def test_what_another_export_wrote_while_the_passphrase_was_asked_for_is_not_written_over(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=5)
    scene.take(app="telegram")

    def another_is_quicker() -> Secret:
        export(scene, "jsonl", with_media=False)
        (scene.folder / "out/messages.jsonl").write_text("mine")
        return scene.secret()

    with pytest.raises(TargetNotEmpty):
        export_snapshot(
            scene.places, "latest", scene.folder / "out",
            Wish("jsonl", Voice(Catalogue("en").say, "en"), with_media=False),
            secret=another_is_quicker, clock=scene.clock, tell=scene.tell,
        )  # fmt: skip

    assert {path.name: path.read_text() for path in (scene.folder / "out").iterdir()} == {"messages.jsonl": "mine"}


def test_two_exports_into_one_place_do_not_meet(scene: Scene) -> None:
    with partial_folder(scene.folder / "out") as first:
        (first / "index.html").write_text("first")
        with pytest.raises(TargetNotEmpty), partial_folder(scene.folder / "out"):
            pytest.fail("both were let in")
        with pytest.raises(TargetNotEmpty):
            require_place(scene.places, scene.folder / "out")

    assert (scene.folder / "out/index.html").read_text() == "first"


def test_what_a_killed_export_left_does_not_stand_in_the_way_of_the_next(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=5)
    scene.take(app="telegram")
    left = scene.folder / "out" / ".backupkit-partial"
    left.mkdir(parents=True)
    (left / "messages.csv").write_text("chats in the clear")

    export(scene, "jsonl", with_media=False)

    assert [path.name for path in (scene.folder / "out").iterdir()] == ["messages.jsonl"]


def test_a_snapshot_without_chats_says_so_and_leaves_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(NothingToExport):
        export(scene)

    assert "no-chat-left-out" in scene.codes()
    assert not (scene.folder / "out").exists()


@pytest.mark.parametrize("polls", [1, 30, 75])
def test_an_interrupted_export_leaves_nothing_behind(scene: Scene, polls: int) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=60)
    scene.take(app="telegram")
    left = iter(range(polls))

    with pytest.raises(KeyboardInterrupt):
        export(scene, "jsonl", stop=lambda: next(left, None) is None)

    assert not (scene.folder / "out").exists()
    assert list((scene.repository.cache / "export").iterdir()) == []


def test_nothing_in_the_clear_is_left_in_the_cache(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=30)
    scene.take(app="telegram")

    export(scene)

    assert list((scene.repository.cache / "export").iterdir()) == []


def test_a_damaged_backup_gives_what_can_be_read_and_names_the_rest(scene: Scene) -> None:
    written = chat_factory.write_telegram_chat(scene.chats, messages=200)
    for path in scene.chats.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() * 50)
    scene.take(app="telegram")
    photos = {path.read_bytes() for path in scene.chats.rglob("*.jpg")}
    packs = [scene.places.repository / name for name in scene.repository.backend.names(layout.PACKS)]
    data = bytearray(max(packs, key=lambda path: path.stat().st_size).read_bytes())
    # Photos are nearly all of the pack.
    data[len(data) // 2] ^= 1
    max(packs, key=lambda path: path.stat().st_size).write_bytes(data)

    exported = export(scene)

    assert exported.damaged
    assert exported.messages == written.messages
    copied = [path.read_bytes() for path in (scene.folder / "out").rglob("*.jpg")]
    assert all(one in photos for one in copied)
    assert "damaged in" in (scene.folder / "out/index.html").read_text("utf-8")


def test_a_chat_that_is_lost_altogether_is_called_lost_and_not_absent(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.chats, messages=20)
    scene.take(app="telegram")
    for name in scene.repository.backend.names(layout.PACKS):
        path = scene.places.repository / name
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)

    with pytest.raises(ChatsLost):
        export(scene)


def test_a_finding_about_a_conversation_names_it_by_its_title(scene: Scene) -> None:
    chat_factory.write_telegram_chat(scene.folder / "telegram", messages=30)
    path = scene.folder / "telegram" / "result.json"
    exported = json.loads(path.read_text("utf-8"))
    del exported["messages"][10:12]
    path.write_text(json.dumps(exported), "utf-8")
    scene.take(scene.folder / "telegram", app="telegram")
    scene.told.clear()

    export(scene)

    (gap,) = [event for event in scene.told if isinstance(event, Found) and "conversation" in event.facts]
    assert gap.facts["conversation"] == exported["name"]


def test_two_chats_of_one_title_are_told_apart_by_where_they_were_saved_from(scene: Scene) -> None:
    for name in ("old phone", "new phone"):
        chat_factory.write_telegram_chat(scene.folder / name, messages=5)
    chat_factory.write_whatsapp_iphone(scene.folder / "other" / "WhatsApp Chat - Tom.zip", messages=5)
    scene.take(scene.folder / "old phone", scene.folder / "new phone", scene.folder / "other")

    export(scene)

    rows = re.findall(r"<small>(.*?)</small>", (scene.folder / "out" / "index.html").read_text("utf-8"))
    assert {" · ".join(row.split(" · ")[:-1]) for row in rows} == {
        "Telegram · old phone", "Telegram · new phone", "WhatsApp",
    }  # fmt: skip
