"""Attacks the guard with real processes, for as long as asked: swapped files, kills at every moment, phones that rotate their keys.

    .venv/bin/python scripts/attack_guard.py [--rounds 1] [--seed 1] [--only swaps,sets,calls,kills,servers,lives]

Afterwards the guard's memory must be whole, every decision that was heard must be in the list once, and no "allow" may have been given for
bytes or signers that do not deserve it. Prints a row for each attack; exit 1 where something was wrong.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from apk_factory import AppKey, ZipEntry, build_apk, make_key, make_lineage, make_zip, sign
from guard_scene import NOON, STRANGER, WECHAT, Scene
from hook_server import HOOK, SocketCaller

from backupkit.guard.desk import Desk, load_hook_key
from backupkit.guard.ledger import read_ledger, verify_ledger
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import Records
from backupkit.guard.request import OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Decision
from backupkit.proof.witness import load

CALLS = ("write", "fsync", "rename", "flock", "link", "unlink", "mkdir")


@dataclass
class Attack:
    """One kind of attack: how often it was tried, what was answered, and what went wrong."""

    scene: Scene
    dice: random.Random
    rounds: int
    tried: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[object] = field(default_factory=list)

    def heard(self, answer: dict[str, Any] | None) -> None:
        self.answers[str(answer["decision"]) if answer else "silence"] += 1

    def check_memory(self, scene: Scene, heard: list[str]) -> None:
        """Read everything back; each store that heard a decision must be in the list once."""
        try:
            load(scene.places.witness)
            Records(scene.places.records).read(WECHAT)
            stores: Counter[object] = Counter()
            if scene.places.ledger.exists():
                verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key)
                stores.update(entry["store"] for entry in read_ledger(scene.places.ledger))
        except Exception as error:  # noqa: BLE001  # whatever is not whole is what is looked for
            self.wrong.append(repr(error))
            return
        self.wrong += [f"heard {stores[name]} times" for name in heard if stores[name] != 1]
        self.wrong += [f"{name} twice" for name, count in stores.items() if count > 1]


def question(scene: Scene, candidate: Path, store: str) -> bytes:
    fields = {"package": WECHAT, "installed": str(scene.installed()), "candidate": str(candidate), "device_sdk": 33}
    return json.dumps({**fields, "store": store, "deadline_ms": 20_000}).encode()


def ask(
    scene: Scene,
    data: bytes,
    *,
    state: Path | None = None,
    around: tuple[str, ...] = (),
    kill_after: float | None = None,
) -> tuple[dict[str, Any] | None, int]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state or scene.folder / "state")}
    with subprocess.Popen(
        [*around, str(HOOK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(data)
            process.stdin.close()
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        said = process.stdout.read()
    return (json.loads(said) if said else None), process.returncode


def swaps(attack: Attack) -> None:
    """The offered file is replaced, rewritten, cut and lengthened while it is judged."""
    scene, place = attack.scene, attack.scene.folder / "offered-now.apk"
    good, bad = (
        scene.package(f"{name}.apk", *keys, version_code=12, files={"data": attack.dice.randbytes(2_000_000)})
        for name, keys in (("good", ()), ("bad", (STRANGER,)))
    )
    deserving = hashlib.sha256(good.read_bytes()).hexdigest()
    for act in SWAPS.values():
        place.unlink(missing_ok=True)
        shutil.copyfile(good, place)
        with _in_the_background(partial(_swap, act, place, (good, bad), attack.dice)):
            for number in range(60 * attack.rounds):
                attack.tried += 1
                answer, _ = ask(scene, question(scene, place, f"swap {attack.tried} {number}"))
                attack.heard(answer)
                # What waits for a consent is no leave to install.
                is_free = answer is not None and answer["decision"] == "allow" and answer["consent"] is None
                if answer and is_free and answer["candidate_sha256"] != deserving:
                    attack.wrong.append(answer)
    attack.check_memory(scene, [])


Act = Callable[[Path, Path, random.Random], object]


def _swap(act: Act, place: Path, sources: tuple[Path, Path], dice: random.Random, turn: int) -> None:
    act(place, sources[turn % 2], dice)


def _beside(place: Path, make: Callable[[Path], object]) -> None:
    fresh = place.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    make(fresh)
    fresh.replace(place)


def _rewrite(place: Path, source: Path, cut: int | None) -> None:
    data = source.read_bytes()
    with place.open("r+b") as file:
        if cut is not None:
            file.truncate(cut)
        file.write(data)
        file.truncate()


def _append(place: Path, _: Path, dice: random.Random) -> None:
    with place.open("ab") as file:
        file.write(dice.randbytes(100))


SPLIT_NAMES = ("a", "config.zh", "z")


def sets(attack: Attack) -> None:
    """A container, and a folder of splits, are replaced in whole and in part while they are judged."""
    scene, dice = attack.scene, attack.dice
    parts = {
        name: _set_of(scene, dice, scene.folder / name, *keys) for name, keys in (("good", ()), ("bad", (STRANGER,)))
    }
    good, bad = parts["good"], parts["bad"]
    # The split may lie there under any name.
    deserving = {_digest_of_folder({"base.apk": good[0]})}
    deserving |= {_digest_of_folder({"base.apk": good[0], f"{name}.apk": good[1]}) for name in SPLIT_NAMES}
    boxes = [_container(scene.folder / f"{folder[0].parent.name}.apks", folder) for folder in (good, bad)]
    deserving.add(hashlib.sha256(boxes[0].read_bytes()).hexdigest())
    box, folder = scene.folder / "offered-now.apks", scene.folder / "offered-now"
    for name, act in [*SWAPS.items(), *SET_SWAPS.items()]:
        _clear(box, folder)
        shutil.copyfile(boxes[0], box)
        is_whole = name in SET_SWAPS
        for place in (folder,) if is_whole else (box, folder):
            shutil.copytree(good[0].parent, folder, dirs_exist_ok=True)
            # In a folder the splits are swapped and the base stays, or the other way round.
            swapped = dice.randrange(2)
            inner = place if is_whole else folder / good[swapped].name if place is folder else box
            sources = (good[0].parent, bad[0].parent) if is_whole else (good[swapped], bad[swapped])
            pairs = sources if place is folder else (boxes[0], boxes[1])
            # Many files are read one after the other: without rest, each answer would be that they were changed.
            with _in_the_background(partial(_swap, act, inner, pairs, dice), lambda: dice.random() * 0.5):
                for number in range(20 * attack.rounds):
                    attack.tried += 1
                    answer, code = ask(scene, question(scene, place, f"set {attack.tried} {number}"))
                    attack.heard(answer)
                    is_free = answer is not None and answer["decision"] == "allow" and answer["consent"] is None
                    if answer is None or code == 1 or (is_free and answer["candidate_sha256"] not in deserving):
                        attack.wrong.append((name, place.name, code, answer))
    attack.check_memory(scene, [])


def _set_of(scene: Scene, dice: random.Random, folder: Path, *keys: AppKey) -> list[Path]:
    folder.mkdir()
    base = {"version_code": 12, "files": {"data": dice.randbytes(1_000_000)}}
    split = {"version_code": 12, "split": "config.zh", "files": {"assets/zh": dice.randbytes(1_000_000)}}
    return [
        scene.package(f"{folder.name}/{name}.apk", *keys, **manifest)
        for name, manifest in (("base", base), ("config.zh", split))
    ]


def _container(path: Path, files: list[Path]) -> Path:
    path.write_bytes(make_zip(ZipEntry(file.name.encode(), file.read_bytes(), 0) for file in files))
    return path


def _digest_of_folder(files: dict[str, Path]) -> str:
    lines = "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {name}\n" for name, file in sorted(files.items())
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def _clear(*places: Path) -> None:
    for place in places:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _exchange(place: Path, source: Path, _: random.Random) -> None:
    """Put another folder where one was, with nothing in between but an instant."""
    fresh, old = place.with_suffix(".fresh"), place.with_suffix(".old")
    _clear(fresh, old)
    shutil.copytree(source, fresh)
    place.rename(old)
    fresh.rename(place)


def _link_folder(place: Path, source: Path, _: random.Random) -> None:
    fresh = place.with_suffix(".fresh")
    _clear(fresh)
    fresh.symlink_to(source)
    if not place.is_symlink():
        shutil.rmtree(place)
    fresh.replace(place)


def _add(place: Path, source: Path, dice: random.Random) -> None:
    """Let a split come and go, of this maker or of another."""
    split = place / f"{dice.choice(SPLIT_NAMES)}.apk"
    if split.exists():
        split.unlink()
    else:
        shutil.copyfile(source / "config.zh.apk", split)


SET_SWAPS: dict[str, "Act"] = {"folder": _exchange, "linked folder": _link_folder, "split comes and goes": _add}


SWAPS: dict[str, Act] = {
    "link": lambda place, source, _: _beside(place, lambda fresh: fresh.symlink_to(source)),
    "hard link": lambda place, source, _: _beside(place, lambda fresh: fresh.hardlink_to(source)),
    "other file": lambda place, source, _: _beside(place, lambda fresh: shutil.copyfile(source, fresh)),
    "pipe": lambda place, source, dice: _beside(
        place, os.mkfifo if dice.random() < 0.5 else lambda fresh: shutil.copyfile(source, fresh)
    ),
    "rewritten": lambda place, source, _: _rewrite(place, source, None),
    "cut": lambda place, source, dice: _rewrite(place, source, dice.randrange(1000)),
    "growing": _append,
}


@contextmanager
def _in_the_background(act: Callable[[int], object], pause: Callable[[], float] = lambda: 0.002) -> Iterator[None]:
    is_over = threading.Event()

    def run() -> None:
        turn = 0
        while not is_over.is_set():
            turn += 1
            act(turn)
            time.sleep(pause())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def calls(attack: Attack) -> None:
    """The hook is killed at each call that writes, and each such call fails once (needs strace)."""
    scene, first = attack.scene, attack.scene.folder / "first"
    shutil.copytree(scene.folder / "state", first)
    offered = scene.offered_by_stranger()
    for call in CALLS:
        for number in range(1, 12):
            for how in ("signal=KILL", "error=EIO"):
                state = scene.folder / f"{call}-{number}-{how[:3]}"
                shutil.copytree(first, state)
                fake = Scene(scene.folder)
                around = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"inject={call}:{how}:when={number}")
                heard = []
                for name, wrapper in (("attacked", around), ("after", ())):
                    answer, code = ask(scene, question(scene, offered, name), state=state, around=wrapper)
                    attack.tried += 1
                    attack.heard(answer)
                    if answer and answer["decision"] != "undecided":
                        heard.append(name)
                    if answer is None and code == 0:
                        attack.wrong.append((call, number, how, "silent and 0"))
                if "after" not in heard:
                    attack.wrong.append((call, number, how, "not usable afterwards"))
                shutil.rmtree(scene.folder / "state")
                shutil.move(state, scene.folder / "state")
                attack.check_memory(fake, heard)


def kills(attack: Attack) -> None:
    """The hook is killed at random moments."""
    scene, heard = attack.scene, []
    for number in range(400 * attack.rounds):
        attack.tried += 1
        after = 0.05 + attack.dice.random() * 0.35
        answer, _ = ask(scene, question(scene, scene.offered_by_stranger(), f"kill {number}"), kill_after=after)
        attack.heard(answer)
        if answer and answer["decision"] != "undecided":
            heard.append(f"kill {number}")
    attack.check_memory(scene, heard)


def servers(attack: Attack) -> None:
    """Servers are killed, stopped and replaced while four callers ask without rest."""
    scene, door = attack.scene, attack.scene.folder / "door"
    heard: list[str] = []
    environment = {**os.environ, "XDG_STATE_HOME": str(scene.folder / "state")}
    offered, is_over = scene.offered_by_stranger(), threading.Event()
    scene.installed()

    def calls_without_rest(who: int) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            name = f"caller {who}.{number}"
            try:
                caller = SocketCaller(door)
                caller.send(question(scene, offered, name) + b"\n")
                answer = caller.answer()
                caller.close()
            except (OSError, ValueError):
                time.sleep(0.01)
                continue
            attack.heard(answer)
            if answer and answer["decision"] != "undecided":
                heard.append(name)

    crowd = [threading.Thread(target=calls_without_rest, args=(who,)) for who in range(4)]
    for thread in crowd:
        thread.start()
    before: subprocess.Popen[str] | None = None
    for number in range(100 * attack.rounds):
        attack.tried += 1
        server = subprocess.Popen([HOOK, "serve", "--socket", door], stdout=subprocess.PIPE, env=environment, text=True)
        assert server.stdout is not None
        server.stdout.readline()
        time.sleep(attack.dice.random() * 0.25)
        if before is not None:
            attack.wrong += [("replaced server", code) for code in [before.wait(30)] if code != 0]
            before = None
        if number % 3 == 0:
            before = server
            continue
        server.send_signal(signal.SIGKILL if number % 3 == 1 else signal.SIGTERM)
        if server.wait(30) not in {0, -signal.SIGKILL}:
            attack.wrong.append(("server", server.returncode))
    is_over.set()
    if before is not None:
        before.kill()
        before.wait()
    for thread in crowd:
        thread.join()
    attack.check_memory(scene, heard)


A, B, C = (make_key("ec", name) for name in "ABC")
ALL, WITH_ROLLBACK, WITHOUT_DATA = 23, 31, 22
CHAINS: list[list[tuple[AppKey, int]]] = [
    [(A, ALL)], [(B, ALL)], [(C, ALL)], [(A, ALL), (B, ALL)], [(A, WITH_ROLLBACK), (B, ALL)], [(A, WITHOUT_DATA), (B, ALL)],
    [(A, ALL), (B, ALL), (C, ALL)], [(A, ALL), (B, WITH_ROLLBACK), (C, ALL)], [(A, WITH_ROLLBACK), (C, ALL)], [(B, ALL), (A, ALL)],
]  # fmt: skip


@dataclass(frozen=True)
class App:
    """One package of a maker who rotates keys. `accepts` is a phone of level 33, in words of its own."""

    chain: int
    version: int
    is_debuggable: bool
    is_test_only: bool

    def accepts(self, new: "App", action: Action) -> bool:
        old_chain, new_chain = CHAINS[self.chain], CHAINS[new.chain]
        old_key, new_key = old_chain[-1][0], new_chain[-1][0]
        is_trusted = (
            old_key is new_key
            or any(key is old_key and flags & 1 for key, flags in new_chain[:-1])
            or any(key is new_key and flags & 8 for key, flags in old_chain[:-1])
        )
        is_newer = new.version >= self.version or (action is Action.DOWNGRADE and self.is_debuggable)
        return is_trusted and is_newer and not new.is_test_only

    def file(self, folder: Path) -> Path:
        path = folder / f"{self.chain}-{self.version}-{self.is_debuggable}-{self.is_test_only}.apk"
        if not path.exists():
            keys, flags = zip(*CHAINS[self.chain], strict=True)
            apk = build_apk(
                WECHAT, version_code=self.version, debuggable=self.is_debuggable, test_only=self.is_test_only
            )
            path.write_bytes(sign(apk, keys[-1], lineage=make_lineage(keys, flags) if len(keys) > 1 else None))
        return path


def lives(attack: Attack) -> None:
    """Phones on which keys go forth and back; asked about by file and by record, honestly."""
    dice = attack.dice

    def any_app() -> App:
        return App(dice.randrange(len(CHAINS)), dice.randrange(1, 4), dice.random() < 0.2, dice.random() < 0.05)

    for number in range(150 * attack.rounds):
        desk = Desk(Scene(attack.scene.folder / f"life-{number}").places)
        phone = any_app()
        for step in range(15):
            offered = phone if step == 0 else any_app()
            action = dice.choice([Action.UPGRADE, Action.UPGRADE, Action.DOWNGRADE])
            is_by_file = step == 0 or dice.random() < 0.5
            installed = OnDisk(phone.file(attack.scene.folder)) if is_by_file else OnRecord(WECHAT)
            request = UpdateRequest(
                installed, action=action, candidate=OnDisk(offered.file(attack.scene.folder)), device_sdk=33
            )
            verdict = desk.answer(request, NOON)
            attack.tried += 1
            attack.answers[verdict.decision.value] += 1
            is_allowed, is_accepted = verdict.decision is Decision.ALLOW, phone.accepts(offered, action)
            if is_allowed and not is_accepted:
                attack.wrong.append((phone, offered, action, verdict.reason))
            if is_allowed and is_accepted and dice.random() < 0.6:
                phone = offered


ATTACKS = {attack.__name__: attack for attack in (swaps, sets, calls, kills, servers, lives)}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", default=",".join(ATTACKS))
    chosen = arguments.parse_args()
    failed = False
    print("| attack | tried | answered | wrong |\n|---|---|---|---|")
    for name in chosen.only.split(","):
        with tempfile.TemporaryDirectory(prefix="attack-guard-") as folder:
            scene = Scene(Path(folder), now=datetime.now(UTC).replace(microsecond=0))
            scene.enrol_store()
            scene.issue()
            attack = Attack(scene, random.Random(chosen.seed), chosen.rounds)
            ATTACKS[name](attack)
        said = ", ".join(f"{count} {answer}" for answer, count in sorted(attack.answers.items()))
        print(f"| {name} | {attack.tried} | {said} | {len(attack.wrong)} |", flush=True)
        for one in attack.wrong[:5]:
            print(f"  {str(one)[:300]}")
        failed |= bool(attack.wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
