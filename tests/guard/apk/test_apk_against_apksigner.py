"""Debian's apksigner as a second opinion about packages made here: what it accepts, we accept, with the same signer."""

import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from apk_factory import (
    V2,
    V3,
    AppKey,
    build_apk,
    make_key,
    make_lineage,
    make_zip,
    pairs,
    read_zip,
    sections,
    sign,
    sign_v1,
    sign_v2,
    sign_v3,
    with_pairs,
    without_pair,
)

from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.reasons import PackageNotGenuine

A, B = make_key("rsa", "A"), make_key("ec", "B")
PACKAGES: dict[str, Callable[[], bytes]] = {
    "all-schemes": lambda: sign(build_apk(min_sdk=21), A),
    "elliptic": lambda: sign(build_apk(min_sdk=21), B),
    "rotated": lambda: sign(build_apk(min_sdk=24), B, lineage=make_lineage([A, B])),
    "two-signers": lambda: sign(build_apk(min_sdk=21), A, B),
    "jar-only": lambda: sign_v1(build_apk(min_sdk=21, target_sdk=29), A, signed_attributes=True),
    "v3-only": lambda: sign_v3(build_apk(min_sdk=28), A),
    "v3-stripped": lambda: without_pair(sign(build_apk(), A), V3),
    "v2-and-v3-stripped": lambda: without_pair(without_pair(sign(build_apk(target_sdk=29), A), V3), V2),
    "jar-only-for-new-android": lambda: sign_v1(build_apk(min_sdk=24, target_sdk=34), A),
    "content-changed": lambda: sign(build_apk(), A).replace(b"dex\n035", b"dex\n036"),
    "comment-added": lambda: sign(build_apk(), A)[:-2] + b"\1\0x",
    "cut-short": lambda: sign(build_apk(), A)[: sections(sign(build_apk(), A))[1]],
}
DSA = make_key("dsa", "D")


def _in_whole_pages(sign: Callable[..., bytes], key: AppKey, numbers: list[int]) -> bytes:
    """Sign a package laid out in whole pages, which verity asks for."""
    apk = build_apk(min_sdk=28, files={"a": bytes(10_000)})
    entries = read_zip(apk)
    entries[-1].extra = bytes(-sections(apk)[0] % 4096)
    signed = sign(make_zip(entries), key, algorithms=numbers)
    return with_pairs(signed, pairs(signed), align=True)


# Not PSS: the tool asks Java for it under a name that only Android knows, and ends with an exception.
ALGORITHMS: dict[str, tuple[AppKey, list[int]]] = {
    "pkcs1-256": (A, [0x0103]), "pkcs1-512": (A, [0x0104]), "ecdsa-256": (B, [0x0201]), "ecdsa-512": (B, [0x0202]),
    "dsa-256": (DSA, [0x0301]), "verity-rsa": (A, [0x0421]), "verity-ecdsa": (B, [0x0423]), "verity-dsa": (DSA, [0x0425]),
    "weaker-first": (A, [0x0103, 0x0104]), "stronger-first": (A, [0x0104, 0x0421, 0x0103]),
    "unknown-beside": (A, [0x7777, 0x0103]), "only-unknown": (A, [0x7777]), "of-another-kind": (B, [0x0103]),
}  # fmt: skip
for name, (key, numbers) in ALGORITHMS.items():
    PACKAGES[f"v2-{name}"] = partial(_in_whole_pages, sign_v2, key, numbers)
    PACKAGES[f"v3-{name}"] = partial(_in_whole_pages, partial(sign_v3, min_sdk=28), key, numbers)


@pytest.mark.parametrize("name", PACKAGES)
def test_both_give_the_same_answer(tmp_path: Path, system_tool: Callable[[str], str], name: str) -> None:
    tool = system_tool("apksigner")
    path = tmp_path / "app.apk"
    path.write_bytes(PACKAGES[name]())
    # The manifest of the factory is read by it too, for the minimal API level.
    result = subprocess.run([tool, "verify", "--print-certs", path], capture_output=True, text=True, check=False)
    theirs = (
        re.findall(r"certificate SHA-256 digest: ([0-9a-f]{64})", result.stdout) if result.returncode == 0 else None
    )

    try:
        ours = list(read_package(path).signing.digests)
    except PackageNotGenuine:
        ours = None

    assert ours == theirs, result.stderr
