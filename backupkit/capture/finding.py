"""What capture found out about a source that its owner should know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backupkit.errors import Fact


@dataclass(frozen=True, slots=True)
class Finding:
    """A code whose sentence is `finding.<code>` in the catalogues, and the facts that fill it.

    `lost` is true where something that the app had committed is not in the file any more, or is damaged in it.
    """

    code: str
    lost: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)
