"""Pages of an older copy in place of lost ones, only where both are copies of one state.

Two files are that when their change counters agree and no page that both still have differs. The counter alone does not prove
it, because a database with a write-ahead log does not always count.
"""

from backupkit.chats.carve.pages import Pages


def borrow(pages: Pages, older: Pages) -> int | None:
    """Take lost pages from a copy of the same state; return how many, or None where it is another state."""
    mine, its = pages.shape, older.shape
    if (
        mine.is_guessed
        or its.is_guessed
        or mine.page_size != its.page_size
        or mine.change_counter != its.change_counter
    ):
        return None
    lost = []
    for number in range(1, older.present + 1):
        its_page = older.read(number)
        if pages.is_lost(number):
            if any(its_page):
                lost.append(number)
        elif any(its_page) and its_page != pages.read(number):
            return None
    for number in lost:
        pages.put(number, *older.lend(number))
    return len(lost)
