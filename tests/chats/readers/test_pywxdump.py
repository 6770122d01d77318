"""What PyWxDump writes of WeChat: pages of CSV, lists of JSON, and the names beside them."""

import json
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import PYWXDUMP_COLUMNS, PYWXDUMP_USERS, SAMPLES

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.wechat_pywxdump import WechatPywxdump

AT = "2023-11-15 06:13:20"


def written(folder: Path, sample: str) -> Path:
    name, data = SAMPLES[sample](folder)
    (folder / name).write_bytes(data)
    return folder


def one(folder: Path, **fields: object) -> Message:
    """Return the one message of an export in JSON."""
    usual = {"id": 1, "MsgSvrID": "1", "type_name": "文本", "is_sender": 0, "talker": "wxid_li", "room_name": "wxid_li"}
    value = {**usual, "msg": "早", "src": "", "extra": {}, "CreateTime": AT, **fields}
    (folder / "wxid_li_0_2.json").write_text(json.dumps([value]), "utf-8")
    (message,) = messages_with(WechatPywxdump(), folder)
    return message


def test_a_page_is_read_with_what_the_owner_calls_people(tmp_path: Path) -> None:
    found = list(read_with(WechatPywxdump(), written(tmp_path, "wechat-pywxdump csv")))

    conversation = next(told for told in reversed(found) if isinstance(told, Conversation))
    messages = [told for told in found if isinstance(told, Message)]
    assert (conversation.key, conversation.title, conversation.kind) == ("wxid_li", "外婆", ConversationKind.PRIVATE)
    assert [(message.kind, message.text) for message in messages] == [
        (MessageKind.TEXT, "早安,\n宝贝"),
        (MessageKind.IMAGE, ""),
        (MessageKind.VOICE, "听见了"),
        (MessageKind.STICKER, ""),
        (MessageKind.LINK, "一篇文章\n很长\nhttps://example.org/"),
        (MessageKind.TEXT, "好\n> 外婆：早安"),
        (MessageKind.RECALL, '"外婆" 撤回了一条消息'),
    ]
    assert [message.direction for message in messages] == [
        Direction.IN, Direction.OUT, Direction.IN, Direction.OUT, Direction.IN, Direction.OUT, Direction.SYSTEM,
    ]  # fmt: skip
    assert (messages[0].sender_id, messages[0].sender_name) == ("wxid_li", "外婆")
    # The tool writes "me" for the owner, which is nobody's id.
    assert (messages[1].sender_id, messages[1].sender_name) == (None, None)
    assert (messages[6].native_id, messages[6].deletion) == (None, DeletionState.RECALLED)
    assert [(media.name, media.state) for message in messages for media in message.media] == [
        ("FileStorage\\MsgAttach\\1.dat", MediaState.OMITTED), ("audio\\wxid_li\\3.wav", MediaState.OMITTED),
        ("http://example.org/e.gif", MediaState.OMITTED),
    ]  # fmt: skip


def test_a_group_in_json_knows_who_wrote(tmp_path: Path) -> None:
    found = list(read_with(WechatPywxdump(), written(tmp_path, "wechat-pywxdump json")))

    conversation = next(told for told in reversed(found) if isinstance(told, Conversation))
    messages = [told for told in found if isinstance(told, Message)]
    assert (conversation.title, conversation.kind) == ("一家人", ConversationKind.GROUP)
    assert [message.sender_name for message in messages] == ["Tom", "外婆", "Tom", "外婆", None, None]
    assert [message.sender_id for message in messages][4:] == ["wxid_me", None]
    assert [message.kind for message in messages][:4] == [
        MessageKind.TEXT, MessageKind.FILE, MessageKind.LINK, MessageKind.PAYMENT,
    ]  # fmt: skip


def test_words_of_older_versions_lie_in_a_field_of_their_own(tmp_path: Path) -> None:
    messages = messages_with(WechatPywxdump(), written(tmp_path, "wechat-pywxdump older"))

    assert [(message.kind, message.text) for message in messages] == [
        (MessageKind.TEXT, "早安"),
        (MessageKind.IMAGE, ""),
    ]
    assert messages_with(WechatPywxdump(), tmp_path)[1].media[0].name == "FileStorage/1.dat"


def test_pages_of_one_conversation_are_one(tmp_path: Path) -> None:
    for page in (0, 5000):
        rows = [f"{page + n},{page + n},文本,0,wxid_li,wxid_li,早 {page + n},,{AT}" for n in range(1, 4)]
        (tmp_path / f"wxid_li_{page}_{page + 5000}.csv").write_text("\n".join([PYWXDUMP_COLUMNS, *rows]), "utf-8")

    summary = summary_of(tmp_path)

    assert (summary.messages, summary.conversations) == (6, 1)


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"type_name": "语音", "msg": "语音时长：2.50秒"}, MessageKind.VOICE, ""),
        ({"type_name": "动画表情", "msg": "<msg><emoji md5='1'/></msg>"}, MessageKind.STICKER, ""),
        (
            {"type_name": "推荐公众号", "msg": '<msg nickname="李 &amp; Co" username="x"/>'},
            MessageKind.CONTACT,
            "李 & Co",
        ),
        (
            {"type_name": "位置", "msg": "纬度:【1】 经度:【2】\n位置：家"},
            MessageKind.LOCATION,
            "纬度:【1】 经度:【2】\n位置：家",
        ),
        (
            {"type_name": "合并转发的聊天记录", "msg": "群聊的聊天记录\n李: 早", "src": {"a": 1}},
            MessageKind.FORWARD,
            "群聊的聊天记录\n李: 早",
        ),
        ({"type_name": "(分享)音乐", "msg": "(分享)音乐", "src": False}, MessageKind.LINK, "(分享)音乐"),
        (
            {"type_name": "语音通话", "msg": "语音/视频通话[通话时长 00:12]"},
            MessageKind.CALL,
            "语音/视频通话[通话时长 00:12]",
        ),
        ({"type_name": "未知", "msg": None}, MessageKind.OTHER, ""),
        ({"type_name": "引用回复", "msg": "好\n\n[引用]()李:a:b"}, MessageKind.TEXT, "好\n> 李：a:b"),
        ({"type_name": "邀请加群", "msg": "李加入了群聊"}, MessageKind.SYSTEM, "李加入了群聊"),
    ],
)
def test_each_kind_says_what_it_holds(tmp_path: Path, fields: dict[str, object], kind: MessageKind, text: str) -> None:
    message = one(tmp_path, **fields)

    assert (message.kind, message.text) == (kind, text)


def test_a_system_message_has_no_sender(tmp_path: Path) -> None:
    assert (one(tmp_path, talker="系统").direction, one(tmp_path, talker="系统").sender_id) == (Direction.SYSTEM, None)


def test_media_that_were_laid_beside_are_found(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "3.wav").write_bytes(b"sound")

    (voice,) = one(tmp_path, type_name="语音", msg="语音时长：1.00秒", src="audio\\3.wav").media

    assert (voice.name, voice.state) == ("audio/3.wav", MediaState.PRESENT)


@pytest.mark.parametrize("names", [b"", b"[]", b'{"wxid_li": 5}', b"\xff\xfe\0", b'{"wxid_li": {"remark": 5}}'])
def test_without_usable_names_the_ids_stand(tmp_path: Path, names: bytes) -> None:
    (tmp_path / "users.json").write_bytes(names)

    message = one(tmp_path)

    assert (message.sender_id, message.sender_name) == ("wxid_li", None)


def test_the_list_of_names_is_no_chat(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text(json.dumps(PYWXDUMP_USERS), "utf-8")
    one(tmp_path)

    assert (summary_of(tmp_path).format, summary_of(tmp_path).messages) == ("wechat-pywxdump", 1)
