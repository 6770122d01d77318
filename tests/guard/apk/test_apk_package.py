"""Reading a package as a device of each API level reads it."""

import hashlib
import os
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from apk_factory import (
    V2,
    AppKey,
    add_pair,
    build_apk,
    make_key,
    make_signer,
    make_zip,
    pairs,
    read_zip,
    sections,
    sequence,
    sign,
    sign_v1,
    sign_v2,
    sign_v3,
    sized,
    u32,
    with_pairs,
)
from apk_reading import Read, Refusal, signer_of

from backupkit.guard.apk import chunks
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

A, B, C = make_key("ec", "A"), make_key("rsa", "B"), make_key("ec", "C")


@pytest.mark.parametrize(
    "key", [make_key(kind, "K") for kind in ("ec", "ec-p384", "ec-p521", "rsa", "rsa-1024", "dsa")]
)
def test_every_kind_of_key_is_named_by_the_bytes_of_its_certificate(read: Read, key: AppKey) -> None:
    apk = sign(build_apk(min_sdk=21, target_sdk=29), key)

    package = read(apk)

    assert {package.signing_at(level).digests for level in package.levels} == {(key.digest,)}
    assert package.signing_at(28).signers == (key.certificate,)
    assert [package.signing_at(level).scheme for level in (21, 24, 28)] == ["v1", "v2", "v3"]


def test_what_was_judged_is_named_by_the_hash_of_the_whole_file(read: Read) -> None:
    apk = sign(build_apk(package="org.example.Chat", version_code=5 << 32 | 7, files={"big": os.urandom(3 << 20)}), A)

    package = read(apk)

    assert package.sha256 == hashlib.sha256(apk).hexdigest()
    assert (package.size, package.package, package.version_code) == (len(apk), "org.example.Chat", 5 << 32 | 7)


@pytest.mark.parametrize("algorithm", [0x0101, 0x0102, 0x0103, 0x0104])
def test_rsa_packages_of_every_padding_and_hash_are_genuine(read: Read, refusal: Refusal, algorithm: int) -> None:
    apk = sign_v2(build_apk(files={"big": bytes(2_500_000)}), B, algorithms=[algorithm])

    assert signer_of(read(apk), 36) == B.digest
    assert refusal(apk.replace(b"dex\n035", b"dex\n036")) is Reason.CONTENT_CHANGED


@pytest.mark.parametrize("region", ["first-header", "content", "block-size", "signer", "directory", "end"])
def test_no_changed_byte_of_a_signed_package_is_taken_for_genuine(read: Read, region: str) -> None:
    apk = sign(build_apk(files={"a": bytes(100)}), A)
    begin, directory, end = sections(apk)
    at = {
        "first-header": 10,
        "content": begin // 2,
        "block-size": begin,
        "signer": begin + 60,
        "directory": directory + 12,
        "end": end + 21,
    }[region]
    broken = bytearray(apk)
    broken[at] ^= 1

    with pytest.raises(PackageNotGenuine):
        read(bytes(broken))


def test_bytes_after_the_end_record_are_refused(refusal: Refusal) -> None:
    assert refusal(sign(build_apk(), A) + b"\0") is Reason.NOT_A_ZIP


def test_a_comment_added_after_signing_is_seen(refusal: Refusal) -> None:
    apk = sign(build_apk(), A)

    assert refusal(apk[:-2] + b"\x01\0x") is Reason.CONTENT_CHANGED


def test_several_signers_are_given_in_the_order_of_the_package(read: Read) -> None:
    package = read(sign(build_apk(min_sdk=21), A, B))

    assert [package.signing_at(level).digests for level in (21, 30)] == [(A.digest, B.digest)] * 2


def test_eleven_signers_are_one_too_many(read: Read, refusal: Refusal) -> None:
    keys = [make_key("ec", f"many-{number}") for number in range(11)]

    assert len(read(sign_v2(build_apk(), *keys[:10])).signing.signers) == 10
    assert refusal(sign_v2(build_apk(), *keys)) is Reason.TOO_MANY_SIGNERS
    assert refusal(sign_v1(build_apk(target_sdk=29), *keys)) is Reason.TOO_MANY_SIGNERS


def test_one_broken_signer_of_two_refuses_the_package(refusal: Refusal) -> None:
    apk = build_apk()
    other = build_apk(version_code=9)
    apk = add_pair(apk, V2, sized(sequence([make_signer(apk, A), make_signer(other, B)])))

    assert refusal(apk) is Reason.CONTENT_CHANGED


class TestSignerRecords:
    def refused(self, refusal: Refusal, **odd: Any) -> Reason:
        apk = build_apk()
        return refusal(add_pair(apk, V2, sized(sequence([make_signer(apk, A, **odd)]))))

    def test_the_key_must_be_the_certificates_own(self, refusal: Refusal) -> None:
        assert self.refused(refusal, certificate=C.certificate) is Reason.PUBLIC_KEY_MISMATCH

    def test_a_certificate_that_is_none_is_refused(self, refusal: Refusal) -> None:
        assert self.refused(refusal, certificate=b"\x30\x03abc") is Reason.CERTIFICATE_MALFORMED

    def test_digests_and_signatures_must_name_the_same_algorithms_in_order(self, refusal: Refusal) -> None:
        odd: Any = {"algorithms": [0x0201, 0x0202], "digest_algorithms": [0x0202, 0x0201]}

        assert self.refused(refusal, **odd) is Reason.ALGORITHMS_DIFFER

    def test_a_key_of_another_kind_than_the_algorithm_is_refused(self, refusal: Refusal) -> None:
        assert self.refused(refusal, algorithms=[0x0103]) is Reason.PUBLIC_KEY_MALFORMED

    def test_only_unknown_algorithms_are_refused_and_further_ones_are_passed_over(
        self, read: Read, refusal: Refusal
    ) -> None:
        assert self.refused(refusal, algorithms=[0x0777]) is Reason.NO_SUPPORTED_ALGORITHM
        apk = build_apk()
        mixed = add_pair(apk, V2, sized(sequence([make_signer(apk, A, algorithms=[0x0777, 0x0201])])))
        assert signer_of(read(mixed), 30) == A.digest

    def test_unknown_attributes_are_passed_over(self, read: Read) -> None:
        assert signer_of(read(sign_v3(build_apk(), A, attributes=[(0x12345678, b"?")]), 28), 28) == A.digest

    def test_the_strongest_algorithm_is_the_one_that_is_checked(self, read: Read, refusal: Refusal) -> None:
        apk = build_apk()
        signer = make_signer(apk, A, algorithms=[0x0201, 0x0202])
        # The signature over SHA-512 is the second; break its last byte, then the last byte of the first.
        info = signer.rindex(sized(A.public_key_info))
        strong, weak = bytearray(signer), bytearray(signer)
        strong[info - 1] ^= 1
        (first_size,) = struct.unpack_from("<I", signer, signer.index(u32(0x0201), 300) + 4)
        weak[signer.index(u32(0x0201), 300) + 8 + first_size - 1] ^= 1

        assert refusal(add_pair(apk, V2, sized(sequence([bytes(strong)])))) is Reason.SIGNATURE_WRONG
        assert signer_of(read(add_pair(apk, V2, sized(sequence([bytes(weak)])))), 30) == A.digest

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (b"", Reason.SIGNERS_MALFORMED),
            (u32(9), Reason.SIGNERS_MALFORMED),
            (sized(b""), Reason.NO_SIGNERS),
            (sized(b"\x01"), Reason.SIGNER_MALFORMED),
            (sized(sequence([b""])), Reason.SIGNER_MALFORMED),
            (sized(sequence([sized(b"x") + sized(b"") + sized(b"k")])), Reason.NO_SIGNATURES),
            (
                sized(sequence([sized(b"x") + sized(sequence([u32(0x0103) + sized(b"s")])) + sized(b"k")])),
                Reason.PUBLIC_KEY_MALFORMED,
            ),
        ],
    )
    def test_a_block_that_is_no_list_of_signers_is_refused(
        self, refusal: Refusal, value: bytes, reason: Reason
    ) -> None:
        assert refusal(add_pair(build_apk(), V2, value)) is reason


class TestVerity:
    def package(self, key: AppKey, algorithm: int) -> bytes:
        """A package whose content in front of the signing block fills whole pages."""
        apk = build_apk(files={"a": os.urandom(900_000)})
        front = sections(apk)[0]
        entries = read_zip(apk)
        entries[-1].extra = bytes(-front % 4096)
        apk = make_zip(entries)
        signed = sign_v2(apk, key, algorithms=[key.algorithm, algorithm])
        return with_pairs(signed, pairs(signed), align=True)

    @pytest.mark.parametrize(("key", "algorithm"), [(B, 0x0421), (A, 0x0423), (make_key("dsa", "V"), 0x0425)])
    def test_the_page_tree_is_checked_where_it_is_known(
        self, read: Read, refusal: Refusal, key: AppKey, algorithm: int
    ) -> None:
        apk = self.package(key, algorithm)

        assert signer_of(read(apk), 28) == key.digest
        assert refusal(apk.replace(b"dex\n035", b"dex\n036"), 28) is Reason.CONTENT_CHANGED

    def test_a_package_not_laid_out_in_pages_is_refused_where_the_tree_is_asked_for(
        self, read: Read, refusal: Refusal
    ) -> None:
        apk = sign_v2(build_apk(), A, algorithms=[0x0201, 0x0423])

        assert refusal(apk, 28) is Reason.VERITY_UNALIGNED
        assert signer_of(read(apk, 27), 27) == A.digest


class TestSwapping:
    def test_a_file_swapped_while_it_is_read_is_noticed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "app.apk"
        path.write_bytes(sign(build_apk(), A))
        other = tmp_path / "other.apk"
        other.write_bytes(sign(build_apk(), C))
        real = PackageFile.sweep

        def sweep(*arguments: Any) -> Any:
            other.replace(path)
            return real(*arguments)

        monkeypatch.setattr(PackageFile, "sweep", sweep)

        with pytest.raises(PackageUndecided) as caught:
            read_package(path)
        assert caught.value.reason is Doubt.CHANGED_WHILE_READ

    def test_bytes_changed_after_they_were_looked_at_are_noticed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "app.apk"
        apk = sign(build_apk(), A)
        path.write_bytes(apk)
        real = PackageFile.sweep

        def sweep(*arguments: Any) -> Any:
            begin, _, _ = sections(apk)
            with path.open("r+b") as file:
                file.seek(begin + 30)
                file.write(b"!")
            return real(*arguments)

        monkeypatch.setattr(PackageFile, "sweep", sweep)

        with pytest.raises(PackageUndecided) as caught:
            read_package(path)
        assert caught.value.reason is Doubt.CHANGED_WHILE_READ

    def test_writers_wait_while_a_large_package_is_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A map of a file that somebody cuts short would end the process."""
        path = tmp_path / "app.apk"
        apk = sign(build_apk(files={"big": os.urandom(6 << 20)}), A)
        path.write_bytes(apk)
        writers: list[threading.Thread] = []

        class Helper(chunks.Helper):
            def take(self, offset: int, view: memoryview) -> bool:
                if not writers:
                    writers.append(threading.Thread(target=path.write_bytes, args=(b"cut",)))
                    writers[0].start()
                return super().take(offset, view)

        monkeypatch.setattr("backupkit.guard.apk.package_file.Helper", Helper)
        try:
            found = read_package(path).sha256
        except PackageUndecided:
            found = None  # where the system grants no lease, the writer gets through, and that is noticed
        writers[0].join()
        assert path.read_bytes() == b"cut"
        assert found in {None, hashlib.sha256(apk).hexdigest()}

    def test_a_large_package_is_read_the_same_without_a_map(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "app.apk"
        apk = sign(build_apk(files={"big": os.urandom(6 << 20)}), A)
        path.write_bytes(apk)
        monkeypatch.setattr(chunks, "_WORTH_A_MAP", 1 << 40)

        assert read_package(path).sha256 == hashlib.sha256(apk).hexdigest()
