"""Text as some computers save it, read as every reader knows it: in UTF-8, from its first word on, with line feeds.

UTF-16 is known by its mark or by its zero bytes. The older encodings of East Asia look alike, so a file counts as one of them only
where all of its head decodes and the commonest words of that language are in it.
"""

import codecs
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from backupkit.chats.texts.head import is_text

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 1 << 16

# The commonest characters of each language, and those of the lines with which exports begin.
_COMMON = {
    "gb18030": "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要出也得里后自以会好啊吗吧呢消息记录对象聊天",
    "big5": "的一是了我不人在他有這個上們來到時大地為子中你說生國年著就那和要出也得裡後自以會好啊嗎吧呢訊息記錄聊天儲存",
    "cp949": "이다는가에요을지고하어은를한도나그로서리기사아시네게안오전후일월년저장날짜화톡카님과대",
    "cp932": "のにはをたがでてとしれさるいかまなもこあすっらりきくんよねうえだじゃトーク履歴保存日時",
}
# Looked up once here: a look-up that fails, for want of a file handle for instance, is remembered as "no such encoding".
_DECODERS = {
    name: codecs.getincrementaldecoder(name) for name in (*_COMMON, "utf-16-le", "utf-16-be", "utf-16", "utf-32")
}
# Lines without a word, and marks that cannot be seen: what editors and programs that join files leave there.
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf|\xe2\x80\x8b|\xe2\x81\xa0|[ \t]{0,80}(?:\r\n|\r|\n)){1,200}")
_LEAST_RETURNS = 2
_MOST_LETTERS = 2000
_LEAST_COMMON = 6
_ODD = frozenset(map(chr, [*range(9), 11, 12, *range(14, 32), 127]))


def encoding_of(head: bytes) -> str | None:
    """Name the encoding of a file that begins so; None where it is UTF-8 or no text."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32" if _decoded(head, "utf-32") else None
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16" if is_text(head) else None
    if not head or is_text(head):
        return None
    if b"\0" in head:
        return next((name for name in ("utf-16-le", "utf-16-be") if _is_utf_16(head, name)), None)
    shares = {name: _share_of_common(head, name) for name in _COMMON}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= 0.1 else None


def _decoded(head: bytes, encoding: str) -> str | None:
    try:
        # The last character may be cut.
        return _DECODERS[encoding]("strict").decode(head)
    except UnicodeDecodeError:
        return None


def _is_utf_16(head: bytes, encoding: str) -> bool:
    text = _decoded(head, encoding)
    if not text or any(letter in _ODD for letter in text):
        return False
    # Every line of an export has digits or spaces. Read in the other order of bytes, hardly any letter is one of those.
    return sum(letter < "\x80" for letter in text) * 10 >= len(text)


def _share_of_common(head: bytes, encoding: str) -> float:
    text = _decoded(head, encoding)
    if not text or any(letter in _ODD for letter in text):
        return 0.0
    letters = [letter for letter in text if letter > "\x7f"][:_MOST_LETTERS]
    common = sum(letter in _COMMON[encoding] for letter in letters)
    return common / len(letters) if common >= _LEAST_COMMON else 0.0


@dataclass(frozen=True, slots=True)
class Writing:
    """How a file is written, where not as readers expect it: in another encoding, with marks before its first word, or with returns alone at the ends of lines."""

    encoding: str | None
    skipped_bytes: int
    has_returns: bool

    def head(self, head: bytes) -> bytes:
        """Return a file's head as readers expect it."""
        if self.encoding is not None:
            head = head.decode(self.encoding, "ignore").encode("utf-8", "replace")
        head = head[self.skipped_bytes :]
        return head.replace(b"\r", b"\n") if self.has_returns else head

    def stream(self, stream: BinaryIO) -> BinaryIO:
        """Return a stream that gives a file as readers expect it."""
        return cast("BinaryIO", io.BufferedReader(_Rewritten(stream, self), _BLOCK))


def writing_of(head: bytes) -> Writing | None:
    """Say how a file that begins so is written; None where it is as readers expect it, or no text."""
    encoding = encoding_of(head)
    if encoding is None and not is_text(head):
        return None
    text = head if encoding is None else head.decode(encoding, "ignore").encode("utf-8", "replace")
    before = _BEFORE.match(text)
    skipped = before.end() if before and before[0] != codecs.BOM_UTF8 else 0
    has_returns = b"\n" not in text[skipped:] and text.count(b"\r") >= _LEAST_RETURNS
    writing = Writing(encoding, skipped, has_returns)
    return None if writing == Writing(None, 0, has_returns=False) else writing


class _Rewritten(io.RawIOBase):
    def __init__(self, inner: BinaryIO, writing: Writing) -> None:
        super().__init__()
        self._inner = inner
        encoding = writing.encoding
        self._decoder = None if encoding is None else _DECODERS[encoding](errors="replace")
        self._left_to_skip = writing.skipped_bytes
        self._has_returns = writing.has_returns
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        while not self._ready:
            block = self._inner.read(min(_BLOCK, len(view)))
            self._ready = self._as_expected(block)
            if not block:
                break
        given = self._ready[: len(view)]
        self._ready = self._ready[len(given) :]
        view[: len(given)] = given
        return len(given)

    def _as_expected(self, block: bytes) -> bytes:
        text = block
        if self._decoder is not None:
            text = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
        skipped, self._left_to_skip = self._left_to_skip, max(self._left_to_skip - len(text), 0)
        text = text[skipped:]
        return text.replace(b"\r", b"\n") if self._has_returns else text

    def close(self) -> None:
        self._inner.close()
        super().close()
