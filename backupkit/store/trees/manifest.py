"""What a snapshot holds of one domain: its sources, what was counted in them, and what could not be read.

This is the root chunk, and it is sealed like all others: names of apps and people stand here and nowhere outside.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields as fields_of
from typing import Any

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, DomainId
from backupkit.store.chunk_id import ChunkType
from backupkit.store.packs.pack_format import MAX_PLAIN
from backupkit.store.trees.tree import ReadsChunks, StoresChunks

_WHAT = "root"
_HEX_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KNOWN = {"v", "domain", "created", "host", "tool", "sources", "complete"}
_KNOWN_SOURCE = {"name", "path", "app", "package", "tree", "files", "bytes", "unreadable", "chat", "captured_at"}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file of a source that could not be read: its path below the source, and the code of the reason."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class ChatFacts:
    """What was counted in a chat source. None where it cannot be known; times are RFC 3339 UTC."""

    format: str
    app: str | None = None
    messages: int | None = None
    conversations: int | None = None
    media: int | None = None
    media_missing: int | None = None
    oldest: str | None = None
    newest: str | None = None
    high_water: str | None = None


_CHAT_FIELDS = tuple(one.name for one in fields_of(ChatFacts))


@dataclass(frozen=True, slots=True)
class Source:
    """One saved folder, file or database. `path` is where it was; `bytes` and `files` count what `tree` holds."""

    name: str
    path: bytes
    tree: ChunkId
    files: int
    bytes: int
    captured_at: str
    app: str | None = None
    package: str | None = None
    unreadable: tuple[Unreadable, ...] = ()
    chat: ChatFacts | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The root of one domain in one snapshot. `unknown` holds fields of a newer version: they survive a rewrite."""

    domain: DomainId
    created: str
    host: str
    tool: Mapping[str, str]
    sources: tuple[Source, ...]
    complete: bool
    unknown: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Write the root chunk's plain bytes."""
        fields = {
            **self.unknown,
            "v": 1,
            "domain": self.domain.hex(),
            "created": self.created,
            "host": self.host,
            "tool": dict(self.tool),
            "sources": [_encode_source(source) for source in self.sources],
            "complete": self.complete,
        }
        return frame(Mark.ROOT, encode_canonical(fields))


def store_manifest(writer: StoresChunks, manifest: Manifest) -> ChunkId:
    """Store the root chunk. It comes last: everything it names is stored by then."""
    return writer.store(ChunkType.ROOT, manifest.encode()).id


def read_manifest(reader: ReadsChunks, root: ChunkId) -> Manifest:
    """Read a root chunk.

    Raises:
        ChunkLost: it cannot be read.
        MalformedObject: it is no root.
    """
    return decode_manifest(reader.read(root, ChunkType.ROOT))


def decode_manifest(data: bytes) -> Manifest:
    """Read a root chunk's plain bytes.

    Raises:
        MalformedObject: they are none.
        NewerFormat: of a newer version.
    """
    fields = decode_json(unframe(Mark.ROOT, data), what=_WHAT, max_bytes=MAX_PLAIN)
    try:
        if fields["v"] != 1 or type(fields["complete"]) is not bool:
            raise MalformedObject(what=_WHAT, reason="wrong-fields")
        domain = bytes.fromhex(fields["domain"])
        return Manifest(
            domain=DomainId(domain),
            created=_str(fields["created"]),
            host=_str(fields["host"]),
            tool={str(name): _str(value) for name, value in fields["tool"].items()},
            sources=tuple(_decode_source(source) for source in fields["sources"]),
            complete=fields["complete"],
            unknown={name: value for name, value in fields.items() if name not in _KNOWN},
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-fields") from error


def _encode_source(source: Source) -> dict[str, Any]:
    return {
        **source.unknown,
        "name": source.name,
        **_path(source.path),
        "app": source.app,
        "package": source.package,
        "tree": source.tree.hex(),
        "files": source.files,
        "bytes": source.bytes,
        "unreadable": [{**_path(one.path), "reason": one.reason} for one in source.unreadable],
        "chat": None if source.chat is None else _encode_chat(source.chat),
        "captured_at": source.captured_at,
    }


def _encode_chat(chat: ChatFacts) -> dict[str, Any]:
    return {name: getattr(chat, name) for name in _CHAT_FIELDS}


def _decode_source(fields: dict[str, Any]) -> Source:
    chat = fields["chat"]
    return Source(
        name=_str(fields["name"]),
        path=_unpath(fields),
        tree=_id(fields["tree"]),
        files=_count(fields["files"]),
        bytes=_count(fields["bytes"]),
        captured_at=_str(fields["captured_at"]),
        app=_optional_str(fields["app"]),
        package=_optional_str(fields["package"]),
        unreadable=tuple(Unreadable(_unpath(one), _str(one["reason"])) for one in fields["unreadable"]),
        chat=None if chat is None else _decode_chat(chat),
        unknown={name: value for name, value in fields.items() if name not in _KNOWN_SOURCE | {"path_b64"}},
    )


def _decode_chat(fields: dict[str, Any]) -> ChatFacts:
    return ChatFacts(
        format=_str(fields["format"]),
        app=_optional_str(fields["app"]),
        messages=_optional_count(fields["messages"]),
        conversations=_optional_count(fields["conversations"]),
        media=_optional_count(fields["media"]),
        media_missing=_optional_count(fields["media_missing"]),
        oldest=_optional_str(fields["oldest"]),
        newest=_optional_str(fields["newest"]),
        high_water=_optional_str(fields["high_water"]),
    )


def _path(path: bytes) -> dict[str, str]:
    """Write a path so that a person can read it, and as base64 beside it where it is not UTF-8."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        shown = path.decode("utf-8", "replace")
        return {"path": shown, "path_b64": base64.b64encode(path).decode("ascii")}


def _unpath(fields: dict[str, Any]) -> bytes:
    if "path_b64" in fields:
        return base64.b64decode(fields["path_b64"], validate=True)
    return _str(fields["path"]).encode("utf-8")


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _optional_str(value: object) -> str | None:
    return None if value is None else _str(value)


def _id(text: object) -> ChunkId:
    if not _HEX_ID.fullmatch(_str(text)):
        raise ValueError(text)
    return ChunkId(bytes.fromhex(_str(text)))


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _optional_count(value: object) -> int | None:
    return None if value is None else _count(value)
