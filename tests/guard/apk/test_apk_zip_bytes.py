"""The zip container, and the ways in which two readers could be shown two packages."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import ZipEntry, build_apk, make_key, make_zip, read_zip, sign_v1, sign_v2

from backupkit.guard.apk import zip_bytes
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.zip_bytes import read_archive

A = make_key("ec", "A")
Refusal = Callable[[bytes], Reason]


@pytest.fixture
def refusal(tmp_path: Path) -> Refusal:
    """Read all entries of a zip, and return why that is refused."""

    def refusal(data: bytes) -> Reason:
        path = tmp_path / "app.apk"
        path.write_bytes(data)
        with pytest.raises(PackageNotGenuine) as caught:
            read_all(path)
        return caught.value.reason

    return refusal


def read_all(path: Path) -> None:
    with PackageFile(path) as file:
        archive = read_archive(file)
        for entry in archive.entries:
            for _ in archive.content(entry):
                pass


def plain() -> list[ZipEntry]:
    return [ZipEntry(b"a", b"first"), ZipEntry(b"b", b"second" * 1000, method=8)]


def test_entries_are_read_as_the_directory_says(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(make_zip(plain(), comment=b"PK\x05\x06" + bytes(40)))

    with PackageFile(path) as file:
        archive = read_archive(file)
        assert [(entry.name, b"".join(archive.content(entry))) for entry in archive.entries] == [
            (b"a", b"first"),
            (b"b", b"second" * 1000),
        ]
        assert archive.read(archive.by_name[b"b"], most=6000) == b"second" * 1000
        with pytest.raises(PackageNotGenuine):
            archive.read(archive.by_name[b"b"], most=5999)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", bytes(21), bytes(70_000), b"PK\x05\x06" + bytes(17)])
def test_what_has_no_end_record_is_no_zip(refusal: Refusal, data: bytes) -> None:
    assert refusal(data) is Reason.NOT_A_ZIP


def test_code_in_front_of_the_zip_is_refused(tmp_path: Path) -> None:
    """CVE-2017-13156, which apksig lets through."""
    apk = sign_v1(build_apk(target_sdk=29), A)
    dex = b"dex\n035\0" + bytes(92)
    moved = bytearray(dex + apk)
    end = len(dex) + apk.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", moved, end + 16)
    struct.pack_into("<I", moved, end + 16, directory + len(dex))
    at = directory + len(dex)
    while at < end:
        name, extra, comment = struct.unpack_from("<HHH", moved, at + 28)
        (offset,) = struct.unpack_from("<I", moved, at + 42)
        struct.pack_into("<I", moved, at + 42, offset + len(dex))
        at += 46 + name + extra + comment
    path = tmp_path / "janus.apk"
    path.write_bytes(moved)

    with pytest.raises(PackageNotGenuine) as caught:
        read_package(path)
    assert caught.value.reason is Reason.PREFIXED


def test_two_entries_of_one_name_are_refused(refusal: Refusal) -> None:
    assert refusal(make_zip([*plain(), ZipEntry(b"a", b"other")])) is Reason.DUPLICATE_ENTRY


@pytest.mark.parametrize("name", [b"classes.dex\0.txt", b"\xff\xfe", b"caf\xe9"])
def test_names_that_readers_cut_or_cannot_decode_are_refused(refusal: Refusal, name: bytes) -> None:
    assert refusal(make_zip([ZipEntry(name, b"")])) is Reason.ENTRY_NAME_UNSAFE


@pytest.mark.parametrize(
    "entry",
    [
        ZipEntry(b"classes.dex", b"x", local_name=b"classes.de"),
        ZipEntry(b"classes.dex", b"x", local_name=b"classes.dey"),
        ZipEntry(b"a", b"x", local_name=b"ab"),
    ],
)
def test_a_local_header_with_another_name_is_refused(refusal: Refusal, entry: ZipEntry) -> None:
    assert refusal(make_zip([entry])) is Reason.ENTRY_MALFORMED


def test_a_local_method_that_lies_is_passed_over_as_android_does(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(make_zip([ZipEntry(b"a", b"x" * 99, method=8, local_method=0)]))

    with PackageFile(path) as file:
        archive = read_archive(file)
        assert archive.read(archive.entries[0], most=99) == b"x" * 99


def test_a_declared_size_without_the_data_allocates_nothing(refusal: Refusal) -> None:
    assert (
        refusal(make_zip([ZipEntry(b"a", b"small", method=8, declared_size=2_000_000_000)])) is Reason.ENTRY_MALFORMED
    )
    assert refusal(make_zip([ZipEntry(b"a", b"small", declared_size=2_000_000_000)])) is Reason.ENTRY_MALFORMED


@pytest.mark.parametrize("size", [4, 6])
def test_data_that_does_not_expand_to_its_size_is_refused(refusal: Refusal, size: int) -> None:
    assert refusal(make_zip([ZipEntry(b"a", b"small", method=8, declared_size=size)])) is Reason.ENTRY_MALFORMED


@pytest.mark.parametrize("beyond", [0, 5, 100, 171])
def test_what_waits_inside_when_all_input_was_taken_is_read_too(tmp_path: Path, beyond: int) -> None:
    """A few bytes more than one step expands to: the last piece of input is taken before the last bytes come out."""
    data, path = bytes((1 << 20) + beyond), tmp_path / "app.apk"
    path.write_bytes(make_zip([ZipEntry(b"a", data, method=8)]))

    with PackageFile(path) as file:
        archive = read_archive(file)
        assert b"".join(archive.content(archive.entries[0])) == data


def test_deflate_data_that_is_cut_is_refused(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ZipEntry(b"a", b"second" * 1000, method=8)
    cut = entry.stored()[:-4]
    monkeypatch.setattr(entry, "stored", lambda: cut)

    assert refusal(make_zip([entry])) is Reason.ENTRY_MALFORMED


def test_a_bomb_is_stopped_at_its_declared_size(tmp_path: Path) -> None:
    """A manifest of 40 MB that deflates to 40 kB."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    stored = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(40)) + bomb.flush()
    entry = ZipEntry(b"AndroidManifest.xml", b"", method=8, declared_size=40 << 20)
    entry.stored = lambda: stored  # type: ignore[method-assign]  # a bomb cannot be made from its content in memory
    path = tmp_path / "bomb.apk"
    path.write_bytes(make_zip([entry]))

    with pytest.raises(PackageNotGenuine) as caught:
        read_package(path)
    assert caught.value.reason is Reason.ENTRY_TOO_LARGE


def test_broken_deflate_data_is_refused(refusal: Refusal) -> None:
    data = make_zip(plain())

    assert refusal(data.replace(zlib.compress(b"second" * 1000, 9)[2:6], b"\xff\xff\xff\xff")) is Reason.ENTRY_MALFORMED


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (12, b"\xff\xff\xff\x00", Reason.ZIP_MALFORMED),  # a directory beyond the end
        (16, b"\xff\xff\xff\x7f", Reason.ZIP_MALFORMED),
        (10, b"\3\0", Reason.ZIP_MALFORMED),  # one entry more than there are
        (12, b"\x2f\0\0\0", Reason.ZIP_MALFORMED),  # a directory that ends in the second record
    ],
)
def test_an_end_record_that_lies_is_refused(refusal: Refusal, offset: int, value: bytes, reason: Reason) -> None:
    data = bytearray(make_zip(plain()))
    end = data.rindex(b"PK\x05\x06")
    data[end + offset : end + offset + len(value)] = value

    assert refusal(bytes(data)) is reason


@pytest.mark.parametrize(("offset", "value"), [(4, b"\1\0"), (6, b"\1\0"), (8, b"\1\0")])
def test_numbers_of_disks_are_passed_over_as_android_does(tmp_path: Path, offset: int, value: bytes) -> None:
    data = bytearray(sign_v1(build_apk(target_sdk=29), A))
    end = data.rindex(b"PK\x05\x06")
    data[end + offset : end + offset + len(value)] = value
    path = tmp_path / "app.apk"
    path.write_bytes(data)

    assert read_package(path).signing.digests == (A.digest,)


@pytest.mark.parametrize("flag", [0x0001, 0x0040])
def test_what_says_it_is_encrypted_is_read_as_android_reads_it(tmp_path: Path, flag: int) -> None:
    """Packers set the flag on what is not encrypted, to mislead other tools; the phone does not look at it."""
    apk = sign_v1(build_apk(target_sdk=29), A)
    entries = read_zip(apk)
    for entry in entries:
        entry.flags |= flag
    path = tmp_path / "app.apk"
    path.write_bytes(make_zip(entries))

    assert read_package(path).signing.digests == (A.digest,)


@pytest.mark.parametrize(("offset", "size"), [(8, 2), (10, 2), (12, 4), (16, 4)])
def test_a_package_that_needs_zip64_is_not_understood(tmp_path: Path, offset: int, size: int) -> None:
    data = bytearray(sign_v1(build_apk(target_sdk=29), A))
    end = data.rindex(b"PK\x05\x06")
    data[end + offset : end + offset + size] = b"\xff" * size
    path = tmp_path / "app.apk"
    path.write_bytes(data)
    with pytest.raises(PackageNotGenuine):
        read_package(path)

    data[end:end] = b"PK\x06\x07" + bytes(16)
    path.write_bytes(data)

    with pytest.raises(PackageUndecided) as caught:
        read_package(path)
    assert caught.value.reason is Doubt.ZIP64


def test_a_comment_as_long_as_the_field_holds_sends_the_phone_to_the_records_of_zip64(tmp_path: Path) -> None:
    """Where they are, its reader takes the directory that they name, another than the one seen here."""
    path = tmp_path / "app.apk"
    for length, is_undecided in ((0xFFFE, False), (0xFFFF, True)):
        apk = sign_v1(build_apk(target_sdk=29, comment=bytes(length)), A)
        path.write_bytes(apk)
        assert read_package(path).signing.digests == (A.digest,)
        end = apk.rindex(b"PK\x05\x06")

        path.write_bytes(apk[:end] + b"PK\x06\x07" + bytes(16) + apk[end:])

        if is_undecided:
            with pytest.raises(PackageUndecided) as caught:
                read_package(path)
            assert caught.value.reason is Doubt.ZIP64
        else:
            assert read_package(path).signing.digests == (A.digest,)


def test_beside_records_of_zip64_no_signing_block_is_seen(tmp_path: Path) -> None:
    def with_locator(apk: bytes) -> Path:
        end = apk.rindex(b"PK\x05\x06")
        path = tmp_path / "app.apk"
        path.write_bytes(apk[:end] + b"PK\x06\x07" + bytes(16) + apk[end:])
        return path

    assert read_package(with_locator(sign_v1(build_apk(target_sdk=29), A))).signing.scheme == "v1"
    with pytest.raises(PackageNotGenuine) as caught:
        read_package(with_locator(sign_v2(build_apk(), A)))
    assert caught.value.reason is Reason.UNSIGNED


def test_more_entries_than_any_package_has_are_refused(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_bytes, "MOST_ENTRIES", 1)

    assert refusal(make_zip(plain())) is Reason.TOO_MANY_ENTRIES


def test_a_package_without_a_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    for entries in ([], plain()):
        path.write_bytes(make_zip(entries))

        with pytest.raises(PackageNotGenuine) as caught:
            read_package(path)
        assert caught.value.reason is Reason.MANIFEST_MISSING


@pytest.mark.parametrize(("method", "is_read"), [(0, True), (8, True), (1, False), (21, False)])
def test_a_manifest_that_the_phone_would_not_expand_is_refused(tmp_path: Path, method: int, is_read: bool) -> None:
    """Its signature is checked over what expands there, and its name is read from the bytes as they lie."""
    path, entries = tmp_path / "app.apk", read_zip(build_apk())
    entries[0].method = method
    path.write_bytes(sign_v2(make_zip(entries), A))

    if is_read:
        assert read_package(path).signing.digests == (A.digest,)
    else:
        with pytest.raises(PackageNotGenuine) as caught:
            read_package(path)
        assert caught.value.reason is Reason.MANIFEST_MALFORMED


def test_the_factory_reads_back_what_it_writes() -> None:
    apk = sign_v2(sign_v1(build_apk(files={"a/ü.txt": b"x"}), A), A)

    assert [entry.name.decode() for entry in read_zip(apk)][:3] == ["AndroidManifest.xml", "classes.dex", "a/ü.txt"]
