"""apt asks before it changes a chat program: the real apt, in a root of its own."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from computer import Computer
from debian_root import Debian, make_debian_root
from guard_scene import WECHAT, Scene
from hook_process import waiting_hook
from hypothesis import given, settings, strategies as st
from json_schema import differences, schema_of

from backupkit.clock import FixedClock, SystemClock
from backupkit.guard.desk import load_hook_key, save_policy
from backupkit.guard.ledger import read_ledger, verify_ledger
from backupkit.guard.outcome import Action
from backupkit.guard.policy import GuardPolicy, Needs
from backupkit.hooks.apt import ask_apt, read_rows
from backupkit.hooks.system_packages import Guarded, QuestionMalformed, Row

HOOK = Path(sys.executable).with_name("backupkit-hook")
ROOT = Path(__file__).parents[2]
needs_apt = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None,
    reason="needs apt, and root to run it",
)


def question(*rows: str) -> bytes:
    return "\n".join(
        ["VERSION 3", "APT::Architecture=amd64", "CommandLine::AsString=apt%20upgrade", "", *rows, ""]
    ).encode()


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("wechat 1.0 all none < 2.0 all none /var/cache/wechat_2.0.deb", [Row("wechat", Action.UPGRADE)]),
        ("wechat 2.0 all none > 1.0 all none /a b.deb", [Row("wechat", Action.DOWNGRADE)]),
        ("wechat 2.0 all none = 2.0 all none /a.deb", [Row("wechat", Action.REINSTALL)]),
        ("wechat 2.0 all none > - - none **REMOVE**", [Row("wechat", Action.UNINSTALL)]),
        ("wechat - - none > - - none **REMOVE**", [Row("wechat", Action.UNINSTALL)]),
        ("wechat - - none < 2.0 all none /a.deb", []),
        ("wechat 1.0 all none < 2.0 all none **CONFIGURE**", []),
    ],
)
def test_each_kind_of_change_is_read(row: str, read: list[Row]) -> None:
    assert list(read_rows(question(row))) == read


@pytest.mark.parametrize(
    "data",
    [b"", b"VERSION 2\n\n", b"VERSION 3\nA=b", b"/a.deb\n", question("wechat 1.0 all"), question("a 1 b c ! 2 d e f")],
)
def test_what_is_not_apts_question_is_refused(data: bytes) -> None:
    with pytest.raises(QuestionMalformed):
        list(read_rows(data))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_refused(data: bytes) -> None:
    try:
        rows = list(read_rows(b"VERSION 3\n\n" + data))
    except QuestionMalformed:
        return
    assert all(isinstance(row, Row) for row in rows)


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return make_debian_root(tmp_path)


@needs_apt
def test_apt_waits_for_a_backup_that_counts(debian: Debian) -> None:
    computer = Computer(debian.folder / "home")
    computer.environment["XDG_STATE_HOME"] = str(debian.folder / "state")
    installed = computer.run("guard", "install", "--store", "apt", "--entry", str(debian.entry), "--yes", "--json").last
    assert debian.apt("install", "./wechat_1.0.deb").returncode == 0

    held = debian.apt("install", "./wechat_2.0.deb")
    removal = debian.apt("remove", "wechat")
    debian.scene.issue()
    let_through = debian.apt("install", "./wechat_2.0.deb")

    assert installed["entry"] == debian.entry.read_text()
    assert (held.returncode, removal.returncode) == (100, 100)
    assert "no-verified-backup" in held.stdout + held.stderr
    assert (let_through.returncode, debian.version) == (0, "2.0")
    entries = list(read_ledger(debian.scene.places.ledger))
    assert [(entry["decision"], entry["action"], entry["store"], entry["package"]) for entry in entries] == [
        ("hold", "upgrade", "apt", WECHAT), ("hold", "uninstall", "apt", WECHAT), ("allow", "upgrade", "apt", WECHAT),
    ]  # fmt: skip
    assert verify_ledger(debian.scene.places.ledger, load_hook_key(debian.scene.places).verify_key).entries == 3


@needs_apt
@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_one_chat_program_that_waits_stops_all_and_the_rest_can_go_first(debian: Debian, language: str) -> None:
    debian.build("bash", "1.0")
    debian.build("bash", "2.0")
    computer = Computer(debian.folder / "home")
    computer.environment["XDG_STATE_HOME"] = str(debian.folder / "state")
    assert debian.apt("install", "./wechat_1.0.deb", "./bash_1.0.deb").returncode == 0
    computer.run("guard", "install", "--store", "apt", "--entry", str(debian.entry), "--yes")

    alone = debian.apt("install", "./wechat_2.0.deb", BACKUPKIT_LANG=language)
    together = debian.apt("install", "./wechat_2.0.deb", "./bash_2.0.deb", BACKUPKIT_LANG=language)
    before = debian.version_of("bash")
    (command,) = re.findall(r"apt-mark hold wechat(?=,|，)", together.stderr + together.stdout)
    debian.run(*command.split())
    the_rest = debian.apt("install", "./bash_2.0.deb")

    assert (alone.returncode, together.returncode, before) == (100, 100, "1.0")
    assert "apt-mark" not in alone.stderr + alone.stdout
    assert (the_rest.returncode, debian.version_of("bash"), debian.version) == (0, "2.0", "1.0")


@needs_apt
def test_the_entry_is_removed_before_the_program_and_apt_goes_on(debian: Debian) -> None:
    computer = Computer(debian.folder / "home")
    entry = ("--store", "apt", "--entry", str(debian.entry))
    computer.run("guard", "install", *entry, "--yes")
    assert debian.apt("install", "./wechat_1.0.deb").returncode == 0
    assert debian.apt("install", "./wechat_2.0.deb").returncode == 100
    assert debian.version == "1.0"

    removed = computer.run("guard", "uninstall", *entry, "--json").last
    again = computer.run("guard", "uninstall", *entry, "--json").last

    assert (removed["uninstalled"], again["uninstalled"]) == (True, False)
    assert not debian.entry.exists()
    assert debian.apt("install", "./wechat_2.0.deb").returncode == 0
    assert debian.version == "2.0"


@needs_apt
def test_apt_waits_for_a_package_that_the_owner_named_and_for_none_that_was_left_out(debian: Debian) -> None:
    computer = Computer(debian.folder / "home")
    computer.environment["XDG_STATE_HOME"] = str(debian.folder / "state")
    install = ("guard", "install", "--store", "apt", "--entry", debian.entry, "--yes")
    assert debian.apt("install", "./wechat_1.0.deb").returncode == 0

    computer.run(*install, "--watch", "wechat=org.example.chat")
    debian.scene.issue()
    for_another_app = debian.apt("install", "./wechat_2.0.deb")
    after = debian.version
    computer.run(*install, "--except", "wechat")
    left_out = debian.apt("install", "./wechat_2.0.deb")

    assert (for_another_app.returncode, after) == (100, "1.0")
    assert "no-verified-backup" in for_another_app.stdout + for_another_app.stderr
    assert (left_out.returncode, debian.version) == (0, "2.0")
    assert [entry["package"] for entry in read_ledger(debian.scene.places.ledger)] == ["org.example.chat"]


@needs_apt
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_apt_keeps_the_old_version_when_the_hook_is_killed_and_goes_on_the_next_time(
    debian: Debian, sent: signal.Signals
) -> None:
    computer = Computer(debian.folder / "home")
    computer.environment["XDG_STATE_HOME"] = str(debian.folder / "state")
    computer.run("guard", "install", "--store", "apt", "--entry", str(debian.entry), "--yes")
    assert debian.apt("install", "./wechat_1.0.deb").returncode == 0
    debian.scene.issue()

    # So that the hook is in the middle of its work: it wants to write down that it allowed the update.
    with debian.scene.places.ledger.open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        killed = debian.start("apt-get", "-y", "-q", "install", "./wechat_2.0.deb")
        os.kill(waiting_hook(killed), sent)
        said, _ = killed.communicate(timeout=60)
    after = debian.version
    audit = debian.run("dpkg", f"--root={debian.folder}/root", "--audit")
    again = debian.apt("install", "./wechat_2.0.deb")

    assert (killed.returncode, after, audit.stdout) == (100, "1.0", ""), said
    assert (again.returncode, debian.version) == (0, "2.0")
    assert verify_ledger(debian.scene.places.ledger, load_hook_key(debian.scene.places).verify_key).entries == 1


@needs_apt
@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONHOME"])
def test_pythons_own_variables_neither_stop_apt_nor_answer_for_the_guard(debian: Debian, variable: str) -> None:
    debian.build("bash", "1.0")
    computer = Computer(debian.folder / "home")
    computer.environment["XDG_STATE_HOME"] = str(debian.folder / "state")
    computer.run("guard", "install", "--store", "apt", "--entry", str(debian.entry), "--yes")
    assert debian.apt("install", "./wechat_1.0.deb").returncode == 0
    mine = {variable: str(debian.folder / "mine")}
    (debian.folder / "mine").mkdir()
    (debian.folder / "mine/json.py").write_text("raise SystemExit(0)\n")

    held = debian.apt("install", "./wechat_2.0.deb", **mine)
    other = debian.apt("install", "./bash_1.0.deb", **mine)

    assert (held.returncode, debian.version) == (100, "1.0")
    assert "no-verified-backup" in held.stdout + held.stderr
    assert (other.returncode, debian.version_of("bash")) == (0, "1.0")


def test_nothing_is_written_unasked_or_over_what_others_wrote(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    other = tmp_path / "other"
    other.write_text('APT::Something "1";\n')
    entry = ("--store", "apt", "--entry")

    unasked = computer.run("guard", "install", *entry, str(tmp_path / "new"), "--no-input", "--json", expect=2)
    over = computer.run("guard", "install", *entry, str(other), "--yes", "--json", expect=2)
    away = computer.run("guard", "uninstall", *entry, str(other), "--json", expect=2)
    nowhere = computer.run("guard", "install", *entry, str(tmp_path / "no" / "folder"), "--yes", "--json", expect=2)

    assert not (tmp_path / "new").exists()
    assert [answer.last["code"] for answer in (unasked, over, away, nowhere)] == [
        "argument-missing", "host-entry-foreign", "host-entry-foreign", "host-entry-unwritable",
    ]  # fmt: skip
    assert other.read_text() == 'APT::Something "1";\n'


def test_what_is_printed_fits_its_schema(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    entry = ("--store", "apt", "--entry", str(tmp_path / "entry"))
    for name, more in (("guard-install", ["--yes"]), ("guard-uninstall", [])):
        schema = schema_of(f"{name}-1")
        assert differences(computer.run(*name.split("-"), *entry, *more, "--json").last, schema) == []


@pytest.mark.parametrize(("data", "code"), [(b"nonsense", 42), (question("bash 1 all none < 2 all none /b.deb"), 0)])
def test_the_program_says_undecided_to_garbage_and_lets_others_alone(tmp_path: Path, data: bytes, code: int) -> None:
    (tmp_path / "backupkit" / "guard").mkdir(parents=True)

    done = subprocess.run([HOOK, "apt", "--state", tmp_path], input=data, capture_output=True, check=False)
    wechat = question("wechat 1.0 all none < 2.0 all none /a.deb")
    lost = subprocess.run([HOOK, "apt", "--state", tmp_path / "none"], input=wechat, capture_output=True, check=False)
    idle = subprocess.run([HOOK, "apt", "--state", tmp_path / "none"], input=data, capture_output=True, check=False)
    words = subprocess.run([HOOK, "apt"], input=data, capture_output=True, check=False)

    assert (done.returncode, idle.returncode, lost.returncode, words.returncode) == (code, code, 42, 2)


@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_a_guard_that_is_not_there_is_told_in_words(tmp_path: Path, language: str) -> None:
    asked = question("wechat 1.0 all none < 2.0 all none /a.deb")

    done = subprocess.run(
        [HOOK, "apt", "--state", tmp_path / "none"],
        input=asked,
        capture_output=True,
        check=False,
        env={"LANG": language},
    )

    said = done.stderr.decode()
    assert done.returncode == 42
    assert str(tmp_path / "none" / "backupkit" / "guard") in said
    assert "wechat" in said
    assert "backupkit guard install --store apt" in said


@pytest.mark.parametrize("host", ["apt", "pacman"])
def test_no_letter_of_a_folders_name_commands_the_terminal(tmp_path: Path, host: str) -> None:
    asked = {"apt": question("wechat 1.0 all none < 2.0 all none /a.deb"), "pacman": b"wechat\n"}[host]
    odd = tmp_path / "\x1b[31mred\n\u202efed" / os.fsdecode(b"\xff")

    done = subprocess.run([HOOK, host, "--state", odd], input=asked, capture_output=True, check=False)

    said = done.stderr.decode()
    assert done.returncode == 42
    assert "\\x1b[31mred\\x0a\\u202efed/\\xff" in said
    assert "\x1b" not in said


def test_a_guard_that_somebody_holds_keeps_no_host_waiting_for_ever(tmp_path: Path) -> None:
    scene = Scene(tmp_path, now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    scene.issue()
    asked = {"apt": question("wechat 1.0 all none < 2.0 all none /a.deb"), "pacman": b"wechat\n"}

    def ask(host: str, language: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [HOOK, host, "--state", tmp_path / "state"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LANG": language},
        )
        assert process.stdin is not None
        process.stdin.write(asked[host])
        process.stdin.close()
        process.stdin = None
        return process

    # As a process does that was stopped in the middle of its work: with Ctrl-Z, or by a debugger.
    with scene.places.ledger.open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        waiting = [ask("apt", "en_US.UTF-8"), ask("pacman", "zh_CN.UTF-8")]
        told = [process.communicate(timeout=30)[1].decode() for process in waiting]
    freed = ask("apt", "C.UTF-8")

    assert [process.returncode for process in waiting] == [42, 42]
    assert "nothing is changed" in told[0]
    assert "不做任何更改" in told[1]
    assert all("backupkit explain timed-out" in text for text in told)
    assert freed.communicate(timeout=30)[1] == b""
    assert freed.returncode == 0


@pytest.mark.parametrize(
    ("row", "code"), [("wechat 1.0 all none < 2.0 all none /a.deb", 40), ("bash 1 all none < 2 all none /b.deb", 0)]
)
@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "2>/dev/full"])
def test_a_host_that_closed_its_standard_error_gets_the_same_exit_code(
    tmp_path: Path, streams: str, row: str, code: int
) -> None:
    (tmp_path / "backupkit" / "guard").mkdir(parents=True)

    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" apt --state "$1" {streams}', HOOK, tmp_path], input=question(row), check=False
    )

    assert done.returncode == code


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("policy", "commands"),
    [
        (GuardPolicy(needs=Needs.DRILLED), ["drill"]),
        (GuardPolicy(needs_second_copy=True), ["copy --to DIR"]),
        (GuardPolicy(max_backup_age=timedelta(minutes=5)), ["snapshot", "verify"]),
    ],
)
def test_a_host_is_told_the_commands_that_end_the_waiting(
    tmp_path: Path, policy: GuardPolicy, commands: list[str], language: str
) -> None:
    scene = Scene(tmp_path)
    scene.enrol_store()
    scene.issue()
    save_policy(scene.places, policy)

    told = ask_apt(
        question("wechat 1.0 all none < 2.0 all none /w.deb"), Guarded(scene.places), language, FixedClock(scene.now)
    )

    assert re.findall(r"backupkit ((?!explain)[a-z]+(?: --to DIR)?)", told.text) == commands
    assert told.held == ("wechat",)


def test_where_no_command_helps_a_host_names_none_but_explain(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.enrol_store()
    scene.places.witness.write_bytes(b"garbage")

    told = ask_apt(
        question("wechat 1.0 all none < 2.0 all none /w.deb"), Guarded(scene.places), "en", FixedClock(scene.now)
    )

    assert re.findall(r"backupkit ([a-z]+)", told.text) == ["explain"]
