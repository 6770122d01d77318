"""WhatsApp Chat Exporter's JSON and text."""

from pathlib import Path

from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES

from backupkit.chats.model import (
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    MediaState,
    Message,
    MessageKind,
    Reaction,
)
from backupkit.chats.readers.whatsapp_exporter import WhatsAppExporter
from backupkit.chats.readers.whatsapp_text import WhatsAppText
from backupkit.chats.reading.reader import Told


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
