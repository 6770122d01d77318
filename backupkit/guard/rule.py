"""One row of the table of what Android refuses, and the one update that it is asked about.

A rule answers yes, no, or "not known", and "not known" never becomes allow.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from backupkit.guard.device_facts import Device
from backupkit.guard.facts import Demands, PackageFacts, SignerView
from backupkit.guard.outcome import Action, InstallCode

NO_DEMANDS = Demands()


class IfForced(Enum):
    """What "remove, then install" would do after this refusal."""

    FAILS = "fails"
    """The package is refused on an empty device too: the chats would be gone and the app as well."""
    REFUSED = "refused"
    """The update is refused for a choice of its maker; nothing is gained by removing the app."""
    WIPES = "wipes"
    """It would install, over the deleted chats. The 2018 accident."""


class Case(NamedTuple):
    """One update at one Android level."""

    installed: PackageFacts
    candidate: PackageFacts
    sdk: int
    action: Action
    old: SignerView | None
    new: SignerView | None
    device: Device

    @property
    def demands(self) -> Demands:
        """What the offered package asks for; nothing where that was not read."""
        return self.candidate.demands or NO_DEMANDS


class Rule(NamedTuple):
    """One row of the table: when it applies, what Android answers, what force would do.

    `applies` answers None where a fact it needs is not known.
    """

    reason: str
    code: Callable[[Case], InstallCode]
    if_forced: IfForced
    applies: Callable[[Case], bool | None]


def answers(code: InstallCode) -> Callable[[Case], InstallCode]:
    """Answer with this code whenever a rule applies."""
    return lambda _case: code


def below(value: int | None, floor: int | None) -> bool | None:
    """Tell whether a number is below a floor; None where one of them is not known."""
    return None if value is None or floor is None else value < floor


def any_of(found: Sequence[bool | None]) -> bool | None:
    """Answer yes where one of the answers is yes, no where all are no, else None: not known."""
    return True if True in found else None if None in found else False
