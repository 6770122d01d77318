"""What a process of backupkit answered."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Ran:
    """Exit code, standard output, standard error."""

    code: int
    out: str
    notes: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on the standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        """The last JSON object."""
        return self.objects[-1]


Run: TypeAlias = Callable[..., Ran]
