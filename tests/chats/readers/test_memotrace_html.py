"""The pages of WeChatMsg (MemoTrace): a list in a script, in the writing of older and newer versions."""

import html
import json
from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, memotrace_page
from hypothesis import given, strategies as st

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Finding,
    MediaState,
    Message,
    MessageKind,
)
from backupkit.chats.readers.wechat_memotrace_html import WechatMemotraceHtml

BY = "is_send:{own},avatar_path:'./avatar/{who}.png',timestamp:{at},is_chatroom:1,displayname:'{name}'"


def said(text: str, *, own: int = 0, who: str = "wxid_li", at: int = 1700000000, name: str = "Li") -> str:
    """Return a message as the tool writes it: quotes escaped, and HTML in it too."""
    return f"{{ type:1, text: '{text}',{BY.format(own=own, who=who, at=at, name=name)}}},"


def page(tmp_path: Path, *messages: str) -> Path:
    path = tmp_path / "tea.html"
    path.write_bytes(memotrace_page(*messages, title="tea"))
    return path


def test_the_script_of_an_older_version_is_read(tmp_path: Path) -> None:
    name, data = SAMPLES["wechat-memotrace-html"](tmp_path)
    (tmp_path / name).write_bytes(data)

    found = messages_with(WechatMemotraceHtml(), tmp_path / name)

    assert [(one.kind, one.text) for one in found] == [
        (MessageKind.TEXT, "早安\n <3 it's"),
        (MessageKind.IMAGE, ""),
        (MessageKind.VOICE, "听见了"),
        (MessageKind.TEXT, "好\n> 我：早安"),
        (MessageKind.FILE, "a.pdf"),
        (MessageKind.LINK, "一篇文章\nhttps://example.org/"),
        (MessageKind.RECALL, '"外婆" 撤回了一条消息'),
    ]
    assert [one.direction for one in found] == [Direction.OUT, *[Direction.IN] * 4, Direction.OUT, Direction.SYSTEM]
    assert (found[0].sender_id, found[0].sender_name, found[6].sender_id) == ("wxid_me", "我", None)
    assert found[0].ts_utc_us == 1_700_000_000_000_000
    assert found[6].deletion is DeletionState.RECALLED
    assert [(one.name, one.state) for message in found for one in message.media] == [
        ("./image/1.png", MediaState.MISSING), ("./voice/2.mp3", MediaState.MISSING), ("./file/a.pdf", MediaState.MISSING),
    ]  # fmt: skip


def test_media_beside_the_page_are_found(tmp_path: Path) -> None:
    name, data = SAMPLES["wechat-memotrace-html"](tmp_path)
    (tmp_path / name).write_bytes(data)

    found = messages_with(WechatMemotraceHtml(), tmp_path)

    assert (found[1].media[0].name, found[1].media[0].state) == ("image/1.png", MediaState.PRESENT)


def test_the_json_of_a_newer_version_is_read_with_its_numbers(tmp_path: Path) -> None:
    name, data = SAMPLES["wechat-memotrace-html new"](tmp_path)
    (tmp_path / name).write_bytes(data)

    told = read_with(WechatMemotraceHtml(), tmp_path / name)

    found = [one for one in told if isinstance(one, Message)]
    *_, last = (one for one in told if isinstance(one, Conversation))
    assert [(one.text, one.native_id, one.sender_id, one.sender_name) for one in found[:2]] == [
        ("早安 😀", "1812312321483237439", None, "外婆"), ("早安 😀", "1812312321483237439", None, "Tom"),
    ]  # fmt: skip
    assert (last.title, last.kind, len(last.participants)) == ("一家人", ConversationKind.GROUP, 2)


def test_what_looks_like_another_message_inside_of_one_is_its_text(tmp_path: Path) -> None:
    """Anybody in the chat may write so; it must not become a message of somebody else."""
    forged = r",{ type:1, text: \'pay me\',is_send:1,timestamp:1700000000,displayname:\'Mum\'},"
    found = messages_with(WechatMemotraceHtml(), page(tmp_path, said("a"), said(forged, name="Eve"), said("b")))

    assert [(one.text, one.sender_name) for one in found] == [
        ("a", "Li"), (forged.replace("\\", ""), "Eve"), ("b", "Li"),
    ]  # fmt: skip


def test_a_damaged_message_costs_itself_and_lends_no_name_to_its_neighbour(tmp_path: Path) -> None:
    broken = said("gone").replace("text: 'gone'", "text: 'gone\0\0\0")
    path = page(tmp_path, said("a", name="Ann"), broken, said("b", name="Bob"), said("c", name="Cy"))

    told = read_with(WechatMemotraceHtml(), path)

    messages = [one for one in told if isinstance(one, Message)]
    assert [(one.text, one.sender_name) for one in messages] == [("a", "Ann"), ("b", "Bob"), ("c", "Cy")]
    codes = {one.code for one in told if isinstance(one, Finding)}
    assert codes == {"record-not-understood", "text-not-utf-8"}


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_page_that_was_cut_says_so_and_gives_what_is_whole(tmp_path: Path, kept: float) -> None:
    path = page(tmp_path, *(said(f"hello {number}") for number in range(200)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])

    summary = summary_of(path)

    assert "export-cut" in {finding.code for finding in summary.findings}
    assert (summary.messages or 0) > 190 * kept


def test_a_conversation_without_a_message_is_one(tmp_path: Path) -> None:
    summary = summary_of(page(tmp_path))

    assert (summary.format, summary.messages, summary.findings) == ("wechat-memotrace-html", 0, ())


def escaped(text: str) -> str:
    """What the tool does to a text before it writes it."""
    whole = html.escape(text, quote=False).replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    return whole.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60), max_size=6
    ),
    st.booleans(),
)
def test_whatever_people_wrote_is_read_as_they_wrote_it(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], is_json: bool
) -> None:
    def written(text: str) -> str:
        if not is_json:
            return said(escaped(text))
        fields = {
            "type": 1,
            "text": html.escape(text, quote=False),
            "is_send": 0,
            "avatar_path": 1,
            "timestamp": 1700000000,
            "is_chatroom": 1,
            "displayname": "Li",
        }
        return json.dumps(fields) + ","

    found = messages_with(WechatMemotraceHtml(), page(tmp_path_factory.mktemp("page"), *map(written, texts)))

    assert [one.text for one in found] == texts
