"""What tests ask of a reader."""

from collections.abc import Iterator
from pathlib import Path

from backupkit.chats.counting.summary import ChatSummary, summarise
from backupkit.chats.model import Message
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


def take_all(stream: JsonStream, into: list[object]) -> None:
    """Take every element of a list into `into`, which keeps what came before a failure."""
    for _number in stream.elements():
        into.append(stream.take())  # noqa: PERF401  what came before a failure must stay
    stream.finish()


def tell_all(told: Iterator[Told], into: list[Told]) -> None:
    """Collect what is told into `into`, which keeps what came before a failure."""
    for one in told:
        into.append(one)  # noqa: PERF402  what came before a failure must stay
