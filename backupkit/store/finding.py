"""What is wrong with a repository, said so that nothing has to stop for it."""

from dataclasses import dataclass

from backupkit.errors import BackupkitError, Fact
from backupkit.ids import ChunkId


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. Its sentence is `finding.<code>` in the catalogues.

    `name` is the object it was found in, or the path of a file; `reason` the code of the cause; `record` the number of a
    damaged record of a pack; `chunks` the chunks that cannot be read because of it, as far as they are known.
    """

    code: str
    name: str
    reason: str = ""
    record: int | None = None
    chunks: tuple[ChunkId, ...] = ()

    @property
    def facts(self) -> dict[str, Fact]:
        """The values that fill its sentence."""
        return {
            "name": self.name,
            "reason": self.reason,
            "record": self.record,
            "chunks": len(self.chunks),
        }


def cause(error: BackupkitError) -> str:
    """Return the code of what went wrong, with its own reason where it has one: `malformed-object/wrong-mark`."""
    reason = error.facts.get("reason")
    return f"{error.code}/{reason}" if reason else error.code
