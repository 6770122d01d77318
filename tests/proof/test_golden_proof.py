"""The golden files, and the page that says how to check a store without us."""

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from backupkit.ids import AppPackage, CertificateDigest
from backupkit.proof.checkpoint import verify_checkpoint
from backupkit.proof.dsse import open_envelope
from backupkit.proof.log_entry import decode_log_entry
from backupkit.proof.merkle import tree_root
from backupkit.proof.pass_check import InstalledApp, PassPolicy, check_pass
from backupkit.proof.pins import decode_pins
from backupkit.proof.snapshot_statement import decode_snapshot_statement, snapshot_id
from backupkit.proof.sshsig import SNAPSHOT_NAMESPACE, verify_ssh
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.verify_statement import decode_verify_statement
from backupkit.proof.witness import load

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/vectors/proof"
PAGE = ROOT / "docs/explanation/verify-without-backupkit.md"
PINS = decode_pins((GOLDEN / "pins.json").read_bytes())


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def test_the_golden_files_are_made_again_byte_for_byte() -> None:
    made: dict[str, bytes] = runpy.run_path(str(ROOT / "tests/vectors/make_proof.py"))["golden_files"]()

    assert {path.name: path.read_bytes() for path in GOLDEN.iterdir()} == made


def test_the_golden_store_holds_together() -> None:
    payload = open_envelope(golden("snapshot.dsse.json"), PINS.attest_key, PAYLOAD_TYPE)
    verified = decode_verify_statement(open_envelope(golden("verify.dsse.json"), PINS.attest_key, PAYLOAD_TYPE))
    entries = [decode_log_entry(golden(f"entry-{seq}.json")) for seq in (0, 1)]
    head = verify_checkpoint(golden("checkpoint"), PINS.origin, PINS.log_key)
    witness = load(GOLDEN / "witness.json")

    assert payload == golden("snapshot.statement.json")
    verify_ssh(payload, golden("snapshot.sshsig"), PINS.attest_key, SNAPSHOT_NAMESPACE)
    assert verified.snapshot == snapshot_id(payload) == entries[0].subject
    assert verified.snapshot_root == decode_snapshot_statement(payload).root
    assert head.root == tree_root([entry.hash() for entry in entries])
    assert witness is not None
    assert (witness.origin, witness.size, witness.root) == (head.origin, head.size, head.root)


def test_a_golden_head_that_was_asked_about_tells_when() -> None:
    asked = load(GOLDEN / "witness-asked.json")

    assert asked is not None
    assert asked.at == datetime(2018, 6, 1, 9, tzinfo=UTC)
    assert asked._replace(at=None) == load(GOLDEN / "witness.json")
    assert asked.encode() == golden("witness-asked.json")


def test_the_golden_pass_counts() -> None:
    checked = check_pass(
        golden("pass.dsse.json"),
        pins=PINS,
        installed=InstalledApp(AppPackage("com.tencent.mm"), frozenset({CertificateDigest("05" * 32)})),
        challenge="c0" * 16,
        now=datetime(2018, 6, 1, 9, tzinfo=UTC),
        policy=PassPolicy(),
        witness=load(GOLDEN / "witness.json"),
    )

    assert checked.coverage.covered.messages == 48_211


def test_the_examples_of_the_log_format_are_the_golden_files() -> None:
    page = (ROOT / "docs/format/log.md").read_text("utf-8")

    assert f"```json\n{golden('entry-0.json').decode()}\n```" in page
    assert f"```\n{golden('checkpoint').decode()}```" in page


def test_every_code_of_a_refused_pass_is_in_the_format_document() -> None:
    from backupkit.proof import refusals

    page = (ROOT / "docs/format/statements.md").read_text("utf-8")
    codes = {error.code for error in refusals.PassRefused.__subclasses__()}

    assert len(codes) == 14
    assert not [code for code in codes if f"`{code}`" not in page]


def blocks(language: str, page: Path = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_chinese_page_has_the_same_recipes() -> None:
    for language in ("sh", "python"):
        assert blocks(language, PAGE.with_suffix(".zh-CN.md")) == blocks(language)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The golden store laid out as a repository, with two packs of any bytes."""
    name = snapshot_id(golden("snapshot.statement.json"))
    for data in (b"one pack", b"another pack"):
        digest = sha256(data).hexdigest()
        pack = tmp_path / "packs" / ("01" * 16) / digest[:2] / digest
        pack.parent.mkdir(parents=True)
        pack.write_bytes(data)
    for folder in ("snapshots", "log/entries"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(GOLDEN / "snapshot.dsse.json", tmp_path / "snapshots" / name)
    shutil.copy(GOLDEN / "snapshot.sshsig", tmp_path / "snapshots" / f"{name}.sshsig")
    shutil.copy(GOLDEN / "checkpoint", tmp_path / "log/checkpoint")
    for seq in (0, 1):
        shutil.copy(GOLDEN / f"entry-{seq}.json", tmp_path / "log/entries" / f"{seq:010d}")
    for key in ("allowed_signers", "attest-key.pem", "log-key.pem"):
        shutil.copy(GOLDEN / key, tmp_path / key)
    return tmp_path


def run(block: str, store: Path, path: str) -> subprocess.CompletedProcess[bytes]:
    name = snapshot_id(golden("snapshot.statement.json"))
    return subprocess.run(
        ["sh", "-eu", "-c", block],
        cwd=store,
        env={"PATH": path, "ID": name, "STORE": PINS.origin, "HOME": str(store)},
        capture_output=True,
        check=False,
    )


@pytest.fixture
def shell_path(system_tool: Callable[[str], str]) -> str:
    """The folders of the tools that the page uses, and nothing of this project's own."""
    tools = ("sh", "sha256sum", "ssh-keygen", "openssl", "base64", "sed", "python3")
    folders = [str(Path(system_tool(tool)).parent) for tool in tools]
    return ":".join(dict.fromkeys([*folders, "/usr/bin", "/bin"]))


def test_the_recipes_of_the_page_accept_a_store(store: Path, shell_path: str) -> None:
    recipes = blocks("sh")

    assert len(recipes) == 5
    for recipe in recipes:
        done = run(recipe, store, shell_path)
        assert done.returncode == 0, (recipe, done.stderr)


def damage_pack(store: Path) -> None:
    pack = next(path for path in (store / "packs").rglob("*") if path.is_file())
    pack.write_bytes(pack.read_bytes() + b"x")


def damage(glob: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def apply(store: Path) -> None:
        (path,) = store.glob(glob)
        assert old in path.read_bytes()
        path.write_bytes(path.read_bytes().replace(old, new))

    return apply


@pytest.mark.parametrize(
    ("recipe", "spoil"),
    [
        (0, damage_pack),
        (1, damage("allowed_signers", b"AAAAI", b"AAAAJ")),
        (1, damage("snapshots/*.sshsig", b"AAAA", b"AAAB")),
        (2, damage("snapshots/*[0-9a-f]", b'"sig":"', b'"sig":"A')),
        (3, damage("log/checkpoint", b"\n2\n", b"\n1\n")),
        (4, damage("log/entries/0000000001", b"verify", b"import")),
    ],
)
def test_each_recipe_of_the_page_notices_what_it_is_for(
    recipe: int, spoil: Callable[[Path], Any], store: Path, shell_path: str
) -> None:
    recipes = blocks("sh")
    for earlier in recipes[:recipe]:
        assert run(earlier, store, shell_path).returncode == 0

    spoil(store)

    assert run(recipes[recipe], store, shell_path).returncode != 0


def test_the_page_says_how_to_write_the_three_key_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOLDEN / "pins.json", tmp_path)

    exec(compile(block, str(PAGE), "exec"), {})

    for key in ("allowed_signers", "attest-key.pem", "log-key.pem"):
        assert (tmp_path / key).read_bytes() == golden(key)


def test_statements_are_plain_json_to_everybody() -> None:
    assert json.loads(golden("snapshot.statement.json"))["_type"] == "https://in-toto.io/Statement/v1"
