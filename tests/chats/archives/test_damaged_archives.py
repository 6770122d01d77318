"""What is left of the files in a damaged archive: everything before the damage, and behind it as far as it can be inflated."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from chat_damage import read
from long_exports import LONG

NAME, DATA = LONG["telegram-json"](60)


def packed(path: Path, method: int) -> bytearray:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(NAME, DATA)
        archive.writestr("other.bin", bytes(range(256)) * 20)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_bit_in_an_archive_costs_little(tmp_path: Path, method: int) -> None:
    path = tmp_path / "export.zip"
    data = packed(path, method)
    compressed = zipfile.ZipFile(path).infolist()[0].compress_size
    data[compressed * 3 // 4] ^= 8
    path.write_bytes(data)

    found = read(path)

    assert found.formats == ("telegram-json",)
    assert len(found.messages) >= 40
    assert "export-damaged" in found.codes


def test_a_changed_letter_in_an_archive_is_told_though_the_text_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    data = packed(path, zipfile.ZIP_STORED)
    path.write_bytes(data.replace(b"word 30 ", b"ward 30 ", 1))

    found = read(path)

    assert len(found.messages) == 60
    assert [(one.code, one.facts["reason"]) for one in found.findings] == [("export-damaged", "archive-member-damaged")]


def test_a_member_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    data = packed(path, zipfile.ZIP_DEFLATED)
    other = data.index(b"PK\x03\x04", 4)
    data[other : other + 20] = bytes(20)
    path.write_bytes(data)

    found = read(path)

    assert len(found.messages) == 60
    assert [str(one.locator) for one in found.findings if one.code == "archive-damaged"] == ["other.bin"]


def test_what_a_cut_tar_holds_of_its_last_file_is_read(tmp_path: Path) -> None:
    name, data = LONG["skype-json"](60)
    path = tmp_path / "export.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    path.write_bytes(path.read_bytes()[: len(data) * 3 // 4])

    found = read(path)

    assert 40 <= len(found.messages) < 60
    assert {"archive-damaged", "export-cut"} <= found.codes
