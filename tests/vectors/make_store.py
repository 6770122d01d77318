"""Makes the golden repository under `tests/vectors/store`, once.

Packs hold random salts, so a second run gives other bytes: golden files are made when the format is, and never again for
the same version. Run it as `PYTHONPATH=tests python tests/vectors/make_store.py FOLDER` to look at new ones beside the old.
"""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path

from stored import store_pages

from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.recipients import XWingIdentity
from backupkit.crypto.signing import SigningKey
from backupkit.crypto.writer import DomainLabel
from backupkit.ids import DomainId, RepositoryId
from backupkit.store import layout
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import RepositoryConfig, WriterEntry
from backupkit.store.objects.log_store import LogStore
from backupkit.store.objects.pack_list import publish_pack_list
from backupkit.store.objects.small_objects import SmallObjects
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.trees.manifest import ChatFacts, Manifest, Source, Unreadable, store_manifest
from backupkit.store.trees.page_map import write_page_map
from backupkit.store.trees.tree import Content, Entry, EntryKind, Pages, file_content, write_tree

REPOSITORY = RepositoryId(bytes(range(16)))
DOMAIN = DomainId(bytes(range(16, 32)))
OWNER = SigningKey(bytes(range(32, 64)))
WRITER = SigningKey(bytes(range(64, 96)))
SECRETS = DomainSecrets(
    DOMAIN,
    bytes(range(96, 128)),
    bytes(range(128, 160)),
    XWingIdentity(bytes(range(160, 192))),
    DomainLabel("wechat", "own-export"),
)
WHEN = "2018-06-01T08:30:00Z"
MTIME = 1_527_841_800_123_456_789
PAGE = 512


def noise(label: str, size: int) -> bytes:
    """Bytes that do not compress and are the same everywhere."""
    return hashlib.shake_256(label.encode()).digest(size)


FILES = {
    "wechat/hello.txt": "你好，再见。\n".encode() * 40,
    "wechat/empty": b"",
    "wechat/photo.jpg": noise("photo", 9000),
    "wechat/many.bin": noise("many", 70 * 100),
    "wechat/name-\udcff\udcfe": b"a name that is not UTF-8\n",
    "wechat/chats.db": noise("pages", 300 * PAGE + 77),
    "notes/a/b/c.txt": b"deep\n",
}


def make_store(folder: Path) -> dict[str, object]:
    folder.mkdir(parents=True)
    backend = PosixBackend(folder)
    address = Address(REPOSITORY, DOMAIN)
    index = Index(address)
    with DomainWriter(backend, REPOSITORY, DOMAIN, SECRETS.writer_keys(), index) as writer:
        root = store_manifest(writer, _manifest(writer))
        writer.flush()
    packs = [PackRef(DOMAIN, pack) for pack in index.packs()]
    digest, _, _ = publish_pack_list(backend, packs)
    public = WRITER.verify_key
    config = RepositoryConfig(REPOSITORY, WHEN, writers=(WriterEntry("0badcafe", public, public, "laptop"),))
    SmallObjects(backend).create(layout.CONFIG, config.encode(OWNER))
    for text in ("first", "second"):
        LogStore(backend).append(partial(_entry, text), _head, size_of=_head_size, accept=lambda _, entry: None)
    (folder / ".lock").unlink()
    return {
        "repository": REPOSITORY.hex(),
        "domain": DOMAIN.hex(),
        "id_key": SECRETS.id_key.hex(),
        "index_key": SECRETS.index_key.hex(),
        "identity_seed": SECRETS.identity.seed.hex(),
        "owner_key": OWNER.verify_key.public.hex(),
        "root": root.hex(),
        "root_pack": writer.root_pack,
        "pack_list": digest,
        "packs": sorted(pack.pack for pack in packs),
        "log": ['{"seq":0,"text":"first"}', '{"seq":1,"text":"second"}'],
        "files": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(FILES.items())},
    }


def _entry(text: str, sequence: int) -> bytes:
    return b'{"seq":%d,"text":"%s"}' % (sequence, text.encode())


def _head(before: bytes | None, sequence: int, entry: bytes) -> bytes:
    """A stand-in for a checkpoint: the store does not look into it."""
    return b"%d\n" % (sequence + 1) + hashlib.sha256((before or b"") + entry).digest()


def _head_size(head: bytes) -> int:
    return int(head.split(b"\n")[0])


def _manifest(writer: DomainWriter) -> Manifest:
    names = [path.removeprefix("wechat/") for path in FILES if path.startswith("wechat/")]
    wechat = write_tree(
        writer,
        [*(_file(writer, f"wechat/{name}") for name in names), Entry(b"newest", EntryKind.LINK, target=b"photo.jpg")],
    )
    tree = write_tree(writer, [_file(writer, "notes/a/b/c.txt")])
    for name in (b"b", b"a"):
        tree = write_tree(writer, [Entry(name, EntryKind.FOLDER, 0o755, MTIME, tree=tree)])
    chat = ChatFacts("wechat-sealed", "wechat", None, None, 1, 0, None, None, "2018-06-01T08:29:00Z")
    sources = (
        Source(
            "wechat", b"/home/me/wechat", wechat, 6, _size("wechat/"), WHEN, "wechat", "com.tencent.mm",
            (Unreadable(b"locked\xff", "EACCES"),), chat,
        ),
        Source("notes", "/home/me/笔记".encode(), tree, 1, _size("notes/"), WHEN),
    )  # fmt: skip
    return Manifest(DOMAIN, WHEN, "laptop", {"name": "backupkit", "version": "0.1.0"}, sources, complete=False)


def _size(prefix: str) -> int:
    return sum(len(data) for path, data in FILES.items() if path.startswith(prefix))


def _file(writer: DomainWriter, path: str) -> Entry:
    data = FILES[path]
    name = path.rpartition("/")[2].encode("utf-8", "surrogateescape")
    content = _content(writer, path, data)
    return Entry(name, EntryKind.FILE, 0o640, MTIME, len(data), hashlib.sha256(data).digest(), content)


def _content(writer: DomainWriter, path: str, data: bytes) -> Content:
    if not path.endswith(".db"):
        cut = 100 if path.endswith(".bin") else 1 << 20
        pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
        return file_content(writer, [writer.store(ChunkType.DATA, piece).id for piece in pieces])
    # An older version first, so that the map has rows in several extents.
    older = bytearray(data)
    older[PAGE * 10 : PAGE * 12] = bytes(2 * PAGE)
    page_map = None
    for version, changed in ((bytes(older), range(301)), (data, range(10, 12))):
        page_map = store_pages(
            writer,
            page_map,
            page_size=PAGE,
            file_size=len(version),
            changed=changed,
            read=partial(_page, version),
        )
    assert page_map is not None
    return Pages(write_page_map(writer, page_map), PAGE)


def _page(version: bytes, page: int) -> bytes:
    return version[page * PAGE : (page + 1) * PAGE]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    facts = make_store(place / "repository")
    (place / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", "ascii")
