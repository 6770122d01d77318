"""WhatsApp's text exports in the shapes of both phones and many settings."""

from pathlib import Path
from typing import Any

import pytest
from chat_factory import write_whatsapp_android, write_whatsapp_iphone
from chat_reading import messages_with, read_with, summary_of

from backupkit.chats.counting.summary import first_messages, summarise
from backupkit.chats.model import Conversation, DeletionState, Direction, Finding, MediaState, Message, MessageKind
from backupkit.chats.readers.whatsapp_text import WhatsAppText
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source


def write(tmp_path: Path, *lines: Any, name: str = "WhatsApp Chat with Li.txt") -> Any:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def read(path: Path) -> list[Told]:
    return read_with(WhatsAppText(), path)


def messages_of(path: Path) -> list[Message]:
    return messages_with(WhatsAppText(), path)


def at(message: Any) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(message.ts_utc_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_android_folder_is_counted_with_its_media(tmp_path: Path, language: str) -> None:
    written = write_whatsapp_android(tmp_path / "export", messages=300, language=language)

    summary = summary_of(written.path)

    assert (summary.format, summary.package) == ("whatsapp-text", "com.whatsapp")
    assert (summary.messages, summary.conversations) == (300, 1)
    assert (summary.media, summary.media_missing) == (written.media, written.media_missing)
    assert summary.times_are_local


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_iphone_zip_is_counted_with_its_media(tmp_path: Path, language: str) -> None:
    written = write_whatsapp_iphone(tmp_path / "WhatsApp Chat - 林晓雨.zip", messages=300, language=language)

    summary = summary_of(written.path)

    assert (summary.messages, summary.conversations) == (300, 1)
    assert (summary.media, summary.media_missing) == (written.media, written.media_missing)
    assert summary.by_conversation[0].title == "林晓雨"


# What phones of many settings write for 9 in the evening and five past nine in the morning of the 25th and 26th of April 2026.
@pytest.mark.parametrize(
    ("evening", "morning"),
    [
        ("25/04/2026, 21:03 - ", "26/04/2026, 09:05 - "),
        ("25/4/26, 21:03 - ", "26/4/26, 9:05 - "),
        ("4/25/26, 9:03 PM - ", "4/26/26, 9:05 AM - "),
        ("4/25/26, 9:03\u202fPM - ", "4/26/26, 9:05\u202fAM - "),
        ("25/4/2026, 9:03 p.\u00a0m. - ", "26/4/2026, 9:05 a.\u00a0m. - "),
        ("25/4/26, 9:03 p. m. - ", "26/4/26, 9:05 a. m. - "),
        ("25/04/2026, 9:03 pm - ", "26/04/2026, 9:05 am - "),
        ("25.04.26, 21:03 - ", "26.04.26, 09:05 - "),
        ("25.4.2026 klo 21.03 - ", "26.4.2026 klo 9.05 - "),
        ("25.04.26, 21:03 Uhr - ", "26.04.26, 09:05 Uhr - "),
        ("25/04/2026 à 21:03 - ", "26/04/2026 à 09:05 - "),
        ("25/04/2026 21:03 - ", "26/04/2026 09:05 - "),
        ("25. 4. 2026, 21:03 - ", "26. 4. 2026, 9:05 - "),
        ("25.04.2026 г., 21:03 - ", "26.04.2026 г., 9:05 - "),
        ("25-04-2026 21:03 - ", "26-04-2026 09:05 - "),
        ("2026-04-25, 21:03 - ", "2026-04-26, 09:05 - "),
        ("2026/04/25, 21:03 - ", "2026/04/26, 9:05 - "),
        ("2026/4/25 下午9:03 - ", "2026/4/26 上午9:05 - "),
        ("2026年4月25日 21:03 - ", "2026年4月26日 09:05 - "),
        ("2026. 4. 25. 오후 9:03 - ", "2026. 4. 26. 오전 9:05 - "),
        ("2026년 4월 25일 오후 9:03 - ", "2026년 4월 26일 오전 9:05 - "),
        ("٢٥/٤/٢٠٢٦، ٩:٠٣ م - ", "٢٦/٤/٢٠٢٦، ٩:٠٥ ص - "),
        ("\u200f٢٥\u200f/٤\u200f/٢٠٢٦، ٩:٠٣ م - ", "\u200f٢٦\u200f/٤\u200f/٢٠٢٦، ٩:٠٥ ص - "),
        ("25/4/2569 21:03 - ", "26/4/2569 09:05 - "),
        ("25/4/26, 9:03 μ.μ. - ", "26/4/26, 9:05 π.μ. - "),
        ("[25/04/2026, 21:03:00] ", "[26/04/2026, 09:05:00] "),
        ("[25.04.26, 21:03:00] ", "[26.04.26, 09:05:00] "),
        ("[4/25/26, 9:03:00\u202fPM] ", "[4/26/26, 9:05:00\u202fAM] "),
        ("[2026/4/25 21:03:00] ", "[2026/4/26 09:05:00] "),
        ("[2026/4/25 下午9:03:00] ", "[2026/4/26 上午9:05:00] "),
        ("[25/4/26, 9:03:00 p.\u00a0m.] ", "[26/4/26, 9:05:00 a.\u00a0m.] "),
        ("[2026-04-25, 21:03:00] ", "[2026-04-26, 09:05:00] "),
        ("[25-04-2026 21:03:00] ", "[26-04-2026 09:05:00] "),
        ("25.04.26, 9:03 пп - ", "26.04.26, 9:05 дп - "),
        ("25.04.26 г., 21:03 ч. - ", "26.04.26 г., 9:05 ч. - "),
        ("25.04.26 9:03 odp. - ", "26.04.26 9:05 dop. - "),
        ("25. 4. 26 9:03 pop. - ", "26. 4. 26 9:05 dop. - "),
        ("25.04.26 г., 9:03 ч. pm - ", "26.04.26 г., 9:05 ч. am - "),
        ("25.04.26, 9:03 pēcp. - ", "26.04.26, 9:05 priekšp. - "),
        ("2026-04-25 09:03 popiet - ", "2026-04-26 09:05 priešpiet - "),
        ("25.4.2026 г., 9:03 попл. - ", "26.4.2026 г., 9:05 претпл. - "),
        ("25.4.26, 9:03 e pasdites - ", "26.4.26, 9:05 e paradites - "),
        ("25/4/2026, 9:03 ຫຼັງທ່ຽງ - ", "26/4/2026, 9:05 ກ່ອນທ່ຽງ - "),
        ("25/4/26, 21:03 น. - ", "26/4/26, 09:05 น. - "),
        ("[21:03:00, 25/4/26] ", "[09:05:00, 26/4/26] "),
        ("[9:03:00 CH 25/4/26] ", "[9:05:00 SA 26/4/26] "),
        ("25.4.2026 klo 9.03 ip. - ", "26.4.2026 klo 9.05 ap. - "),
        ("25.4.26, 9:03 m.d. - ", "26.4.26, 9:05 p.d. - "),
        ("25/4/26, பிற்பகல் 9:03 - ", "26/4/26, முற்பகல் 9:05 - "),
        ("25/4/26, 9:03 ಅಪರಾಹ್ನ - ", "26/4/26, 9:05 ಪೂರ್ವಾಹ್ನ - "),
        ("25/4/2569 9:03 หลังเที่ยง - ", "26/4/2569 9:05 ก่อนเที่ยง - "),
        ("25/4/69 21:03 - ", "26/4/69 09:05 - "),
        ("[25/4/2569 BE 21:03:00] ", "[26/4/2569 BE 09:05:00] "),
        ("๒๕/๔/๒๕๖๙ ๒๑:๐๓ - ", "๒๖/๔/๒๕๖๙ ๐๙:๐๕ - "),
        ("25/4/26، 9:03 بعدازظهر - ", "26/4/26، 9:05 قبل\u200cازظهر - "),
        ("۱۴۰۵/۲/۵،\u200f ۲۱:۰۳ - ", "۱۴۰۵/۲/۶،\u200f ۹:۰۵ - "),
        ("\u200f25.4.2026, 21:03 - \u200f", "\u200f26.4.2026, 9:05 - \u200f"),
        ("21:03, 25/04/2026 - ", "09:05, 26/04/2026 - "),
        ("2026-04-25 21 h 03 - ", "2026-04-26 09 h 05 - "),
        ("[2026-04-25 21 h 03 min 00 s] ", "[2026-04-26 09 h 05 min 00 s] "),
        ("4/25/26, 9:03:00 PM - ", "4/26/26, 9:05:00 AM - "),
        ("25.4.2026 klo 21.03.00 - ", "26.4.2026 klo 9.05.00 - "),
        ("25/04/26 21:03:00: ", "26/04/26 09:05:00: "),
        ("25 Apr 2026, 21:03 - ", "26 Apr 2026, 09:05 - "),
        ("Sat, Apr 25, 2026, 9:03 PM - ", "Sun, Apr 26, 2026, 9:05 AM - "),
        ("25. April 2026, 21:03 - ", "26. April 2026, 09:05 - "),
        ("25 de abr. de 2026 21:03 - ", "26 de abr. de 2026 9:05 - "),
        ("25 avr. 2026 à 21:03 - ", "26 avr. 2026 à 09:05 - "),
        ("25 апр. 2026 г., 21:03 - ", "26 апр. 2026 г., 09:05 - "),
        ("4/25/26, 9:03:00 PM: ", "4/26/26, 9:05:00 AM: "),
        ("25/04/26, 9:03\u202fTK - ", "26/04/26, 9:05\u202fTO - "),
        ("25.04.2026, 9:03\u202fe.m. - ", "26.04.2026, 9:05\u202ff.m. - "),
        ("25/4/26, 9:03\u202fYM - ", "26/4/26, 9:05\u202fSF - "),
        ("2026/4/25 9:03 غ.و. - ", "2026/4/26 9:05 غ.م. - "),
        ("25/4/2026 9:03 د.ن - ", "26/4/2026 9:05 ب.ن - "),
        ("25-4-2026, অপৰাহ্ন 9.03 - ", "26-4-2026, পূৰ্বাহ্ন 9.05 - "),
        ("2026/4/25 下晝9:03 - ", "2026/4/26 上晝9:05 - "),
        ("25. 4. 2026. 9:03\u202fпо\u202fподне - ", "26. 4. 2026. 9:05\u202fприје\u202fподне - "),
        ("2026/4/25 (21:03) - ", "2026/4/26 (09:05) - "),
        ("[2026/4/25 (21:03:00)] ", "[2026/4/26 (09:05:00)] "),
    ],
)
def test_dates_and_clocks_of_every_setting(tmp_path: Path, evening: Any, morning: Any) -> None:
    path = write(tmp_path, f"{evening}Li: one", f"{evening}Wang: two", f"{morning}Li: three")

    found = messages_of(path)

    assert [at(message) for message in found] == ["2026-04-25 21:03:00"] * 2 + ["2026-04-26 09:05:00"]
    assert [message.sender_name for message in found] == ["Li", "Wang", "Li"]
    assert [message.text for message in found] == ["one", "two", "three"]


@pytest.mark.parametrize("style", ["2026/4/25 {}:07 - Li: hi", "[2026/4/25 {}:07:00] Li: hi"])
def test_noon_and_midnight_of_japanese_clocks_begin_with_zero(tmp_path: Path, style: str) -> None:
    path = write(tmp_path, *[style.format(hour) for hour in ("午前0", "午前11", "午後0", "午後1", "午後11")])

    assert [at(message)[11:16] for message in messages_of(path)] == ["00:07", "11:07", "12:07", "13:07", "23:07"]


def test_day_and_month_are_settled_by_the_whole_file(tmp_path: Path) -> None:
    lines = ["03/04/2021, 10:00 - Li: a", "05/04/2021, 10:00 - Li: b", "01/05/2021, 10:00 - Li: c"]

    found = messages_of(write(tmp_path, *lines))

    assert [at(message)[:10] for message in found] == ["2021-04-03", "2021-04-05", "2021-05-01"]


def test_month_first_is_settled_by_time_running_forward(tmp_path: Path) -> None:
    lines = ["03/04/2021, 10:00 - Li: a", "03/05/2021, 10:00 - Li: b", "04/01/2021, 10:00 - Li: c"]

    found = messages_of(write(tmp_path, *lines))

    assert [at(message)[:10] for message in found] == ["2021-03-04", "2021-03-05", "2021-04-01"]


def test_an_order_that_nothing_proves_is_told(tmp_path: Path) -> None:
    told = read(write(tmp_path, "03/04/2021, 10:00 - Li: a", "03/04/2021, 10:01 - Wang: b"))

    assert [finding.code for finding in told if isinstance(finding, Finding)] == ["date-order-assumed"]


def test_a_message_of_many_lines_is_one_message(tmp_path: Path) -> None:
    found = messages_of(write(tmp_path, "2019/01/30, 20:49 - Li: one", "", "three", "2019/01/30, 20:50 - Wang: next"))

    assert [message.text for message in found] == ["one\n\nthree", "next"]
    assert found[0].raw == b"2019/01/30, 20:49 - Li: one\n\nthree\n"
    assert str(found[1].locator) == "WhatsApp Chat with Li.txt line 4"


def test_lines_of_the_app_itself_have_no_sender(tmp_path: Path) -> None:
    found = messages_of(
        write(
            tmp_path,
            '2020/06/20, 00:08 - +12 345 578 created group "Trip: north"',
            "2020/06/20, 00:08 - You were added",
            "2020/06/20, 00:09 - Li: hello: there",
            "2020/06/20, 00:10 - Li:.",
        )
    )

    assert [message.kind for message in found] == [
        MessageKind.SYSTEM,
        MessageKind.SYSTEM,
        MessageKind.TEXT,
        MessageKind.TEXT,
    ]
    assert [message.text for message in found[2:]] == ["hello: there", "."]


@pytest.mark.parametrize(
    "said",
    [
        "Li a changé le sujet de « Trip » en « Trip: north »",
        "Li hat den Betreff von „Trip“ zu „Trip: north“ geändert",
        "Liさんがグループ名を「Trip: north」に変更しました",
        "Ли изменил(а) тему на «Trip: north»",
        "Li changed the subject from “Trip” to “Trip: north”",
    ],
)
def test_nobody_speaks_inside_a_groups_quoted_name(tmp_path: Path, said: str) -> None:
    path = write(tmp_path, f"2020/06/20, 00:08 - {said}", '2020/06/20, 00:09 - Jo "Bo" Wang: hi', name="x.txt")

    app, person = messages_of(path)

    assert (app.kind, app.sender_name, app.text) == (MessageKind.SYSTEM, None, said)
    assert (person.kind, person.sender_name, person.text) == (MessageKind.TEXT, 'Jo "Bo" Wang', "hi")
    assert [one.name for told in read(path) if isinstance(told, Conversation) for one in told.participants] == [
        'Jo "Bo" Wang'
    ]


def test_what_stands_for_somebodys_message_keeps_the_name(tmp_path: Path) -> None:
    head = "[20.06.20, 10:00:00] "
    path = write(
        tmp_path, f"{head}Trip: \u200eMessages and calls are end-to-end encrypted.", f"{head}Trip: \u200eLi added you",
        f"{head}Li: hi", f"{head}Li: \u200eWaiting for this message. This may take a while.",
        name="_chat.txt",
    )  # fmt: skip

    assert [(one.kind, one.sender_name) for one in messages_of(path)] == [
        (MessageKind.SYSTEM, None), (MessageKind.SYSTEM, None), (MessageKind.TEXT, "Li"), (MessageKind.OTHER, "Li"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "role"),
    [
        ("look here\n\u200eimage omitted", "image omitted", MessageKind.IMAGE),
        ("look \u200evideo omitted", "video omitted", MessageKind.VIDEO),
        ("report.pdf • \u200e2 pages \u200edocument omitted", "report.pdf", MessageKind.FILE),
    ],
)
def test_media_left_out_behind_a_caption_are_told(tmp_path: Path, text: str, name: str, role: Any) -> None:
    found = messages_of(write(tmp_path, "[20.06.20, 10:00:00] Li: hi", f"[20.06.20, 10:00:01] Li: {text}"))[1]

    assert [(media.name, media.state, media.role) for media in found.media] == [(name, MediaState.OMITTED, role)]
    assert (found.kind, found.text) == (role, text)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("<Media omitted>", MessageKind.OTHER),
        ("<Medien ausgeschlossen>", MessageKind.OTHER),
        ("<Multimedia omitido>", MessageKind.OTHER),
        ("<Médias omis>", MessageKind.OTHER),
        ("<Mídia oculta>", MessageKind.OTHER),
        ("<省略多媒体文件>", MessageKind.OTHER),
        ("<忽略多媒體檔>", MessageKind.OTHER),
        ("<メディアは含まれていません>", MessageKind.OTHER),
        ("<Без медиафайлов>", MessageKind.OTHER),
        ("\u200eimage omitted", MessageKind.IMAGE),
        ("\u200eBild weggelassen", MessageKind.IMAGE),
        ("\u200evidéo absente", MessageKind.VIDEO),
        ("\u200e照片已忽略", MessageKind.IMAGE),
        ("\u200e影片已略去", MessageKind.VIDEO),
        ("\u200esticker omitted", MessageKind.STICKER),
        ("\u200eContact card omitted", MessageKind.CONTACT),
        ("image omitted", None),
        ("they omitted <me>", None),
    ],
)
def test_media_left_out_are_known_by_what_only_the_app_writes(tmp_path: Path, text: str, role: Any) -> None:
    found = messages_of(write(tmp_path, "2020/06/20, 10:00 - Li: hi", f"2020/06/20, 10:01 - Li: {text}"))[1]

    assert [media.role for media in found.media] == ([] if role is None else [role])
    assert all(media.state is MediaState.OMITTED for media in found.media)


@pytest.mark.parametrize(
    "text",
    [
        "IMG-20200620-WA0001.jpg (file attached)",
        "IMG-20200620-WA0001.jpg (Datei angehängt)",
        "IMG-20200620-WA0001.jpg (文件附件)",
        "\u200eIMG-20200620-WA0001.jpg (xyz zyx)\nlook at this",
        "\u200e<attached: IMG-20200620-WA0001.jpg>",
        "\u200e<附件:IMG-20200620-WA0001.jpg>",
        "look \u200e<Anhang: IMG-20200620-WA0001.jpg>",
    ],
)
def test_attached_files_are_found_beside_the_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "IMG-20200620-WA0001.jpg").write_bytes(b"x")
    write(tmp_path, "2020/06/20, 10:00 - Li: hi", f"2020/06/20, 10:01 - Li: {text}")

    found = messages_of(tmp_path)[1]

    assert [(media.name, media.state, media.role) for media in found.media] == [
        ("IMG-20200620-WA0001.jpg", MediaState.PRESENT, MessageKind.IMAGE)
    ]


def test_an_attached_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    path = write(
        tmp_path, "2020/06/20, 10:00 - Li: PTT-20200620-WA0002.opus (file attached)", "2020/06/20, 10:01 - Li: x"
    )

    assert summary_of(path).media_missing == 1


@pytest.mark.parametrize(
    "text",
    [
        "This message was deleted", "You deleted this message.", "此消息已被删除", "您已删除此消息。", "你已刪除此訊息", "Diese Nachricht wurde gelöscht.",
        "This message was deleted by admin Li Wang", "You deleted this message as admin",
    ],
)  # fmt: skip
def test_a_deleted_message_leaves_a_tombstone(tmp_path: Path, text: str) -> None:
    found = messages_of(write(tmp_path, "2020/06/20, 10:00 - Li: hi", f"2020/06/20, 10:01 - Li: {text}"))[1]

    assert (found.kind, found.deletion) == (MessageKind.RECALL, DeletionState.RECALLED)


def test_who_writes_this_message_deleted_none(tmp_path: Path) -> None:
    found = messages_of(
        write(tmp_path, "2020/06/20, 10:00 - Li: this message", "2020/06/20, 10:01 - Li: This message was")
    )

    assert [message.deletion for message in found] == [DeletionState.NONE] * 2


@pytest.mark.parametrize("note", ["\u200e<Bu ileti değişti>", "<הודעה זו נערכה>", "<This message was edited>"])
def test_the_note_of_an_edit_is_known_by_the_mark_or_the_language(tmp_path: Path, note: str) -> None:
    found = messages_of(write(tmp_path, "2020/06/20, 10:00 - Li: hi", f"2020/06/20, 10:01 - Li: hello {note}"))[1]

    assert (found.text, len(found.edits)) == ("hello", 1)


def test_an_edited_message_loses_the_note_and_keeps_the_fact(tmp_path: Path) -> None:
    found = messages_of(
        write(tmp_path, "2020/06/20, 10:00 - Li: hi", "2020/06/20, 10:01 - Li: hello \u200e<This message was edited>")
    )[1]

    assert found.text == "hello"
    assert len(found.edits) == 1


def test_in_a_chat_of_two_the_one_who_did_not_name_it_is_the_owner(tmp_path: Path) -> None:
    found = messages_of(write(tmp_path, "2020/06/20, 10:00 - Li: hi", "2020/06/20, 10:01 - Me: hello"))

    assert [message.direction for message in found] == [Direction.IN, Direction.OUT]


def test_the_first_line_of_an_iphone_names_the_group(tmp_path: Path) -> None:
    told = read(
        write(
            tmp_path,
            "[20.06.20, 10:00:00] Trip: \u200eMessages and calls are end-to-end encrypted.",
            "\u200e[20.06.20, 10:00:01] Trip: \u200eLi added you",
            "[20.06.20, 10:00:05] \u200eLi: hi",
            name="_chat.txt",
        )
    )

    messages = [one for one in told if isinstance(one, Message)]
    assert isinstance(told[0], Conversation)
    assert told[0].title == "Trip"
    assert [message.kind for message in messages] == [MessageKind.SYSTEM, MessageKind.SYSTEM, MessageKind.TEXT]
    assert messages[2].sender_name == "Li"


def test_who_writes_about_encryption_is_no_group(tmp_path: Path) -> None:
    path = write(
        tmp_path, "25/04/2026, 21:03 - Li: hi", "25/04/2026, 21:04 - Wang: it is end-to-end encrypted",
        "25/04/2026, 21:05 - Wang: really",
    )  # fmt: skip

    assert [message.kind for message in messages_of(path)] == [MessageKind.TEXT] * 3
    conversation = next(told for told in read(path) if isinstance(told, Conversation))
    assert [one.name for one in conversation.participants] == ["Li", "Wang"]


def test_an_export_at_the_apps_limit_is_suspected_to_be_capped(tmp_path: Path) -> None:
    path = write(tmp_path, *[f"2020/06/20, {n // 600:02}:{n // 10 % 60:02} - Li: {n}" for n in range(10_000)])

    summary = summary_of(path)

    assert summary.messages == 10_000
    assert [finding.code for finding in summary.findings] == ["export-cap-suspected"]


def test_bytes_that_are_no_text_are_told_and_do_not_stop_the_reading(tmp_path: Path) -> None:
    path = write(tmp_path, "2020/06/20, 10:00 - Li: hi", "2020/06/20, 10:01 - Li: x", "2020/06/20, 10:02 - Li: end")
    path.write_bytes(path.read_bytes().replace(b"x", b"\xff\xfe"))

    summary = summary_of(path)

    assert summary.messages == 3
    assert [finding.code for finding in summary.findings] == ["text-not-utf-8"]


@pytest.mark.parametrize(
    "lines",
    [
        ["[2019-12-24, 12:23] Jane Doe: Hello John!", "[2020-01-17, 21:49] John Doe: Hello", "Jane!"],
        ["[LINE] Chat history in Team", "Saved on: 11/20/2026, 21:05", "", "Wed, 11/18/2026", "09:12AM\tAlice\thello"],
        ["2020-01-01 10:00:00,123 - root - INFO - started", "2020-01-01 10:00:01,123 - root - INFO - more"],
        ["2020-01-01 10:00:00 - INFO: started", "2020-01-01 10:00:01 - INFO: more"],
        ["[2020-01-01 10:00:00] local.ERROR: broken", "[2020-01-01 10:00:01] local.INFO: better"],
        ["[2019-04-16 02:09:11] <nick> hello", "[2019-04-16 02:09:12] <other> hi"],
        ["15/01/2024 09:30:45 - root: started", "15/01/2024 09:30:46 - root: more"],
        ["15/01/2024, 09:30:45 - app.web: started", "15/01/2024, 09:30:46 - app.web: more"],
        ["15/01/2024 09:30:45: main: started", "15/01/2024 09:30:46: main: more"],
        ["[2024-01-15 09:30:45] Alice: hi", "", "[2024-01-15 09:31:45] Me: yes", ""],
        ["2026년 4월 25일 오후 3:20, Kim : hello", "2026년 4월 25일 오후 3:21, Lee : hi"],
        ["25 Foo 2026, 21:03 - Li: one", "26 Foo 2026, 09:05 - Li: two"],
        ["2020-01-01, 10:00 - Minutes: of the meeting", *["We talked."] * 60],
        ["Dear Li,", "2020/06/20, 10:00 - Li: hi"],
        [""],
    ],
)
def test_what_only_resembles_it_is_not_taken(tmp_path: Path, lines: Any) -> None:
    with open_source(write(tmp_path, *lines, name="WhatsApp Chat with Li.txt")) as source:
        assert WhatsAppText().recognise(source).claims == {}


@pytest.mark.parametrize(
    "said",
    [
        "這訊息已刪除", "تم حذف هذه الرسالة", "הודעה זו נמחקה", "यह मैसेज डिलीट किया गया था", "Det här meddelandet raderades", "Tämä viesti poistettiin",
        "Ta wiadomość została usunięta", "Це повідомлення видалено", "Acest mesaj a fost șters", "Tin nhắn này đã bị xóa", "ข้อความนี้ถูกลบแล้ว",
    ],
)  # fmt: skip
def test_a_deleted_message_is_known_in_more_languages(tmp_path: Path, said: str) -> None:
    path = tmp_path / "WhatsApp Chat with Tom.txt"
    path.write_text(f"15/03/2024, 14:05 - Tom: hi\n15/03/2024, 14:06 - Tom: {said}\n", "utf-8")

    first, second = first_messages(path)

    assert (first.deletion, second.deletion) == (DeletionState.NONE, DeletionState.RECALLED)


def test_a_day_of_the_hijri_calendar_is_counted_and_its_time_is_unknown(tmp_path: Path) -> None:
    found = messages_of(write(tmp_path, "30/02/1445, 09:30 - Li: one", "01/03/1445, 09:31 - Li: two"))

    assert [(message.text, message.ts_utc_us) for message in found] == [("one", None), ("two", None)]
    assert found[0].ts_raw == "30/02/1445, 09:30"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1402/12/29", "2024-03-19"), ("1403/1/1", "2024-03-20"), ("1403/12/30", "2025-03-20"), ("1404/1/1", "2025-03-21"),
        ("1399/12/30", "2021-03-20"), ("1395/12/30", "2017-03-20"), ("1408/12/30", "2030-03-20"),
    ],
)  # fmt: skip
def test_the_persian_calendar_is_counted_with_its_leap_years(tmp_path: Path, written: str, meant: str) -> None:
    assert at(messages_of(write(tmp_path, f"{written}، 09:30 - Li: one"))[0])[:10] == meant


def test_a_short_german_export_with_seconds_is_known_by_the_notice_of_encryption(tmp_path: Path) -> None:
    path = write(
        tmp_path, "15.04.2016, 15:04:10 - You created group “Sample Group”",
        "06.08.2016, 13:18:10 - Messages you send to this group are now secured with end-to-end encryption.",
        "06.08.2016, 13:23:10 - Ash Ketchum: Hey guys!",
        name="samplechat.txt",
    )  # fmt: skip

    assert (summary_of(path).format, summary_of(path).messages) == ("whatsapp-text", 3)
    path.write_text(path.read_text().replace("end-to-end encryption", "a rope"))
    assert summarise(path) is None
