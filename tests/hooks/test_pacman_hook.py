"""pacman asks before it changes a chat program: the real pacman, in a root of its own that it really enters."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from arch_root import ArchRoot, make_arch_root
from computer import Answer, Computer
from guard_scene import WECHAT, Scene
from hook_process import waiting_hook
from hypothesis import given, settings, strategies as st
from json_schema import differences, schema_of

from backupkit.clock import SystemClock
from backupkit.guard.desk import load_hook_key
from backupkit.guard.desktop import WATCHED
from backupkit.guard.ledger import read_ledger, verify_ledger
from backupkit.hooks.pacman import ask_pacman, read_names
from backupkit.hooks.system_packages import Guarded, QuestionMalformed, guarded_of
from backupkit.ids import AppPackage
from backupkit.ops.guarding.host_entry import HOSTS, HostEntryTooLong

HOOK = Path(sys.executable).with_name("backupkit-hook")
ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="pacman changes its root, and only root may")


def test_names_come_one_a_line_and_count_once() -> None:
    assert read_names(b"wechat\ntelegram-desktop\nwechat\nlib32-gtk+@x_1.0\n") == [
        "wechat", "telegram-desktop", "lib32-gtk+@x_1.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"wechat", b"wechat\nlinux", b"we chat\n", b"-R\n", b".wechat\n", b"a/b\n", b"wechat\r\n", b"\xff\n"],
)
def test_what_is_not_pacmans_question_is_refused(data: bytes) -> None:
    with pytest.raises(QuestionMalformed):
        read_names(data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_names_or_refused(data: bytes) -> None:
    try:
        names = read_names(data)
    except QuestionMalformed:
        return
    assert names
    assert all(name.isascii() and name.isprintable() and " " not in name for name in names)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_name_that_somebody_added_to_the_hook_is_never_waved_through(tmp_path: Path, language: str) -> None:
    scene = Scene(tmp_path, now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    scene.issue()
    guarded = Guarded(scene.places)

    alone = ask_pacman(b"wechat\n", guarded, language)
    together = ask_pacman(b"wechat\nmy-own-chat\n", guarded, language)
    garbage = ask_pacman(b"wechat", guarded, language)

    assert (alone.code, alone.text) == (0, "")
    assert (together.code, garbage.code) == (42, 42)
    assert "my-own-chat" in together.text
    assert "guard install --store pacman" in together.text
    assert "pacman" in garbage.text


def test_the_program_says_undecided_where_it_cannot_judge(tmp_path: Path) -> None:
    def hook(*arguments: object, data: bytes = b"wechat\n") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([HOOK, "pacman", *map(str, arguments)], input=data, capture_output=True, check=False)

    nowhere = hook("--state", tmp_path / "none")
    garbage = hook("--state", tmp_path, data=b"VERSION 3\n\n")
    misused = [hook(), hook("--state", "here"), hook("--state", tmp_path, "more")]

    assert (nowhere.returncode, garbage.returncode) == (42, 42)
    assert b"backupkit guard install --store pacman" in nowhere.stderr
    assert [done.returncode for done in misused] == [2, 2, 2]


@pytest.mark.parametrize(
    "words",
    [
        [], ["--state"], ["--state", "here"], ["--state", "/s", "--watch"], ["--state", "/s", "--watch", "a"],
        ["--state", "/s", "--watch", "a="], ["--state", "/s", "--watch", "a b=c.d"], ["--state", "/s", "--watch", "a=../x"],
        ["--state", "/s", "--except", "no-chat"], ["--state", "/s", "--except", "we chat"], ["--state", "/s", "--watch", "a=c.d", "--except", "a"],
        ["--watch", "a=c.d", "--state", "/s"], ["--state", "/s", "--unless", "wechat"],
    ],
)  # fmt: skip
def test_words_in_the_entry_that_are_not_understood_guard_nothing_so_they_are_refused(words: list[str]) -> None:
    assert guarded_of(words) is None


def test_the_entry_says_what_is_watched() -> None:
    guarded = guarded_of(["--state", "/s", "--watch", "a+b=c.d", "--except", "linuxqq", "--watch", "wechat=e.f"])

    assert guarded is not None
    assert guarded.places.root == Path("/s/backupkit/guard")
    assert guarded.watched == {
        name: app for name, app in {**WATCHED, "a+b": "c.d", "wechat": "e.f"}.items() if name != "linuxqq"
    }


@dataclass
class Arch:
    """A system with pacman, a person who lives in it, and the guard's memory in that person's home."""

    root: ArchRoot
    computer: Computer
    scene: Scene

    def guard(self, verb: str, *arguments: object, expect: int = 0) -> Answer:
        root = ("--root", self.root.folder)
        return self.computer.run("guard", verb, "--store", "pacman", *root, *arguments, "--json", expect=expect)

    @property
    def decisions(self) -> list[tuple[object, ...]]:
        entries = read_ledger(self.scene.places.ledger)
        return [(entry["decision"], entry["action"], entry["store"], entry["package"]) for entry in entries]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, system_tool: Callable[[str], str]) -> ArchRoot:
    """A system in which the hook can run."""
    for tool in ("pacman", "ldd"):
        system_tool(tool)
    scene = Scene(tmp_path_factory.mktemp("guarded"), now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    scene.issue()
    return make_arch_root(tmp_path_factory.mktemp("arch"), scene.folder / "state")


@pytest.fixture
def arch(base: ArchRoot, tmp_path: Path) -> Arch:
    root = base.copy(tmp_path / "root")
    computer = Computer(root.folder / "home/li")
    scene = Scene(computer.home / ".local", now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    return Arch(root, computer, scene)


@needs_root
def test_pacman_waits_for_a_backup_that_counts(arch: Arch) -> None:
    root = arch.root
    installed = arch.guard("install", "--yes").last
    assert root.pacman("-U", root.package("wechat", "1.0")).returncode == 0

    held = root.pacman("-U", root.package("wechat", "2.0"))
    after_held = root.version("wechat")
    removal = root.pacman("-R", "wechat")
    after_removal = root.version("wechat")
    arch.scene.issue()
    let_through = root.pacman("-U", root.package("wechat", "2.0"))

    assert installed["path"] == str(root.entry)
    assert installed["entry"] == root.entry.read_text()
    assert f"--state {Path('/home/li/.local/state')}\n" in installed["entry"]
    assert (held.returncode, removal.returncode, let_through.returncode) == (1, 1, 0)
    assert (after_held, after_removal, root.version("wechat")) == ("1.0", "1.0", "2.0")
    assert "no-verified-backup" in held.stdout
    assert "pacman -Syu --ignore wechat" in held.stdout
    assert "no packages were upgraded" in held.stdout
    assert arch.decisions == [
        ("hold", None, "pacman", WECHAT), ("hold", None, "pacman", WECHAT), ("allow", None, "pacman", WECHAT),
    ]  # fmt: skip
    assert verify_ledger(arch.scene.places.ledger, load_hook_key(arch.scene.places).verify_key).entries == 3
    assert root.pacman("-R", "wechat").returncode == 0
    assert root.version("wechat") is None


@needs_root
def test_one_chat_program_that_waits_stops_all_and_the_rest_can_go_first(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    first = [root.package(name, "1.0") for name in ("bash", "telegram-desktop", "wechat")]
    assert root.pacman("-U", *first).returncode == 0
    arch.scene.issue()

    bash, *chats = [root.package(name, "2.0") for name in ("bash", "telegram-desktop", "wechat")]
    all_at_once = root.pacman("-U", bash, *chats)
    after = [root.version(name) for name in ("bash", "telegram-desktop", "wechat")]
    the_rest = root.pacman("-U", bash, chats[1])

    assert (all_at_once.returncode, after) == (1, ["1.0", "1.0", "1.0"])
    assert "--ignore telegram-desktop\n" in all_at_once.stdout
    assert the_rest.returncode == 0
    assert [root.version(name) for name in ("bash", "telegram-desktop", "wechat")] == ["2.0", "1.0", "2.0"]


@needs_root
def test_a_package_that_pushes_a_chat_program_out_waits_as_well(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    assert root.pacman("-U", root.package("wechat", "1.0")).returncode == 0

    # --ask 4: yes, remove what is in conflict.
    pushed = root.pacman("--ask", "4", "-U", root.package("some-other-chat", "1.0", "conflict = wechat"))

    assert pushed.returncode == 1
    assert (root.version("wechat"), root.version("some-other-chat")) == ("1.0", None)


@needs_root
def test_the_owner_says_which_other_packages_keep_chats_and_which_do_not(arch: Arch) -> None:
    root, names = arch.root, ("wechat-git", "telegram-desktop")
    arch.guard("install", "--watch", f"wechat-git={WECHAT}", "--except", "telegram-desktop", "--yes")
    assert root.pacman("-U", *[root.package(name, "1.0") for name in names]).returncode == 0

    held, left = (root.pacman("-U", root.package(name, "2.0")) for name in names)
    after = [root.version(name) for name in names]
    arch.scene.issue()
    let_through = root.pacman("-U", root.package("wechat-git", "2.0"))

    assert (held.returncode, left.returncode, after) == (1, 0, ["1.0", "2.0"])
    assert (let_through.returncode, root.version("wechat-git")) == (0, "2.0")
    assert [decision for decision, *_ in arch.decisions] == ["hold", "allow"]


def fits(names: list[str]) -> bool:
    """Whether pacman's entry has room for more packages of such names."""
    watched = {**WATCHED, **dict.fromkeys(names, AppPackage(WECHAT))}
    try:
        HOSTS["pacman"].entry(Path(sys.executable), HOOK, Path("/home/li/.local/state"), watched)
    except HostEntryTooLong:
        return False
    return True


@needs_root
def test_the_longest_entry_that_is_written_is_one_that_pacman_reads(arch: Arch) -> None:
    root = arch.root
    assert root.pacman("-U", root.package("chat-000", "1.0")).returncode == 0
    names = [f"chat-{number:03d}" for number in range(200)]
    words = [("--watch", f"{name}={WECHAT}") for name in names]
    most = max(count for count in range(len(names)) if fits(names[:count]))

    too_long = arch.guard("install", "--yes", *chain(*words[: most + 1]), expect=2).last
    nothing = not root.entry.exists()
    arch.guard("install", "--yes", *chain(*words[:most]))

    assert (too_long["code"], nothing) == ("host-entry-too-long", True)
    assert max(map(len, root.entry.read_text().splitlines())) > 3900
    assert root.pacman("-U", root.package("chat-000", "2.0")).returncode == 1
    assert [decision for decision, *_ in arch.decisions] == ["hold"]
    assert root.pacman("-U", root.package("bash", "1.0")).returncode == 0


@needs_root
def test_the_ledger_stays_the_owners_though_root_runs_pacman(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    assert root.pacman("-U", root.package("wechat", "1.0")).returncode == 0
    arch.scene.issue()
    for path in (arch.computer.home, *arch.computer.home.rglob("*")):
        os.chown(path, 1000, 1000)
    arch.computer.home.chmod(0o700)

    done = root.pacman("-U", root.package("wechat", "2.0"))

    assert (done.returncode, root.version("wechat")) == (0, "2.0")
    ours = [path for path in arch.scene.places.root.rglob("*") if path.stat().st_uid != 1000]
    assert arch.scene.places.ledger.exists()
    assert ours == []


@needs_root
def test_a_guard_that_is_broken_stops_chat_programs_and_nothing_else(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    assert root.pacman("-U", root.package("wechat", "1.0"), root.package("bash", "1.0")).returncode == 0
    arch.scene.issue()
    (root.folder / HOOK.relative_to("/")).unlink()

    chat, other = (root.pacman("-U", root.package(name, "2.0")) for name in ("wechat", "bash"))

    assert (chat.returncode, root.version("wechat")) == (1, "1.0")
    assert (other.returncode, root.version("bash")) == (0, "2.0")


@needs_root
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_pacman_keeps_the_old_version_when_the_hook_is_killed_and_goes_on_the_next_time(
    arch: Arch, sent: signal.Signals
) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    old, new = (root.package("wechat", version) for version in ("1.0", "2.0"))
    assert root.pacman("-U", old).returncode == 0
    arch.scene.issue()

    # So that the hook is in the middle of its work: it wants to write down that it allowed the update.
    with arch.scene.places.ledger.open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        killed = root.start("-U", new)
        os.kill(waiting_hook(killed), sent)
        said, _ = killed.communicate(timeout=60)
    after = root.version("wechat")
    again = root.pacman("-U", new)

    assert (killed.returncode, after) == (1, "1.0"), said
    assert (again.returncode, root.version("wechat")) == (0, "2.0")
    assert arch.decisions == [("allow", None, "pacman", WECHAT)]


@needs_root
@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONHOME"])
def test_pythons_own_variables_neither_stop_pacman_nor_answer_for_the_guard(arch: Arch, variable: str) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    assert root.pacman("-U", root.package("wechat", "1.0")).returncode == 0
    (root.folder / "mine").mkdir()
    (root.folder / "mine/json.py").write_text("raise SystemExit(0)\n")

    held = root.pacman("-U", root.package("wechat", "2.0"), **{variable: "/mine"})
    after = root.version("wechat")
    arch.scene.issue()
    let_through = root.pacman("-U", root.package("wechat", "2.0"), **{variable: "/mine"})

    assert (held.returncode, after) == (1, "1.0")
    assert "no-verified-backup" in held.stdout
    assert (let_through.returncode, root.version("wechat")) == (0, "2.0")


@needs_root
def test_the_entry_is_removed_before_the_program_and_pacman_goes_on(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    assert root.pacman("-U", root.package("wechat", "1.0")).returncode == 0
    assert root.pacman("-U", root.package("wechat", "2.0")).returncode == 1

    removed, again = arch.guard("uninstall").last, arch.guard("uninstall").last

    assert (removed["uninstalled"], again["uninstalled"]) == (True, False)
    assert not root.entry.exists()
    assert root.pacman("-U", root.package("wechat", "2.0")).returncode == 0
    assert root.version("wechat") == "2.0"


@needs_root
def test_pacman_with_a_root_of_its_own_asks_inside_that_root(arch: Arch) -> None:
    root = arch.root
    arch.guard("install", "--yes")
    hooks = ("--hookdir", str(root.entry.parent))
    inside = str(root.folder)
    assert root.pacman(*hooks, "-U", inside + root.package("wechat", "1.0"), where="--root").returncode == 0

    held = root.pacman(*hooks, "-U", inside + root.package("wechat", "2.0"), where="--root")

    assert (held.returncode, root.version("wechat")) == (1, "1.0")
    assert arch.decisions == [("hold", None, "pacman", WECHAT)]


def test_the_hook_names_every_watched_package_and_no_other(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")

    entry = computer.run(
        "guard", "install", "--store", "pacman", "--entry", tmp_path / "x.hook", "--yes", "--json"
    ).last["entry"]

    lines = entry.splitlines()
    assert [line.removeprefix("Target = ") for line in lines if line.startswith("Target")] == sorted(WATCHED)
    assert {"AbortOnFail", "NeedsTargets", "When = PreTransaction", "Operation = Upgrade", "Operation = Remove"} <= {
        *lines
    }


def test_nothing_is_written_that_pacman_would_not_read_or_find(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    other, root = tmp_path / "other.hook", tmp_path / "root"
    other.write_text("[Trigger]\n")
    (root / "etc/pacman.d").mkdir(parents=True)
    pacman = ("--store", "pacman", "--yes", "--json")

    unread = computer.run("guard", "install", *pacman, "--entry", tmp_path / "backupkit.conf", expect=2)
    outside = computer.run("guard", "install", *pacman, "--root", root, expect=2)
    over = computer.run("guard", "install", *pacman, "--entry", other, expect=2)
    nowhere = computer.run("guard", "install", *pacman, "--entry", tmp_path / "no/hooks/x.hook", expect=2)
    apt = computer.run(
        "guard", "install", "--store", "apt", "--yes", "--json", "--entry", tmp_path / "x.hook", expect=2
    )

    assert [answer.last["code"] for answer in (unread, outside, over, nowhere, apt)] == [
        "host-entry-unread", "host-path-outside", "host-entry-foreign", "host-entry-unwritable", "host-entry-unread",
    ]  # fmt: skip
    assert str(root) in outside.out
    assert other.read_text() == "[Trigger]\n"
    assert sorted(path.name for path in (root / "etc/pacman.d").rglob("*")) == []
    assert not (tmp_path / "backupkit.conf").exists()


@pytest.mark.parametrize("store", ["apt", "pacman"])
def test_a_package_that_is_named_wrongly_is_refused_before_anything_is_written(tmp_path: Path, store: str) -> None:
    computer = Computer(tmp_path / "home")
    entry = tmp_path / {"apt": "x.conf", "pacman": "x.hook"}[store]

    def install(*words: str, expect: int) -> str:
        written = ("--store", store, "--entry", str(entry), "--yes", "--json")
        return str(computer.run("guard", "install", *written, *words, expect=expect).last.get("code"))

    wrong = [
        install(*words, expect=2)
        for words in (["--watch", "wechat-git"], ["--watch", "a;b=c.d"], ["--except", "wechatt"], ["--except", "a b"])
    ]
    both = install("--watch", "a=c.d", "--except", "a", expect=2)
    nothing = entry.exists()
    install("--except", "wechat", "--watch", "wechat-git=com.tencent.mm", expect=0)

    assert [*wrong, both, nothing] == ["value-wrong"] * 5 + [False]
    assert " --watch wechat-git=com.tencent.mm --except wechat" in entry.read_text()


@needs_root
@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("HookDir = /srv/hooks /srv/more", "srv/more"),
        ("Include = {root}/etc/more.conf", "srv/hooks"),
        ("HookDir = /etc/pacman.d/hooks\nHookDir = /srv/hooks", "etc/pacman.d/hooks"),
    ],
)
def test_the_hook_is_written_where_pacman_was_told_to_look(
    arch: Arch, system_tool: Callable[[str], str], line: str, folder: str
) -> None:
    system_tool("pacman-conf")
    root = arch.root
    settings_file = root.folder / "etc/pacman.conf"
    settings_text = settings_file.read_text() + line.format(root=root.folder) + "\n"
    settings_file.unlink()
    settings_file.write_text(settings_text)
    (root.folder / "etc/more.conf").write_text("HookDir = /srv/hooks\n")
    (root.folder / "srv").mkdir()

    path = Path(arch.guard("install", "--yes").last["path"])
    # The way to the included file is one of this computer, and pacman is run in its root.
    settings_file.write_text(settings_text.replace(f"{root.folder}/etc", "/etc"))
    installed = root.pacman("-U", root.package("wechat", "1.0"))
    held = root.pacman("-U", root.package("wechat", "2.0"))

    assert path == root.folder / folder / "00-backupkit.hook"
    assert (installed.returncode, held.returncode, root.version("wechat")) == (0, 1, "1.0")
    settings_file.write_text(settings_text)
    assert arch.guard("uninstall").last["uninstalled"] is True
    assert not path.exists()


def test_an_arch_without_a_folder_for_hooks_gets_one(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    (tmp_path / "pacman.d").mkdir()
    entry = tmp_path / "pacman.d/hooks/00-backupkit.hook"

    computer.run("guard", "install", "--store", "pacman", "--entry", entry, "--yes")

    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


def test_what_is_printed_fits_its_schema(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    for name, more in (("guard-install", ["--yes"]), ("guard-uninstall", [])):
        schema = schema_of(f"{name}-1")
        printed = computer.run(
            *name.split("-"), "--store", "pacman", "--entry", tmp_path / "x.hook", *more, "--json"
        ).last
        assert printed["store"] == "pacman"
        assert differences(printed, schema) == []
