"""The signed JAR, rule by rule."""

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apk_factory import ZipEntry, build_apk, der, make_cms, make_key, make_zip, oid, read_zip, sign_v1, sign_v2, wrapped
from apk_variants_jar import block_variants

from backupkit.guard.apk.jar_algorithms import _SIGNATURES, DIGESTS, is_accepted
from backupkit.guard.apk.jar_manifest import read_sections
from backupkit.guard.apk.package import Package, judge_range, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.signature_v1 import _ERAS

A, B = make_key("rsa", "A"), make_key("ec", "B")
MANIFEST, FILE, BLOCK = b"META-INF/MANIFEST.MF", b"META-INF/CERT.SF", b"META-INF/CERT.RSA"
Change = Callable[[bytes], bytes]
SHA256, RSA = "2.16.840.1.101.3.4.2.1", "1.2.840.113549.1.1.1"


def read(path: Path, apk: bytes, sdk: int | None = None) -> Package:
    file = path / "app.apk"
    file.write_bytes(apk)
    return read_package(file, device_sdk=sdk)


def refusal(path: Path, apk: bytes, sdk: int | None = None) -> Reason:
    with pytest.raises(PackageNotGenuine) as caught:
        read(path, apk, sdk)
    assert caught.value.scheme == "v1"
    return caught.value.reason


def signed(**how: Any) -> bytes:
    return sign_v1(build_apk(min_sdk=21, target_sdk=29, files={"lib/a.so": b"code" * 99}), A, **how)


def altered(apk: bytes, *changes: tuple[bytes, Change | None]) -> bytes:
    """Change the content of entries, or leave them out."""
    entries = read_zip(apk)
    for name, change in changes:
        for entry in list(entries):
            if entry.name == name and change is None:
                entries.remove(entry)
            elif entry.name == name and change is not None:
                entry.data = change(entry.data)
    return make_zip(entries)


def resigned(apk: bytes, manifest: Change = lambda data: data, file: Change | None = None) -> bytes:
    """Change manifest and signature file and sign the latter again: what only the signer can do."""
    apk = altered(apk, (MANIFEST, manifest))
    entries = {entry.name: entry.data for entry in read_zip(apk)}
    main = base64.b64encode(hashlib.sha256(entries[MANIFEST]).digest())
    text = b"Signature-Version: 1.0\r\nSHA-256-Digest-Manifest: " + main + b"\r\n\r\n"
    names = [section.name for section in read_sections(entries[MANIFEST])[1:] if section.name is not None]
    text += b"".join(wrapped(b"Name: " + name) + b"\r\n" for name in names)
    text = file(text) if file else text
    return altered(apk, (FILE, lambda _: text), (BLOCK, lambda _: make_cms(A, text)))


@pytest.mark.parametrize("signed_attributes", [False, True])
def test_a_jar_signature_is_read_at_every_level(tmp_path: Path, signed_attributes: bool) -> None:
    package = read(tmp_path, signed(signed_attributes=signed_attributes))

    assert {package.signing_at(level).digests for level in package.levels} == {(A.digest,)}
    assert {package.signing_at(level).scheme for level in package.levels} == {"v1"}


def test_signed_attributes_protect_nothing_before_level_19(tmp_path: Path) -> None:
    apk = sign_v1(build_apk(min_sdk=18, target_sdk=29), A, signed_attributes=True)

    assert refusal(tmp_path, apk) is Reason.V1_SIGNER_UNACCEPTABLE
    assert read(tmp_path, apk, 19).signing.digests == (A.digest,)


def test_files_beside_the_signature_need_none(tmp_path: Path) -> None:
    apk = make_zip([*read_zip(signed()), ZipEntry(b"META-INF/extra.txt", b"unsigned"), ZipEntry(b"assets/", b"")])

    assert read(tmp_path, apk).signing.digests == (A.digest,)


def test_a_signer_of_another_entry_set_is_refused(tmp_path: Path) -> None:
    apk = sign_v1(build_apk(target_sdk=29), A, B)
    cut = altered(apk, (b"META-INF/CERT1.SF", lambda data: data[: data.index(b"Name: classes.dex")]))
    short = {entry.name: entry.data for entry in read_zip(cut)}[b"META-INF/CERT1.SF"]
    cut = altered(cut, (b"META-INF/CERT1.EC", lambda _: make_cms(B, short)))

    assert read(tmp_path, apk).signing.digests == (A.digest, B.digest)
    assert refusal(tmp_path, cut) is Reason.V1_SIGNERS_DIFFER


def signed_by_two(change: Change) -> bytes:
    """By A, and by B whose signature file was changed before it signed it."""
    apk = sign_v1(build_apk(min_sdk=21, target_sdk=29, files={"lib/a.so": b"code" * 99}), A, B)
    file = change({entry.name: entry.data for entry in read_zip(apk)}[b"META-INF/CERT1.SF"])
    return altered(apk, (b"META-INF/CERT1.SF", lambda _: file), (b"META-INF/CERT1.EC", lambda _: make_cms(B, file)))


def not_whole(file: bytes) -> bytes:
    """The digest of the whole manifest is another's, so that each section counts."""
    return re.sub(rb"(Digest-Manifest: )....", rb"\g<1>AAAA", file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.replace(b"Signature-Version", b"Version"),
        lambda file: b"",
        lambda file: file + b"X: y\r\n\r\n",
        lambda file: file + b"Name: classes.dex\r\n\r\n",
        lambda file: not_whole(file) + b"Name: ghost\r\nSHA-256-Digest: AAAA\r\n\r\n",
        # A digest that is wrong as well, before it or behind it, counts no more than the rest.
        lambda file: not_whole(file).replace(
            b"Name: classes.dex\r\nSHA-256-Digest: ", b"Name: ghost\r\n\r\nName: classes.dex\r\nSHA-256-Digest: A"
        ),
        lambda file: not_whole(file).replace(b"SHA-256-Digest: ", b"SHA-256-Digest: A") + b"X: y\r\n\r\n",
    ],
)
def test_a_signer_whose_file_makes_no_sense_is_passed_over_where_another_signed(tmp_path: Path, change: Change) -> None:
    package = read(tmp_path, signed_by_two(change))

    assert {package.signing_at(level).digests for level in package.levels} == {(A.digest,)}
    assert read(tmp_path, signed_by_two(not_whole)).signing.digests == (A.digest, B.digest)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda file: not_whole(file).replace(b"Name: lib/a.so\r\nSHA-256-Digest: ", b"Name: lib/a.so\r\nX: "),
            Reason.V1_DIGEST_MISSING,
        ),
        (
            lambda file: not_whole(file).replace(
                b"Name: lib/a.so\r\nSHA-256-Digest: ", b"Name: lib/a.so\r\nSHA-256-Digest: A"
            ),
            Reason.V1_MANIFEST_CHANGED,
        ),
        (
            lambda file: file.replace(b"\r\n\r\n", b"\r\nX-Android-APK-Signed: 2\r\n\r\n", 1),
            Reason.STRIPPED,
        ),
    ],
)
def test_a_signer_whose_file_is_wrong_refuses_whoever_else_signed(
    tmp_path: Path, change: Change, reason: Reason
) -> None:
    assert refusal(tmp_path, signed_by_two(change)) is reason


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (b"lib/a.so", lambda data: data + b"!", Reason.V1_ENTRY_CHANGED),
        (b"classes.dex", lambda data: b"evil" + data[4:], Reason.V1_ENTRY_CHANGED),
        (b"classes.dex", None, Reason.V1_ENTRY_MISSING),
        (MANIFEST, None, Reason.UNSIGNED),
        (FILE, None, Reason.V1_NO_SIGNATURES),
        (BLOCK, None, Reason.V1_NO_SIGNATURES),
        (BLOCK, lambda data: data[:-1] + bytes((data[-1] ^ 1,)), Reason.V1_SIGNATURE_WRONG),
        (BLOCK, lambda data: data[:40], Reason.V1_BLOCK_MALFORMED),
        (BLOCK, lambda _: b"", Reason.V1_BLOCK_MALFORMED),
        (FILE, lambda data: data + b"\r\n", Reason.V1_SIGNATURE_WRONG),
        (MANIFEST, lambda data: data.replace(b"Name: lib/a.so", b"Name: lib/b.so"), Reason.V1_ENTRY_MISSING),
    ],
)
def test_a_changed_part_is_refused(tmp_path: Path, name: bytes, change: Change | None, reason: Reason) -> None:
    assert refusal(tmp_path, altered(signed(), (name, change))) is reason


def test_an_added_entry_is_refused(tmp_path: Path) -> None:
    apk = make_zip([*read_zip(signed()), ZipEntry(b"classes2.dex", b"dex")])

    assert refusal(tmp_path, apk) is Reason.V1_DIGEST_MISSING


def test_where_the_whole_manifest_is_not_as_signed_each_section_still_counts(tmp_path: Path) -> None:
    """An entry added by a later tool changes the manifest, and not the sections that were signed."""
    apk = altered(signed(), (MANIFEST, lambda data: data + b"Name: META-INF/extra\r\nX: y\r\n\r\n"))
    apk = make_zip([*read_zip(apk), ZipEntry(b"META-INF/extra", b"")])
    broken = altered(apk, (MANIFEST, lambda data: data.replace(b"Name: lib/a.so\r\n", b"Name: lib/a.so\r\nX: y\r\n")))

    assert read(tmp_path, apk).signing.digests == (A.digest,)
    assert refusal(tmp_path, broken) is Reason.V1_MANIFEST_CHANGED


@pytest.mark.parametrize(
    ("manifest", "file", "reason"),
    [
        (lambda data: data + b"X: y\r\n\r\n", None, Reason.V1_SECTION_UNNAMED),
        (lambda data: data + b"Name: classes.dex\r\n\r\n", None, Reason.V1_SECTION_DUPLICATE),
        (lambda data: data.replace(b"SHA-256-Digest", b"SHA-999-Digest"), None, Reason.V1_DIGEST_MISSING),
        (lambda data: data, lambda text: text.replace(b"Signature-Version", b"Version"), Reason.V1_VERSION_MISSING),
        (lambda data: data, lambda text: text + b"X: y\r\n\r\n", Reason.V1_SECTION_UNNAMED),
        (lambda data: data, lambda text: text + b"Name: classes.dex\r\n\r\n", Reason.V1_SECTION_DUPLICATE),
        (lambda data: data, lambda text: text[: text.index(b"Name")], Reason.V1_ENTRY_UNSIGNED),
        (
            lambda data: data,
            lambda text: text.replace(b"\r\n\r\n", b"\r\nSHA-256-Digest-Manifest-Main-Attributes: AAAA\r\n\r\n", 1),
            Reason.V1_MANIFEST_CHANGED,
        ),
        (
            lambda data: data,
            lambda text: text.replace(b"\r\n\r\n", b"\r\nX-Android-APK-Signed: 9, x, 2\r\n\r\n", 1),
            Reason.STRIPPED,
        ),
    ],
)
def test_a_rule_that_the_signer_himself_breaks_is_refused(
    tmp_path: Path, manifest: Change, file: Change | None, reason: Reason
) -> None:
    assert refusal(tmp_path, resigned(signed(), manifest, file)) is reason


@pytest.mark.parametrize(("end", "is_right"), [(b"\n", True), (b"\r\n", False)])
def test_a_section_signed_by_mozillas_tool_is_digested_without_its_empty_line(
    tmp_path: Path, end: bytes, is_right: bool
) -> None:
    """It wrote lines that end in one character; where they end in two, the empty line belongs to the section, as for everybody."""
    apk = altered(signed(), (MANIFEST, lambda data: data.replace(b"\r\n", end)))
    manifest = {entry.name: entry.data for entry in read_zip(apk)}[MANIFEST]
    text = b"Signature-Version: 1.0\nCreated-By: 1.3 (signtool)\n\n"
    for section in read_sections(manifest)[1:]:
        assert section.name is not None
        raw = manifest[section.start : section.end].removesuffix(end)
        text += b"Name: " + section.name + b"\nSHA-256-Digest: "
        text += base64.b64encode(hashlib.sha256(raw).digest()) + b"\n\n"
    by_tool = altered(apk, (FILE, lambda _: text), (BLOCK, lambda _: make_cms(A, text)))
    nobodys = text.replace(b"signtool", b"another")
    by_another = altered(apk, (FILE, lambda _: nobodys), (BLOCK, lambda _: make_cms(A, nobodys)))

    if is_right:
        assert read(tmp_path, by_tool).signing.digests == (A.digest,)
    else:
        assert refusal(tmp_path, by_tool) is Reason.V1_MANIFEST_CHANGED
    assert refusal(tmp_path, by_another) is Reason.V1_MANIFEST_CHANGED


def test_what_only_the_signer_can_do_is_genuine_while_no_rule_is_broken(tmp_path: Path) -> None:
    assert read(tmp_path, resigned(signed())).signing.digests == (A.digest,)


def test_long_names_are_broken_over_lines(tmp_path: Path) -> None:
    name = "assets/" + "long-" * 40 + "name.txt"
    apk = sign_v1(build_apk(target_sdk=29, files={name: b"x"}), A)

    assert read(tmp_path, apk).signing.digests == (A.digest,)


def test_levels_below_18_look_at_the_first_digest_and_others_at_the_strongest(tmp_path: Path) -> None:
    wrong = base64.b64encode(bytes(20))

    def spoil(data: bytes) -> bytes:
        lines = [
            b"SHA1-Digest: " + wrong if line.startswith(b"SHA1-Digest: ") else line for line in data.split(b"\r\n")
        ]
        return b"\r\n".join(lines)

    apk = sign_v1(build_apk(min_sdk=16, target_sdk=29), make_key("rsa", "A"), digests=["SHA1", "SHA-256"])
    entries = {entry.name: entry.data for entry in read_zip(apk)}
    apk = resigned(apk, spoil)

    assert b"SHA1-Digest" in entries[MANIFEST]
    assert read(tmp_path, apk, 18).signing.digests == (A.digest,)
    assert refusal(tmp_path, apk, 17) is Reason.V1_ALGORITHM_UNSUPPORTED


@pytest.mark.parametrize("named", ["2", "2, 3", "9, 2", "x, 2", " 2 ", "+2", "0000000002", "2,,x"])
def test_a_scheme_that_is_named_must_be_there_where_it_is_known(tmp_path: Path, named: str) -> None:
    apk = signed(schemes=named)

    assert refusal(tmp_path, apk) is Reason.STRIPPED
    assert refusal(tmp_path, apk, 24) is Reason.STRIPPED
    assert read(tmp_path, apk, 23).signing.digests == (A.digest,)


def test_a_scheme_counts_from_the_level_on_that_knows_it(tmp_path: Path) -> None:
    apk = signed(schemes="3")

    assert refusal(tmp_path, apk, 28) is Reason.STRIPPED
    assert read(tmp_path, apk, 27).signing.digests == (A.digest,)


@pytest.mark.parametrize("named", ["1", "9", "-2", "2 3", "2.0", "x", "", "99999999992", "31"])
def test_a_scheme_that_nobody_knows_needs_not_be_there(tmp_path: Path, named: str) -> None:
    assert read(tmp_path, signed(schemes=named)).signing.digests == (A.digest,)


class TestSignerInfos:
    def block(self, tmp_path: Path, make: Change, sdk: int | None = None) -> Reason | Package:
        apk = signed()
        file = {entry.name: entry.data for entry in read_zip(apk)}[FILE]
        try:
            return read(tmp_path, altered(apk, (BLOCK, lambda _: make(file))), sdk)
        except PackageNotGenuine as error:
            return error.reason

    def test_the_certificate_is_found_wherever_it_lies_in_the_bag(self, tmp_path: Path) -> None:
        found = self.block(tmp_path, lambda file: make_cms(A, file, certificates=[B.certificate, A.certificate]))

        assert isinstance(found, Package)
        assert found.signing.digests == (A.digest,)

    def test_without_the_signers_certificate_nothing_is_proved(self, tmp_path: Path) -> None:
        found = self.block(tmp_path, lambda file: make_cms(A, file, certificates=[B.certificate]))

        assert found is Reason.V1_SIGNER_UNACCEPTABLE

    @pytest.mark.parametrize("is_first", [True, False])
    def test_of_two_certificates_of_one_name_and_number_the_first_counts(self, tmp_path: Path, is_first: bool) -> None:
        """A lookalike issuer: fdroid fakesigner, PoC 4. Every Android takes the first, whose key must fit the signature."""
        other = make_key("rsa", "C").public_key_info
        lookalike = A.certificate.replace(A.public_key_info, other).replace(der(0x0C, b"A"), der(0x0C, b"a"), 1)
        bag = [lookalike, A.certificate] if is_first else [A.certificate, lookalike]

        found = self.block(tmp_path, lambda file: make_cms(A, file, certificates=bag))

        if is_first:
            assert found is Reason.V1_SIGNATURE_WRONG
        else:
            assert isinstance(found, Package)
            assert found.signing.digests == (A.digest,)

    def test_a_block_over_another_file_is_wrong(self, tmp_path: Path) -> None:
        assert self.block(tmp_path, lambda file: make_cms(A, file + b"!")) is Reason.V1_SIGNATURE_WRONG

    def test_attributes_over_another_file_are_wrong(self, tmp_path: Path) -> None:
        found = self.block(tmp_path, lambda file: make_cms(A, file + b"!", signed_attributes=True))

        assert found is Reason.V1_SIGNATURE_WRONG

    @pytest.mark.parametrize("also_v2", [False, True])
    def test_older_and_newer_devices_must_come_to_the_same_signer_info(self, tmp_path: Path, also_v2: bool) -> None:
        """Below 24 the first counts, whatever type its attributes name; from 24 on the first that is right."""
        path = tmp_path / "app.apk"
        apk = block_variants()["infos: type wrong, second right"]()
        path.write_bytes(sign_v2(apk, A) if also_v2 else apk)

        for level in (23, 24, 36):
            assert read_package(path, device_sdk=level).signing.digests == (A.digest,)
        assert judge_range(path, first=21, last=23, strict=True).signing.digests == (A.digest,)
        assert judge_range(path, first=24, last=36, strict=True).signing.digests == (A.digest,)
        with pytest.raises(PackageNotGenuine) as caught:
            judge_range(path, first=23, last=24, strict=True)
        assert (caught.value.reason, caught.value.level) == (Reason.V1_SIGNATURE_WRONG, 24)

    def test_a_jar_that_only_newer_devices_would_refuse_counts_where_older_ones_are_meant(self, tmp_path: Path) -> None:
        """Scheme 2 spares them the look at it, and apksig takes the package for broken all the same."""
        path = tmp_path / "app.apk"
        path.write_bytes(sign_v2(block_variants()["attributes digest"](), A))

        assert read_package(path, device_sdk=23).signing.scheme == "v1"
        assert read_package(path, device_sdk=24).signing.scheme == "v2"
        with pytest.raises(PackageNotGenuine) as caught:
            judge_range(path, first=23, last=36, strict=True)
        assert caught.value.reason is Reason.V1_SIGNER_UNACCEPTABLE

    @pytest.mark.parametrize(
        ("variant", "reason"),
        [
            ("version no number", Reason.V1_BLOCK_MALFORMED),
            ("infos: version no number", Reason.V1_BLOCK_MALFORMED),
            ("digest named in no sequence", Reason.V1_BLOCK_MALFORMED),
            ("issuer: in no sequence", Reason.V1_SIGNER_UNACCEPTABLE),
        ],
    )
    def test_what_nobody_needs_must_have_its_form_all_the_same(
        self, tmp_path: Path, variant: str, reason: Reason
    ) -> None:
        assert refusal(tmp_path, block_variants()[variant](), 34) is reason

    def test_a_block_without_signers_is_refused(self, tmp_path: Path) -> None:
        empty = der(0x30, oid("1.2.840.113549.1.7.2") + der(0xA0, der(0x30, der(2, b"\1") + der(0x31, b"") + der(
            0x30, oid("1.2.840.113549.1.7.1")) + der(0x31, b""))))  # fmt: skip

        assert self.block(tmp_path, lambda _: empty) is Reason.V1_NO_SIGNER_INFO


@pytest.mark.parametrize(
    ("digest", "signature", "levels"),
    [
        (SHA256, RSA, {*range(9), *range(18, 37)}),
        ("1.3.14.3.2.26", RSA, {*range(37)}),
        ("1.2.840.113549.2.5", "1.2.840.113549.1.1.4", {*range(9), *range(21, 37)}),
        (SHA256, "1.2.840.113549.1.1.5", {21}),
        (SHA256, "1.2.840.113549.1.1.13", {21, 22, 23}),
        (SHA256, "1.2.840.10040.4.1", {*range(22, 37)}),
        (SHA256, "2.16.840.1.101.3.4.3.2", {*range(21, 37)}),
        (SHA256, "1.2.840.10045.2.1", {*range(18, 37)}),
        (SHA256, "1.2.840.10045.4.3.2", {*range(21, 37)}),
        ("1.2.840.113549.2.5", "1.2.840.10045.2.1", set()),
        ("1.2.3", RSA, set()),
        (SHA256, "1.2.3", set()),
    ],
)
def test_each_android_knew_its_own_algorithms(digest: str, signature: str, levels: set[int]) -> None:
    assert {level for level in range(37) if is_accepted(digest, signature, level)} == levels


def test_entries_that_expand_without_bounds_are_refused(tmp_path: Path) -> None:
    """65,535 entries of 4 GB could lie over each other in a small file."""
    entries = [
        *read_zip(signed()),
        *(ZipEntry(f"{n}".encode(), b"", method=8, declared_size=1 << 30) for n in range(2)),
    ]

    assert refusal(tmp_path, make_zip(entries)) is Reason.ENTRY_TOO_LARGE


def test_the_rules_change_at_the_levels_that_are_said_to_be_all() -> None:
    def rules(level: int) -> list[object]:
        (section,) = read_sections(b"Digest-Algorithms: SHA-512 SHA1\nSHA1-Digest: AAAA\nSHA-512-Digest: AAAA\n")
        return [section.digest_at(b"-digest", level), *(is_accepted(d, s, level) for d in DIGESTS for s in _SIGNATURES)]

    changes = {level for level in range(1, 40) if rules(level) != rules(level - 1)}

    assert changes <= set(_ERAS)


def test_sections_keep_where_they_lie() -> None:
    data = b"A: 1\r\n\r\n\r\nName: x\n y\rB: 2\n\nName: z"

    sections = read_sections(data)

    assert [(section.name, data[section.start : section.end]) for section in sections] == [
        (None, b"A: 1\r\n\r\n"),
        (b"xy", b"Name: x\n y\rB: 2\n\n"),
        (b"z", b"Name: z"),
    ]
    assert sections[1].attributes == {b"name": b"xy", b"b": b"2"}


def test_old_levels_obey_the_list_of_digests_in_the_file() -> None:
    (section,) = read_sections(
        b"Digest-Algorithms: SHA-512 MD5 SHA1\nMD5-Digest: bWQ1\nSHA1-Digest: c2hh\nSHA-512-Digest: !\n"
    )

    assert section.digest_at(b"-digest", 8) == ("md5", b"md5")
    assert section.digest_at(b"-digest", 17) == ("sha512", b"")
    assert section.digest_at(b"-digest", 18) == ("sha512", b"")
    assert section.hashes() == {"md5", "sha1", "sha512"}


def test_a_digest_needs_not_be_filled_up() -> None:
    """Java's Base64 does not miss the signs at the end when all of them are missing."""
    digest = base64.b64encode(hashlib.sha1(b"a").digest())
    whole, bare, half = (f"Name: a\r\nSHA1-Digest: {text}\r\n\r\n".encode() for text in (
        digest.decode(), digest.rstrip(b"=").decode(), base64.b64encode(b"1234").rstrip(b"=").decode() + "="
    ))  # fmt: skip

    assert [read_sections(one)[0].digest_at(b"-digest", 24) for one in (whole, bare, half)] == [
        ("sha1", hashlib.sha1(b"a").digest()),
        ("sha1", hashlib.sha1(b"a").digest()),
        ("sha1", b""),
    ]


def test_a_digest_that_fills_its_text_by_itself_is_read_as_it_is() -> None:
    """48 bytes need no sign at the end."""
    digest = hashlib.sha384(b"a").digest()
    (section,) = read_sections(b"Name: a\r\nSHA-384-Digest: " + base64.b64encode(digest) + b"\r\n\r\n")

    assert section.digest_at(b"-digest", 24) == ("sha384", digest)


@pytest.mark.parametrize(("level", "hash_name"), [(8, "sha1"), (17, "sha1"), (18, "sha256"), (36, "sha256")])
def test_from_level_18_on_the_strongest_digest_is_checked_and_sha1_below(level: int, hash_name: str) -> None:
    (section,) = read_sections(b"Name: a\r\nSHA1-Digest: AAAA\r\nSHA-256-Digest: BBBB\r\n\r\n")

    found = section.digest_at(b"-digest", level)

    assert found is not None
    assert found[0] == hash_name
