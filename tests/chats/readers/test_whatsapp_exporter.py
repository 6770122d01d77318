"""WhatsApp Chat Exporter's JSON, text and pages."""

from contextlib import suppress
from pathlib import Path

from chat_reading import messages_with, read_with, summary_of, tell_all
from chat_samples import SAMPLES, whatsapp_page, whatsapp_page_day, whatsapp_page_said

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Finding,
    MediaState,
    Message,
    MessageKind,
    Reaction,
)
from backupkit.chats.readers.whatsapp_exporter import WhatsAppExporter
from backupkit.chats.readers.whatsapp_exporter_html import WhatsAppExporterHtml
from backupkit.chats.readers.whatsapp_text import WhatsAppText
from backupkit.chats.reading.reader import Told
from backupkit.chats.sources.source import open_source


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


def conversations(told: list[Told]) -> dict[str, Conversation]:
    return {one.key: one for one in told if isinstance(one, Conversation)}


def test_chats_of_one_file_keep_their_people_times_and_kinds(tmp_path: Path) -> None:
    path = sample(tmp_path, "whatsapp-exporter")
    picture = tmp_path / "WhatsApp" / "Media" / "WhatsApp Images" / "IMG-20260425-WA0001.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")

    told = read_with(WhatsAppExporter(), tmp_path)
    found = [one for one in told if isinstance(one, Message)]

    assert {key: (one.title, one.kind) for key, one in conversations(told).items()} == {
        "8613800000001@s.whatsapp.net": ("Li", ConversationKind.PRIVATE),
        "12-34@g.us": ("Trip", ConversationKind.GROUP),
        "000000000000000": ("WhatsApp Calls", ConversationKind.UNKNOWN),
    }
    assert [(one.direction, one.kind, one.sender_name, one.text) for one in found] == [
        (Direction.SYSTEM, MessageKind.SYSTEM, None, "This chat is now end-to-end encrypted"),
        (Direction.IN, MessageKind.TEXT, "Li", "早安\ntwo"),
        (Direction.OUT, MessageKind.TEXT, None, "hi: <b>"),
        (Direction.IN, MessageKind.IMAGE, "Li", "look"),
        (Direction.IN, MessageKind.OTHER, "Li", ""),
        (Direction.IN, MessageKind.RECALL, "Li", "Message deleted"),
        (Direction.OUT, MessageKind.LOCATION, None, "Location shared: (1.0, 2.0)"),
        (Direction.IN, MessageKind.OTHER, "Li", ""),
        (Direction.IN, MessageKind.CONTACT, "Li", "This media include the following vCard file(s):\nWang & Co"),
        (Direction.SYSTEM, MessageKind.SYSTEM, None, "Li left the group"),
        (Direction.IN, MessageKind.TEXT, "Li", "by name"),
        (Direction.OUT, MessageKind.TEXT, None, "mine"),
        (Direction.IN, MessageKind.CALL, "Li", "A call from Li was missed."),
    ]
    assert [one.ts_utc_us for one in found[2:4]] == [1777150982_000_000, 1777150983_250_000]
    assert (found[2].reply_to, found[1].native_id) == ("K1", "K1")
    assert found[3].reactions == (Reaction("👍", "You"),)
    assert [(media.name, media.state) for one in found for media in one.media] == [
        (str(picture.relative_to(tmp_path)), MediaState.PRESENT),
        ("The media is missing", MediaState.MISSING),
        ("Wang & Co", MediaState.OMITTED),
    ]
    assert found[5].deletion is DeletionState.RECALLED
    assert summary_of(path).app == "whatsapp"


def test_telegrams_shape_does_not_make_it_telegrams(tmp_path: Path) -> None:
    path = sample(tmp_path, "whatsapp-exporter telegram")

    found = messages_with(WhatsAppExporter(), path)

    assert (summary_of(path).format, summary_of(path).app) == ("whatsapp-exporter", "whatsapp")
    assert [(one.direction, one.sender_name, one.text, one.deletion) for one in found] == [
        (Direction.IN, "Li", "早安\ntwo", DeletionState.NONE),
        (Direction.OUT, None, "hi", DeletionState.NONE),
        (Direction.IN, "Li", "Message deleted", DeletionState.RECALLED),
    ]
    assert found[0].ts_utc_us == 1777150981_000_000


def test_its_text_is_read_without_its_columns(tmp_path: Path) -> None:
    path = sample(tmp_path, "whatsapp-text exporter")

    told = read_with(WhatsAppText(), path)
    found = [one for one in told if isinstance(one, Message)]

    assert [(one.direction, one.sender_name, one.text) for one in found] == [
        (Direction.IN, "Li", "早安\ntwo"),
        (Direction.OUT, "You", "hi"),
        (Direction.IN, "Li", "<media file in WhatsApp/Media/a.jpg>\nlook"),
        (Direction.IN, "Li", "<The media is missing>"),
    ]
    assert [(media.name, media.state, media.role) for one in found for media in one.media] == [
        ("WhatsApp/Media/a.jpg", MediaState.MISSING, MessageKind.IMAGE),
        ("<The media is missing>", MediaState.MISSING, MessageKind.OTHER),
    ]
    assert list(conversations(told)) == ["Li"]


def test_a_page_tells_days_sides_files_and_reactions(tmp_path: Path) -> None:
    path = sample(tmp_path, "whatsapp-exporter-html")

    found = messages_with(WhatsAppExporterHtml(), path)

    assert [(one.direction, one.kind, one.sender_name, one.text) for one in found] == [
        (Direction.SYSTEM, MessageKind.SYSTEM, None, "This chat is now end-to-end encrypted"),
        (Direction.IN, MessageKind.TEXT, "Li", "早安\ntwo"),
        (Direction.OUT, MessageKind.TEXT, None, "hi: <b> & q"),
        (Direction.IN, MessageKind.IMAGE, "Li", "look"),
        (Direction.IN, MessageKind.OTHER, "Bo", ""),
        (Direction.OUT, MessageKind.RECALL, None, "Message deleted"),
        (Direction.IN, MessageKind.FILE, "Li", ""),
        (Direction.IN, MessageKind.TEXT, "Bo", "see https://a.invalid"),
    ]
    assert [one.ts_utc_us for one in found[2:4]] == [1777150980_000_000, 1777161900_000_000]
    assert (found[2].reply_to, found[1].native_id, found[3].reactions) == ("K1", "K1", (Reaction("👍", "You"),))
    assert [(media.name, media.state) for one in found for media in one.media] == [
        ("WhatsApp/Media/a.jpg", MediaState.MISSING),
        ("The media is missing", MediaState.MISSING),
        ("WhatsApp/Media/b.pdf", MediaState.MISSING),
    ]
    summary = summary_of(path)
    assert (summary.app, summary.by_conversation[0].title, summary.findings) == ("whatsapp", "Li", ())


def test_a_page_of_the_older_look_is_read(tmp_path: Path) -> None:
    found = messages_with(WhatsAppExporterHtml(), sample(tmp_path, "whatsapp-exporter-html older"))

    assert [(one.direction, one.sender_name, one.text, one.deletion) for one in found] == [
        (Direction.IN, "Li", "早安\ntwo", DeletionState.NONE),
        (Direction.OUT, None, "hi", DeletionState.NONE),
        (Direction.IN, "Li", "Message deleted", DeletionState.RECALLED),
    ]
    assert [one.ts_utc_us for one in found] == [1777150860_000_000, 1777150920_000_000, 1777237380_000_000]


def test_pages_of_one_chat_are_one_conversation_and_a_missing_one_is_told(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        links = f'<div><a href="./86138-Li-{number - 1}.html" target="_self"></a><a href="./86138-Li-{number + 1}.html" target="_self"></a></div>'
        page = whatsapp_page(whatsapp_page_day("2026-04-25"), whatsapp_page_said(number, f"page {number}"), links=links)
        (tmp_path / f"86138-Li-{number}.html").write_bytes(page)

    told = read_with(WhatsAppExporterHtml(), tmp_path)

    assert [one.text for one in told if isinstance(one, Message)] == ["page 1", "page 2", "page 10"]
    assert list(conversations(told)) == ["86138-Li"]
    assert [one.facts["name"] for one in told if isinstance(one, Finding)] == ["86138-Li-3.html", "86138-Li-11.html"]


def test_messages_and_chats_behind_a_damage_are_read(tmp_path: Path) -> None:
    path = sample(tmp_path, "whatsapp-exporter")
    data = path.read_bytes()
    at = data.index(b"hi: <b>")
    path.write_bytes(data[:at] + b"\0" * 300 + data[at + 300 :])

    found = messages_with_findings(path)

    assert [one.text for one in found if isinstance(one, Message)][-3:] == [
        "by name",
        "mine",
        "A call from Li was missed.",
    ]
    assert {one.conversation for one in found if isinstance(one, Message)} == {
        "8613800000001@s.whatsapp.net", "12-34@g.us", "000000000000000",
    }  # fmt: skip
    assert "record-not-understood" in {one.code for one in found if isinstance(one, Finding)}
    assert {finding.code for finding in summary_of(path).findings} >= {"export-damaged"}


def messages_with_findings(path: Path) -> list[Told]:
    into: list[Told] = []
    with open_source(path) as source, suppress(MalformedExport):
        tell_all(WhatsAppExporter().read(source, WhatsAppExporter().recognise(source)), into)
    return into
