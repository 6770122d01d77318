"""ssh-keygen, openssl and sha256sum accept a real repository, with keys that backupkit itself handed out."""

import base64
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from computer import Computer

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["verify-without-backupkit.md", "verify-without-backupkit.zh-CN.md"]


@pytest.fixture
def saved(ready_computer: Computer, tmp_path: Path) -> Computer:
    chats = tmp_path / "chats"
    chats.mkdir()
    (chats / "words.txt").write_text("hello\n" * 1000)
    ready_computer.run("snapshot", chats)
    (chats / "words.txt").write_text("hello again\n" * 1000)
    ready_computer.run("snapshot", chats)
    return ready_computer


def hand_out_keys(computer: Computer) -> None:
    """Write the three files that the page asks for, by the commands that the page gives."""
    for name, *options in (
        ("allowed_signers", "--format", "allowed-signers"),
        ("attest-key.pem", "--format", "pem"),
        ("log-key.pem", "--format", "pem", "--use", "log"),
    ):
        (computer.repository / name).write_text(computer.run("key", "public", *options).out)


@pytest.mark.parametrize("page", PAGES)
def test_everything_on_the_page_works_on_a_real_repository(
    saved: Computer, system_tool: Callable[[str], str], page: str
) -> None:
    for tool in ("ssh-keygen", "openssl", "sha256sum"):
        system_tool(tool)
    hand_out_keys(saved)
    origin = (saved.repository / "log/checkpoint").read_text().splitlines()[0]
    text = (ROOT / "docs/explanation" / page).read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 5
    snapshots = [one["snapshot"] for one in saved.run("snapshots", "--json").objects if one["type"] == "snapshot"]

    for snapshot in snapshots:
        script = "set -euo pipefail\n" + "\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=saved.repository,
            env={**saved.environment, "ID": snapshot, "STORE": origin},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_standard_tools_refuse_what_was_changed(saved: Computer, system_tool: Callable[[str], str]) -> None:
    ssh_keygen = system_tool("ssh-keygen")
    hand_out_keys(saved)
    repository = saved.repository
    origin = (repository / "log/checkpoint").read_text().splitlines()[0]
    snapshot = saved.run("snapshots", "--json").objects[0]["snapshot"]
    payload = base64.b64decode(json.loads((repository / "snapshots" / snapshot).read_bytes())["payload"])

    def accepted(data: bytes, purpose: str = "snapshot@backupkit.local") -> bool:
        signature = repository / "snapshots" / f"{snapshot}.sshsig"
        command: list[str | Path] = [
            ssh_keygen,
            "-Y",
            "verify",
            "-f",
            "allowed_signers",
            "-I",
            origin,
            "-n",
            purpose,
            "-s",
            signature,
        ]
        done = subprocess.run(command, cwd=repository, input=data, capture_output=True, check=False)
        return done.returncode == 0

    assert accepted(payload)
    assert not accepted(payload.replace(b"true", b"True"))
    assert not accepted(payload, "attestation@backupkit.local")


def test_keys_are_handed_out_in_every_format(
    saved: Computer, system_tool: Callable[[str], str], tmp_path: Path
) -> None:
    openssl, ssh_keygen = system_tool("openssl"), system_tool("ssh-keygen")
    for use in ("attest", "log"):
        pem = saved.run("key", "public", "--format", "pem", "--use", use).out
        ssh = saved.run("key", "public", "--format", "openssh", "--use", use).out
        (tmp_path / "key.pem").write_text(pem)
        (tmp_path / "key.pub").write_text(ssh)
        subprocess.run([openssl, "pkey", "-pubin", "-in", tmp_path / "key.pem", "-noout"], check=True)
        subprocess.run([ssh_keygen, "-l", "-f", tmp_path / "key.pub"], check=True, capture_output=True)
    (keys,) = [one for one in saved.run("key", "public", "--json").objects if one["type"] == "public-key"]
    assert keys["log_pem"] != keys["attest_pem"]
    assert saved.run("key", "public", "--writer", keys["writer"]).out == f"{keys['allowed_signers']}\n"
    assert saved.run("key", "public", "--writer", "0" * 8, "--json", expect=22).last["code"] == "writer-not-found"
