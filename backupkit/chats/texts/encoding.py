"""Text that is not UTF-8, as some computers save it, read as UTF-8.

UTF-16 is known by its mark or by its zero bytes. The older encodings of East Asia look alike, so a file counts as one of them only
where all of its head decodes and the commonest words of that language are in it.
"""

import codecs
import io
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
_DECODERS = {name: codecs.getincrementaldecoder(name) for name in (*_COMMON, "utf-16-le", "utf-16-be")}
_MOST_LETTERS = 2000
_LEAST_COMMON = 6
_ODD = frozenset(map(chr, [*range(9), 11, 12, *range(14, 32), 127]))


def encoding_of(head: bytes) -> str | None:
    """Name the encoding of a file that begins so; None where it is UTF-8 or no text."""
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


def in_utf_8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Return a stream that gives the text of one in another encoding in UTF-8."""
    return cast("BinaryIO", io.BufferedReader(_Decoded(stream, encoding), _BLOCK))


class _Decoded(io.RawIOBase):
    def __init__(self, inner: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._inner = inner
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        while not self._ready:
            block = self._inner.read(min(_BLOCK, len(view)))
            self._ready = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
            if not block:
                break
        given = self._ready[: len(view)]
        self._ready = self._ready[len(given) :]
        view[: len(given)] = given
        return len(given)

    def close(self) -> None:
        self._inner.close()
        super().close()
