"""Signature scheme v1: the signed JAR. What devices below API level 24 check, and newer ones where nothing newer is found.

`META-INF/*.RSA|DSA|EC` signs `*.SF`, which holds digests over `MANIFEST.MF`, which holds digests over each entry. What is checked differs
by API level, so every answer is for one level. Sources: apksig `V1SchemeVerifier`; AOSP `StrictJarVerifier`; the JAR file specification.
"""

import hashlib
import re
from bisect import bisect_right
from typing import NamedTuple

from backupkit.guard.apk.certificates import Certificate
from backupkit.guard.apk.cms import AttributeMalformed, SignedData, SignerInfo, read_attributes, read_signed_data
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.jar_algorithms import DIGESTS, is_accepted, is_signature
from backupkit.guard.apk.jar_digests import EntryDigests
from backupkit.guard.apk.jar_manifest import STRONGEST_SINCE, Section, read_sections
from backupkit.guard.apk.public_keys import KeyMalformed
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.zip_bytes import Archive, Entry, shown

_FOLDER = b"META-INF/"
_MANIFEST = b"META-INF/MANIFEST.MF"
_BLOCK_ENDINGS = (b".RSA", b".DSA", b".EC")
_MOST_SIGNERS = 10
_MOST_FILE = 32 << 20
_ERAS = (9, 18, 19, 21, 22, 24, 28)
"""The levels at which any rule here, in `jar_algorithms` or in `jar_manifest` changes."""
_ALWAYS_EXPANDED, _MOST_RATIO = 1 << 30, 20
"""All entries together may expand to so many bytes, or to so many times the file. Real packages stay under three times."""
_NUMBER = re.compile(rb"[\0- ]*\+?0*([0-9])[\0- ]*")
_ATTRIBUTES_SAFE_SINCE = 19
_ALL_INFOS_SINCE = 24
_SCHEMES_SINCE = {2: 24, 3: 28}


class _Signer(NamedTuple):
    """One signature block with its signature file. `answers` are the signature checks done so far, by signer info."""

    block: Entry
    file: Entry
    file_bytes: bytes
    sections: list[Section]
    data: SignedData
    answers: dict[int, bool]


class _Loaded(NamedTuple):
    """All that is read once, whatever the level."""

    manifest: bytes
    main: Section
    by_name: dict[bytes, Section]
    signers: list[_Signer]


class SchemeV1:
    """The JAR signature of one package. Nothing is read before a level asks."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._loaded: _Loaded | PackageNotGenuine | None = None
        self._digests = EntryDigests(archive)
        self._chosen: dict[frozenset[int], set[int]] = {}
        self._answers: dict[tuple[int, frozenset[int]], tuple[bytes, ...] | PackageNotGenuine] = {}

    def signers_at(self, level: int, *, found_schemes: set[int]) -> tuple[bytes, ...]:
        """Return the certificates of the signers that a device of this level sees.

        `found_schemes` are the newer schemes whose blocks the package has.

        Raises:
            PackageNotGenuine: the device would refuse the package.
        """
        # Levels between two changes of the rules see the same, and a range of levels asks for all of them.
        era = (bisect_right(_ERAS, level), frozenset(found_schemes))
        if era not in self._answers:
            try:
                self._answers[era] = self._check(level, found_schemes)
            except PackageNotGenuine as error:
                self._answers[era] = error
        answer = self._answers[era]
        if isinstance(answer, PackageNotGenuine):
            raise answer
        return answer

    def check_range(self, levels: range, *, found_schemes: set[int]) -> None:
        """Check what apksig asks of a JAR signature over a range that begins below 24.

        It holds on every level, those included that a newer scheme decides, and by the first signer info of each block, so that older and newer
        devices do not come to different ones.

        Raises:
            PackageNotGenuine: it does not hold on some level, or by another signer info only.
        """
        for level in reversed(_ERAS):
            if _ALL_INFOS_SINCE <= level <= levels[-1]:
                try:
                    self._check(level, found_schemes, only_first=True)
                except PackageNotGenuine as error:
                    raise error.at(level) from error

    def manifest(self) -> bytes:
        """Return `MANIFEST.MF`, or nothing where there is none."""
        return self._loaded.manifest if isinstance(self._loaded, _Loaded) else b""

    def _check(self, level: int, found_schemes: set[int], *, only_first: bool = False) -> tuple[bytes, ...]:
        loaded = self._load()
        certificates = [_check_block(signer, level, only_first=only_first) for signer in loaded.signers]
        passed_over = [_check_file(signer, loaded, level, found_schemes) for signer in loaded.signers]
        counting = frozenset(index for index, why in enumerate(passed_over) if why is None)
        if not counting and passed_over[0] is not None:
            raise passed_over[0]
        # From 18 on every level checks the same digest of each entry.
        if level < STRONGEST_SINCE:
            chosen = self._check_entries(loaded, level, counting)
        elif counting in self._chosen:
            chosen = self._chosen[counting]
        else:
            chosen = self._chosen[counting] = self._check_entries(loaded, level, counting)
        return tuple(certificate.raw for index, certificate in enumerate(certificates) if index in chosen)

    def _load(self) -> _Loaded:
        if self._loaded is None:
            try:
                self._loaded = _load(self._archive)
            except PackageNotGenuine as error:
                self._loaded = error
        if isinstance(self._loaded, PackageNotGenuine):
            raise self._loaded
        return self._loaded

    def _check_entries(self, loaded: _Loaded, level: int, counting: frozenset[int]) -> set[int]:
        """Check every entry outside META-INF; return which of the signers that count signed them all."""
        if sum(entry.size for entry in self._archive.entries) > max(
            _ALWAYS_EXPANDED, _MOST_RATIO * self._archive.file.size
        ):
            raise _wrong(Reason.ENTRY_TOO_LARGE)
        names = {index: {section.name for section in loaded.signers[index].sections} for index in sorted(counting)}
        chosen: set[int] | None = None
        # In the order in which they lie in the file, as the phone reads them.
        entries = [
            entry
            for entry in sorted(self._archive.entries, key=lambda entry: entry.header_offset)
            if not entry.name.startswith(_FOLDER) and not entry.name.endswith(b"/")
        ]
        self._digests.prepare(
            (entry, section) for entry in entries if (section := loaded.by_name.get(entry.name)) is not None
        )
        for entry in entries:
            section = loaded.by_name.get(entry.name)
            if section is None:
                raise _wrong(Reason.V1_DIGEST_MISSING, entry.name)
            signers = {index for index, signed in names.items() if entry.name in signed}
            if not signers:
                raise _wrong(Reason.V1_ENTRY_UNSIGNED, entry.name)
            chosen = signers if chosen is None else chosen
            if signers != chosen:
                raise _wrong(Reason.V1_SIGNERS_DIFFER, entry.name)
            expected = section.digest_at(b"-digest", level)
            if expected is None:
                raise _wrong(Reason.V1_DIGEST_MISSING, entry.name)
            if self._digests.of(entry, section)[expected[0]] != expected[1]:
                raise _wrong(Reason.V1_ENTRY_CHANGED, entry.name)
        if chosen is None:
            raise _wrong(Reason.V1_ENTRY_UNSIGNED)
        return chosen


def _load(archive: Archive) -> _Loaded:
    entry = archive.by_name.get(_MANIFEST)
    if entry is None:
        raise _wrong(Reason.UNSIGNED)
    manifest = archive.read(entry, most=_MOST_FILE)
    main, *sections = _sections(manifest) or [Section(0, 0, None, {})]
    by_name: dict[bytes, Section] = {}
    # Each rule over all sections before the next, so that the first one broken is the one named.
    for section in sections:
        if section.name is None:
            raise _wrong(Reason.V1_SECTION_UNNAMED)
    for section in sections:
        assert section.name is not None
        if by_name.setdefault(section.name, section) is not section:
            raise _wrong(Reason.V1_SECTION_DUPLICATE, section.name)
    for name in by_name:
        if name not in archive.by_name:
            raise _wrong(Reason.V1_ENTRY_MISSING, name)
    pairs = _find_signers(archive)
    if not pairs:
        raise _wrong(Reason.V1_NO_SIGNATURES)
    if len(pairs) > _MOST_SIGNERS:
        raise _wrong(Reason.TOO_MANY_SIGNERS)
    signers = [_load_signer(archive, block, file) for block, file in pairs]
    return _Loaded(manifest, main, by_name, signers)


def _load_signer(archive: Archive, block: Entry, file: Entry) -> _Signer:
    raw = archive.read(block, most=_MOST_FILE)
    file_bytes = archive.read(file, most=_MOST_FILE)
    try:
        data = read_signed_data(raw)
    except (NotAsn1, ValueError) as error:
        raise _wrong(Reason.V1_BLOCK_MALFORMED, block.name) from error
    if not data.signers:
        raise _wrong(Reason.V1_NO_SIGNER_INFO, block.name)
    return _Signer(block, file, file_bytes, _sections(file_bytes), data, {})


def _sections(data: bytes) -> list[Section]:
    try:
        return read_sections(data)
    except ValueError as error:
        raise _wrong(Reason.ENTRY_TOO_LARGE) from error


def _find_signers(archive: Archive) -> list[tuple[Entry, Entry]]:
    """Pair each signature block with its signature file; a block without one is ignored (apksig JAR_SIG_MISSING_FILE)."""
    signers = []
    for entry in archive.entries:
        if not entry.name.startswith(_FOLDER) or not entry.name.endswith(_BLOCK_ENDINGS):
            continue
        file = archive.by_name.get(entry.name[: entry.name.rindex(b".")] + b".SF")
        if file is not None:
            signers.append((entry, file))
    return signers


def _check_block(signer: _Signer, level: int, *, only_first: bool) -> Certificate:
    """Check the signature over the signature file; return the signer's certificate.

    Devices below API level 24 try the first signer info only; newer ones try all and take the first that is right.
    """
    infos = signer.data.signers[:1] if only_first or level < _ALL_INFOS_SINCE else signer.data.signers
    right: Certificate | None = None
    for index, info in enumerate(infos):
        certificate = _check_info(signer, index, info, level)
        right = right or certificate
    if right is None:
        raise _wrong(Reason.V1_SIGNATURE_WRONG, signer.block.name)
    return right


def _check_info(signer: _Signer, index: int, info: SignerInfo, level: int) -> Certificate | None:
    """Check one signer info: its certificate if it is right, None if it is wrong and another may be tried."""
    unacceptable = _wrong(Reason.V1_SIGNER_UNACCEPTABLE, signer.block.name)
    if not is_accepted(info.digest_oid, info.signature_oid, level):
        raise _wrong(Reason.V1_ALGORITHM_UNSUPPORTED, signer.block.name)
    try:
        certificate = info.certificate(signer.data.certificates)
        if certificate is None or not certificate.may_sign():
            raise unacceptable
        if info.signed_attributes is not None:
            # Before level 19 Android did not compare the digest in the attributes, so such a signature protects nothing there.
            if level < _ATTRIBUTES_SAFE_SINCE:
                raise unacceptable
            attributes = read_attributes(info.signed_attributes)
            if level >= _ALL_INFOS_SINCE:
                if attributes.content_type is None:
                    raise unacceptable
                if attributes.content_type != signer.data.content_type:
                    return None
            if attributes.message_digest is None:
                raise unacceptable
            actual = hashlib.new(DIGESTS[info.digest_oid], signer.file_bytes, usedforsecurity=False).digest()
            if attributes.message_digest != actual:
                return None
        if index not in signer.answers:
            signed = info.signed_bytes(signer.file_bytes)
            signer.answers[index] = is_signature(
                certificate.public_key_info, info.digest_oid, info.signature_oid, signed, info.signature
            )
    except AttributeMalformed as error:
        raise _wrong(Reason.V1_BLOCK_MALFORMED, signer.block.name) from error
    except (NotAsn1, KeyMalformed) as error:
        raise unacceptable from error
    return certificate if signer.answers[index] else None


def _check_file(signer: _Signer, loaded: _Loaded, level: int, found_schemes: set[int]) -> PackageNotGenuine | None:
    """Check the signature file's digests over the manifest, and that no newer signature was cut off.

    Returns why this signer is passed over, as every Android passes over one whose file it cannot make sense of, or None where the signer counts
    (AOSP `StrictJarVerifier.verifyCertificate`; apksig `setIgnored`).

    Raises:
        PackageNotGenuine: the device would refuse the package, whoever else signed it.
    """
    if not signer.sections or b"signature-version" not in signer.sections[0].attributes:
        return _wrong(Reason.V1_VERSION_MISSING, signer.file.name)
    main, *sections = signer.sections
    _check_not_stripped(main, signer, level, found_schemes)
    # An old signing tool of Mozilla digested in its own way (apksig, "Created-By: ... signtool").
    by_signtool = b"signtool" in main.attributes.get(b"created-by", b"")
    whole = main.digest_at(b"-digest" if by_signtool else b"-digest-manifest", level)
    is_whole = whole is not None and _digest(whole[0], loaded.manifest) == whole[1]
    if not by_signtool:
        expected = main.digest_at(b"-digest-manifest-main-attributes", level)
        if expected and _digest(expected[0], loaded.manifest[loaded.main.start : loaded.main.end]) != expected[1]:
            raise _wrong(Reason.V1_MANIFEST_CHANGED, signer.file.name)
    seen = set()
    wrong: PackageNotGenuine | None = None
    for section in sections:
        if section.name is None:
            return _wrong(Reason.V1_SECTION_UNNAMED, signer.file.name)
        if section.name in seen:
            return _wrong(Reason.V1_SECTION_DUPLICATE, section.name)
        seen.add(section.name)
        if is_whole:
            continue
        target = loaded.by_name.get(section.name)
        if target is None:
            return _wrong(Reason.V1_DIGEST_MISSING, section.name)
        try:
            _check_section(section, target, loaded, level, by_signtool=by_signtool)
        except PackageNotGenuine as error:
            # It counts only where nothing further down has the whole file passed over.
            wrong = wrong or error
    if wrong is not None:
        raise wrong
    return None


def _check_section(section: Section, target: Section, loaded: _Loaded, level: int, *, by_signtool: bool) -> None:
    assert section.name is not None
    expected = section.digest_at(b"-digest", level)
    if expected is None:
        raise _wrong(Reason.V1_DIGEST_MISSING, section.name)
    raw = loaded.manifest[target.start : target.end]
    if by_signtool and raw.endswith(b"\n\n"):
        raw = raw[:-1]
    if _digest(expected[0], raw) != expected[1]:
        raise _wrong(Reason.V1_MANIFEST_CHANGED, section.name)


def _check_not_stripped(main: Section, signer: _Signer, level: int, found_schemes: set[int]) -> None:
    """`X-Android-APK-Signed: 2, 3` names the newer schemes that were used; a level that knows one must find it."""
    for text in main.attributes.get(b"x-android-apk-signed", b"").split(b","):
        # Java reads a plus and any number of zeros in front as well; what is no number there is passed over.
        written = _NUMBER.fullmatch(text)
        scheme = int(written[1]) if written else 0
        known_since = _SCHEMES_SINCE.get(scheme)
        if known_since is not None and level >= known_since and scheme not in found_schemes:
            raise _wrong(Reason.STRIPPED, signer.file.name)


def _digest(hash_name: str, data: bytes) -> bytes:
    return hashlib.new(hash_name, data, usedforsecurity=False).digest()


def _wrong(reason: Reason, name: bytes | None = None) -> PackageNotGenuine:
    return PackageNotGenuine(reason, scheme="v1", entry=None if name is None else shown(name))
