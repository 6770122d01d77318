"""Differential tests: odd packages, each judged by apksigner's library and by us, over several ranges of levels.

Where the two differ on purpose, the lists below say why; and it must be true that they differ. Counts are printed with -s.
"""

from pathlib import Path

import pytest
from apk_factory import make_key, sign_v2
from apk_variants_file import Variants, v2_variants, v3_variants, zip_variants
from apk_variants_jar import algorithm_variants, block_variants, digest_variants, text_variants
from apksig import ApkSig

from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, judge_range
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided

Levels = tuple[int | None, int | None]
ALL: Levels = (None, None)
JAR_ERAS: list[Levels] = [ALL, (4, 8), (9, 17), (18, 18), (19, 20), (21, 21), (22, 23), (23, None), (24, None)]
BLOCK_ERAS: list[Levels] = [ALL, (24, 27), (24, None), (28, None)]

BY_DEVICES = {
    "v1 by two, v3 by one": "from 24 on apksig is content with v3, and devices from 24 to 27 see two signers",
    "release xx": "asked about given levels, apksig does not read the one in the manifest; no device installs the package",
    "release 26": "as above: a text is the name of a release",
}
"""Where apksig is content and some device is not, with why."""
BY_NEWER_APKSIG = {
    "v3 two lineages, longer later, with other grants",
    "v3 two lineages, a part",
}
"""What apksig refused before Android 14 and takes since: histories for different levels that join to one line of certificates."""
BY_NEWER_DEVICES = {"infos: second of unknown algorithm", "infos: second without content type"}
"""Over a range that begins below 24 apksig looks at the first signer info alone; devices from 24 on stumble over the second."""

BY_TWO_READERS = {f"directory of AndroidManifest.xml: method {method:#x}" for method in (1, 5, 99)}
"""What apksig expands, as the phone's verifier does, and the phone's reader of manifests does not."""


def ours(path: Path, levels: Levels) -> list[str] | None:
    """The signers, or None where it is not taken for genuine."""
    first, last = levels
    try:
        package = judge_range(path, first=first, last=last or NEWEST_KNOWN_SDK, strict=True, signed_up_to=24)
    except (PackageNotGenuine, PackageUndecided):
        return None
    return list(package.signing.digests)


def compared(apksig: ApkSig, path: Path, variants: Variants, eras: list[Levels]) -> dict[str, list[str]]:
    """Judge every variant twice; return the labels of those that differ, with how."""
    found: dict[str, list[str]] = {}
    asked = genuine = 0
    for label, make in variants.items():
        path.write_bytes(make())
        for levels in eras:
            opinion, own = apksig.ask(path, *levels), ours(path, levels)
            asked += 1
            genuine += opinion.is_genuine
            if own != (opinion.signers if opinion.is_genuine else None):
                theirs = "genuine" if opinion.is_genuine else " ".join(sorted(opinion.issues))
                found.setdefault(label, []).append(f"{levels}: apksig {theirs}, we {own}")
    print(  # noqa: T201  # what the report quotes
        f"\n{len(variants)} packages, {asked} answers, {genuine} of them genuine, {len(found)} packages judged differently"
    )
    assert 0 < genuine < asked
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_texts(apksig: ApkSig, tmp_path: Path, seed: int) -> None:
    assert compared(apksig, tmp_path / "a.apk", text_variants(250, seed), [ALL, (18, 23), (24, None)]) == {}


def test_algorithms(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", algorithm_variants(), JAR_ERAS) == {}


def test_digests(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", digest_variants(), JAR_ERAS) == {}


def test_blocks(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", block_variants(), JAR_ERAS).keys() == BY_NEWER_DEVICES


def test_a_jar_beside_scheme_2(apksig: ApkSig, tmp_path: Path) -> None:
    """Newer devices do not look at the JAR, and apksig does where older ones are meant as well."""
    variants = block_variants() | {label: made for label, made in algorithm_variants().items() if label[0] == "r"}
    beside: Variants = {
        label: lambda made=made: sign_v2(made(), make_key("rsa", "A"))  # type: ignore[misc]
        for label, made in variants.items()
    }
    eras: list[Levels] = [ALL, (19, None), (21, None), (23, None), (24, None)]

    assert compared(apksig, tmp_path / "a.apk", beside, eras) == {}


def test_v2(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", v2_variants(), BLOCK_ERAS) == {}


def test_v3(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", v3_variants(), BLOCK_ERAS).keys() == BY_DEVICES.keys() | BY_NEWER_APKSIG


def test_zips(apksig: ApkSig, tmp_path: Path) -> None:
    assert compared(apksig, tmp_path / "a.apk", zip_variants(), [ALL, (24, None)]).keys() == BY_TWO_READERS
