"""A repository of which little is left."""

from backup_scene import Scene

from backupkit.ids import ChunkId
from backupkit.ops.repository.domains import ensure_domain
from backupkit.store.chunk_id import ChunkType, plain_sha256
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.trees.tree import Entry, EntryKind, file_content, write_tree


def lose(scene: Scene, *prefixes: str) -> None:
    backend = scene.repository.backend
    for copy in ("", "copies/1/", "copies/2/"):
        for prefix in prefixes:
            for name in list(backend.names(copy + prefix)):
                backend.delete(name)


def store_folder_without_root(scene: Scene, files: dict[bytes, bytes]) -> ChunkId:
    """Leave what a run leaves that was killed before it could write down what it saved."""
    repository, domain = ensure_domain(scene.repository, "killed", scene.clock)
    keys = repository.require_writer().domains[domain]
    index = Index.load(repository.backend, Address(repository.id, domain), keys.index_key, lambda _: None)
    with DomainWriter(repository.backend, repository.id, domain, keys, index) as writer:
        entries = []
        for name, data in sorted(files.items()):
            content = file_content(writer, [writer.store(ChunkType.DATA, data).id])
            entries.append(Entry(name, EntryKind.FILE, 0o600, 0, len(data), plain_sha256(data), content))
        inner = write_tree(writer, entries)
        return write_tree(writer, [Entry(b"chats", EntryKind.FOLDER, 0o700, tree=inner)])
