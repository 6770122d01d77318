"""A repository that demands what this program does not know: what could do harm is refused, and nothing changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from backup_scene import Scene, bytes_of
from lifecycle_scene import forget, keep

from backupkit.errors import ExitCode
from backupkit.ops.checking.drill import drill_snapshot
from backupkit.ops.keeping.repack import repack
from backupkit.ops.keeping.sweep import sweep
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.mending.rebuild import rebuild_repository
from backupkit.ops.mending.repair import repair_repository
from backupkit.store import layout
from backupkit.store.objects.config import Operation, UnknownFeature

Act = Callable[[Scene], object]

ACTS: dict[str, tuple[set[Operation], Act]] = {
    "snapshot": ({"read", "write"}, lambda scene: scene.take()),
    "verify": ({"read", "check"}, lambda scene: scene.verify()),
    "verify --open": ({"read", "check"}, lambda scene: scene.verify(opened=True)),
    "drill": (
        {"read", "check"},
        lambda scene: drill_snapshot(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell),
    ),
    "restore": ({"read"}, lambda scene: scene.restore()),
    "snapshots": ({"read"}, lambda scene: list_snapshots(scene.places)),
    "forget": ({"read", "write", "delete"}, lambda scene: forget(scene, "latest")),
    "forget --keep": ({"read", "write", "delete"}, lambda scene: keep(scene, last=1)),
    "undelete": (
        {"read", "write"},
        lambda scene: undelete_snapshots(scene.places, ["latest"], clock=scene.clock, tell=scene.tell),
    ),
    "sweep": ({"read", "write", "delete"}, lambda scene: sweep(scene.places, clock=scene.clock, tell=scene.tell)),
    "sweep --dry-run": (
        {"read", "write", "delete"},
        lambda scene: sweep(scene.places, clock=scene.clock, tell=scene.tell, dry_run=True),
    ),
    "repack": (
        {"read", "write", "delete"},
        lambda scene: repack(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell),
    ),
    "parity": ({"read", "write"}, lambda scene: write_parity(scene.places, tell=scene.tell)),
    "repair": (
        {"read", "write", "check"},
        lambda scene: repair_repository(scene.places, clock=scene.clock, tell=scene.tell),
    ),
    "repair --rebuild": (
        {"read", "write"},
        lambda scene: rebuild_repository(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell),
    ),
}
REFUSED: list[tuple[str, Operation]] = [(name, one) for name, (needs, _) in ACTS.items() for one in sorted(needs)]


def demand(scene: Scene, operation: Operation) -> None:
    """Let the owner say that an operation needs what nobody knows yet."""
    repository = scene.repository
    config = replace(
        repository.config, features={operation: ("quantum-packs",)}, revision=repository.config.revision + 1
    )
    now = repository.backend.read(layout.CONFIG)
    repository.objects.replace(layout.CONFIG, now, config.encode(repository.unlock(scene.secret).owner))


@pytest.mark.parametrize(("name", "operation"), REFUSED)
def test_what_needs_an_unknown_feature_is_refused_and_changes_nothing(
    scene: Scene, name: str, operation: Operation
) -> None:
    scene.write("note.txt", "day one")
    scene.take()
    demand(scene, operation)
    before = bytes_of(scene.places.repository)

    with pytest.raises(UnknownFeature) as refused:
        ACTS[name][1](scene)

    assert refused.value.facts == {"operation": operation, "feature": "quantum-packs"}
    assert refused.value.exit_code is ExitCode.NEWER_FORMAT
    assert bytes_of(scene.places.repository) == before


@pytest.mark.parametrize("operation", ["write", "check", "delete"])
def test_chats_come_back_whatever_else_is_not_known(scene: Scene, operation: Operation) -> None:
    scene.write("note.txt", "day one")
    scene.take()
    demand(scene, operation)

    scene.restore()

    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)
