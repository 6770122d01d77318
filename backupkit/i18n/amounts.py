"""Numbers, sizes, times and lengths of time as people write them, in both languages."""

from datetime import datetime, timedelta, tzinfo

from backupkit.i18n.language import Language


def grouped(number: float) -> str:
    """Write a number with its thousands apart: `1,204,331`."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def local_time(moment: datetime, zone: tzinfo | None = None) -> str:
    """Write a time for people, with its distance from UTC: `2018-06-01 16:30 +08:00`.

    `zone` None is this computer's own. JSON never uses this: there times are UTC.
    """
    there = moment.astimezone(zone).isoformat(" ", "minutes")
    return f"{there[:16]} {there[16:]}"


def length_of_time(span: timedelta, language: Language) -> str:
    """Write a length of time with its two largest units: `4 min 12 s`, `41 days`; minus signs are dropped."""
    seconds = max(round(abs(span.total_seconds())), 0)
    chinese = language == "zh-CN"
    if seconds >= 2 * 86400:
        days = seconds // 86400
        return f"{days:,} 天" if chinese else f"{days:,} days"
    units = [(3600, " 小时"), (60, " 分"), (1, " 秒")] if chinese else [(3600, " h"), (60, " min"), (1, " s")]
    for place, (size, name) in enumerate(units):
        if seconds >= size or size == 1:
            text = f"{seconds // size}{name}"
            rest = seconds % size
            if place < 2 and rest >= units[place + 1][0]:
                text += f" {rest // units[place + 1][0]}{units[place + 1][1]}"
            return text
    raise AssertionError(seconds)
