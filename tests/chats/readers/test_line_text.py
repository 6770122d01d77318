"""LINE's text exports: days, names and sides that only the whole file tells."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with

from backupkit.chats.model import Conversation, ConversationKind, Direction, Message, MessageKind
from backupkit.chats.readers.line_text import LineText


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "chat.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def at(message: Message) -> str:
    assert message.ts_utc_us is not None
    return datetime.fromtimestamp(message.ts_utc_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def test_a_quote_that_is_never_closed_does_not_swallow_the_next_day(tmp_path: Path) -> None:
    path = write(
        tmp_path, "[LINE] 花子とのトーク履歴", "保存日時：2026/08/21 11:59", "", "2025/04/18(金)", '14:13\t太郎\t"引用だけ', "",
        "2025/04/19(土)", "21:38\t花子\tはい", '21:39\t太郎\t"one', "2025/04/20(日)", 'two"', "21:40\t花子\tend",
    )  # fmt: skip

    assert [(at(one), one.text) for one in messages_with(LineText(), path)] == [
        ("2025-04-18 14:13", '"引用だけ'),
        ("2025-04-19 21:38", "はい"),
        ("2025-04-19 21:39", "one\n2025/04/20(日)\ntwo"),
        ("2025-04-19 21:40", "end"),
    ]


def test_names_of_several_words_are_known_by_all_that_they_say(tmp_path: Path) -> None:
    path = write(
        tmp_path, "2025.12.30 火曜日", "23:43 Bob Lee スタンプ", "23:44 Bob Lee 写真", "23:47 衛藤 わ！", "見ます!", "23:48 Bob Lee はい そう",
        "23:49 Bob Lee ok", "23:50 Bob Leeがメッセージの送信を取り消しました", "2025.12.31 水曜日", "00:05 衛藤 おはよう ございます",
    )  # fmt: skip

    assert [(one.sender_name, one.kind, one.text) for one in messages_with(LineText(), path)] == [
        ("Bob Lee", MessageKind.STICKER, "スタンプ"),
        ("Bob Lee", MessageKind.IMAGE, "写真"),
        ("衛藤", MessageKind.TEXT, "わ！\n見ます!"),
        ("Bob Lee", MessageKind.TEXT, "はい そう"),
        ("Bob Lee", MessageKind.TEXT, "ok"),
        (None, MessageKind.RECALL, "Bob Leeがメッセージの送信を取り消しました"),
        ("衛藤", MessageKind.TEXT, "おはよう ございます"),
    ]


def test_words_that_somebody_repeats_are_no_name_while_they_are_few(tmp_path: Path) -> None:
    path = write(tmp_path, "2025.12.30 火曜日", *["23:43 衛藤 はい そう"] * 3)

    assert {one.sender_name for one in messages_with(LineText(), path)} == {"衛藤"}


@pytest.mark.parametrize("name", ["Em", "CH", "Sa", "MD"])
def test_a_name_is_no_half_of_the_day(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "2025.12.30 火曜日", f"09:53 {name} hello", "09:54 衛藤 x")

    first = messages_with(LineText(), path)[0]

    assert (at(first), first.sender_name, first.text) == ("2025-12-30 09:53", name, "hello")


@pytest.mark.parametrize(
    ("speakers", "kind", "sides"),
    [
        (("Trip", "Bob"), ConversationKind.PRIVATE, [Direction.IN, Direction.OUT]),
        (("Alice", "Bob"), ConversationKind.UNKNOWN, [Direction.UNKNOWN] * 2),
        (("Trip", "Bob", "Eve"), ConversationKind.GROUP, [Direction.UNKNOWN] * 3),
    ],
)
def test_a_group_that_is_named_like_a_person_has_no_sides(
    tmp_path: Path, speakers: tuple[str, ...], kind: ConversationKind, sides: list[Direction]
) -> None:
    said = [f"09:53\t{speaker}\thello" for speaker in speakers]
    path = write(tmp_path, "[LINE] Chat history with Trip", "Saved on: 26/04/2026, 16:36", "", "Sun, 26/04/2026", *said)

    told = read_with(LineText(), path)

    assert {one.kind for one in told if isinstance(one, Conversation)} == {kind}
    assert [one.direction for one in told if isinstance(one, Message)] == sides


@pytest.mark.parametrize(
    "names",
    [
        "lun mar mié jue vie sáb dom",
        "Thứ_2 Thứ_3 Thứ_4 Thứ_5 Thứ_6 Thứ_7 CN",
        "週一 週二 週三 週四 週五 週六 週日",
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    ],
)
def test_weekdays_of_any_language_prove_which_part_is_the_day(tmp_path: Path, names: str) -> None:
    days = [f"{name.replace('_', ' ')}, {number:02}/04/2026" for number, name in enumerate(names.split(), 6)]
    said = [line for day in days for line in ("", day, "09:53\tAna\thola")]

    found = messages_with(LineText(), write(tmp_path, "[LINE] Chat con Ana", "Guardado el: 15/04/2026 10:30", *said))

    assert [at(one)[:10] for one in found] == [f"2026-04-{number:02}" for number in range(6, 13)]


def test_a_date_with_another_word_in_a_message_is_no_day(tmp_path: Path) -> None:
    path = write(
        tmp_path, "2025.12.30 火曜日", "23:43 衛藤 予定", "2026.01.05 会議", "23:44 衛藤 はい", "2025.12.31 水曜日", "00:05 衛藤 x",
    )  # fmt: skip

    assert [(at(one), one.text) for one in messages_with(LineText(), path)] == [
        ("2025-12-30 23:43", "予定\n2026.01.05 会議"),
        ("2025-12-30 23:44", "はい"),
        ("2025-12-31 00:05", "x"),
    ]
