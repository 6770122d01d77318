"""Where files are cut into chunks.

Text and what is not known is cut where its content says so, so that a line put in at the front moves no other chunk;
media and whatever looks like noise is cut into equal blocks, since a cut chosen by content could never meet again.
Which cuts a file got is no part of the format: a chunk list is read back the same whoever chose it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

MIN_TEXT_CHUNK: Final = 16 << 10
AVERAGE_TEXT_CHUNK: Final = 64 << 10
MAX_TEXT_CHUNK: Final = 256 << 10
MEDIA_BLOCK: Final = 1 << 20

_SEED_BITS: Final = (1 << 63) - 1
_NORMALIZATION: Final = 2
"""FastCDC's normalized chunking level: at 2 no chunk of text reaches the maximum and the sizes stay close together."""


def text_cuts(pieces: Iterable[bytes], seed: int) -> Iterator[bytes]:
    """Cut a stream where its content says so: 16 to 256 KiB a chunk, 64 KiB on average, the last one maybe shorter.

    `seed` (1 to 2**64 - 1) moves the cuts, so that two domains do not cut alike. It is 63 bits on a public table:
    it hides nothing from someone who sees chunk lengths, which is why packs do not show them.
    Chunks joined are the stream. Memory stays under a MiB, whatever the stream's length.
    """
    if not 0 < seed < 1 << 64:
        raise ValueError("the seed of cuts is 1 to 2**64 - 1")
    from pyfastcdc import FastCDC  # noqa: PLC0415 - a run that finds nothing new cuts nothing

    cutter = FastCDC(
        AVERAGE_TEXT_CHUNK,
        min_size=MIN_TEXT_CHUNK,
        max_size=MAX_TEXT_CHUNK,
        normalized_chunking=_NORMALIZATION,
        # pyfastcdc 0.3.1 shifts the seed into a 64-bit word and refuses one that does not fit.
        seed=seed & _SEED_BITS or 1,
    )
    # The cutter overwrites its buffer when it goes on, so each chunk is copied out.
    return (bytes(chunk.data) for chunk in cutter.cut_stream(_Refill(pieces)))


def media_cuts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into blocks of 1 MiB, the last one maybe shorter; up to 1 MiB is one chunk."""
    waiting: list[bytes] = []
    held = 0
    for piece in pieces:
        if not waiting and len(piece) == MEDIA_BLOCK:
            yield piece
            continue
        waiting.append(piece)
        held += len(piece)
        if held >= MEDIA_BLOCK:
            joined = b"".join(waiting)
            whole = held - held % MEDIA_BLOCK
            yield from (joined[start : start + MEDIA_BLOCK] for start in range(0, whole, MEDIA_BLOCK))
            waiting = [joined[whole:]] if whole < held else []
            held -= whole
    if held:
        yield b"".join(waiting)


class _Refill:
    """Pieces of any size as the stream that the cutter fills its buffer from."""

    __slots__ = ("_pieces", "_rest")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of `buffer`; 0 at the end of the stream."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
