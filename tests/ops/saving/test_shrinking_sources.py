"""What a snapshot says when an app's chats are suddenly fewer."""

import random
import shutil

import chat_factory
from backup_scene import Scene

from backupkit.ops.events import Found


def told_codes(scene: Scene) -> list[str]:
    return [event.code for event in scene.told if isinstance(event, Found) and event.code.startswith("chats-")]


def save(scene: Scene, messages: int) -> None:
    shutil.rmtree(scene.folder / "telegram", ignore_errors=True)
    chat_factory.write_telegram_chat(scene.folder / "telegram", messages=messages)
    scene.take(scene.folder / "telegram", app="telegram")


def test_a_shrunken_export_and_a_wiped_app_are_told_plainly_and_growth_is_not(scene: Scene) -> None:
    for messages in (60, 70):
        save(scene, messages)
    assert told_codes(scene) == []

    save(scene, 40)
    assert told_codes(scene) == ["chats-shrunk"]

    save(scene, 2)
    assert told_codes(scene) == ["chats-shrunk", "chats-wiped"]

    save(scene, 80)
    assert told_codes(scene) == ["chats-shrunk", "chats-wiped"]


def test_a_sealed_database_that_was_made_anew_is_told_by_its_salt(scene: Scene) -> None:
    dice = random.Random(8)
    path = scene.folder / "MicroMsg/0f/EnMicroMsg.db"
    path.parent.mkdir(parents=True)
    first = dice.randbytes(64 * 1024)

    def saved(data: bytes) -> list[object]:
        path.write_bytes(data)
        before = len(scene.told)
        scene.take(scene.folder / "MicroMsg", app="wechat")
        return [
            event.facts["name"]
            for event in scene.told[before:]
            if isinstance(event, Found) and event.code == "salt-changed"
        ]

    assert saved(first) == []
    assert saved(first[:16] + dice.randbytes(80 * 1024 - 16)) == []
    assert saved(dice.randbytes(64 * 1024)) == ["0f/EnMicroMsg.db"]
    assert b"EnMicroMsg" not in (scene.repository.cache / "salts.json").read_bytes()
