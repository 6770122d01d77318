"""Gaps in numbers that an app counts without leaving any out."""

from collections.abc import Iterator

from backupkit.chats.model import Finding, Locator, Severity
from backupkit.errors import Fact

_LEAST_BEFORE = 10
"""A few messages at the very beginning are often deleted: that a group was made, that somebody joined."""


class SequenceGaps:
    """Sees ids as they stream. Duplicates and a mixed order are fine; memory is one small range per gap, bounded."""

    _MAX_RANGES = 100_000

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._is_lost = False

    def saw(self, number: int) -> None:
        """Note one id. Negative ones belong to another counter and are left alone."""
        if number <= 0 or self._is_lost:
            return
        if self._ranges:
            first, last = self._ranges[-1]
            if number == last + 1:
                self._ranges[-1] = (first, number)
                return
            if first <= number <= last:
                return
        if len(self._ranges) >= self._MAX_RANGES:
            self._is_lost = True
            return
        self._ranges.append((number, number))

    def missing(self, last_given: int | None = None) -> tuple[int, int | None]:
        """Return how many ids are absent between the first and the last, and the first absent one.

        `last_given` is the last that the app ever gave, where it remembers.
        """
        absent, first_absent, reached = 0, None, None
        for first, last in sorted(self._ranges):
            if reached is not None and first > reached + 1:
                absent += first - reached - 1
                first_absent = reached + 1 if first_absent is None else first_absent
            reached = last if reached is None else max(reached, last)
        if last_given is not None and reached is not None and last_given > reached:
            absent += last_given - reached
            first_absent = reached + 1 if first_absent is None else first_absent
        return absent, first_absent

    def late_beginning(self, conversation: str, locator: Locator) -> Iterator[Finding]:
        """Tell that the counter, which starts at 1, had gone on for a while before the first message that is here."""
        first = min((first for first, _last in self._ranges), default=1)
        if first > _LEAST_BEFORE and not self._is_lost:
            facts: dict[str, Fact] = {"conversation": conversation, "count": first - 1, "first": first}
            yield Finding("history-begins-late", Severity.WARNING, locator, facts)

    def finding(self, conversation: str, locator: Locator, last_given: int | None = None) -> Iterator[Finding]:
        """Tell the gap, if there is one."""
        absent, first_absent = self.missing(last_given)
        if absent and not self._is_lost:
            yield Finding(
                "sequence-gap",
                Severity.INFO,
                locator,
                {"conversation": conversation, "count": absent, "first": first_absent},
            )
