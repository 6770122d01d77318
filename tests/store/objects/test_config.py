from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey
from backupkit.errors import ExitCode
from backupkit.ids import RepositoryId
from backupkit.store.objects.config import (
    Chunking,
    RepositoryConfig,
    UnknownFeature,
    WriterEntry,
    decode_config,
    origin_of,
)

OWNER = SigningKey(b"o" * 32)
WRITER = WriterEntry("0badcafe", SigningKey(b"l" * 32).verify_key, SigningKey(b"a" * 32).verify_key, "我的笔记本")
CONFIG = RepositoryConfig(
    RepositoryId(bytes(range(16))), "2018-06-01T08:30:00Z", writers=(WRITER,), features={"read": ("parity",)}
)


def test_a_config_comes_back_as_it_was() -> None:
    decoded = decode_config(CONFIG.encode(OWNER), OWNER.verify_key)

    assert replace(decoded, features=CONFIG.features) == CONFIG
    assert decoded.features == {"read": ("parity",), "write": (), "check": (), "delete": ()}


def test_a_config_of_another_owner_is_not_authentic() -> None:
    with pytest.raises(SignatureInvalid) as refused:
        decode_config(CONFIG.encode(OWNER), SigningKey(b"x" * 32).verify_key)

    assert refused.value.exit_code == ExitCode.NOT_AUTHENTIC


def test_any_changed_byte_is_noticed() -> None:
    data = CONFIG.encode(OWNER)
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises((MalformedObject, NewerFormat, SignatureInvalid)):
            decode_config(changed, OWNER.verify_key)


def test_any_truncation_is_malformed() -> None:
    data = CONFIG.encode(OWNER)
    for size in range(len(data)):
        with pytest.raises(MalformedObject):
            decode_config(data[:size], OWNER.verify_key)


def test_fields_of_a_newer_version_survive_a_rewrite() -> None:
    newer = replace(CONFIG, unknown={"retention": {"days": 30}})

    rewritten = decode_config(newer.encode(OWNER), OWNER.verify_key).with_writer(WRITER)

    assert decode_config(rewritten.encode(OWNER), OWNER.verify_key).unknown == {"retention": {"days": 30}}


def test_a_writer_is_added_or_replaced_and_the_revision_grows() -> None:
    other = replace(WRITER, id="feedface", label="watcher")

    two = CONFIG.with_writer(other)
    renamed = two.with_writer(replace(WRITER, label="old laptop"))

    assert [writer.label for writer in two.writers] == ["我的笔记本", "watcher"]
    assert [writer.label for writer in renamed.writers] == ["watcher", "old laptop"]
    assert (two.revision, renamed.revision) == (2, 3)
    assert renamed.writer("feedface") == other
    assert renamed.writer("00000000") is None


def test_an_unknown_feature_refuses_its_own_operation_only() -> None:
    CONFIG.require("write")

    with pytest.raises(UnknownFeature) as refused:
        CONFIG.require("read")

    assert refused.value.exit_code == ExitCode.NEWER_FORMAT
    assert refused.value.facts == {"operation": "read", "feature": "parity"}


def test_the_origin_is_the_id_in_base32() -> None:
    assert (
        CONFIG.origin == origin_of(RepositoryId(bytes(range(16)))) == "backupkit.local/store/aaaqeayeaudaocajbifqydiob4"
    )


@given(
    writers=st.lists(
        st.builds(
            WriterEntry,
            st.from_regex(r"\A[0-9a-f]{8}\Z"),
            st.just(WRITER.log_key),
            st.just(WRITER.attest_key),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        ),
        max_size=3,
    ),
    chunking=st.builds(Chunking, st.integers(1, 2**40), st.integers(1, 2**40), st.integers(1, 2**20)),
    revision=st.integers(1, 2**50),
)
def test_any_config_comes_back(writers: list[WriterEntry], chunking: Chunking, revision: int) -> None:
    config = replace(CONFIG, writers=tuple(writers), chunking=chunking, revision=revision)

    decoded = decode_config(config.encode(OWNER), OWNER.verify_key)

    assert (decoded.writers, decoded.chunking, decoded.revision) == (tuple(writers), chunking, revision)
