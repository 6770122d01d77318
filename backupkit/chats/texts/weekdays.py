"""Which part of a date is which, by the name of the weekday that stands beside it.

Names are known in a few languages, and in every other by what they must do: under the right order of the parts each name falls on one
weekday, and no two names on the same. Under a wrong one they soon do not.
"""

from dataclasses import dataclass, field

from backupkit.chats.texts.wall_time import DateOrder

_NAMES = {
    name: number
    for number, names in enumerate(
        (
            "Mon 月 一 월 จ จัน Sen",
            "Tue 火 二 화 อ อัง Sel",
            "Wed 水 三 수 พ พุธ Rab",
            "Thu 木 四 목 พฤ พฤห Kam",
            "Fri 金 五 금 ศ ศุก Jum",
            "Sat 土 六 토 ส เสา Sab",
            "Sun 日 일 อา อาท Min",
        )
    )
    for name in names.split()
}
_BEFORE = ("วัน", "星期", "週", "周")
_MOST_NAMES = 50
_DAYS = 7


def _known(name: str) -> int | None:
    for before in _BEFORE:
        name = name.removeprefix(before)
    return _NAMES.get(name[:3], _NAMES.get(name[:1]))


@dataclass(slots=True)
class WeekdayEvidence:
    """Watches the dates of one export that stand with a weekday."""

    _agree: dict[DateOrder, int] = field(default_factory=lambda: dict.fromkeys(DateOrder, 0))
    _seen: dict[str, dict[DateOrder, list[int]]] = field(default_factory=dict)
    _dates: int = 0
    _known: int = 0

    def saw(self, parts: tuple[int, int, int], written: str) -> None:
        """Note a date, its parts as written, and the name beside it."""
        name = written.rstrip(".")
        known = _known(name)
        self._dates += 1
        self._known += known is not None
        counts = self._seen.get(name)
        if counts is None and name and len(self._seen) < _MOST_NAMES:
            counts = self._seen[name] = {order: [0] * _DAYS for order in DateOrder}
        for order in DateOrder:
            day = order.day_number(parts)
            if day is None:
                continue
            weekday = (day + 3) % _DAYS
            self._agree[order] += weekday == known
            if counts is not None:
                counts[order][weekday] += 1

    def is_weekday(self, written: str) -> bool:
        """Say whether a name may be a weekday's. Where most beside the dates are of a language that is known, another word is none."""
        return self._known * 2 <= self._dates or _known(written.rstrip(".")) is not None

    def order(self) -> DateOrder | None:
        """Return the order that the weekdays prove; None where they do not."""
        return _only_best(self._agree) or _only_best({order: self._consistent(order) for order in DateOrder})

    def _consistent(self, order: DateOrder) -> int:
        """Count the dates on which a name can stand, where each takes the weekday on which it stands most and none takes another's."""
        most: dict[int, int] = {}
        for counts in self._seen.values():
            weekday = max(range(_DAYS), key=lambda number: counts[order][number])
            most[weekday] = max(most.get(weekday, 0), counts[order][weekday])
        return sum(most.values())


def _only_best(found: dict[DateOrder, int]) -> DateOrder | None:
    best = max(found, key=lambda order: found[order])
    is_proof = found[best] and sum(count == found[best] for count in found.values()) == 1
    return best if is_proof else None
