"""What a snapshot says when an app's chats are suddenly fewer."""

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
