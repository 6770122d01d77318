"""A repository of format version 1 that must open for ever."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.signing import VerifyKey
from backupkit.crypto.writer import DomainLabel
from backupkit.ids import ChunkId, DomainId, RepositoryId
from backupkit.store import layout
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding
from backupkit.store.objects.config import decode_config
from backupkit.store.objects.log_store import LogStore
from backupkit.store.objects.pack_list import read_pack_list
from backupkit.store.objects.small_objects import SmallObjects
from backupkit.store.trees.contents import content_bytes, walk_tree
from backupkit.store.trees.manifest import read_manifest
from backupkit.store.trees.tree import EntryKind
from backupkit.store.upkeep.check import FileChecked, PackChecked, check_open, check_sealed

FOLDER = Path(__file__).parents[1] / "vectors" / "store"
FACTS = json.loads((FOLDER / "facts.json").read_text("ascii"))
DOMAIN = DomainId(bytes.fromhex(FACTS["domain"]))
ROOT = ChunkId(bytes.fromhex(FACTS["root"]))


@pytest.fixture
def backend(tmp_path: Path) -> PosixBackend:
    # A copy: who reads may heal.
    shutil.copytree(FOLDER / "repository", tmp_path / "repository")
    return PosixBackend(tmp_path / "repository")


@pytest.fixture(params=["with-index", "without-index"])
def reader(backend: PosixBackend, request: pytest.FixtureRequest) -> DomainReader:
    if request.param == "without-index":
        for name in backend.names(layout.INDEXES):
            backend.delete(name)
    secrets = DomainSecrets(
        DOMAIN,
        bytes.fromhex(FACTS["id_key"]),
        bytes.fromhex(FACTS["index_key"]),
        XWingIdentity(bytes.fromhex(FACTS["identity_seed"])),
        DomainLabel("wechat", "own-export"),
    )
    return DomainReader(backend, RepositoryId(bytes.fromhex(FACTS["repository"])), DOMAIN, secrets, tell=fail)


def fail(finding: Finding) -> None:
    pytest.fail(f"{finding}")


def test_every_file_comes_back(reader: DomainReader) -> None:
    found = {}
    for source in read_manifest(reader, ROOT).sources:
        for path, entry in walk_tree(reader, source.tree, fail):
            if entry.content is not None:
                data = b"".join(content_bytes(reader, entry.content))
                found[f"{source.name}/{path.decode('utf-8', 'surrogateescape')}"] = hashlib.sha256(data).hexdigest()

    assert found == FACTS["files"]


def test_everything_checks_open(reader: DomainReader) -> None:
    outcomes = list(check_open(reader, ROOT))

    assert all(isinstance(one, FileChecked) for one in outcomes)
    assert len(outcomes) == len(FACTS["files"])


def test_everything_checks_sealed(backend: PosixBackend) -> None:
    listed = read_pack_list(backend, FACTS["pack_list"])

    outcomes = list(check_sealed(backend, [pack.ref for pack in listed]))

    assert [(one.ref, one.size) for one in outcomes if isinstance(one, PackChecked)] == listed
    assert [pack.ref.pack for pack in listed] == FACTS["packs"]


def test_the_manifest_says_what_was_saved(reader: DomainReader) -> None:
    manifest = read_manifest(reader, ROOT)

    wechat, notes = manifest.sources
    assert (manifest.created, manifest.host, manifest.complete) == ("2018-06-01T08:30:00Z", "laptop", False)
    assert (wechat.app, wechat.package, wechat.files) == ("wechat", "com.tencent.mm", 6)
    assert [(one.path, one.reason) for one in wechat.unreadable] == [(b"locked\xff", "EACCES")]
    assert wechat.chat is not None
    assert (wechat.chat.format, wechat.chat.messages, wechat.chat.media) == ("wechat-sealed", None, 1)
    assert notes.path == "/home/me/笔记".encode()


def test_entries_keep_their_modes_times_and_targets(reader: DomainReader) -> None:
    manifest = read_manifest(reader, ROOT)
    entries = {path: entry for source in manifest.sources for path, entry in walk_tree(reader, source.tree, fail)}

    assert entries[b"newest"].target == b"photo.jpg"
    assert entries[b"a/b"].kind is EntryKind.FOLDER
    assert entries[b"chats.db"].mode == 0o640
    assert entries[b"chats.db"].mtime_ns == 1_527_841_800_123_456_789


def test_the_config_was_signed_by_its_owner(backend: PosixBackend) -> None:
    owner = VerifyKey(bytes.fromhex(FACTS["owner_key"]))
    config = SmallObjects(backend, fail).read(layout.CONFIG, lambda data: decode_config(data, owner))

    assert config.repository.hex() == FACTS["repository"]
    assert config.origin == "backupkit.local/store/aaaqeayeaudaocajbifqydiob4"
    assert [writer.id for writer in config.writers] == ["0badcafe"]
    assert replace(config, revision=1) == config


def test_the_log_is_read(backend: PosixBackend) -> None:
    log = LogStore(backend, fail)
    head = log.read_head(lambda data: int(data.split(b"\n")[0]))

    assert head is not None
    assert [entry.decode() for entry in log.entries(0, 2)] == FACTS["log"]
