"""What tests ask of a reader."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from backupkit.chats.counting.summary import ChatSummary, summarise
from backupkit.chats.history.identity import Identifier, MessageIdentity
from backupkit.chats.model import Message
from backupkit.chats.readers.registry import read_all, recognise
from backupkit.chats.reading.reader import ChatReader, Told
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import open_source


def summary_of(path: Path) -> ChatSummary:
    """Summarise an export that must be known."""
    summary = summarise(path)
    assert summary is not None, f"{path.name} was not recognised"
    return summary


def read_with(reader: ChatReader, path: Path) -> list[Told]:
    """Return all that a reader tells of a source."""
    with open_source(path) as source:
        return list(reader.read(source, reader.recognise(source)))


def messages_with(reader: ChatReader, path: Path) -> list[Message]:
    """Return the messages that a reader tells of a source."""
    return [told for told in read_with(reader, path) if isinstance(told, Message)]


def identities_of(app: str, messages: Iterable[Message]) -> list[MessageIdentity]:
    """Identify messages of one app."""
    return list(map(Identifier(app).identify, messages))


def message_identities(path: Path) -> list[MessageIdentity]:
    """Return the identities of every message of an export."""
    with open_source(path) as source:
        told = [(reader, one) for reader, one in read_all(source, recognise(source)) if isinstance(one, Message)]
    identifiers = {reader.format: Identifier(reader.app or reader.format) for reader, _ in told}
    return [identifiers[reader.format].identify(message) for reader, message in told]


def take_all(stream: JsonStream, into: list[object]) -> None:
    """Take every element of a list into `into`, which keeps what came before a failure."""
    for _number in stream.elements():
        into.append(stream.take())  # noqa: PERF401  what came before a failure must stay
    stream.finish()


def tell_all(told: Iterator[Told], into: list[Told]) -> None:
    """Collect what is told into `into`, which keeps what came before a failure."""
    for one in told:
        into.append(one)  # noqa: PERF402  what came before a failure must stay
