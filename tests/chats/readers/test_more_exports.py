"""What the exports of SMS, Google Voice, Matrix, Skype and WeChat's tools say, in the model."""

import contextlib
import json
import tarfile
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of, tell_all
from chat_samples import SAMPLES, qq_exported, qq_exporter_facts

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, DeletionState, Direction, Finding, MediaState, Message, MessageKind
from backupkit.chats.readers.google_voice import GoogleVoice
from backupkit.chats.readers.matrix_json import MatrixJson
from backupkit.chats.readers.matrix_text import MatrixText
from backupkit.chats.readers.qq_exporter import QqExporter
from backupkit.chats.readers.skype_json import SkypeJson
from backupkit.chats.readers.sms_xml import SmsXml
from backupkit.chats.readers.wechat_chatlog import WechatChatlog
from backupkit.chats.readers.wechat_chatlog_csv import WechatChatlogCsv
from backupkit.chats.readers.wechat_memotrace import WechatMemotrace
from backupkit.chats.readers.wechat_weflow import WechatWeflow
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


def test_messages_of_the_phone_are_read_with_their_emoji_and_line_ends(tmp_path: Path) -> None:
    found = messages_with(SmsXml(), sample(tmp_path, "sms-xml"))

    assert found[0].text == "早安 😊 &\n二"
    assert (found[0].direction, found[0].sender_name, found[0].ts_utc_us) == (Direction.IN, "外婆", 1684000000123_000)
    assert b'body="\xe6\x97\xa9' in found[0].raw
    assert [message.direction for message in found[1:]] == [
        Direction.OUT, Direction.IN, Direction.IN, Direction.OUT, Direction.OUT,
    ]  # fmt: skip


def test_a_multimedia_message_tells_its_sender_parts_and_broken_data(tmp_path: Path) -> None:
    found = messages_with(SmsXml(), sample(tmp_path, "sms-xml"))[3]

    assert (found.conversation, found.sender_id, found.text, found.native_id) == (
        "+861380~+861381",
        "+861381",
        "look",
        "abc",
    )
    assert [(media.name, media.state) for media in found.media] == [
        ("a.jpg", MediaState.PRESENT),
        ("b.jpg", MediaState.CORRUPT),
    ]


def test_an_sms_backup_that_was_cut_is_told(tmp_path: Path) -> None:
    path = sample(tmp_path, "sms-xml")
    path.write_bytes(path.read_bytes()[:-60])

    summary = summary_of(path)

    assert summary.messages == 5
    assert [finding.code for finding in summary.findings] == ["export-cut"]


def test_entities_are_refused_before_they_grow(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xml"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE smses [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><smses count="1"><sms date="1" body="&b;"/></smses>'
    )

    with open_source(path) as source, pytest.raises(MalformedExport) as caught:
        list(SmsXml().read(source, SmsXml().recognise(source)))

    assert caught.value.reason == "entities-refused"


def test_emoji_references_that_a_block_divides_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "sms.xml"
    pair = "&#55357;&#56842;"
    records = "".join(
        f'<sms address="1" date="1684000000{number:03}" type="1" body="{pair * 50}" />\n' for number in range(600)
    )
    path.write_text(f'<smses count="600">{records}</smses>')

    found = messages_with(SmsXml(), path)

    assert len(found) == 600
    assert {message.text for message in found} == {"😊" * 50}
    assert all(message.raw.startswith(b"<sms ") and message.raw.endswith('😊" />'.encode()) for message in found)


def test_a_voice_page_is_read_with_its_line_breaks_and_its_files(tmp_path: Path) -> None:
    sample(tmp_path, "google-voice")
    (tmp_path / "Ada - Text - 2023-09-20T00_54_54Z-1-1.jpg").write_bytes(b"x")

    found = messages_with(GoogleVoice(), tmp_path)

    assert found[0].text == "Hi\nthere & you"
    assert (found[0].ts_utc_us, found[0].ts_zone) == (1695171294_915_000, "offset")
    assert found[0].media[0].state is MediaState.PRESENT
    assert [message.direction for message in found] == [Direction.IN, Direction.OUT]
    assert found[1].raw.startswith(b'<div class="message">')
    assert found[1].raw.endswith(b"</div>")


VOICEMAIL = """<?xml version="1.0" ?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Voicemail from
Ada</title></head>
<body><div class="haudio"><span class="album">Call Log for
</span>
<span class="fn">Voicemail from
Ada</span>
<div class="contributor vcard">Voicemail from
<a class="tel" href="tel:+1732"><span class="fn">Ada</span></a></div>
<abbr class="published" title="2018-07-23T09:23:31.000-07:00">Jul 23, 2018, 9:23:31 AM
Pacific Time</abbr>
Transcript:
<span class="description"><span class="full-text">Hi, <span>this</span> is Ada &amp; me.</span>
<br />
<audio controls="controls" src="Ada - Voicemail - 2018-07-23T16_23_31Z.mp3"><a rel="enclosure" href="Ada - Voicemail - 2018-07-23T16_23_31Z.mp3">Audio</a></audio>
<abbr class="duration" title="PT18S">(00:00:18)</abbr>
<div class="tags">Labels:
<a rel="tag" href="http://www.google.com/voice#voicemail">Voicemail</a></div>
<div class="deletedStatusContainer">User Deleted:
False</div></div></body></html>
"""


def test_what_was_left_on_the_answering_machine_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "Ada - Voicemail - 2018-07-23T16_23_31Z.html").write_text(VOICEMAIL, "utf-8")
    (tmp_path / "Ada - Voicemail - 2018-07-23T16_23_31Z.mp3").write_bytes(b"x")

    told = read_with(GoogleVoice(), tmp_path)

    about, message = told
    assert isinstance(about, Conversation)
    assert isinstance(message, Message)
    assert (about.key, [(one.id, one.name) for one in about.participants]) == ("+1732", [("+1732", "Ada")])
    assert (message.text, message.sender_name, message.direction) == ("Hi, this is Ada & me.", "Ada", Direction.IN)
    assert (message.kind, message.media[0].state) == (MessageKind.VOICE, MediaState.PRESENT)
    assert message.ts_utc_us == 1532363011 * 1_000_000


@pytest.mark.parametrize(("gone", "messages"), [("full-text", 1), ("<audio", 1), ("both", 0)])
def test_a_call_is_a_message_only_where_something_was_left(tmp_path: Path, gone: str, messages: int) -> None:
    page = VOICEMAIL
    if gone in {"full-text", "both"}:
        page = page.replace('<span class="full-text">Hi, <span>this</span> is Ada &amp; me.</span>', "")
    if gone in {"<audio", "both"}:
        page = page.partition("<audio")[0] + page.partition("</audio>")[2]
    (tmp_path / "Ada - Voicemail - 2018-07-23T16_23_31Z.html").write_text(page, "utf-8")

    told = read_with(GoogleVoice(), tmp_path)

    assert len([one for one in told if isinstance(one, Message)]) == messages
    assert not [one for one in told if isinstance(one, Finding)]


def test_who_spoke_in_a_recorded_call_is_not_said(tmp_path: Path) -> None:
    page = VOICEMAIL.replace("#voicemail", "#recorded")
    (tmp_path / "Ada - Recorded - 2018-07-23T16_23_31Z.html").write_text(page, "utf-8")

    (message,) = messages_with(GoogleVoice(), tmp_path)

    assert message.direction is Direction.UNKNOWN


def test_a_matrix_room_keeps_redactions_replies_and_counts_what_nobody_could_read(tmp_path: Path) -> None:
    path = sample(tmp_path, "matrix-json")
    found = messages_with(MatrixJson(), path)
    path.write_bytes(path.read_bytes().replace(b'"m.room.member"', b'"m.room.encrypted"'))

    assert [message.kind for message in found[1:4]] == [MessageKind.IMAGE, MessageKind.SYSTEM, MessageKind.RECALL]
    assert found[4].reply_to == "$e0"
    assert [finding.code for finding in summary_of(path).findings] == ["undecryptable"]


def test_a_skype_archive_is_read_out_of_its_tar(tmp_path: Path) -> None:
    path = sample(tmp_path, "skype-json")
    archive = tmp_path / "8_me_export.tar"
    with tarfile.open(archive, "w") as made:
        made.add(path, "messages.json")

    summary = summary_of(archive)
    found = messages_with(SkypeJson(), archive)

    assert (summary.messages, summary.conversations) == (5, 2)
    assert found[2].text == "hi 3 & you"
    assert (found[0].deletion, found[0].reactions[0].symbol) == (DeletionState.TOMBSTONE, "like")
    assert found[1].media[0].name == "a.jpg"
    assert [message.direction for message in found] == [
        Direction.OUT,
        Direction.IN,
        Direction.OUT,
        Direction.IN,
        Direction.OUT,
    ]


def skype_room(tmp_path: Path, *records: dict[str, object], **facts: object) -> Path:
    """Write a Skype export with one conversation; its records are newest first."""
    common = {"displayName": None, "messagetype": "RichText", "from": "8:ada", "properties": None}
    said = [
        {**common, "id": str(number), "originalarrivaltime": f"2020-09-13T12:26:{50 - number}.000Z", **record}
        for number, record in enumerate(records)
    ]
    room = {"id": "8:ada", "displayName": "Ada", **facts, "MessageList": said}
    path = tmp_path / "messages.json"
    path.write_text(json.dumps({"userId": "8:me", "exportDate": "2025-05-01T00:00", "conversations": [room]}), "utf-8")
    return path


QUOTE = '<quote author="me" authorname="Me" timestamp="1" messageid="77"><legacyquote>[1] Me: </legacyquote>when?<legacyquote>\n\n&lt;&lt;&lt; </legacyquote></quote>'


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("RichText", f"{QUOTE}at <b>five</b> &amp; six", ("at five & six", "77")),
        ("RichText", QUOTE, ("when?", None)),
        ("RichText", f"</quote>{'<quote>' * 3}x", ("x", None)),
        ("Event/Call", '<partlist type="ended" alt=""><part identity="8:ada"><name>Ada</name><duration>84.82</duration></part><part identity="8:me"><name>Me</name></part></partlist>', ("ended 84 s Ada, Me", None)),
        ("ThreadActivity/TopicUpdate", "<topicupdate><eventtime>1</eventtime><initiator>8:ada</initiator><value>Tea &amp; co</value></topicupdate>", ("Tea & co", None)),
        ("ThreadActivity/AddMember", "<addmember><initiator>8:ada</initiator><target>8:bob</target><target>8:eve</target></addmember>", ("8:bob, 8:eve", None)),
        ("RichText/Contacts", '<contacts><c t="s" s="bob" f="Bob B"/></contacts>', ("Bob B", None)),
    ],
)  # fmt: skip
def test_skypes_markup_is_told_as_the_app_showed_it(
    tmp_path: Path, kind: str, content: str, expected: tuple[str, str | None]
) -> None:
    (found,) = messages_with(SkypeJson(), skype_room(tmp_path, {"messagetype": kind, "content": content}))

    assert (found.text, found.reply_to) == expected


def test_an_edit_in_skype_is_told_with_its_message_also_where_it_is_a_record_of_its_own(tmp_path: Path) -> None:
    # The first record is of 12:26:50, and says that what it changes was written at 12:26:47.
    mark = '<e_m ts="1600000007" ts_ms="1600000007000" a="ada" t="61"/>'
    path = skype_room(
        tmp_path,
        {"content": f"Edited previous message: three{mark}"},
        {"content": "between", "from": "8:me"},
        {"content": f"two{mark}"},
        {"content": "one"},
        {"content": "kept<e_m ts_ms='1' a='ada'/>", "properties": {"edittime": "1600000020000"}},
    )

    found = messages_with(SkypeJson(), path)

    assert [one.text for one in found] == ["between", "three", "kept"]
    assert [(edit.ts_utc_us, edit.text) for edit in found[1].edits] == [
        (1600000008000_000, "one"),
        (1600000010000_000, "two"),
    ]
    assert (found[1].native_id, found[1].ts_utc_us) == ("3", 1600000007000_000)


def test_an_edit_in_skype_whose_message_is_gone_stands_alone_and_a_cut_loses_none(tmp_path: Path) -> None:
    mark = '<e_m ts_ms="1599990000000" a="ada" t="61"/>'
    path = skype_room(tmp_path, {"content": f"new{mark}"}, {"content": "old"})
    path.write_bytes(path.read_bytes()[:-30])

    with open_source(path) as source:
        told: list[Told] = []
        with contextlib.suppress(MalformedExport):
            tell_all(SkypeJson().read(source, SkypeJson().recognise(source)), told)

    assert "new" in [one.text for one in told if isinstance(one, Message)]


@pytest.mark.parametrize(
    "sender", ["8:me", "me", "https://db4.client-s.gateway.messenger.live.com/v1/users/ME/contacts/8:me"]
)
def test_the_owner_of_a_skype_export_is_known_however_the_name_is_written(tmp_path: Path, sender: str) -> None:
    own, other = messages_with(SkypeJson(), skype_room(tmp_path, {"content": "a", "from": sender}, {"content": "b"}))

    assert (own.direction, other.direction) == (Direction.OUT, Direction.IN)


def test_skypes_files_are_found_by_what_their_messages_refer_to(tmp_path: Path) -> None:
    content = '<URIObject type="Picture.1" doc_id="0-weu-d1-a">To view this shared photo, go to: <a href="x">x</a><OriginalName v="a.jpg"/><FileSize v="2048"/></URIObject>'
    kind = "RichText/UriObject"
    skype_room(
        tmp_path,
        {"messagetype": kind, "content": content, "amsreferences": ["0-weu-d1-a"]},
        {"messagetype": kind, "content": content.replace("d1-a", "d1-b")},
    )
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "0-weu-d1-a.1.jpg").write_bytes(b"x")
    (tmp_path / "media" / "0-weu-d1-b.json").write_bytes(b"{}")

    found = [one.media[0] for one in messages_with(SkypeJson(), tmp_path)]

    assert [(one.name, one.state, one.size_bytes) for one in found] == [
        ("media/0-weu-d1-a.1.jpg", MediaState.PRESENT, 2048),
        ("a.jpg", MediaState.OMITTED, 2048),
    ]


def test_a_skype_group_is_called_by_its_topic_and_reactions_by_who_gave_them(tmp_path: Path) -> None:
    liked = {"emotions": [{"key": "like", "users": [{"mri": "8:bob"}, {"mri": "8:eve"}]}, {"key": "cake"}]}
    path = skype_room(
        tmp_path, {"content": "a", "properties": liked}, displayName=None, threadProperties={"topic": "Tea"}
    )

    (found,) = messages_with(SkypeJson(), path)

    assert summary_of(path).by_conversation[0].title == "Tea"
    assert [(one.symbol, one.sender) for one in found.reactions] == [
        ("like", "8:bob"),
        ("like", "8:eve"),
        ("cake", None),
    ]


def test_a_tar_that_was_cut_still_shows_what_is_whole(tmp_path: Path) -> None:
    path = sample(tmp_path, "skype-json")
    archive = tmp_path / "export.tar"
    with tarfile.open(archive, "w") as made:
        made.add(path, "messages.json")
        (tmp_path / "big.bin").write_bytes(bytes(50_000))
        made.add(tmp_path / "big.bin", "big.bin")
    archive.write_bytes(archive.read_bytes()[:30_000])

    summary = summary_of(archive)

    assert summary.messages == 5
    assert [finding.code for finding in summary.findings] == ["archive-damaged"]


def test_a_weflow_session_is_read_and_its_declared_count_is_compared(tmp_path: Path) -> None:
    path = sample(tmp_path, "wechat-weflow json")
    found = messages_with(WechatWeflow(), path)
    (conversation, *_rest) = read_with(WechatWeflow(), path)
    path.write_text(path.read_text("utf-8").replace('"messageCount": 6', '"messageCount": 60'), "utf-8")

    assert isinstance(conversation, Conversation)
    assert (conversation.key, conversation.title, conversation.declared_messages) == ("wxid_b", "外婆", 6)
    assert [message.kind for message in found[:3]] == [MessageKind.TEXT, MessageKind.IMAGE, MessageKind.RECALL]
    assert [message.direction for message in found[:3]] == [Direction.OUT, Direction.IN, Direction.SYSTEM]
    assert [finding.code for finding in summary_of(path).findings] == ["declared-differs"]


def test_a_chatlog_list_is_read(tmp_path: Path) -> None:
    found = messages_with(WechatChatlog(), sample(tmp_path, "wechat-chatlog json"))

    assert [message.kind for message in found[:4]] == [
        MessageKind.TEXT, MessageKind.IMAGE, MessageKind.PAYMENT, MessageKind.RECALL,
    ]  # fmt: skip
    assert found[0].ts_utc_us == 1700000000_000_000
    assert found[1].media[0].declared_digest == "0f" * 16
    assert (found[0].direction, found[1].direction, found[3].direction) == (
        Direction.OUT,
        Direction.IN,
        Direction.SYSTEM,
    )


def test_both_csv_files_of_memotrace_are_read(tmp_path: Path) -> None:
    whole = messages_with(WechatMemotrace(), sample(tmp_path, "wechat-memotrace whole"))
    (tmp_path / "messages.csv").unlink()
    one = messages_with(WechatMemotrace(), sample(tmp_path, "wechat-memotrace one"))

    assert [(message.conversation, message.text) for message in whole] == [
        ("talker 3", "早安,\n外婆"), ("talker 3", ""), ("talker 4", "hi"),
    ]  # fmt: skip
    assert whole[0].raw.decode() == '1,3,1,0,1,1700000000,,"早安,\n外婆",2023-11-15 06:13:20,外婆,b,我\n'
    assert [(message.native_id, message.kind) for message in one] == [
        ("88001", MessageKind.TEXT),
        ("88002", MessageKind.IMAGE),
    ]


def test_qqchatexporters_parts_are_all_read_or_told(tmp_path: Path) -> None:
    chunks = [{"index": number, "fileName": f"c{number}.jsonl", "count": 3} for number in range(3)]
    manifest = {**qq_exporter_facts(9), "chunked": {"chunksDir": "chunks", "chunks": chunks}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (tmp_path / "chunks").mkdir()
    for number in range(3):
        lines = [json.dumps(qq_exported(number * 3 + place)) for place in range(3)]
        (tmp_path / "chunks" / f"c{number}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")

    whole = summary_of(tmp_path)
    (tmp_path / "chunks" / "c1.jsonl").unlink()
    lacking = summary_of(tmp_path)

    assert (whole.format, whole.messages, whole.findings) == ("qq-exporter", 9, ())
    assert lacking.messages == 6
    assert {finding.code for finding in lacking.findings} == {"shard-missing", "declared-differs"}


def test_qqchatexporters_messages_have_sides_kinds_and_names(tmp_path: Path) -> None:
    file, data = SAMPLES["qq-exporter json"](tmp_path)
    (tmp_path / file).write_bytes(data)

    first, second, third, fourth, *_rest = messages_with(QqExporter(), tmp_path / file)

    assert (first.sender_id, first.sender_name, first.direction, first.ts_utc_us) == (
        "10000",
        "外婆",
        Direction.IN,
        1667025720_000_000,
    )
    assert (second.direction, second.kind, second.media[0].state) == (
        Direction.OUT,
        MessageKind.IMAGE,
        MediaState.OMITTED,
    )
    assert (third.direction, third.kind) == (Direction.SYSTEM, MessageKind.SYSTEM)
    assert (fourth.kind, fourth.deletion) == (MessageKind.RECALL, DeletionState.RECALLED)


def sms(tmp_path: Path, *records: str) -> Path:
    """Write a backup of the phone's messages."""
    path = tmp_path / "sms.xml"
    path.write_text(f'<smses count="{len(records)}">{"".join(records)}</smses>', "utf-8")
    return path


def test_the_names_of_the_phones_contacts_are_told_apart(tmp_path: Path) -> None:
    path = sms(
        tmp_path,
        '<sms address="+49151" date="1336729664538" type="2" body="out" contact_name="(Unknown)" />',
        '<sms address="+49151" date="1336729664539" type="2" body="out" contact_name="Anna" />',
        '<sms address="777" date="1336729664540" type="1" body="code" contact_name="(Unknown)" />',
        '<mms address="+1~+2" date="1389027620000" msg_box="1" contact_name="Max, Erika" sub="a subject"><parts /><addrs>'
        '<addr address="+2" type="137" /></addrs></mms>',
        '<mms address="+3~+4" date="1389027620001" msg_box="4" contact_name="Max" text_only="1"><parts /></mms>',
    )

    told = read_with(SmsXml(), path)

    conversations = {one.key: one for one in told if isinstance(one, Conversation)}
    titles = {key: one.title for key, one in conversations.items()}
    assert titles == {"+49151": "Anna", "777": None, "+1~+2": "Max, Erika", "+3~+4": "Max"}
    assert [person.name for person in conversations["+1~+2"].participants] == ["Max", "Erika"]
    assert [person.name for person in conversations["+3~+4"].participants] == [None, None]
    group, unsent = [one for one in told if isinstance(one, Message)][3:]
    assert (group.sender_id, group.sender_name, group.text) == ("+2", "Erika", "a subject")
    assert (unsent.direction, unsent.sender_name) == (Direction.OUT, None)


def test_who_of_a_group_wrote_is_nobody_where_it_is_not_told(tmp_path: Path) -> None:
    path = sms(
        tmp_path,
        '<mms address="+1~+2" date="1389027620000" msg_box="1" contact_name="Max, Erika" sub="hi"><parts /></mms>',
    )

    (found,) = messages_with(SmsXml(), path)

    assert (found.conversation, found.sender_id, found.sender_name, found.direction) == (
        "+1~+2",
        None,
        None,
        Direction.IN,
    )


def test_a_call_that_nobody_took_came_in(tmp_path: Path) -> None:
    path = tmp_path / "calls.xml"
    records = (f'<call number="1" duration="0" date="1336729664{kind}00" type="{kind}" />' for kind in range(1, 7))
    path.write_text(f'<calls count="6">{"".join(records)}</calls>')

    found = messages_with(SmsXml(), path)

    assert [message.direction for message in found] == [Direction.IN, Direction.OUT, *[Direction.IN] * 4]
    assert {message.kind for message in found} == {MessageKind.CALL}


def test_chatlogs_table_tells_directions_kinds_and_recalls(tmp_path: Path) -> None:
    path = sample(tmp_path, "wechat-chatlog-csv")

    found = messages_with(WechatChatlogCsv(), path)
    summary = summary_of(path)

    assert (summary.format, summary.messages, summary.conversations) == ("wechat-chatlog-csv", 4, 2)
    assert [(one.direction, one.kind) for one in found] == [
        (Direction.IN, MessageKind.TEXT),
        (Direction.OUT, MessageKind.IMAGE),
        (Direction.SYSTEM, MessageKind.RECALL),
        (Direction.UNKNOWN, MessageKind.TEXT),
    ]
    assert (found[0].native_id, found[0].sender_name, found[0].ts_utc_us) == (
        "1700000000001",
        "外婆",
        1700028800_000_000,
    )
    assert {one.key: (one.title, one.kind.value) for one in summary.by_conversation} == {
        "wxid_li": ("外婆", "private"),
        "1@chatroom": ("一家人", "group"),
    }


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("[语音](http://127.0.0.1:5030/voice/77)", MessageKind.VOICE), ("[语音通话]", MessageKind.CALL), ("[名片]", MessageKind.CONTACT),
        ("![视频](http://127.0.0.1:5030/video/ab,cd)", MessageKind.VIDEO), ("![动画表情](http://x.cn/a)", MessageKind.STICKER),
        ("[文件|合同.pdf](http://127.0.0.1:5030/file/ab)", MessageKind.FILE), ("[位置|人民广场|上海]", MessageKind.LOCATION),
        ("[链接|新闻](https://x.cn)", MessageKind.LINK), ("[转账|发送 ￥5.00]", MessageKind.PAYMENT), ("[合并转发]", MessageKind.FORWARD),
        ("[未知]", MessageKind.TEXT), ("> [引用]\n好", MessageKind.TEXT),
    ],
)  # fmt: skip
def test_chatlogs_words_in_brackets_are_kinds(tmp_path: Path, content: str, kind: MessageKind) -> None:
    path = tmp_path / "a.csv"
    row = content.replace('"', '""')
    path.write_text(f'Time,SenderName,Sender,TalkerName,Talker,Content\n2023-11-15 06:13:20,a,b,c,d,"{row}"\n', "utf-8")

    (message,) = messages_with(WechatChatlogCsv(), path)

    assert (message.kind, message.text, message.native_id) == (kind, content, None)


def test_what_no_xml_may_hold_hides_no_other_message(tmp_path: Path) -> None:
    def record(body: bytes) -> bytes:
        return b'<sms address="+49151" date="1336729664538" type="1" body="%b" />\n' % body

    odd = [b"a &#0; b", b"half &#55357; a pair", b"bell \x07", b"\xed\xa0\xbd\xed\xb8\x80", b"\xef\xbf\xbf", b"caf\xe9"]
    path = tmp_path / "sms.xml"
    path.write_bytes(
        b"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n<smses count=\"8\">\n"
        + record(b"plain" * 200)
        + b"".join(map(record, odd))
        + record(b"&#55357;&#56832;")
        + b"</smses>"
    )

    found = messages_with(SmsXml(), path)
    summary = summary_of(path)

    assert [message.text for message in found[1:]] == [
        "a \ufffd b",
        "half \ufffd a pair",
        "bell \ufffd",
        "😀",
        "\ufffd",
        "caf\ufffd",
        "😀",
    ]
    assert [(one.code, one.facts["count"]) for one in summary.findings] == [("text-not-utf-8", 1)]


@pytest.mark.parametrize("pair", [b"&#55357;&#56832;", b"\xed\xa0\xbd\xed\xb8\x80", "😀".encode()])
def test_a_character_of_a_text_message_may_lie_across_two_blocks(tmp_path: Path, pair: bytes) -> None:
    path = tmp_path / "sms.xml"
    head = b'<smses count="1"><sms address="1" date="1336729664538" type="1" body="'
    for shift in range(14):
        before = b"x" * ((1 << 16) - len(head) - shift)
        path.write_bytes(head + before + pair + b'" /></smses>')

        (found,) = messages_with(SmsXml(), path)

        assert found.text == before.decode() + "😀"


def test_a_chatlog_message_that_is_no_text_may_lack_words(tmp_path: Path) -> None:
    said = {"seq": 1, "time": "2024-01-01T10:00:00+08:00", "talker": "wxid_li", "sender": "wxid_li", "isSelf": False, "type": 1, "content": "hi"}  # fmt: skip
    shown = {**said, "seq": 2, "type": 3, "contents": {"md5": "0a"}}
    del shown["content"]
    path = tmp_path / "chatlog.json"
    path.write_text(json.dumps([shown, said]), "utf-8")

    summary = summary_of(path)

    assert (summary.format, summary.messages) == ("wechat-chatlog", 2)


def read_qq(path: Path, *contents: dict[str, object]) -> list[Message]:
    messages = [{**qq_exported(number), "content": content} for number, content in enumerate(contents)]
    (path / "group.json").write_text(json.dumps({**qq_exporter_facts(len(messages)), "messages": messages}), "utf-8")
    return messages_with(QqExporter(), path)


def test_messages_forwarded_as_one_in_qq_are_shown_whole(tmp_path: Path) -> None:
    inner = [
        {"sender": {"name": f"P{place}"}, "content": {"text": f"part {place} " + "long " * 20}} for place in range(5)
    ]
    text = "see\n[转发消息: 5条]\n  P0: part 0 long…\n  P1: part 1 long…\n  P2: part 2 long…"
    forward = {"type": "forward", "data": {"title": "聊天记录", "messageCount": 5, "messages": inner}}
    unloaded = {"type": "forward", "data": {"messageCount": 2, "messages": []}}

    whole, mark = read_qq(
        tmp_path,
        {"text": text, "resources": [], "elements": [forward]},
        {"text": "[转发消息: 2条]\n  A: hi", "resources": [], "elements": [unloaded]},
    )

    lines = whole.text.split("\n")
    assert lines[:2] == ["see", "[转发消息: 5条]"]
    assert lines[2:] == [f"P{place}: part {place} " + "long " * 20 for place in range(5)]
    assert mark.text == "[转发消息: 2条]\n  A: hi"


def test_cards_and_texts_in_markdown_of_qq_are_words_and_not_marks(tmp_path: Path) -> None:
    card = {"title": "Trip", "description": "Saturday at nine", "url": "https://x.invalid/t", "summary": "Trip"}
    nameless = {"title": "JSON消息", "content": "{}"}

    shown = read_qq(
        tmp_path,
        {"text": "[JSON消息]", "resources": [], "elements": [{"type": "json", "data": card}]},
        {"text": "[JSON消息]", "resources": [], "elements": [{"type": "json", "data": nameless}]},
        {
            "text": "[Markdown消息]",
            "resources": [],
            "elements": [{"type": "markdown", "data": {"content": "# Rules"}}, 7],
        },
    )

    assert [one.text for one in shown] == ["Trip\nSaturday at nine\nhttps://x.invalid/t", "[JSON消息]", "# Rules"]


def test_an_answer_in_qq_names_the_message_that_it_answers(tmp_path: Path) -> None:
    reply = {"type": "reply", "data": {"messageId": "3", "referencedMessageId": "740", "senderName": "外婆"}}
    lost = {"type": "reply", "data": {"messageId": "3", "referencedMessageId": None}}

    _first, answer, unknown = read_qq(
        tmp_path,
        {"text": "早安", "resources": []},
        {"text": "[回复消息]好", "resources": [], "elements": [reply]},
        {"text": "[回复消息]好", "resources": [], "elements": [lost]},
    )

    assert (answer.reply_to, unknown.reply_to) == ("740", None)


def test_the_parts_of_a_qq_export_may_be_listed_by_name_alone(tmp_path: Path) -> None:
    parts = [{"fileName": "c1.jsonl"}, "c2.jsonl"]
    manifest = {
        "metadata": {"name": "QQChatExporter V5"},
        "chatInfo": {"name": "tea", "type": "group"},
        "chunked": {"chunksDir": "chunks", "chunks": parts},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (tmp_path / "chunks").mkdir()
    for number in (1, 2):
        line = json.dumps(
            {"id": str(number), "timestamp": 1700000000000, "sender": {"uid": "u"}, "content": {"text": "hi"}}
        )
        (tmp_path / "chunks" / f"c{number}.jsonl").write_text(line + "\n", "utf-8")

    summary = summary_of(tmp_path)

    assert (summary.format, summary.messages, summary.findings) == ("qq-exporter", 2, ())


def test_two_qq_chats_with_one_title_and_no_number_are_not_mixed(tmp_path: Path) -> None:
    for file, text in (("group_1.json", "tea"), ("group_2.json", "coffee")):
        message = {"id": "1", "timestamp": 1700000000000, "sender": {"uid": "u"}, "content": {"text": text}}
        (tmp_path / file).write_text(json.dumps(qq_exporter_facts(1) | {"messages": [message]}), "utf-8")

    summary = summary_of(tmp_path)
    found = sorted((one.conversation, one.text) for one in messages_with(QqExporter(), tmp_path))

    assert [(one.title, one.messages) for one in summary.by_conversation] == [("一家人", 1)] * 2
    assert found == [("group_1.json", "tea"), ("group_2.json", "coffee")]
    assert summary.findings == ()


def test_a_qq_chat_without_a_number_stays_the_same_in_the_next_export(tmp_path: Path) -> None:
    """Its file bears the time of the export in its name; as another conversation, all of it would seem deleted."""
    message = {"id": "1", "timestamp": 1700000000000, "sender": {"uid": "u"}, "content": {"text": "tea"}}
    for day in ("20250101", "20250202"):
        (tmp_path / day).mkdir()
        file = tmp_path / day / f"group_{day}_120000.json"
        file.write_text(json.dumps(qq_exporter_facts(1) | {"messages": [message]}), "utf-8")

    first, second = (messages_with(QqExporter(), tmp_path / day) for day in ("20250101", "20250202"))

    assert [one.conversation for one in first] == [one.conversation for one in second]


def test_the_owner_of_a_voice_page_is_known_in_every_language(tmp_path: Path) -> None:
    def said(name: str, tel: str, text: str) -> str:
        return (
            '<div class="message"><abbr class="dt" title="2024-05-22T21:48:32.703-07:00">x</abbr>:\n'
            f'<cite class="sender vcard"><a class="tel" href="tel:{tel}">{name}</a></cite>:\n<q>{text}</q></div>'
        )

    own = said('<abbr class="fn" title="">Moi</abbr>', "+1", "salut")
    other = said('<span class="fn">Zoé</span>', "+2", "oui")
    (tmp_path / "Zoé - Text - 2024.html").write_text(
        f'<html><body><div class="hChatLog hfeed">{own}{other}</div></body></html>', "utf-8"
    )

    found = messages_with(GoogleVoice(), tmp_path)
    (conversation,) = summary_of(tmp_path).by_conversation

    assert [one.direction for one in found] == [Direction.OUT, Direction.IN]
    assert (conversation.key, conversation.kind.value) == ("+2", "private")


def test_what_element_could_not_decrypt_is_told_where_it_stands_as_a_message(tmp_path: Path) -> None:
    path = sample(tmp_path, "matrix-json")
    room = json.loads(path.read_text("utf-8"))
    room["messages"][0]["content"] = {"msgtype": "m.bad.encrypted", "body": "** Unable to decrypt: no key **"}
    path.write_text(json.dumps(room), "utf-8")

    first = messages_with(MatrixJson(), path)[0]
    (finding,) = summary_of(path).findings

    assert (first.kind, finding.code, finding.facts["count"]) == (MessageKind.OTHER, "undecryptable", 1)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        (["images/a-5-15-2023 at 10.01.02.jpg"], MediaState.PRESENT),
        (["images/a-5-15-2023.jpg", "images/a-6-15-2023.jpg"], MediaState.OMITTED),
        (["files/a-5-15-2023.jpg"], MediaState.OMITTED),
        ([], MediaState.OMITTED),
    ],
)
def test_elements_media_are_found_under_their_names_with_the_time(
    tmp_path: Path, files: list[str], state: MediaState
) -> None:
    sample(tmp_path, "matrix-json")
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"x")

    picture = messages_with(MatrixJson(), tmp_path)[1]

    assert [media.state for media in picture.media] == [state]


def test_elements_text_is_no_whatsapp_chat(tmp_path: Path) -> None:
    path = sample(tmp_path, "matrix-text")
    path.write_text(path.read_text("utf-8").replace("bob: bye", "bob: ** Unable to decrypt: no key **"), "utf-8")

    joined, first, picture, reply, sealed = messages_with(MatrixText(), path)
    summary = summary_of(path)

    assert (summary.format, summary.app, summary.messages, summary.by_conversation[0].title) == (
        "matrix-text",
        "element",
        5,
        "Tea",
    )
    assert [finding.code for finding in summary.findings] == ["undecryptable"]
    assert (joined.direction, joined.sender_name) == (Direction.SYSTEM, None)
    assert (first.sender_name, first.text, first.ts_utc_us) == (
        "ada",
        "早安: you\na second line\n1/13/2023, 10:01 AM - quoted",
        1673604062_000_000,
    )
    assert (picture.kind, picture.sender_name, picture.media[0].state) == (
        MessageKind.IMAGE,
        "bob",
        MediaState.OMITTED,
    )
    assert (reply.text, sealed.kind) == ("<ada> yes", MessageKind.OTHER)


def test_elements_text_is_known_by_what_happens_in_rooms_or_by_its_folder(tmp_path: Path) -> None:
    lines = "13.01.2023, 22:01:02 - Ada: hi\n13.01.2023, 22:01:03 - Bob: yo\n"
    folder = tmp_path / "Element - Tea - Chat Export - 13 Jan"
    folder.mkdir()
    (folder / "export.txt").write_text(lines)
    (tmp_path / "a.txt").write_text(lines + "13.01.2023, 22:01:04 - Ada enabled end-to-end encryption.\n")
    (tmp_path / "b.txt").write_text(lines)

    found = {path.name: summary_of(path).format for path in (folder, tmp_path / "a.txt", tmp_path / "b.txt")}

    assert found == {folder.name: "matrix-text", "a.txt": "matrix-text", "b.txt": "whatsapp-text"}
    assert summary_of(folder).by_conversation[0].title == "Tea"


def test_an_answer_in_matrix_does_not_repeat_the_message_that_it_answers(tmp_path: Path) -> None:
    path = sample(tmp_path, "matrix-json")
    room = json.loads(path.read_text("utf-8"))
    relates = {"m.in_reply_to": {"event_id": "$e0"}}
    quoted = "> <@a:x.invalid> one\n> two\n\nyes\n> no"
    room["messages"][0]["content"] = {"msgtype": "m.text", "body": quoted, "m.relates_to": relates}
    room["messages"][1]["content"] = {"msgtype": "m.text", "body": quoted}
    path.write_text(json.dumps(room), "utf-8")

    answer, plain = messages_with(MatrixJson(), path)[:2]

    assert (answer.text, answer.reply_to) == ("yes\n> no", "$e0")
    assert (plain.text, plain.reply_to) == (quoted, None)
