"""Ending the reminders about a source: it is not saved any more, and its owner knows. Its snapshots stay."""

from dataclasses import dataclass

from backupkit.errors import BackupkitError, ExitCode
from backupkit.ids import SnapshotId
from backupkit.ops.events import Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import known_snapshots

_MOST_NAMED = 20


class SourceNeverSaved(BackupkitError):
    """No source of this path, or no single one of this name, was saved by this computer. Facts: `source`, and `known`, their paths."""

    code = "source-never-saved"
    exit_code = ExitCode.NOT_FOUND


@dataclass(frozen=True, slots=True)
class LetGone:
    """A source that counts no more, and the newest snapshot that holds it."""

    source: str
    path: str
    snapshot: SnapshotId


def let_go_source(places: Places, source: str, *, tell: Tell) -> LetGone:
    """Let a source, by its path or a name that no other has, count no more until it is saved again.

    Raises:
        NoRepository: there is none.
        SourceNeverSaved: this computer knows none that is called so, or several.
    """
    repository = open_repository(places, tell)
    newest: dict[str, LetGone] = {}
    for known in known_snapshots(repository, tell):
        for facts in known.facts.sources if known.facts else ():
            newest[facts.path] = LetGone(facts.name, facts.path, known.id)
    fitting = [newest[source]] if source in newest else [one for one in newest.values() if one.source == source]
    if len(fitting) != 1:
        raise SourceNeverSaved(source=source, known=", ".join(list(newest)[:_MOST_NAMED]) or "-")
    repository.let_go.learn(fitting[0].path, fitting[0].snapshot)
    return fitting[0]
