"""The copy of an offered package that a phone gets: the bytes that were judged, or none."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from apk_factory import build_apk, make_key, sign
from fake_adb import FakePhone

from backupkit.guard.apk.package_file import MOST_BYTES
from backupkit.guard.apk.reasons import Doubt, PackageUndecided
from backupkit.guard.package_source import read_facts
from backupkit.ops.guarding.adb_phone import Phone
from backupkit.ops.guarding.offered_copy import copy_offered, install_judged

MAKER = make_key(name="A")


def package(path: Path, version: int, split: str | None = None) -> Path:
    path.write_bytes(sign(build_apk("org.example.chat", version, split=split), MAKER))
    return path


def test_a_pipe_a_device_and_a_folder_in_the_place_of_a_package_are_not_copied(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.apk")
    (tmp_path / "zero.apk").symlink_to("/dev/zero")
    (tmp_path / "folder.apk").mkdir()
    (tmp_path / "loop.apk").symlink_to("loop.apk")

    for name in ("pipe", "zero", "folder", "loop", "nothing"):
        with pytest.raises(PackageUndecided) as refused:
            copy_offered([tmp_path / f"{name}.apk"], tmp_path / f"copy of {name}")
        assert refused.value.reason is Doubt.UNREADABLE


def test_a_package_that_no_phone_would_take_costs_no_room(tmp_path: Path) -> None:
    for name, size in (("base", MOST_BYTES - 1), ("split", 2), ("huge", MOST_BYTES + 1)):
        with (tmp_path / f"{name}.apk").open("wb") as file:
            file.truncate(size)

    for names in (["huge"], ["split", "base"]):
        with pytest.raises(PackageUndecided) as refused:
            copy_offered([tmp_path / f"{name}.apk" for name in names], tmp_path / f"copy of {names[0]}")
        assert refused.value.reason is Doubt.TOO_LARGE
    assert sum(copy.stat().st_size for copy in tmp_path.rglob("copy of */*")) <= 2


def test_a_package_that_grows_while_it_is_copied_is_not_taken(tmp_path: Path) -> None:
    growing = tmp_path / "growing.apk"
    growing.write_bytes(bytes(1000))
    is_over = threading.Event()

    def grow() -> None:
        with growing.open("ab", buffering=0) as file:
            while not is_over.is_set():
                file.write(bytes(1000))

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with growing.open("ab") as file:
            file.truncate(50_000_000)
        with pytest.raises(PackageUndecided) as refused:
            copy_offered([growing], tmp_path / "copy")
    finally:
        is_over.set()
        writer.join()

    assert refused.value.reason is Doubt.CHANGED_WHILE_READ


def test_what_is_not_what_was_judged_is_refused_before_it_is_installed(tmp_path: Path) -> None:
    base, split = package(tmp_path / "base.apk", 2), package(tmp_path / "z.apk", 2, "config.de")
    files = copy_offered([base, split], tmp_path / "copy")
    judged = read_facts(*files, device_sdk=34).sha256

    phone = FakePhone(tmp_path / "phone")
    asked = Phone(phone.adb, phone.serial)
    package(files[1], 2, "config.fr")

    with pytest.raises(PackageUndecided) as refused:
        install_judged(asked, files, judged, device_sdk=34)
    assert refused.value.reason is Doubt.CHANGED_WHILE_READ
    assert phone.installed is None
    install_judged(asked, files, read_facts(*files, device_sdk=34).sha256, device_sdk=34)
    assert phone.installed == [file.read_bytes() for file in files]


def test_a_place_without_room_is_named_and_not_the_package(tmp_path: Path) -> None:
    base = package(tmp_path / "base.apk", 2)
    program = (
        "import sys; from pathlib import Path; from backupkit.ops.guarding.offered_copy import copy_offered\n"
        "try: copy_offered([Path(sys.argv[1])], Path(sys.argv[2]))\n"
        "except OSError as error: print(error.filename, end='')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, base, tmp_path / "copy"],
        capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip

    assert done.stdout == str(tmp_path / "copy/base.apk")
