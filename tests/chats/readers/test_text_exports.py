"""What the text exports of LINE, Signal, KakaoTalk and QQ say, in the model."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES

from backupkit.chats.counting.summary import first_messages, summarise
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.kakao_text import KakaoText
from backupkit.chats.readers.line_text import LineText
from backupkit.chats.readers.qq_text import QqText
from backupkit.chats.readers.signal_sigtop import SignalSigtop
from backupkit.chats.readers.signal_text import SignalText
from backupkit.chats.readers.signal_tools_text import SignalToolsText


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


def at(message: Message) -> str:
    assert message.ts_utc_us is not None
    return datetime.fromtimestamp(message.ts_utc_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "export.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_japanese_line_chat_is_read_with_its_quotes_stickers_and_recalls(tmp_path: Path) -> None:
    found = messages_with(LineText(), sample(tmp_path, "line-text ja"))

    assert [at(message) for message in found[:3]] == [
        "2026-11-18 09:12:00",
        "2026-11-18 21:13:00",
        "2026-11-18 21:14:00",
    ]
    assert found[2].text == "二行の\nメッセージ"
    assert [message.kind for message in found[3:]] == [MessageKind.IMAGE, MessageKind.CALL, MessageKind.RECALL]
    assert (found[0].direction, found[1].direction, found[5].direction) == (
        Direction.OUT,
        Direction.IN,
        Direction.SYSTEM,
    )


def test_lines_weekdays_prove_which_part_of_a_date_is_the_day(tmp_path: Path) -> None:
    american = messages_with(LineText(), sample(tmp_path, "line-text en"))
    european = write(
        tmp_path,
        "[LINE] Chat history with Bob",
        "Saved on: 20/11/2026",
        "Wed, 11/11/2026",
        "Thu, 12/11/2026",
        "09:12\tBob\thi",
    )

    assert at(american[3]) == "2026-11-12 01:00:00"
    assert at(messages_with(LineText(), european)[0]) == "2026-11-12 09:12:00"
    assert summary_of(european).findings == ()


@pytest.mark.parametrize(
    ("title", "key", "kind"),
    [
        ("[LINE] 花子とのトーク履歴", "花子", ConversationKind.PRIVATE),
        ("[LINE] 旅行のトーク履歴", "旅行", ConversationKind.GROUP),
        ("[LINE] 與小明的聊天記錄", "小明", ConversationKind.PRIVATE),
        ("[LINE] 与小明的聊天记录", "小明", ConversationKind.PRIVATE),
        ("[LINE] Chat history with Li", "Li", ConversationKind.PRIVATE),
    ],
)
def test_lines_first_line_names_the_chat_in_four_languages(
    tmp_path: Path, title: str, key: str, kind: ConversationKind
) -> None:
    path = write(tmp_path, title, "Saved on: x", "", "2026.12.10 Thursday", "下午07:04\t小明\t早安")

    told = read_with(LineText(), path)

    assert isinstance(told[0], Conversation)
    assert (told[0].key, told[0].kind) == (key, kind)
    assert at(messages_with(LineText(), path)[0]) == "2026-12-10 19:04:00"


@pytest.mark.parametrize(
    ("title", "saved", "day", "time"),
    [
        ("[LINE] ประวัติการแชทกับ Somchai", "บันทึกเมื่อ : 2023/12/31 10:00", "2023/12/30 ส.", "23:59"),
        ("[LINE] 홍길동님과의 대화", "저장한 날짜: 2023/12/31 10:00", "2023/12/30(토)", "오후 11:59"),
        ("[LINE] Riwayat obrolan dengan Budi", "Disimpan pada: 2023/12/31 10:00", "2023/12/30 Sab", "23:59"),
        ('[LINE] ประวัติการแชทในกลุ่ม "บ้าน"', "บันทึกเมื่อ 04/09/2569 07:48", "ส. 30/12/2566", "23:59"),
        ("[LINE] ประวัติการแชทกับ Somchai", "บันทึกวันที่ 2024/01/15 10:30", "2023/12/30 เสาร์", "23:59"),
        ("[LINE] Riwayat obrolan dengan Budi", "Disimpan pada: 31/12/2023 10.00", "Sab, 30/12/2023", "23.59"),
        ("[LINE] Historial de chat con Ana", "Guardado el: 31/12/2023 10:00", "sáb., 30/12/2023", "23:59"),
    ],
)
def test_line_is_known_by_its_shape_in_a_language_whose_words_are_not_known(
    tmp_path: Path, title: str, saved: str, day: str, time: str
) -> None:
    messages = messages_with(LineText(), write(tmp_path, title, saved, "", day, f"{time}\tA\t1", f"{time}\tB\t2"))

    assert [(message.sender_name, message.text, at(message)) for message in messages] == [
        ("A", "1", "2023-12-30 23:59:00"),
        ("B", "2", "2023-12-30 23:59:00"),
    ]
    assert summary_of(tmp_path).format == "line-text"


def test_a_title_like_lines_alone_makes_no_chat_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, "[LINE] my notes", "2023/12/30", "23:59\tfeed\tthe cat")

    assert summarise(tmp_path) is None


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[LINE] Chat history with Li",
        "Saved on: x",
        "2026/11/18(Wed)",
        '09:12\tLi\t"never closed',
        "09:13\tLi\tnext",
    )

    assert [message.text for message in messages_with(LineText(), path)] == ['"never closed', "next"]


def test_a_signal_chat_finds_its_media_owner_and_reactions(tmp_path: Path) -> None:
    folder = tmp_path / "Jane Doe"
    (folder / "media").mkdir(parents=True)
    sample(folder, "signal-text")
    (folder / "media" / "2019-12-24_0.jpg").write_bytes(b"x")

    found = messages_with(SignalText(), tmp_path)

    assert {message.conversation for message in found} == {"Jane Doe"}
    assert (found[1].media[0].state, found[1].direction) == (MediaState.PRESENT, Direction.OUT)
    assert found[2].text == "Hello\n\nJane!"
    assert (found[2].reactions[0].symbol, found[2].reactions[0].sender) == ("👍", "Me")


def test_a_signal_text_without_the_tools_marks_or_comma_is_not_guessed_at(tmp_path: Path) -> None:
    path = write(tmp_path, "[2019-12-24 12:23:11] local.ERROR: broken", "[2019-12-24 12:23:12] local.INFO: x")

    assert summarise(path) is None


@pytest.mark.parametrize("variant", ["windows", "android"])
def test_kakaotalk_is_read_from_windows_and_android(tmp_path: Path, variant: str) -> None:
    found = messages_with(KakaoText(), sample(tmp_path, f"kakaotalk-text {variant}"))

    assert {message.conversation for message in found} == {"민수"}
    assert (found[0].text, at(found[0])) == ("안녕\n둘째 줄", "2026-04-25 15:20:00")
    assert (found[1].sender_name, found[1].kind) == ("나", MessageKind.IMAGE)
    assert found[2].kind is (MessageKind.RECALL if variant == "windows" else MessageKind.SYSTEM)


def test_kakaotalk_is_read_from_the_macs_csv(tmp_path: Path) -> None:
    found = messages_with(KakaoText(), sample(tmp_path, "kakaotalk-text csv"))

    assert [message.text for message in found] == ['안녕, "친구"\n둘째 줄', "Photo"]
    assert at(found[1]) == "2026-04-25 15:21:00"


def test_kakaotalk_is_read_in_english(tmp_path: Path) -> None:
    path = write(
        tmp_path, "KakaoTalk Chats with Min", "Date Saved : Apr 25, 2026 at 4:00 PM", "", "Apr 25, 2026 at 3:20 PM, Min : hello", "more",
        "Apr 25, 2026 at 3:21 PM, Me : Photo",
    )  # fmt: skip

    found = messages_with(KakaoText(), path)

    assert [(message.text, at(message)) for message in found] == [
        ("hello\nmore", "2026-04-25 15:20:00"),
        ("Photo", "2026-04-25 15:21:00"),
    ]


def test_a_qq_export_holds_every_conversation_under_its_heading(tmp_path: Path) -> None:
    path = sample(tmp_path, "qq-text")

    found = messages_with(QqText(), path)
    summary = summary_of(path)

    assert (summary.messages, summary.conversations) == (5, 2)
    assert {part.key: (part.messages, part.kind) for part in summary.by_conversation} == {
        "小明": (4, ConversationKind.UNKNOWN),
        "一家人": (1, ConversationKind.GROUP),
    }
    assert (found[0].sender_id, found[0].text) == ("10086001", "早安\n第二行")
    assert (found[1].sender_name, found[1].kind) == ("我(我的)", MessageKind.IMAGE)
    assert found[2].sender_id == "zhang@example.com"
    assert (found[3].kind, found[3].deletion) == (MessageKind.RECALL, DeletionState.RECALLED)


def test_several_ranks_and_people_without_a_number_keep_their_names(tmp_path: Path) -> None:
    path = write(
        tmp_path, "消息记录（此消息记录为文本格式，不支持重新导入）", "消息对象:多人聊天", "", "2017-08-29 20:28:30 番茄", "好", "",
        "2017-08-29 20:28:31 【管理员】【活跃】土豆(10086001)", "行", "", "2017-08-29 20:28:32 番茄", "走",
    )  # fmt: skip

    found = messages_with(QqText(), path)

    assert [(one.sender_id, one.sender_name, one.text) for one in found] == [
        (None, "番茄", "好"),
        ("10086001", "土豆", "行"),
        (None, "番茄", "走"),
    ]


def test_a_line_that_looks_like_a_head_but_names_nobody_is_text(tmp_path: Path) -> None:
    path = write(
        tmp_path, "消息记录(此消息记录为文本格式,不支持重新导入)", "消息对象:小明", "", "2023-05-06 9:12:33 小明(10086001)",
        "2023-05-07 10:00:00 见面", "好", "", "2023-05-06 9:13:01 我(10086002)", "行",
    )  # fmt: skip

    found = messages_with(QqText(), path)

    assert [message.text for message in found] == ["2023-05-07 10:00:00 见面\n好", "行"]


def test_line_for_computers_writes_spaces(tmp_path: Path) -> None:
    text = "[LINE] Chat history with Bob Lee\r\n2025.12.10 Wednesday\r\n20:13 Bob Lee hi there\r\n20:14 Me Photos\r\n20:15 Bob Lee unsent a message.\r\n"
    (tmp_path / "a.txt").write_text(text, "utf-8")
    untitled = (
        "2025.12.10 水曜日\n20:13 花子 こんにちは\n20:14 太郎 写真\n2025.12.11 木曜日\n9:13 花子 二行の\nメッセージ\n"
    )
    (tmp_path / "b.txt").write_text(untitled, "utf-8")

    first, second, third = messages_with(LineText(), tmp_path / "a.txt")
    found = messages_with(LineText(), tmp_path / "b.txt")

    assert (first.sender_name, first.text, first.direction) == ("Bob Lee", "hi there", Direction.IN)
    assert (second.sender_name, second.kind) == ("Me", MessageKind.IMAGE)
    assert (third.sender_name, third.deletion) == (None, DeletionState.RECALLED)
    assert [(one.sender_name, one.text) for one in found] == [
        ("花子", "こんにちは"),
        ("太郎", "写真"),
        ("花子", "二行の\nメッセージ"),
    ]


@pytest.mark.parametrize(
    ("day", "line"),
    [
        ("--------------- 2026년 1월 27일 화요일 ---------------", "[철수] [오후 9:30] {}"),
        ("2026년 1월 27일 화요일", "2026. 1. 27. 21:30, 철수 : {}"),
    ],
)
def test_a_message_that_was_deleted_in_kakaotalk_is_none_of_the_words_above_it(
    tmp_path: Path, day: str, line: str
) -> None:
    texts = [line.format("사진"), "메시지가 삭제되었습니다.", line.format("파일: plan.pdf"), line.format("안녕")]
    (tmp_path / "a.txt").write_text(
        "\n".join(["우리 님과 카카오톡 대화", "저장한 날짜 : 2026-01-28 10:00:00", "", day, *texts, ""]), "utf-8"
    )

    photo, deleted, file, said = messages_with(KakaoText(), tmp_path)

    assert (photo.text, photo.kind) == ("사진", MessageKind.IMAGE)
    assert (deleted.kind, deleted.deletion, deleted.sender_name) == (MessageKind.RECALL, DeletionState.RECALLED, None)
    assert (file.kind, [one.name for one in file.media]) == (MessageKind.FILE, ["plan.pdf"])
    assert (said.text, said.sender_name) == ("안녕", "철수")


def test_kakaotalks_lines_about_people_are_the_apps_own(tmp_path: Path) -> None:
    windows = "가족 님과 카카오톡 대화\n저장한 날짜 : 2026-04-25 15:20:11\n--------------- 2026년 4월 25일 토요일 ---------------\n[엄마] [오전 12:05] 안녕\n둘째 줄\n아빠님이 들어왔습니다.\n[아빠] [오후 1:05] 응\n"
    iphone = "단톡 카카오톡 대화\n저장한 날짜 : 2020. 4. 25. 오후 4:00\n\n2020. 4. 25. 오후 3:20, 민수 : 안녕\n2020. 4. 25. 오후 3:21: 민수님이 나갔습니다.\n"
    (tmp_path / "w.txt").write_text(windows, "utf-8")
    (tmp_path / "i.txt").write_text(iphone, "utf-8")

    first, second, third = messages_with(KakaoText(), tmp_path / "w.txt")
    fourth, fifth = messages_with(KakaoText(), tmp_path / "i.txt")

    assert (first.text, second.text, second.direction, third.sender_name) == (
        "안녕\n둘째 줄",
        "아빠님이 들어왔습니다.",
        Direction.SYSTEM,
        "아빠",
    )
    assert (fourth.sender_name, fifth.direction, fifth.text) == ("민수", Direction.SYSTEM, "민수님이 나갔습니다.")


def test_sigexports_newer_lines_tell_deletions_and_stickers(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[2024-01-15 09:30:45] Li: (This message was deleted)", "",
        "[2024-01-15 09:30:46] Me: [🐱](../exported_stickers/0a/3.webp)  ", "",
    )  # fmt: skip

    found = messages_with(SignalText(), path)

    assert [(one.kind, one.deletion) for one in found] == [
        (MessageKind.RECALL, DeletionState.RECALLED),
        (MessageKind.STICKER, DeletionState.NONE),
    ]


def test_an_answer_by_sigexport_holds_its_own_words_and_no_others(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[2024-01-13 10:01:03] Ada: hello  ", "",
        "[2024-01-13 10:01:05] Me: ", "", "> hello", "> there", "", "yes  ", "",
        "[2024-01-13 10:01:06] Ada: no", "", "> not a quote of the tool's  ", "",
    )  # fmt: skip

    found = messages_with(SignalText(), path)

    assert [one.text for one in found] == ["hello", "yes", "no\n\n> not a quote of the tool's"]


def test_what_else_sigexport_writes_behind_a_message_is_told_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "[2024-01-13 10:01:08] Ada:   (media not exported)  ", "",
        "[2024-01-13 10:01:10] Ada: pic  ", "(- Me: 👍, Doe, Jane: ❤ -)![x.jpg](./media/x.jpg)  ", "",
        "[2024-01-13 10:01:12] Ada:   [😀](../exported_stickers/p/1.webp)  ", "",
        "[2024-01-13 10:01:13] Ada: Missed voice call  ", "",
        "[2024-01-13 10:01:14] Me: Outgoing video call (accepted, 1m 1s)  ", "",
    )  # fmt: skip

    left_out, picture, sticker, missed, outgoing = messages_with(SignalText(), path)

    assert (left_out.text, [one.state for one in left_out.media]) == ("", [MediaState.OMITTED])
    assert (picture.text, picture.kind, len(picture.media)) == ("pic", MessageKind.IMAGE, 1)
    assert [(one.symbol, one.sender) for one in picture.reactions] == [("👍", "Me"), ("❤", "Doe, Jane")]
    assert (sticker.text, sticker.kind) == ("😀", MessageKind.STICKER)
    assert (missed.kind, outgoing.kind) == (MessageKind.CALL, MessageKind.CALL)


def test_what_signalbackup_tools_writes_is_read_with_files_reactions_and_calls(tmp_path: Path) -> None:
    told = read_with(SignalToolsText(), sample(tmp_path, "signal-tools-text"))

    timer, picture, hello, words, voice, call, poll = [one for one in told if isinstance(one, Message)]
    rooms = [one for one in told if isinstance(one, Conversation)]
    assert (rooms[-1].title, [one.name for one in rooms[-1].participants]) == ("Jane Doe", ["Jane Doe", "Ada"])
    assert (timer.direction, timer.kind, timer.sender_name) == (Direction.SYSTEM, MessageKind.SYSTEM, None)
    assert timer.ts_utc_us == 1705311045 * 1_000_000
    assert (picture.sender_name, picture.kind, picture.media[0].name) == ("Jane Doe", MessageKind.IMAGE, "a b.jpg")
    assert (hello.text, hello.sender_name) == ("Hello\n\nagain", "Jane Doe")
    assert [(one.sender, one.symbol) for one in hello.reactions] == [("Ada", "👍"), ("Doe, Jane", "❤️")]
    assert (words.text, words.reactions) == ("so (we said: yes)", ())
    assert (voice.kind, voice.media[0].mime, voice.reactions[0].symbol) == (MessageKind.VOICE, "audio/aac", "😀")
    assert (call.kind, poll.kind) == (MessageKind.CALL, MessageKind.POLL)
    assert {one.direction for one in (picture, hello, words, voice, poll)} == {Direction.UNKNOWN}


def test_what_sigtop_writes_in_blocks_is_read_with_zones_files_and_reactions(tmp_path: Path) -> None:
    path = sample(tmp_path, "signal-sigtop blocks")

    told = read_with(SignalSigtop(), path)

    found = [one for one in told if isinstance(one, Message)]
    assert [one.text.rpartition("\n")[2] for one in found] == ["Type: incoming", "an answer", ""]
    assert [one.direction for one in found] == [Direction.OUT, Direction.IN, Direction.SYSTEM]
    assert (found[0].ts_utc_us, found[0].ts_zone) == (1705307445 * 1_000_000, "offset")
    assert (found[1].media[0].name, found[1].media[0].size_bytes, found[1].kind) == ("a.jpg", 123, MessageKind.IMAGE)
    assert (found[1].reactions[0].symbol, found[1].reactions[0].sender, len(found[1].edits)) == ("👍", "You", 1)
    assert [one.title for one in told if isinstance(one, Conversation)][-1] == "Jane Doe (+15550100)"


def test_what_sigtop_writes_in_lines_is_read(tmp_path: Path) -> None:
    found = messages_with(SignalSigtop(), sample(tmp_path, "signal-sigtop lines"))

    assert [one.text for one in found] == ["Hello\n\nagain", "yes", "[keychange message]"]
    assert [one.direction for one in found] == [Direction.OUT, Direction.IN, Direction.SYSTEM]
    assert (len(found[1].media), len(found[1].edits)) == (2, 1)


def test_dated_notes_without_an_owner_are_no_chat(tmp_path: Path) -> None:
    assert summarise(write(tmp_path, "2024-01-15 09:30 note: hello", "2024-01-15 09:31 note: more")) is None


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("qq-text", "gb18030"), ("qq-text", "utf-16-be"), ("kakaotalk-text windows", "cp949"), ("line-text ja", "cp932"),
    ],
)  # fmt: skip
def test_a_file_in_the_encoding_of_an_old_computer_says_the_same(tmp_path: Path, name: str, encoding: str) -> None:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    before = first_messages(tmp_path / file, count=100)
    (tmp_path / file).write_bytes(data.decode("utf-8-sig").encode(encoding, "replace"))

    after = first_messages(tmp_path / file, count=100)

    assert before
    assert [one.ts_utc_us for one in after] == [one.ts_utc_us for one in before]
    assert after[0].text == before[0].text


@pytest.mark.parametrize(
    ("lines", "times", "kinds"),
    [
        (
            ["Talk_2026.8.7 13:01-1.txt", "저장한 날짜 : 2026. 8. 7. 오후 11:01", "", "2026년 8월 7일 금요일",
             "2026. 8. 7. 오후 1:01, 나 : 안녕", "둘째 줄", "2026. 8. 7. 오후 1:02: 민수님이 나갔습니다."],
            ["2026-08-07 13:01:00", "2026-08-07 13:02:00"], [MessageKind.TEXT, MessageKind.SYSTEM],
        ),
        (
            ["KakaoTalk Chats with Kim", "Date Saved : Sep 25, 2018 3:21 p.m.", "", "September 25, 2018 3:20 p.m., Kim : hi"],
            ["2018-09-25 15:20:00"], [MessageKind.TEXT],
        ),
        (
            ["KakaoTalk Chats with Kim", "Date Saved : Apr 25, 2023 at 3:21\u202fPM", "", "Tuesday, April 25, 2023",
             "Apr 25, 2023 at 3:20\u202fPM, Kim : hi", "Apr 25, 2023 at 3:21\u202fPM: Kim left."],
            ["2023-04-25 15:20:00", "2023-04-25 15:21:00"], [MessageKind.TEXT, MessageKind.SYSTEM],
        ),
        (
            ["KakaoTalk Chats with Kim", "Date Saved : 2 January 2023 at 11:00", "", "2 January 2023 at 10:01",
             "2 January 2023 at 10:01, Kim : hi"],
            ["2023-01-02 10:01:00"], [MessageKind.TEXT],
        ),
        (
            ["KakaoTalk Chats with Kim", "Date Saved : 11:00AM, January 2, 2013", "", "10:01AM, January 2, 2013, Kim : hi",
             "10:02PM, January 2, 2013, Me : you"],
            ["2013-01-02 10:01:00", "2013-01-02 22:02:00"], [MessageKind.TEXT, MessageKind.TEXT],
        ),
        (
            ["Kim with KakaoTalk Chats", "Date Saved : 2024-12-09 15:20:11", "", "--------------- Monday, December 9, 2024 ---------------",
             "[Kim] [2:30 PM] Hello"],
            ["2024-12-09 14:30:00"], [MessageKind.TEXT],
        ),
    ],
)  # fmt: skip
def test_kakaotalk_is_read_as_iphones_and_english_computers_write_it(
    tmp_path: Path, lines: list[str], times: list[str], kinds: list[MessageKind]
) -> None:
    path = write(tmp_path, *lines)

    found = messages_with(KakaoText(), path)

    assert summary_of(path).format == "kakaotalk-text"
    assert [at(one) for one in found] == times
    assert [one.kind for one in found] == kinds


def test_lines_english_title_may_come_without_the_apps_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Chat history with Kim",
        "Saved on: 1/16/2024, 10:00",
        "",
        "Mon, 1/15/2024",
        "09:30\tKim\thi",
        "09:31\t\tMessage unsent.",
    )

    found = messages_with(LineText(), path)

    assert [(one.conversation, at(one), one.kind) for one in found] == [
        ("Kim", "2024-01-15 09:30:00", MessageKind.TEXT),
        ("Kim", "2024-01-15 09:31:00", MessageKind.RECALL),
    ]


def test_who_comes_before_anybody_speaks_is_counted_in_a_file_of_windows(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "모임 3 카카오톡 대화",
        "저장한 날짜 : 2023-01-02 10:00:00",
        "",
        "--------------- 2023년 1월 2일 월요일 ---------------",
        "철수님이 들어왔습니다.",
        "[철수] [오전 10:01] 안녕",
    )

    first, second = messages_with(KakaoText(), path)

    assert (first.kind, first.text) == (MessageKind.SYSTEM, "철수님이 들어왔습니다.")
    assert second.sender_name == "철수"


def test_a_mac_table_of_kakaotalk_may_quote_its_dates(tmp_path: Path) -> None:
    path = tmp_path / "KakaoTalk_Chat.csv"
    path.write_text('\ufeffDate,User,Message\n"2023-01-02 10:01:02","철수","안녕"\n', "utf-8")

    (found,) = messages_with(KakaoText(), path)

    assert at(found) == "2023-01-02 10:01:02"


def test_line_for_computers_in_thai_is_known_by_its_day(tmp_path: Path) -> None:
    path = write(tmp_path, "2025.12.20 วันเสาร์", "22:31 Somchai รูป", "22:32 Ning สวัสดี")

    found = messages_with(LineText(), path)

    assert [at(one) for one in found] == ["2025-12-20 22:31:00", "2025-12-20 22:32:00"]


def test_line_without_its_title_is_known_by_its_tabs(tmp_path: Path) -> None:
    path = write(
        tmp_path, "2026/1/30周五", "上午09:05\t小明\t早安", "下午03:05\t\t小明已加入群組", "下午03:06\t外婆\t好"
    )

    found = messages_with(LineText(), path)

    assert [at(one) for one in found] == ["2026-01-30 09:05:00", "2026-01-30 15:05:00", "2026-01-30 15:06:00"]
    assert found[1].direction is Direction.SYSTEM
