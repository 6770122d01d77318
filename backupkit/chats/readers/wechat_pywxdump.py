"""WeChat messages as PyWxDump exported them: pages of CSV or one JSON list for a conversation, and `users.json` with the names beside them."""

import html
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.people import People
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of_word
from backupkit.chats.reading.csv_rows import Row, csv_columns, csv_rows
from backupkit.chats.reading.json_records import Record, claim_json, records_in, small_json
from backupkit.chats.reading.media_files import find_media, is_link
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, iso_to_us, list_of, name_of, text_of
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head

_MARKS = {"MsgSvrID", "type_name", "is_sender", "talker", "room_name", "CreateTime"}
_GROUP = "@chatroom"
_OWN, _NOBODY, _SYSTEM = "我", "未知", "系统"
_SHARED = "(分享)"
_KINDS = {
    "添加好友": MessageKind.SYSTEM,
    "邀请加群": MessageKind.SYSTEM,
    "推荐公众号": MessageKind.CONTACT,
    "企业微信添加好友(猜)": MessageKind.CONTACT,
}
# What the tool writes for a message that has no words.
_PLACEHOLDERS = {"图片", "视频", "表情"}
_HEARD = re.compile(r"语音时长：[^\n]*\n翻译结果：(?P<said>.*)", re.DOTALL)
_QUOTE = re.compile(r"(?P<said>.*)\n\n\[引用\]\([^)\n]*\)(?P<who>[^:\n]*):(?P<what>.*)", re.DOTALL)
_ANCHOR = re.compile(r"\n*<a href=\"[^\"\n]*\">点击查看详情</a>\s*$")
_CARD_NAME = re.compile(r"\bnickname=\"([^\"]*)\"")
_MAX_CONVERSATIONS = 200_000
_MAX_NAMES_BYTES = 8 * 2**20


class WechatPywxdump:
    """Reads the CSV and JSON files of PyWxDump."""

    format = "wechat-pywxdump"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's columns, which are also the fields of its JSON."""
        heads = {name: csv_columns(text_head(source.head(name))) for name in source.of(Content.TEXT)}
        tables = {name: 95 for name, columns in heads.items() if set(columns) >= _MARKS}
        return Recognition({**tables, **claim_json(source, _certainty).claims})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every claimed file."""
        lists = frozenset(source.of(Content.JSON))
        return read_each(recognition.files, lambda name: _read_file(source, name, is_list=name in lists))


def _certainty(sample: Any) -> int:
    messages = list_of(sample)
    return 95 if messages and all(dict_of(message).keys() >= _MARKS for message in messages) else 0


def _read_file(source: SourceFiles, name: str, *, is_list: bool) -> Iterator[Told]:
    names = _names_beside(source, name)
    known: dict[str, tuple[str | None, ConversationKind, People]] = {}
    for found in _records(source, name, is_list=is_list):
        if isinstance(found, Finding):
            yield found
            continue
        message = _message(source, name, found, names)
        key = message.conversation
        if key not in known and len(known) < _MAX_CONVERSATIONS:
            kind = ConversationKind.GROUP if key.endswith(_GROUP) else ConversationKind.PRIVATE
            known[key] = (names.get(key), kind, People())
            yield Conversation(key, *known[key][:2], locator=Locator(name))
        if key in known and message.direction is not Direction.SYSTEM:
            is_own = message.direction is Direction.OUT
            known[key][2].saw(message.sender_id, message.sender_name, is_owner=is_own)
        yield message
    for key, (title, kind, people) in known.items():
        yield Conversation(key, title, kind, people.participants(), locator=Locator(name))


def _records(source: SourceFiles, name: str, *, is_list: bool) -> Iterator[Record | Row | Finding]:
    if is_list:
        for found in records_in(source, name, None):
            if isinstance(found, Record | Finding):
                yield found
        return
    damage = TextDamage(name)
    yield from csv_rows(source, name, damage=damage)
    yield from damage.findings()


def _names_beside(source: SourceFiles, name: str) -> dict[str, str]:
    """Return what the owner calls people and groups, by their ids. Without the file the ids are all there is."""
    beside = posixpath.join(posixpath.dirname(name), "users.json")
    if source.size(beside) is None:
        return {}
    try:
        people = dict_of(small_json(source, beside, limit_bytes=_MAX_NAMES_BYTES))
    except MalformedExport:
        return {}
    found = {}
    for key, value in people.items():
        about = dict_of(value)
        called = next(
            (text_of(about.get(field)) for field in ("remark", "nickname", "account") if about.get(field)), None
        )
        if called:
            found[key] = called
    return found


def _message(source: SourceFiles, file: str, found: Record | Row, names: dict[str, str]) -> Message:
    value: dict[str, Any] = dict(found.value if isinstance(found, Record) else found.values)
    said = _said(value)
    word = text_of(value.get("type_name")) or ""
    kind = _kind(word)
    is_taken_back = kind is MessageKind.RECALL or (kind is MessageKind.SYSTEM and is_recall(said.text))
    is_own = int_of(value.get("is_sender")) == 1
    talker = name_of(value.get("talker")) or _NOBODY
    direction = Direction.OUT if is_own else Direction.IN
    if is_taken_back or kind is MessageKind.SYSTEM or talker == _SYSTEM:
        direction = Direction.SYSTEM
    sender = None if direction is Direction.SYSTEM or talker in {_OWN, _NOBODY, _SYSTEM} else talker
    number = name_of(value.get("MsgSvrID"))
    return Message(
        conversation=name_of(value.get("room_name")) or "unknown",
        locator=found.locator,
        raw=found.raw,
        ts_utc_us=iso_to_us(value.get("CreateTime"))[0],
        ts_precision=Precision.SECOND,
        ts_zone=UNKNOWN_ZONE,
        ts_raw=text_of(value.get("CreateTime")) or "",
        native_id=None if number == "0" else number,
        sender_id=sender,
        sender_name=None if sender is None else names.get(sender),
        direction=direction,
        kind=MessageKind.RECALL if is_taken_back else kind,
        native_kind=word,
        text=_text(said, kind),
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=_media(source, file, said.file, kind),
    )


class _Said(NamedTuple):
    text: str
    file: str


def _said(value: dict[str, Any]) -> _Said:
    """Return words and file. Older versions put both into a field of their own."""
    inside = value.get("content")
    if isinstance(inside, str):
        try:
            inside = json.loads(inside)
        except (ValueError, RecursionError):
            inside = {"msg": inside}
    both = value if "msg" in value else dict_of(inside)
    return _Said(text_of(both.get("msg")) or "", text_of(both.get("src")) or "")


def _kind(word: str) -> MessageKind:
    known = _KINDS.get(word) or kind_of_word(word)
    return MessageKind.LINK if known is MessageKind.OTHER and word.startswith(_SHARED) else known


def _text(said: _Said, kind: MessageKind) -> str:
    text = said.text
    if kind is MessageKind.VOICE:
        heard = _HEARD.fullmatch(text)
        return heard["said"] if heard else ""
    if kind is MessageKind.CONTACT and text.startswith("<"):
        called = _CARD_NAME.search(text)
        return html.unescape(called[1]) if called else text
    if kind in HAS_FILE and (text in _PLACEHOLDERS or text.startswith("<")):
        return ""
    if kind is MessageKind.LINK:
        link = said.file if is_link(said.file) else ""
        return "\n".join(part for part in (_ANCHOR.sub("", text).strip("\n"), link) if part)
    quote = _QUOTE.fullmatch(text)
    return f"{quote['said']}\n> {quote['who']}：{quote['what']}" if quote else text


def _media(source: SourceFiles, file: str, reference: str, kind: MessageKind) -> tuple[Media, ...]:
    if kind not in HAS_FILE:
        return ()
    if not reference or reference == "False" or is_link(reference):
        return (Media(reference if is_link(reference) else kind.value, MediaState.OMITTED, kind),)
    name, state = find_media(source, file, reference)
    # The tool writes where the file lay in WeChat's own folder, and exports none.
    return (Media(name, MediaState.OMITTED if state is MediaState.MISSING else state, kind),)
