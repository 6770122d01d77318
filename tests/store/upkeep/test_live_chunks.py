"""What snapshots need of the packs of a domain, followed from their roots."""

from stored import save_files

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId
from backupkit.store.packs.pack_format import ENTRY_HEAD, Address
from backupkit.store.upkeep.repack import LiveChunks, PackUse

FILES = {b"%03d" % number: (b"text %03d" % number * 5, 40) for number in range(30)}


def test_without_a_root_nothing_is_needed_and_with_it_everything(address: Address, secrets: DomainSecrets) -> None:
    reader, root = save_files(address, secrets, FILES)
    packs = sorted(reader.index.packs())
    tables = {pack: sorted(reader.pack_reader(pack).table(), key=lambda row: row.offset) for pack in packs}

    before, after = LiveChunks(reader), LiveChunks(reader)
    after.add_root(root)

    for pack in packs:
        stored = sum(ENTRY_HEAD.size + row.stored for row in tables[pack])
        assert list(before.rows(pack)) == []
        assert list(after.rows(pack)) == tables[pack]
        assert before.use_of(pack, 5000) == PackUse(pack, 0, stored, 5000)
        assert after.use_of(pack, 5000) == PackUse(pack, stored, stored, 5000)
    assert before.lost == after.lost == []


def test_a_root_that_is_in_no_pack_is_told_as_lost(address: Address, secrets: DomainSecrets) -> None:
    """Whoever repacks then knows that nothing of this domain is known to be dead."""
    reader, _ = save_files(address, secrets, FILES)
    live, gone = LiveChunks(reader), ChunkId(bytes(32))

    live.add_root(gone)

    assert [(one.code, one.chunks) for one in live.lost] == [("chunk-lost", (gone,)), ("manifest-lost", (gone,))]
