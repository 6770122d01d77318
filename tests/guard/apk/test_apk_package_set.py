"""Containers and split sets: one app or none, and nothing that a container says of itself is believed."""

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from apk_factory import ZipEntry, build_apk, make_key, make_zip, read_zip, sign, sign_v1, sign_v2

from backupkit.guard.apk import package_set
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.package_set import PackageSet, files_of, read_package_set
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

A, B = make_key("ec", "A"), make_key("ec", "B")
NAME = "org.example.chat"
BASE = sign(build_apk(NAME, 5), A)
ZH = sign(build_apk(NAME, 5, split="config.zh", min_sdk=None, target_sdk=None), A, schemes=["v2", "v3"])
ARM = sign(build_apk(NAME, 5, split="config.arm64_v8a", files={"lib/arm64-v8a/libchat.so": b"code"}), A)


def container(*, method: int = 0, **members: bytes) -> bytes:
    return make_zip(ZipEntry(f"{name}.apk".encode(), data, method) for name, data in members.items())


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., PackageSet]:
    def read(data: bytes, sdk: int | None = None) -> PackageSet:
        path = tmp_path / "app.xapk"
        path.write_bytes(data)
        return read_package_set([path], device_sdk=sdk)

    return read


@pytest.fixture
def refusal(read: Callable[..., PackageSet]) -> Callable[..., tuple[Reason | Doubt, str | None]]:
    def refusal(data: bytes, sdk: int | None = None) -> tuple[Reason | Doubt, str | None]:
        try:
            read(data, sdk)
        except PackageNotGenuine as error:
            return error.reason, error.entry
        except PackageUndecided as error:
            return error.reason, None
        pytest.fail("taken for genuine")

    return refusal


Read = Callable[..., PackageSet]
Refusal = Callable[..., tuple[Reason | Doubt, str | None]]


@pytest.mark.parametrize("method", [0, 8])
def test_a_container_is_judged_member_by_member_and_named_by_its_own_bytes(read: Read, method: int) -> None:
    data = container(base=BASE, zh=ZH, arm=ARM, method=method)

    found = read(data)

    assert (found.packaging, found.base.package, found.base.version_code) == ("container", NAME, 5)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert {one.name: one.package.sha256 for one in found.members} == {
        f"{name}.apk": hashlib.sha256(apk).hexdigest() for name, apk in (("base", BASE), ("zh", ZH), ("arm", ARM))
    }
    assert [package.abis for package in found.splits] == [(), ("arm64-v8a",)]
    assert found.base.signing.digests == (A.digest,)


def test_a_folder_and_several_files_are_one_set_too(tmp_path: Path) -> None:
    for name, apk in (("base.apk", BASE), ("zh.APK", ZH)):
        (tmp_path / name).write_bytes(apk)
    (tmp_path / "readme.txt").write_bytes(b"not a package")
    (tmp_path / "folder.apk").mkdir()

    folder = read_package_set([tmp_path])
    files = read_package_set([tmp_path / "zh.APK", tmp_path / "base.apk"])

    lines = "".join(
        f"{hashlib.sha256(apk).hexdigest()}  {name}\n" for name, apk in (("base.apk", BASE), ("zh.APK", ZH))
    )
    assert folder.sha256 == files.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert folder.packaging == "folder"
    assert folder.base.manifest.split is None


def test_a_package_that_has_packages_in_it_is_a_package(read: Read) -> None:
    apk = sign(build_apk(NAME, 5, files={"assets/other.apk": BASE}), A)

    assert read(apk).packaging == "package"


STRANGER = sign(build_apk(NAME, 5, split="config.zh"), B)
OTHER = sign(build_apk("org.example.other", 5, split="config.zh"), A)
OLDER = sign(build_apk(NAME, 4, split="config.zh"), A)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize(
    ("members", "reason", "blamed"),
    [
        ({"base": BASE, "zh": STRANGER}, Reason.SPLIT_SIGNERS_DIFFER, "zh.apk"),
        ({"base": BASE, "zh": OTHER}, Reason.SPLIT_OF_ANOTHER_APP, "zh.apk"),
        ({"base": BASE, "zh": OLDER}, Reason.SPLIT_VERSION_DIFFERS, "zh.apk"),
        ({"base": BASE, "zh": ZH, "more": ZH}, Reason.SPLIT_REPEATED, "more.apk"),
        ({"base": BASE, "again": BASE}, Reason.SPLIT_REPEATED, "again.apk"),
        ({"zh": ZH, "arm": ARM}, Reason.BASE_MISSING, None),
        ({"base": BASE, "zh": ZH[:-1]}, Reason.NOT_A_ZIP, "zh.apk"),
        ({"base": BASE, "zh": make_zip([ZipEntry(b"a", b"b")])}, Reason.MANIFEST_MISSING, "zh.apk"),
        ({"base": BASE, "zh": build_apk(NAME, 5, split="config.zh")}, Reason.UNSIGNED, "zh.apk"),
    ],
)
def test_what_is_not_one_whole_app_is_refused_by_the_name_of_its_part(
    refusal: Refusal, members: dict[str, bytes], reason: Reason, blamed: str | None, method: int
) -> None:
    assert refusal(container(method=method, **members)) == (reason, blamed)


def test_a_split_signed_alike_on_some_levels_only_is_refused(refusal: Refusal, read: Read) -> None:
    by_two_signers = sign_v2(sign_v1(build_apk(NAME, 5, min_sdk=21, target_sdk=29, split="config.zh"), A), B)
    both = container(base=sign_v1(build_apk(NAME, 5, min_sdk=21, target_sdk=29), A), zh=by_two_signers)

    assert refusal(both, 28) == (Reason.SPLIT_SIGNERS_DIFFER, "zh.apk")
    assert read(both, 23).base.signing.digests == (A.digest,)


def test_a_changed_byte_of_a_member_is_seen(refusal: Refusal) -> None:
    data = bytearray(container(base=BASE, zh=ZH))
    data[data.index(ZH) + ZH.index(b"dex\n035")] ^= 1

    assert refusal(bytes(data)) == (Reason.CONTENT_CHANGED, "zh.apk")


@pytest.mark.parametrize("name", [b"../base.apk", b"/base.apk", b"a/../../b.txt", b"..\\x.obb", b"C:/x"])
def test_names_that_leave_the_folder_are_refused(refusal: Refusal, name: bytes) -> None:
    data = make_zip([ZipEntry(b"base.apk", BASE), ZipEntry(name, b"x")])

    assert refusal(data)[0] is Reason.ENTRY_NAME_UNSAFE


def test_several_members_of_one_name_are_for_several_devices_where_the_tools_table_is_there(read: Read) -> None:
    newer = sign(build_apk(NAME, 5, min_sdk=30), A)
    data = make_zip(
        [
            ZipEntry(b"toc.pb", b""),
            ZipEntry(b"splits/base-master_2.apk", newer),
            ZipEntry(b"splits/base-master.apk", BASE),
            ZipEntry(b"splits/base-zh.apk", ZH),
            ZipEntry(b"splits/base-zh_2.apk", ZH),
        ]
    )

    found = read(data)

    assert found.base.min_sdk == 24
    assert len(found.members) == 4


@pytest.mark.parametrize(
    ("name", "text", "findings"),
    [
        ("manifest.json", {"package_name": NAME, "version_code": "5"}, []),
        ("info.json", {"pname": NAME, "versioncode": 5}, []),
        ("manifest.json", {"package_name": "com.tencent.mm", "version_code": "5"}, ["apk-container-list-differs"]),
        ("meta.sai_v2.json", {"package": NAME, "version_code": 6}, ["apk-container-list-differs"]),
        ("manifest.json", {"package_name": NAME, "version_code": 1e400}, ["apk-container-list-unreadable"]),
        ("manifest.json", [1], ["apk-container-list-unreadable"]),
        ("manifest.json", b"[" * 100_000, ["apk-container-list-unreadable"]),
        ("manifest.json", b"\xff\xfe", ["apk-container-list-unreadable"]),
        ("manifest.json", bytes(2 << 20), ["apk-container-list-unreadable"]),
        (
            "manifest.json",
            {"package_name": NAME, "version_code": 5, "split_apks": [{"file": "base.apk"}, {"file": "x\x1b.apk"}, 7]},
            ["apk-container-member-missing"],
        ),
        (
            "manifest.json",
            {"package_name": NAME, "version_code": 5, "split_apks": "all"},
            [],
        ),
    ],
)
def test_the_containers_own_list_is_compared_and_decides_nothing(
    read: Read, name: str, text: object, findings: list[str]
) -> None:
    data = text if isinstance(text, bytes) else json.dumps(text).encode()

    found = read(make_zip([ZipEntry(b"base.apk", BASE), ZipEntry(name.encode(), data, 8)]))

    assert [one.code for one in found.findings] == findings
    assert all(one.detail is not None and one.detail.isprintable() for one in found.findings)


def test_files_that_nobody_signed_are_told(read: Read) -> None:
    found = read(make_zip([ZipEntry(b"base.apk", BASE), ZipEntry(b"Android/obb/x/main.obb", b"x")]))

    assert [(one.code, one.detail) for one in found.findings] == [("apk-container-unsigned-files", "1")]


def test_members_that_share_bytes_are_refused(refusal: Refusal) -> None:
    """The second member is an entry of the first one: the directory of the container points into it."""
    inner = make_zip([*read_zip(build_apk(NAME, 5)), ZipEntry(b"zh.apk", ZH)])
    data = container(base=sign(inner, A), other=ZH)
    end = data.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", data, end + 16)
    record = bytearray(data[data.rindex(b"PK\x01\x02") : end])
    renamed = bytes(record[:46]) + b"zh.apk"
    header = data.index(ZH) - 30 - len(b"zh.apk")
    renamed = renamed[:28] + struct.pack("<H", 6) + renamed[30:42] + struct.pack("<I", header) + renamed[46:]
    shared = data[: data.rindex(b"PK\x01\x02")] + renamed
    fields = list(struct.unpack("<IHHHHIIH", data[end:]))
    fields[5] = len(shared) - directory

    assert refusal(shared + struct.pack("<IHHHHIIH", *fields)) == (Reason.ZIP_MALFORMED, None)


def test_a_bomb_is_stopped_before_it_expands(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_set, "MOST_EXPANDED", 1 << 20)

    assert refusal(container(base=bytes(2 << 20), method=8))[0] is Doubt.TOO_LARGE


def test_a_member_that_declares_more_than_it_can_hold_is_refused(refusal: Refusal) -> None:
    data = make_zip([ZipEntry(b"base.apk", BASE, 8, declared_size=1 << 31)])

    assert refusal(data)[0] is Reason.ENTRY_MALFORMED


def test_more_members_than_any_app_has_are_not_judged(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_set, "MOST_MEMBERS", 1)

    assert refusal(container(base=BASE, zh=ZH))[0] is Doubt.TOO_LARGE


def test_directories_together_are_bounded(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_set, "MOST_ENTRIES", len(read_zip(BASE)) + 1)

    assert refusal(container(base=BASE, zh=ZH))[0] is Doubt.TOO_LARGE


def test_a_folder_without_packages_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(PackageUndecided) as caught:
        read_package_set([tmp_path])

    assert caught.value.reason is Doubt.NO_PACKAGE


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_a_folder_with_something_else_under_a_packages_name_is_not_judged(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    """It was passed over, and whoever installs the folder would have taken what lies there by then."""
    (tmp_path / "base.apk").write_bytes(sign(build_apk(), A))
    read_package_set([tmp_path])

    make(tmp_path / "split.apk")

    with pytest.raises(PackageUndecided) as caught:
        read_package_set([tmp_path])
    assert caught.value.reason is Doubt.UNREADABLE


def test_a_folder_that_cannot_be_listed_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PackageUndecided) as caught:
        files_of(tmp_path)

    assert caught.value.reason is Doubt.UNREADABLE


def test_a_full_disk_is_no_verdict(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_set, "_write", full)

    assert refusal(container(base=BASE, method=8))[0] is Doubt.UNREADABLE


@pytest.mark.parametrize("method", [0, 8])
def test_a_member_changed_after_it_was_looked_at_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    path = tmp_path / "app.apks"
    data = container(base=BASE, zh=ZH, method=method)
    path.write_bytes(data)
    real = PackageFile.sweep

    def sweep(self: PackageFile, *stretches: object) -> object:
        status = path.stat()
        with path.open("r+b") as file:
            # In the compressed bytes, or in bytes of the member that no signature covers.
            file.seek(60)
            byte = file.read(1)
            file.seek(60)
            file.write(bytes((byte[0] ^ 1,)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return real(self, *stretches)  # type: ignore[arg-type]

    monkeypatch.setattr(PackageFile, "sweep", sweep)

    with pytest.raises((PackageUndecided, PackageNotGenuine)):
        read_package_set([path])


def test_a_base_that_asks_for_its_splits_says_so_when_they_are_missing(read: Read) -> None:
    needing = sign(build_apk(NAME, 5, root_attributes={"isSplitRequired": True}), A)
    typed = sign(build_apk(NAME, 5, root_attributes={"requiredSplitTypes": "base__abi"}), A)
    abi = sign(build_apk(NAME, 5, split="config.arm64_v8a", root_attributes={"splitTypes": "base__abi"}), A)

    assert read(needing).missing_splits == {"any"}
    assert read(container(base=needing, zh=ZH)).missing_splits == set()
    assert read(container(base=typed, zh=ZH)).missing_splits == {"base__abi"}
    assert read(container(base=typed, abi=abi)).missing_splits == set()
