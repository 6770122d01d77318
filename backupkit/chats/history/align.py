"""Find the same items in two versions of a list, in order.

Patience: items that occur once on both sides are matched first, in the longest run that keeps their order; the gaps
between them are aligned in turn. Near-linear on real histories, and the order of messages is never broken.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher

# Beyond this a gap without any unique item is left unmatched rather than searched in quadratic time.
MAX_GAP_PRODUCT = 4_000_000


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return pairs of places that hold equal items; both sides rise."""
    pairs: list[tuple[int, int]] = []
    todo = [(0, len(old), 0, len(new))]
    while todo:
        old_start, old_end, new_start, new_end = todo.pop()
        while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
            pairs.append((old_start, new_start))
            old_start, new_start = old_start + 1, new_start + 1
        while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
            old_end, new_end = old_end - 1, new_end - 1
            pairs.append((old_end, new_end))
        if old_start == old_end or new_start == new_end:
            continue
        anchors = _anchors(old, new, (old_start, old_end, new_start, new_end))
        if anchors:
            before_old, before_new = old_start, new_start
            for at_old, at_new in anchors:
                pairs.append((at_old, at_new))
                todo.append((before_old, at_old, before_new, at_new))
                before_old, before_new = at_old + 1, at_new + 1
            todo.append((before_old, old_end, before_new, new_end))
        elif (old_end - old_start) * (new_end - new_start) <= MAX_GAP_PRODUCT:
            matcher = SequenceMatcher(None, old[old_start:old_end], new[new_start:new_end], autojunk=False)
            for block in matcher.get_matching_blocks():
                pairs.extend((old_start + block.a + at, new_start + block.b + at) for at in range(block.size))
    return sorted(pairs)


def _anchors(old: Sequence[Hashable], new: Sequence[Hashable], gap: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    old_start, old_end, new_start, new_end = gap
    in_old, in_new = Counter(old[old_start:old_end]), Counter(new[new_start:new_end])
    place_in_new = {new[at]: at for at in range(new_start, new_end) if in_new[new[at]] == 1}
    unique = [
        (at, place_in_new[old[at]])
        for at in range(old_start, old_end)
        if in_old[old[at]] == 1 and old[at] in place_in_new
    ]
    return _longest_rising(unique)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of `pairs`, sorted by the first, in which the second rises too."""
    tops: list[int] = []
    at_top: list[int] = []
    before: list[int] = []
    for index, (_old, new) in enumerate(pairs):
        pile = bisect_left(tops, new)
        before.append(at_top[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(new)
            at_top.append(index)
        else:
            tops[pile] = new
            at_top[pile] = index
    rising = []
    index = at_top[-1] if at_top else -1
    while index >= 0:
        rising.append(pairs[index])
        index = before[index]
    return rising[::-1]
