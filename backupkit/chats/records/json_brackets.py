"""How deep brackets lie in a stretch of JSON, without reading the values between them."""

from itertools import accumulate

_OPENING, _CLOSING = b"[{", b"]}"
_NO_BRACKET = bytes(sorted(set(range(256)) - set(_OPENING + _CLOSING)))
_ROUND = bytes.maketrans(_OPENING + _CLOSING, b"(())")
_OPEN = ord("(")
_USUAL_DEPTH = 4


def depths_in(window: str, depth: int) -> tuple[list[int], int]:
    """Return how deep it is behind each bracket that counts, from `depth` on, and the length of a string that the window cuts.

    By whole windows, because a search for each bracket costs as much as hundreds of characters here.
    """
    plain = window.replace("\\\\", "  ").replace('\\"', "  ") if "\\" in window else window
    between = plain.split('"')
    # Of an odd number of quotation marks the last one opens a string that goes on.
    cut = len(between.pop()) + 1 if len(between) % 2 == 0 else 0
    brackets = "".join(between[::2]).encode("utf-8", "surrogatepass").translate(_ROUND, _NO_BRACKET)
    for _level in range(_USUAL_DEPTH):
        brackets = brackets.replace(b"()", b"")
    return list(accumulate((1 if bracket == _OPEN else -1 for bracket in brackets), initial=depth)), cut
