"""Makes the hostile repositories under `tests/vectors/hostile`: what somebody with the disk, or a writer that lies, can prepare.

Each case is what differs from the whole golden repository (`tests/vectors/whole`), and what each command must answer: its exit code,
its error's code, and the codes of its findings. Lying writers draw random salts, so a second run gives other bytes; run it as
`python tests/vectors/make_hostile.py FOLDER [CASE...]` to look at new ones beside the old, and read what changed in `cases.json`
before believing it.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import zstandard
from backup_scene import Scene, SteppingClock, bytes_of
from hostile_repositories import BASE, COMMANDS, Answers, Case, answers_of, open_base, spoil

from backupkit.crypto.keyring import Keyring
from backupkit.crypto.signing import SigningKey
from backupkit.crypto.slots import decode_slot
from backupkit.ids import ChunkId, PackName
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.proof.checkpoint import Checkpoint, sign_checkpoint
from backupkit.proof.dsse import open_envelope, sign_envelope
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.store import layout
from backupkit.store.chunk_id import ChunkType
from backupkit.store.objects.config import decode_config
from backupkit.store.objects.small_objects import COPIES
from backupkit.store.packs import index as index_file
from backupkit.store.packs.compression import Codec
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.parity.parity_format import Parity, decode_header, encode_header, header_size
from backupkit.store.trees import tree
from backupkit.store.trees.manifest import Source
from backupkit.store.trees.tree import Chunks, Entry, EntryKind, StoresChunks

Lie = Callable[[StoresChunks, list[Entry]], list[Entry]]
CASES: dict[str, tuple[str, Callable[["Base"], None], list[dict[str, Any]], tuple[str, ...]]] = {}


@dataclass
class Base:
    """A golden repository that is being spoilt."""

    scene: Scene

    @property
    def root(self) -> Path:
        return self.scene.places.repository

    def keyring(self) -> Keyring:
        return self.scene.repository.unlock(self.scene.secret)

    def objects(self, prefix: str) -> list[str]:
        return list(self.scene.repository.backend.names(prefix))

    def put(self, name: str, data: bytes, copies: Iterable[str] = COPIES) -> None:
        for copy in copies:
            (self.root / (copy + name)).write_bytes(data)

    def take(self) -> None:
        """Let a writer take a snapshot of a folder. Who makes it lie patches it."""
        self.scene.write("a.txt", b"hello")
        self.scene.take()

    def lie(self, lie: Lie) -> None:
        """Store the folder that `lie` makes of the true one, with no check of the writer's own."""

        def write(writer: StoresChunks, entries: Iterable[Entry]) -> ChunkId:
            return raw_tree(writer, lie(writer, list(entries)))

        with patch.object(tree, "write_tree", write):
            self.take()


def raw_tree(writer: StoresChunks, entries: list[Entry]) -> ChunkId:
    return tree._store(writer, {"v": 1, "entries": [tree._encode(entry) for entry in entries]})


def a_file(writer: StoresChunks, name: bytes, *, size: int = 4) -> Entry:
    content = Chunks((writer.store(ChunkType.DATA, b"evil").id,))
    return Entry(name, EntryKind.FILE, 0o644, 0, size, hashlib.sha256(b"evil").digest(), content)


def unnamed(entry: Entry, name: bytes) -> Entry:
    """Give an entry a name that no entry may have."""
    object.__setattr__(entry, "name", name)
    return entry


def case(
    name: str, about: str, *, special: list[dict[str, Any]] | None = None, ask: tuple[str, ...] = COMMANDS
) -> Callable[[Callable[[Base], None]], None]:
    def keep(make: Callable[[Base], None]) -> None:
        CASES[name] = (about, make, special or [], ask)

    return keep


def special(name: str, about: str, *changes: dict[str, Any], ask: tuple[str, ...] = COMMANDS) -> None:
    """A case that Git cannot hold: pipes, devices, links, files without end, odd names."""
    CASES[name] = (about, lambda _: None, list(changes), ask)


# What a disk may hold in place of an object


def everywhere(path: str, **change: Any) -> list[dict[str, Any]]:
    return [{"path": copy + path, **change} for copy in COPIES]


special("checkpoint-giant", "a file of 1 TiB at log/checkpoint", {"do": "giant", "path": "log/checkpoint"})
special("checkpoint-giant-everywhere", "all three heads are 1 TiB", *everywhere("log/checkpoint", do="giant"))
special("checkpoint-pipe", "a pipe at log/checkpoint", {"do": "pipe", "path": "log/checkpoint"})
special("checkpoint-folder", "a folder at log/checkpoint", {"do": "folder", "path": "log/checkpoint"})
special(
    "checkpoint-link",
    "log/checkpoint is a link to /dev/zero",
    {"do": "link", "path": "log/checkpoint", "to": "/dev/zero"},
)
special("config-device", "a device at config", {"do": "device", "path": "config"})
special("keyring-giant", "all three keyrings are 1 TiB", *everywhere("keyring", do="giant"), ask=("verify", "restore"))
special(
    "lock-link",
    ".lock is a link to a file elsewhere",
    {"do": "link", "path": ".lock", "to": "../outside"},
    ask=("verify", "snapshot"),
)
special("lock-folder", ".lock is a folder", {"do": "folder", "path": ".lock"}, ask=("verify", "restore", "snapshot"))
special("pack-pipe", "the largest pack is a pipe", {"do": "pipe", "path": "PACK"})
special(
    "pack-link-out",
    "the largest pack is a link to a file elsewhere",
    {"do": "link", "path": "PACK", "to": "/etc/hostname"},
)
special("pack-giant", "the largest pack is 1 TiB", {"do": "giant", "path": "PACK"}, ask=("verify --quick", "restore"))
special("folder-loop", "a link among the packs leads back up", {"do": "link", "path": "packs/loop", "to": ".."})
special(
    "odd-names", "files whose names no object has",
    {"do": "file", "path": "packs/\udcff\udcfe"}, {"do": "file", "path": "snapshots/UPPER"},
    {"do": "file", "path": "log/entries/-1"}, {"do": "file", "path": "index/new\nline"}, {"do": "file", "path": "domains/x"},
    {"do": "file", "path": "slots/\u202e"}, {"do": "folder", "path": ".tmp-1-aa"}, {"do": "file", "path": "copies/3/config"},
)  # fmt: skip


# Key files, config, log


@case("config-newer", "a config of version 99", ask=("verify", "restore", "snapshot"))
def _(base: Base) -> None:
    data = (base.root / "config").read_bytes()
    base.put("config", data[:8] + b"\x00\x63" + data[10:])


def with_feature(base: Base, operation: str) -> None:
    keyring = base.keyring()
    config = decode_config((base.root / "config").read_bytes(), keyring.owner.verify_key)
    features: Any = {operation: ("quantum-packs",)}
    base.put("config", replace(config, features=features, revision=config.revision + 1).encode(keyring.owner))


for operation in ("read", "write", "check"):
    case(
        f"feature-{operation}",
        f"the owner says that {operation} needs what nobody knows",
        ask=("verify", "restore", "snapshot"),
    )(
        lambda base, operation=operation: with_feature(base, operation)  # type: ignore[misc]
    )


@case("config-of-a-stranger", "a config that a stranger signed", ask=("verify", "restore", "snapshot"))
def _(base: Base) -> None:
    config = decode_config((base.root / "config").read_bytes(), base.keyring().owner.verify_key)
    base.put("config", config.encode(SigningKey.generate()))


def slots_with(base: Base, **params: int) -> None:
    for name in base.objects(layout.SLOTS):
        slot = decode_slot((base.root / name).read_bytes())
        if slot.kind == "passphrase":
            base.put(name, replace(slot, params={**slot.params, **params}).encode())


@case("kdf-memory", "the passphrase slot asks for 4 TiB of memory", ask=("restore with passphrase", "restore"))
def _(base: Base) -> None:
    slots_with(base, memory_kib=1 << 32)


@case("kdf-passes", "the passphrase slot asks for a thousand million passes", ask=("restore with passphrase",))
def _(base: Base) -> None:
    slots_with(base, passes=10**9)


@case("kdf-cheap", "the passphrase slot asks for next to nothing, to be guessed", ask=("restore with passphrase",))
def _(base: Base) -> None:
    slots_with(base, memory_kib=8, passes=1, lanes=1)


@case("domains-swapped", "two domains' files have each other's names")
def _(base: Base) -> None:
    first, second = base.objects(layout.DOMAINS)
    data = [(base.root / name).read_bytes() for name in (first, second)]
    base.put(first, data[1])
    base.put(second, data[0])


@case("head-of-a-stranger", "a stranger signed the log's head")
def _(base: Base) -> None:
    checkpoint = Checkpoint(base.scene.repository.origin, 7, bytes(32))
    base.put("log/checkpoint", sign_checkpoint(checkpoint, SigningKey.generate()))


@case("head-counts-without-end", "a writer's head says that there are 10 ** 18 entries")
def _(base: Base) -> None:
    writer = base.scene.repository.require_writer().writer
    base.put("log/checkpoint", sign_checkpoint(Checkpoint(base.scene.repository.origin, 10**18, bytes(32)), writer.log))


@case("statements-of-a-stranger", "a stranger signed what the log says was a snapshot")
def _(base: Base) -> None:
    writer = base.scene.repository.require_writer().writer
    for name in base.objects(layout.SNAPSHOTS):
        if not name.endswith(".sshsig"):
            payload = open_envelope((base.root / name).read_bytes(), [writer.attest.verify_key], PAYLOAD_TYPE)
            base.put(name, sign_envelope(payload, PAYLOAD_TYPE, [SigningKey.generate()]))


# Packs, index, parity


def store_bomb(base: Base, bomb: bytes) -> None:
    with (
        patch("backupkit.store.domains.domain_writer.compress", lambda data, _: (Codec.ZSTD, bomb) if data == b"boom" * 40_000 else (Codec.RAW, data)),
        patch("backupkit.store.domains.domain_writer.check_finished_pack"),
    ):  # fmt: skip
        base.scene.write("bomb.txt", b"boom" * 40_000)
        base.take()


@case("zstd-bomb", "a chunk that is 1 GiB of zeros once opened")
def _(base: Base) -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 30))
    store_bomb(base, bomb)


@case("zstd-bomb-of-unknown-size", "a chunk of 1 GiB that does not say so")
def _(base: Base) -> None:
    stream = zstandard.ZstdCompressor(level=19, write_content_size=False).compressobj()
    bomb = stream.compress(bytes(1 << 30)) + stream.flush()
    store_bomb(base, bomb)


@case("pack-lengths", "the lengths in every pack's header and footer are as large as they can be")
def _(base: Base) -> None:
    for name in base.objects(layout.PACKS):
        path = base.root / name
        data = bytearray(path.read_bytes())
        data[108:116] = b"\xff" * 8
        data[-28:-4] = b"\xff" * 24
        path.write_bytes(data)


@case("pack-under-another-name", "a pack lies under another's name, and under no domain that there is")
def _(base: Base) -> None:
    names = sorted(base.objects(layout.PACKS), key=lambda name: (base.root / name).stat().st_size)
    shutil.copyfile(base.root / names[0], base.root / names[-1])
    lost = base.root / f"packs/{'ab' * 16}/00/{'00' * 32}"
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"not a pack")


def lying_index(base: Base, change: Callable[[Any], Any]) -> None:
    """Replace every index file by one whose rows `change` made."""
    writer = base.scene.repository.require_writer()
    for domain, keys in writer.domains.items():
        address = Address(base.scene.repository.id, domain)
        index = Index.load(base.scene.repository.backend, address, keys.index_key, lambda _: None)
        tables: dict[PackName, list[Any]] = {}
        for pack in index.packs():
            tables[pack] = [
                one.row for chunk in index.chunks_in(pack) for one in index.locations(chunk) if one.pack == pack
            ]
        for name in base.objects(layout.indexes(domain)):
            (base.root / name).unlink()
        rows = [(pack, index_file._packed(map(change, table))) for pack, table in sorted(tables.items())]
        data = index_file._encode(rows, address, keys.index_key)
        (base.root / layout.index(domain, hashlib.sha256(data).hexdigest())).write_bytes(data)


@case("index-that-lies", "every index entry leads to the wrong place")
def _(base: Base) -> None:
    lying_index(base, lambda row: row._replace(offset=(row.offset + 7) % 3000))


@case("index-of-giants", "every index entry says that its chunk is as large as it can be")
def _(base: Base) -> None:
    lying_index(base, lambda row: row._replace(plain=(1 << 32) - 1, stored=(1 << 32) - 1, offset=(1 << 32) - 1))


@case("index-newer", "index files of a newer version, and one that is garbage under a true name")
def _(base: Base) -> None:
    for name in base.objects(layout.INDEXES):
        data = (base.root / name).read_bytes()
        (base.root / name).write_bytes(data[:8] + b"\x00\x63" + data[10:])
        garbage = b"garbage"
        (base.root / name).with_name(hashlib.sha256(garbage).hexdigest()).write_bytes(garbage)


def parity_file(base: Base, name: str, change: Callable[[bytes, bytes], bytes]) -> None:
    data = (base.root / name).read_bytes()
    size = header_size(data[:16])
    new = change(data[:size], data[size:])
    (base.root / name).unlink()
    (base.root / name).with_name(hashlib.sha256(new).hexdigest()).write_bytes(new)


def lose_a_pack(base: Base) -> None:
    """The largest: without parity a source is lost with it."""
    (base.root / max(base.objects(layout.PACKS), key=lambda name: (base.root / name).stat().st_size)).unlink()


@case(
    "parity-that-lies",
    "a pack is gone, and parity that agrees with itself gives other bytes for it",
    ask=("repair", "verify", "restore"),
)
def _(base: Base) -> None:
    def lie(header: bytes, data: bytes) -> bytes:
        group, which = decode_header(header)
        new = bytes(byte ^ 0x55 for byte in data)
        import zlib

        crcs = tuple(zlib.crc32(new[at : at + group.block_size]) for at in range(0, len(new), group.block_size))
        both = (crcs, group.crcs[1]) if which is Parity.P else (group.crcs[0], crcs)
        return encode_header(replace(group, crcs=both), which) + new

    for name in base.objects(layout.PARITY):
        parity_file(base, name, lie)
    lose_a_pack(base)


@case("parity-lengths", "a pack is gone, and parity says that it is as long as it can be", ask=("repair", "verify"))
def _(base: Base) -> None:
    for name in base.objects(layout.PARITY):
        parity_file(base, name, lambda header, data: header[:12] + b"\xff" * 4 + header[16:] + data)
    lose_a_pack(base)


# Trees


@case(
    "tree-bomb",
    "thirty folders of two folders each: a thousand million folders in a handful of chunks",
    ask=("verify", "verify --open"),
)
def _(base: Base) -> None:
    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        below = raw_tree(writer, [a_file(writer, b"leaf")])
        for _ in range(30):
            below = raw_tree(writer, [Entry(name, EntryKind.FOLDER, 0o755, 0, tree=below) for name in (b"a", b"b")])
        return [*entries, Entry(b"bomb", EntryKind.FOLDER, 0o755, 0, tree=below)]

    base.lie(lie)


@case("tree-deep", "450 folders, each in the one before")
def _(base: Base) -> None:
    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        below = raw_tree(writer, [])
        for _ in range(450):
            below = raw_tree(writer, [Entry(b"d", EntryKind.FOLDER, 0o755, 0, tree=below)])
        return [*entries, Entry(b"deep", EntryKind.FOLDER, 0o755, 0, tree=below)]

    base.lie(lie)


@case("tree-in-itself", "a folder that names a chunk which the index says is that very folder")
def _(base: Base) -> None:
    """No writer can do it with true ids: the id of a folder depends on all that is in it. So the index must lie."""
    false = ChunkId(b"\x11" * 32)

    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        return [*entries, Entry(b"self", EntryKind.FOLDER, 0o755, 0, tree=false)]

    base.lie(lie)
    known = known_snapshots(base.scene.repository)[-1]
    (domain,) = known.statement.domains
    keys = base.scene.repository.require_writer().domains[domain.id]
    address = Address(base.scene.repository.id, domain.id)
    index = Index.load(base.scene.repository.backend, address, keys.index_key, lambda _: None)
    rows = [
        one.row._replace(chunk=false)
        for chunk in index.chunks_in(domain.pack)
        for one in index.locations(chunk)
        if one.row.kind == ChunkType.TREE
    ]
    data = index_file._encode([(domain.pack, index_file._packed(rows[:1]))], address, keys.index_key)
    (base.root / layout.index(domain.id, hashlib.sha256(data).hexdigest())).write_bytes(data)


@case("names-that-escape", "entries named .., /etc/cron.d/x, a/b, nothing, and with a zero byte")
def _(base: Base) -> None:
    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        for number, name in enumerate((b"..", b"../../outside", b"/outside", b"a/b", b"", b".", b"zero\0")):
            below = raw_tree(writer, [unnamed(a_file(writer, b"x"), name)])
            entries.append(Entry(b"folder-%d" % number, EntryKind.FOLDER, 0o755, 0, tree=below))
        return sorted(entries, key=lambda one: one.name)

    base.lie(lie)


@case("link-and-folder", "a link out of the target, and a folder of the same name with a file in it")
def _(base: Base) -> None:
    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        below = raw_tree(writer, [a_file(writer, b"planted")])
        link = Entry(b"x", EntryKind.LINK, 0o777, 0, target=b"../../outside")
        return [*entries, link, Entry(b"x", EntryKind.FOLDER, 0o755, 0, tree=below)]

    base.lie(lie)


@case("source-that-escapes", "a source whose folder is named ..")
def _(base: Base) -> None:
    def source(**fields: Any) -> Source:
        return Source(**{**fields, "path": b"/home/me/.."})

    with patch("backupkit.ops.saving.snapshot.Source", source):
        base.take()


@case("file-without-end", "a file of 8 PiB that is one chunk again and again")
def _(base: Base) -> None:
    def lie(writer: StoresChunks, entries: list[Entry]) -> list[Entry]:
        chunk = writer.store(ChunkType.DATA, bytes(1 << 16)).id
        content = Chunks((chunk,) * 8)
        return [*entries, Entry(b"endless", EntryKind.FILE, 0o644, 0, (1 << 53) - 1, bytes(32), content)]

    base.lie(lie)


def make(folder: Path, names: list[str]) -> None:
    path = folder / "cases.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for name in names or CASES:
        about, spoilt_by, changes, ask = CASES[name]
        files = folder / name
        shutil.rmtree(files, ignore_errors=True)
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            scene = open_base(work / "made")
            scene.clock = SteppingClock(datetime(2030, 1, 1, tzinfo=UTC))
            spoilt_by(Base(scene))
            before, after = bytes_of(BASE / "repository"), bytes_of(scene.places.repository)
            for gone in sorted(before.keys() - after.keys()):
                changes = [*changes, {"do": "remove", "path": gone}]
            numbers: dict[bytes, str] = {}
            for changed in sorted(after):
                if changed.startswith(".") or before.get(changed) == after[changed]:
                    continue
                held = numbers.setdefault(after[changed], str(len(numbers)))
                files.mkdir(parents=True, exist_ok=True)
                (files / held).write_bytes(after[changed])
                changes = [*changes, {"do": "write", "path": changed, "file": held}]
            made = Case(name, about, tuple(changes), {})
            answers: dict[str, Answers] = {}
            for command in ask:
                spoilt = open_base(work / "asked")
                spoil(spoilt.places.repository, made, files)
                answers[command] = answers_of(spoilt, command)
                shutil.rmtree(work / "asked")
        found[name] = {"about": about, "changes": changes, "answers": answers}
        sys.stdout.write(f"{name} {json.dumps(answers)}\n")
    path.write_text(json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=True) + "\n", "ascii")


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2:])
