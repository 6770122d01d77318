"""pacman: asked by an alpm hook (PreTransaction, AbortOnFail, NeedsTargets) before anything is changed. Any exit but 0 stops it.

It tells the names of the packages that match the hook, and nothing else: not whether each would be upgraded, put back to
an older version, installed again or removed. So the ledger says of none what was to happen to it. The hook runs with
pacman's root for its own root, so `--state` is a path in there.
"""

from backupkit.clock import Clock
from backupkit.guard.desktop import is_system_package
from backupkit.hooks.protocol import UNDECIDED_EXIT
from backupkit.hooks.system_packages import Guarded, QuestionMalformed, Row, Told, answer_rows, not_understood, say

MAX_NAMES = 10_000


def read_names(data: bytes) -> list[str]:
    """Read pacman's question: the names of the packages that would be changed, each once.

    Raises:
        QuestionMalformed: it is anything else, or names nothing: pacman asks because something matched.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    # What lacks its last line end may lack more.
    if lines.pop() or not lines or len(lines) > MAX_NAMES or not all(map(is_system_package, lines)):
        raise QuestionMalformed
    return list(dict.fromkeys(lines))


def ask_pacman(data: bytes, guarded: Guarded, language: str, clock: Clock | None = None) -> Told:
    """Answer pacman. Never raises for what pacman sent."""
    try:
        names = read_names(data)
    except QuestionMalformed:
        return not_understood("pacman", language)
    unknown = [name for name in names if name not in guarded.watched]
    if unknown:
        # The entry names what it asks about. Whoever added a name to it believes that name to be guarded.
        return Told("".join(say("unknown", language, name=name, host="pacman") for name in unknown), UNDECIDED_EXIT)
    told = answer_rows([Row(name, None) for name in names], "pacman", guarded, language, clock)
    if not told.held:
        return told
    return told._replace(text=told.text + say("others.pacman", language, names=",".join(told.held)))
