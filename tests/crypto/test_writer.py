from dataclasses import replace

from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.keyring import Keyring
from backupkit.crypto.writer import WriterKeys, WriterState, decode_writer_state, writer_id
from backupkit.ids import RepositoryId


def state() -> WriterState:
    public = Keyring.create()[0].public
    domain = DomainSecrets.generate("wechat", "own-export")
    empty = WriterState(
        RepositoryId(bytes(range(16))),
        "backupkit.local/store/aaaq",
        WriterKeys.generate(),
        public.owner_key,
        public.root_recipient,
    )
    return empty.with_domain(domain.id, domain.writer_keys())


def test_a_writers_state_survives_its_file() -> None:
    writer = state()

    assert decode_writer_state(writer.encode()) == writer
    assert decode_writer_state(writer.encode()).encode() == writer.encode()


def test_a_writer_signs_log_and_attestations_with_different_keys_that_name_it() -> None:
    keys = WriterKeys(bytes(32))

    assert keys.log.verify_key != keys.attest.verify_key
    assert keys.id == writer_id(keys.log.verify_key, keys.attest.verify_key) == WriterKeys(bytes(32)).id
    assert keys.id != WriterKeys.generate().id
    assert len(bytes.fromhex(keys.id)) == 16


def test_adding_a_domain_leaves_the_old_state_alone() -> None:
    before = state()
    domain = DomainSecrets.generate("qq", "own-export")

    after = before.with_domain(domain.id, domain.writer_keys())

    assert len(before.domains) == 1
    assert after.domains[domain.id] == domain.writer_keys()


def test_fields_of_a_newer_backupkit_survive_reading_and_writing() -> None:
    writer = state()
    (domain, keys), *_ = writer.domains.items()
    label = replace(keys.label, unknown={"since": 2018})
    newer = replace(
        writer, unknown={"quota": 1}, domains={domain: replace(keys, unknown={"paused": False}, label=label)}
    )

    assert decode_writer_state(newer.encode()) == newer


def test_no_secret_is_in_what_a_state_prints() -> None:
    writer = state()
    (keys,) = writer.domains.values()

    printed = repr(writer)

    assert repr(writer.writer.seed) not in printed
    assert repr(keys.id_key) not in printed
    assert repr(keys.index_key) not in printed
