"""A stretch that was taken out of an export with several chats, and the heading between two of them with it."""

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backupkit.chats.counting.headings import LostHeadings
from backupkit.chats.counting.summary import summarise
from backupkit.chats.model import Locator, Message

START = datetime(2023, 5, 6, 9, 0, 0, tzinfo=UTC)
ME = "我(1000)"


def found(path: Path) -> list[tuple[object, str]]:
    summary = summarise(path)
    assert summary is not None
    return [
        (finding.facts["conversation"], finding.locator.place)
        for finding in summary.findings
        if finding.code == "chats-run-together" and finding.locator is not None
    ]


def qq(*chats: tuple[str, str, int, tuple[str, ...]]) -> list[str]:
    """Return the lines of an export: of each chat its group, its name, the day it begins on and who speaks in turn, day after day."""
    rule = "=" * 64
    lines = ["消息记录（此消息记录为文本格式，不支持重新导入）", ""]
    for group, title, day, speakers in chats:
        lines += [rule, f"消息分组:{group}", rule, f"消息对象:{title}", rule, ""]
        for number, speaker in enumerate(speakers):
            when = START + timedelta(days=day + number)
            lines += [f"{when:%Y-%m-%d %H:%M:%S} {speaker}", f"{title} {number}", ""]
    return lines


def without(lines: list[str], first: str, last: str) -> str:
    """Take out the lines from one to another."""
    return "\n".join([*lines[: lines.index(first)], *lines[lines.index(last) + 1 :]]) + "\n"


FRIENDS = (
    ("我的好友", "小明", 0, ("小明(1)", ME) * 10),
    ("我的好友", "外婆", 0, ("外婆(2)", ME) * 10),
    ("我的好友", "老张", 30, ("老张(3)", ME) * 10),
)


def test_whole_chats_are_not_suspected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(qq(*FRIENDS)) + "\n", "utf-8")

    assert found(tmp_path / "a.txt") == []


def test_a_clock_that_goes_back_with_other_people_behind_it_shows_a_lost_heading(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(without(qq(*FRIENDS), "小明 15", "外婆 5"), "utf-8")

    ((conversation, _place),) = found(tmp_path / "a.txt")

    assert conversation == "小明"


def test_somebody_who_is_replaced_for_good_shows_a_lost_heading_where_time_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(without(qq(*FRIENDS), "外婆 15", "老张 5"), "utf-8")

    ((conversation, _place),) = found(tmp_path / "a.txt")

    assert conversation == "外婆"


def test_groups_are_suspected_by_their_people_and_their_clock_together(tmp_path: Path) -> None:
    groups = (
        ("我的QQ群", "一家人", 0, ("外婆(2)", "妈(4)", ME) * 8),
        ("我的QQ群", "同学", 0, ("李(5)", "王(6)", ME) * 8),
        ("我的QQ群", "表亲", 0, ("外婆(2)", "妈(4)", ME) * 8),
    )
    (tmp_path / "a.txt").write_text(without(qq(*groups), "一家人 15", "同学 5"), "utf-8")
    (tmp_path / "b.txt").write_text(without(qq(*groups[::2]), "一家人 15", "表亲 5"), "utf-8")

    assert [conversation for conversation, _place in found(tmp_path / "a.txt")] == ["一家人"]
    # The same people in both: nothing but the clock shows it, which is told for itself.
    assert found(tmp_path / "b.txt") == []


@pytest.mark.parametrize("days", [0, 60])
def test_an_account_of_telegram_that_lost_a_stretch_is_suspected(tmp_path: Path, days: int) -> None:
    def chat(name: str, number: int, begins: int) -> dict[str, object]:
        return {
            "name": name, "type": "personal_chat", "id": number, "messages": [
                {"id": begins + place, "type": "message", "date_unixtime": str(int(START.timestamp()) + (begins + place) * 86400),
                 "from": name if place % 2 else "Me", "from_id": f"user{number if place % 2 else 1}", "text": f"{name} {place}"}
                for place in range(20)
            ],
        }  # fmt: skip

    account = {"personal_information": {"user_id": 1}, "chats": {"list": [chat("Li", 7, 0), chat("Wang", 8, days)]}}
    text = json.dumps(account, ensure_ascii=False)
    begin, end = text.index('{"id": 15, '), text.index(f'{{"id": {days + 5}, ', text.index("Wang"))
    (tmp_path / "result.json").write_text(text, "utf-8")
    assert found(tmp_path / "result.json") == []

    (tmp_path / "result.json").write_text(text[:begin] + text[end:], "utf-8")

    assert [conversation for conversation, _place in found(tmp_path / "result.json")] == ["Li"]


def test_the_people_of_one_chat_are_remembered_at_a_time() -> None:
    headings = LostHeadings()
    tracemalloc.start()
    for chat in range(300):
        for person in range(100):
            place = Locator("result.json", f"{chat} {person}")
            headings.message("telegram-json", Message(f"chat {chat}", place, b"", sender_id=f"{chat} {person}"))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not list(headings.findings())
    assert peak < 500_000
