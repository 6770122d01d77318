"""Pages checked with a key that cannot read them."""

import hashlib
import hmac
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backupkit.capture.databases import NTQQ_PREFIX
from backupkit.capture.sealed_pages import (
    PROFILES,
    SealProfile,
    VerifyKey,
    check_sealed_pages,
    decode_verify_key,
    make_verify_key,
    read_salt,
)
from backupkit.codec.malformed import MalformedObject

RAW_KEY = bytes(range(32))


def sealed(profile: SealProfile, pages: int) -> bytes:
    """Pages as SQLCipher lays them out, their codes made here from the published rule; what is sealed is noise."""
    chance = random.Random(pages)
    salt = chance.randbytes(16)
    key = hashlib.pbkdf2_hmac(profile.key_hash, RAW_KEY, bytes(byte ^ 0x3A for byte in salt), 2, 32)
    made = bytes(profile.prefix)
    for number in range(1, pages + 1):
        body = chance.randbytes(profile.page_size - profile.reserve - (16 if number == 1 else 0) + 16)
        mac = hmac.new(key, body, profile.code_hash)
        mac.update(number.to_bytes(4, "little"))
        page = (salt if number == 1 else b"") + body + mac.digest()
        made += page + chance.randbytes(profile.page_size - len(page))
    return made


def key_for(path: Path, profile: SealProfile) -> VerifyKey:
    return make_verify_key(RAW_KEY, read_salt(path, profile.prefix), profile)


@pytest.mark.parametrize("name", PROFILES)
def test_whole_pages_pass_and_each_damaged_page_is_named(tmp_path: Path, name: str) -> None:
    profile = PROFILES[name]
    path = tmp_path / "db"
    content = bytearray(sealed(profile, 40))
    path.write_bytes(content)
    key = key_for(path, profile)
    assert check_sealed_pages(path, key).damaged == ()

    for number in (1, 7, 40):
        content[profile.prefix + (number - 1) * profile.page_size + 100] ^= 1
    path.write_bytes(content)
    check = check_sealed_pages(path, key)

    assert (check.checked, check.damaged) == (40, (1, 7, 40))
    (finding,) = check.findings()
    assert (finding.code, finding.lost) == ("pages-not-authentic", True)
    assert finding.facts == {"pages": 3, "checked": 40, "first": 1}


def test_pages_that_changed_places_are_damaged(tmp_path: Path) -> None:
    profile = PROFILES["sqlcipher-4"]
    content = sealed(profile, 5)
    path = tmp_path / "db"
    path.write_bytes(content[:4096] + content[8192:12288] + content[4096:8192] + content[12288:])

    assert check_sealed_pages(path, key_for(path, profile)).damaged == (2, 3)


def test_a_cut_page_is_damaged_and_a_blank_one_is_counted(tmp_path: Path) -> None:
    profile = PROFILES["sqlcipher-4"]
    content = sealed(profile, 5)
    path = tmp_path / "db"
    path.write_bytes(content[:8192] + bytes(4096) + content[12288:-9])

    check = check_sealed_pages(path, key_for(path, profile))

    assert (check.damaged, check.blank) == ((5,), 1)


def test_a_key_of_another_database_checks_nothing(tmp_path: Path) -> None:
    profile = PROFILES["sqlcipher-4"]
    (tmp_path / "one").write_bytes(sealed(profile, 3))
    (tmp_path / "other").write_bytes(sealed(profile, 4))

    check = check_sealed_pages(tmp_path / "other", key_for(tmp_path / "one", profile))

    assert (check.checked, check.is_other_database) == (0, True)


def test_the_key_that_checks_is_not_the_key_that_opens_and_can_be_kept(tmp_path: Path) -> None:
    key = make_verify_key(RAW_KEY, bytes(16), PROFILES["wechat-4"])

    assert RAW_KEY not in key.encode()
    assert RAW_KEY.hex().encode() not in key.encode()
    assert decode_verify_key(key.encode()) == key


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_a_mistake(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_verify_key(bytes(size), bytes(16), PROFILES["wechat-4"])


@given(st.data())
def test_a_changed_key_file_is_refused_or_another_key(data: st.DataObject) -> None:
    encoded = bytearray(make_verify_key(RAW_KEY, bytes(16), PROFILES["wechat-4"]).encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] = data.draw(st.integers(0, 255))

    try:
        key = decode_verify_key(bytes(encoded))
    except MalformedObject:
        return
    assert len(key.key) == 32


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("sqlcipher/e_wx_pc3.db", "wechat-pc-3"),
        ("sqlcipher/e_wx_pc4.db", "wechat-4"),
        ("sqlcipher/e_wx_mac3.db", "wechat-mac-3"),
        ("sqlcipher/e_compat3.db", "sqlcipher-3"),
        ("sqlcipher/e_signal_desktop.db", "sqlcipher-4"),
        ("sqlcipher/live_ckptlock.db", "wechat-4"),
    ],
)
def test_real_sealed_databases_pass(corpus: Path, tmp_path: Path, name: str, profile: str) -> None:
    path = corpus / "chats/_synthetic" / name
    key = key_for(path, PROFILES[profile])

    started = time.process_time()
    check = check_sealed_pages(path, key)

    assert (check.damaged, check.blank) == ((), 0)
    assert check.checked == path.stat().st_size // key.page_size
    assert time.process_time() - started < 5


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "prefix", "profile"),
    [
        ("sqlcipher/e_ntqq.db", 0, "ntqq"),
        ("sqlcipher/e_ntqq512.db", 0, "ntqq-sha512"),
        ("qq/nt_msg_wrapped.db", NTQQ_PREFIX, "ntqq"),
    ],
)
def test_real_ntqq_databases_pass(corpus: Path, name: str, prefix: int, profile: str) -> None:
    path = corpus / "chats/_synthetic" / name
    known = PROFILES[profile]
    layout = SealProfile(known.page_size, known.reserve, known.code_hash, known.key_hash, prefix)
    salt = read_salt(path, prefix)
    # Their pass phrase is in the corpus's manifest; the owner of a real one would start from the raw key.
    raw = hashlib.pbkdf2_hmac("sha512", b"0123456789abcdef", salt, 4000, 32)

    check = check_sealed_pages(path, make_verify_key(raw, salt, layout))

    assert (check.damaged, check.is_other_database) == ((), False)
    assert check.checked == 31
