"""Debian's apksigner as a second opinion about packages made here: what it accepts, we accept, with the same signer."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import V2, V3, build_apk, make_key, make_lineage, sections, sign, sign_v1, sign_v3, without_pair

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
