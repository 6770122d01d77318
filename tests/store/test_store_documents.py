"""The examples in the format documents are true."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backupkit.codec.canonical import encode_canonical
from backupkit.codec.framing import Mark, frame
from backupkit.store.parity import gf256
from backupkit.store.trees.manifest import decode_manifest

ROOT = Path(__file__).parents[2]
FACTS = json.loads((ROOT / "tests/vectors/store/facts.json").read_text("ascii"))


def block(document: str, language: str) -> str:
    text = (ROOT / "docs/format" / document).read_text("utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(("document", "printed"), [("pack.md", "wechat"), ("index.md", FACTS["root_pack"])])
def test_the_program_in_a_format_document_works_without_backupkit(document: str, printed: str) -> None:
    program = block(document, "python")
    assert "from backupkit" not in program
    assert "import backupkit" not in program

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, printed), done.stderr


def test_the_parity_document_computes_what_the_store_does() -> None:
    packs = [hashlib.shake_256(b"%d" % n).digest(1000 * n) for n in (3, 1, 2)]
    p, q = gf256.encode(packs, 3000)

    done = subprocess.run(
        [sys.executable, "-c", block("parity.md", "python")], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == [p.hex()[:16], q.hex()[:16]], done.stderr


def test_the_root_in_the_manifest_document_is_one() -> None:
    manifest = decode_manifest(frame(Mark.ROOT, encode_canonical(json.loads(block("manifest.md", "json")))))

    (source,) = manifest.sources
    assert source.unreadable[0].path == b"locked\xff"
    assert source.chat is not None


def test_sha256sum_checks_the_golden_packs_as_the_repository_document_says() -> None:
    (session,) = [block("repository.md", "console").split("\n")]
    commands = [line.removeprefix("$ ") for line in session if line.startswith("$ ")]
    expected = [line for line in session if line and not line.startswith("$ ")]

    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.stdout.splitlines() == expected, done.stderr
