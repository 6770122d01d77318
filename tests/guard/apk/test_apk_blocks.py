"""PKCS#7 blocks of odd structure, each on a level of every age. `test_apk_against_apksig.py` asks Android's own tool about the same ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import build_apk, make_key, sign_v1
from apk_variants_jar import block_variants, digest_variants

from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

LEVELS = (18, 23, 24)
SIGNERS = {make_key("rsa", "A").digest: "A", make_key("rsa", "B").digest: "B"}
MALFORMED, WRONG, UNFIT = Reason.V1_BLOCK_MALFORMED, Reason.V1_SIGNATURE_WRONG, Reason.V1_SIGNER_UNACCEPTABLE

Answer = str | Reason
EVERYWHERE: dict[Answer, list[str]] = {
    "A": [
        "infos: second wrong", "infos: of two signers", "infos: version 3", "infos: unsigned attributes", "infos: one more field",
        "infos: digest without parameters", "bag: another first", "bag: twice", "bag: lookalike last", "issuer: printable",
        "issuer: lower case", "issuer: with spaces", "serial with zeros in front", "indefinite lengths", "bytes behind", "content inside",
        "other content inside", "odd content type", "digest named without its number", "no digests named", "revocations",
    ],
    "B": ["infos: of two signers, the other first"],
    "another": [
        f"key usage {use} {critical}" for use in ("digital_signature", "content_commitment") for critical in (True, False)
    ],
    MALFORMED: [
        "infos: version no number", "infos: signature in pieces", "infos: without a signature", "infos: named by subject key",
        "bag: with junk", "version no number", "digest named in no sequence", "digest named by no number", "of another kind", "no block", "no ASN.1",
    ],
    UNFIT: [
        "attributes type", "attributes type+no digest", "attributes type+digest+no sequence", "bag: missing", "bag: empty",
        "bag: of another", "issuer: two bytes a letter", "issuer: ia5", "issuer: t61", "issuer: another", "issuer: of another kind",
        "issuer: in no sequence", "serial wrong",
        *(f"key usage {use} {critical}" for use in ("key_encipherment", "key_cert_sign") for critical in (True, False)),
    ],
    WRONG: ["bag: lookalike first"],
    Reason.V1_NO_SIGNER_INFO: ["infos: none"],
}  # fmt: skip
BY_LEVEL: dict[str, tuple[Answer, Answer, Answer]] = {
    # Attributes protect nothing before 19. The content type is looked at from 24 on, and further signer infos are tried.
    "attributes type+digest": (UNFIT, "A", "A"),
    "attributes digest+type": (UNFIT, "A", "A"),
    "attributes type+digest+time": (UNFIT, "A", "A"),
    "attributes type+digest+unknown": (UNFIT, "A", "A"),
    "attributes type+digest+three fields": (UNFIT, "A", "A"),
    "attributes digest": (UNFIT, "A", UNFIT),
    "attributes no type+digest": (UNFIT, "A", UNFIT),
    "attributes wrong type+digest": (UNFIT, "A", WRONG),
    "attributes two types+digest": (UNFIT, "A", MALFORMED),
    "attributes type+wrong digest": (UNFIT, WRONG, WRONG),
    "attributes type+two digests": (UNFIT, MALFORMED, MALFORMED),
    "attributes type+type+digest": (UNFIT, MALFORMED, MALFORMED),
    "attributes type+digest+digest": (UNFIT, MALFORMED, MALFORMED),
    "attributes type+digest+unknown+unknown": (UNFIT, MALFORMED, MALFORMED),
    "infos: first wrong": (WRONG, WRONG, "A"),
    "infos: digest wrong, second right": (UNFIT, WRONG, "A"),
    "infos: type wrong, second right": (UNFIT, "A", "A"),
    "infos: type wrong, second of another": (UNFIT, "A", "B"),
    "infos: second of unknown algorithm": ("A", "A", Reason.V1_ALGORITHM_UNSUPPORTED),
    "infos: second without content type": ("A", "A", UNFIT),
}
EXPECTED = {label: (answer,) * 3 for answer, labels in EVERYWHERE.items() for label in labels} | BY_LEVEL
BLOCKS = block_variants()


@pytest.mark.parametrize("label", BLOCKS)
def test_each_level_takes_or_refuses_a_block_as_that_android_did(tmp_path: Path, label: str) -> None:
    def answer(make: Callable[[], bytes], level: int) -> Answer:
        path.write_bytes(make())
        try:
            (signer,) = read_package(path, device_sdk=level).signing.digests
        except PackageNotGenuine as error:
            return error.reason
        return SIGNERS.get(signer, "another")

    path = tmp_path / "app.apk"

    assert tuple(answer(BLOCKS[label], level) for level in LEVELS) == EXPECTED[label]


CHANGED, SPOILT, MISSING = Reason.V1_ENTRY_CHANGED, Reason.V1_MANIFEST_CHANGED, Reason.V1_DIGEST_MISSING
DIGESTS: dict[str, tuple[Answer, Answer, Answer]] = {
    # On levels below 18, from 18 on, and over all of them.
    "SHA1+SHA-256 and SHA1+SHA-256": ("A", "A", "A"),
    "SHA1+SHA-256 and SHA1": ("A", "A", "A"),
    "SHA1+SHA-256 and SHA-256": (MISSING, "A", MISSING),
    "SHA1 and SHA1+SHA-256": ("A", "A", "A"),
    "SHA1 and SHA1": ("A", "A", "A"),
    "SHA1 and SHA-256": (MISSING, "A", MISSING),
    "SHA-256 and SHA1+SHA-256": (MISSING, "A", MISSING),
    "SHA-256 and SHA1": (MISSING, "A", MISSING),
    "SHA-256 and SHA-256": (MISSING, "A", MISSING),
    "SHA1 wrong in the manifest": (CHANGED, "A", CHANGED),
    "SHA-256 wrong in the manifest": ("A", CHANGED, CHANGED),
    "SHA1 wrong in the file": (SPOILT, "A", SPOILT),
    "SHA-256 wrong in the file": ("A", SPOILT, SPOILT),
}


@pytest.mark.parametrize("label", digest_variants())
def test_levels_below_18_check_sha1_and_others_the_strongest_and_a_range_both(tmp_path: Path, label: str) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(digest_variants()[label]())

    def answer(level: int | None) -> Answer:
        try:
            (signer,) = read_package(path, device_sdk=level).signing.digests
        except PackageNotGenuine as error:
            return error.reason
        return SIGNERS[signer]

    below, since, over_all = DIGESTS[label]
    assert [answer(level) for level in (4, 17, 18, 36, None)] == [below, below, since, since, over_all]


def test_eleven_jar_signers_are_one_too_many(tmp_path: Path) -> None:
    path, keys = tmp_path / "app.apk", [make_key("ec", f"signer {number}") for number in range(11)]

    path.write_bytes(sign_v1(build_apk(target_sdk=29), *keys[:10]))
    assert read_package(path, device_sdk=24).signing.digests == tuple(key.digest for key in keys[:10])
    path.write_bytes(sign_v1(build_apk(target_sdk=29), *keys))
    with pytest.raises(PackageNotGenuine) as caught:
        read_package(path, device_sdk=24)
    assert caught.value.reason is Reason.TOO_MANY_SIGNERS
