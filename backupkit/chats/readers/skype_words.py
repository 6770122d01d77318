"""What Skype shows of a message: its content is markup, with the answered message, the mark of an edit and whole files in it."""

import re
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(r"<[^<>]{0,2000}>")
_QUOTE = re.compile(r"<quote\b([^<>]{0,2000})>")
_QUOTE_END = "</quote>"
_LEGACY = re.compile(r"<legacyquote>[^<>]{0,1000}</legacyquote>")
_EDITED = re.compile(r"<e_m\b([^<>]{0,1000})>(?:</e_m>)?")
_EDITED_BEFORE = "Edited previous message: "
_ATTRIBUTE = re.compile(r"""([A-Za-z_]{1,30})\s{0,3}=\s{0,3}(?:"([^"<>]{0,1000})"|'([^'<>]{0,1000})')""")
_BREAK = re.compile(r"<br ?/?>|</p>")
_PART = re.compile(r"<part\b[^<>]{0,500}>(.{0,2000}?)</part>", re.DOTALL)
_NAME, _DURATION = re.compile(r"<name>([^<>]{1,300})</name>"), re.compile(r"<duration>(\d{1,9})[^<>]{0,20}</duration>")
_TYPE = re.compile(r"<partlist\b[^<>]{0,300}?\btype=[\"']([^\"'<>]{1,40})[\"']")
_ABOUT = re.compile(r"<(?:value|target|id)>([^<>]{1,2000})</")
_CONTACT = re.compile(r"<c\b([^<>]{0,500})>")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a content, which message it answers, and when what it edits was written, in milliseconds."""

    text: str
    answered: str | None = None
    edited_ms: int | None = None


def words_of(native_kind: str, content: str) -> Words:
    """Read a content. Of an answer its own words, unless it has none."""
    if native_kind == "Event/Call":
        return Words(_call(content))
    if native_kind.startswith("ThreadActivity/"):
        return Words(", ".join(map(unescape, _ABOUT.findall(content)[:_MOST])))
    if native_kind == "RichText/Contacts":
        people = (attributes_of(found) for found in _CONTACT.findall(content)[:_MOST])
        return Words("\n".join(one.get("f") or one.get("s") or one.get("p") or "" for one in people))
    mark = _EDITED.search(content)
    edited_ms = None
    if mark:
        written = attributes_of(mark[1]).get("ts_ms", "")
        edited_ms = int(written) if written.isascii() and written.isdecimal() and len(written) < 16 else None
        content = content.removeprefix(_EDITED_BEFORE).replace(mark[0], "")
    if not native_kind.startswith("RichText"):
        return Words(content, edited_ms=edited_ms)
    quote = _QUOTE.search(content)
    end = content.find(_QUOTE_END, quote.end()) if quote else -1
    if quote is None or end < 0:
        return Words(_plain(content), edited_ms=edited_ms)
    own = _plain(content[: quote.start()] + content[end + len(_QUOTE_END) :])
    if not own.strip():
        return Words(_plain(content[quote.end() : end]).strip(), edited_ms=edited_ms)
    return Words(own, attributes_of(quote[1]).get("messageid") or None, edited_ms)


def attributes_of(tag: str) -> dict[str, str]:
    """Return the attributes of a tag."""
    return {found[1]: unescape(found[2] or found[3] or "") for found in _ATTRIBUTE.finditer(tag)}


def _plain(content: str) -> str:
    return unescape(_TAG.sub("", _BREAK.sub("\n", _LEGACY.sub("", content))))


def _call(content: str) -> str:
    """Return how a call went, the longest time that somebody was in it, and who took part."""
    parts = _PART.findall(content)[:_MOST]
    names = [unescape(found[1]) for part in parts if (found := _NAME.search(part))]
    seconds = [int(found[1]) for part in parts if (found := _DURATION.search(part))]
    how = _TYPE.search(content)
    said = (how[1] if how else "", f"{max(seconds)} s" if seconds else "", ", ".join(names))
    return " ".join(word for word in said if word)
