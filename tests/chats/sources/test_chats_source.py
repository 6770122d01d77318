"""A source is looked at, never trusted and never changed."""

import io
import os
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from chat_factory import write_whatsapp_iphone
from chat_reading import summary_of
from hypothesis import given, settings, strategies as st

from backupkit.chats.archives.archive import open_archive
from backupkit.chats.archives.members import DiskMember
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.sources import gathering
from backupkit.chats.sources.source import Content, content_of, open_members, open_source


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_folder_shows_its_files_by_their_names_inside_it(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"12345")
    (tmp_path / "result.json").write_bytes(b"{}")

    with open_source(tmp_path) as source:
        assert source.names() == ("photos/a.jpg", "result.json")
        assert source.size("photos/a.jpg") == 5
        assert source.size("photos/b.jpg") is None
        assert list(source.of(*Content)) == ["result.json"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "link.txt").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path)

    with open_source(folder) as source:
        assert source.names() == ()


def test_a_pipe_in_a_folder_does_not_make_reading_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")

    with open_source(tmp_path) as source:
        assert source.names() == ()


def test_a_zip_is_read_in_place(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "export.zip", {"_chat.txt": b"hello", "a/b.txt": b"there"})

    with open_source(path) as source:
        assert source.names() == ("_chat.txt", "a/b.txt")
        with source.open("a/b.txt") as stream:
            assert stream.read() == b"there"


ODD_ZIPS = {
    "zeros in front": ("export.zip", b"\0" * 3000),
    "a program in front": ("export.exe", b"MZ" + bytes(range(256)) * 40),
    "a script in front": ("export", b"#!/bin/sh\nexec unzip $0\n" + bytes(9)),
    "a copy": ("export.bak", b""),
    "loaded twice": ("export.zip (1)", b""),
    "no ending": ("export", b""),
}


@pytest.mark.parametrize(
    ("what", "where"),
    [
        *product(ODD_ZIPS, ["alone", "in a folder"]),
        # Inside another archive only what begins as one, or is called so, is looked into.
        *product(["zeros in front", "a copy", "loaded twice", "no ending"], ["in a zip"]),
    ],
)
def test_a_zip_is_known_by_what_it_is(tmp_path: Path, what: str, where: str) -> None:
    name, front = ODD_ZIPS[what]
    folder = tmp_path / "folder"
    folder.mkdir()
    inner = zip_of(tmp_path / "inner.zip", {"_chat.txt": b"hello"}).read_bytes()
    path = folder / name
    path.write_bytes(front + inner)
    if where == "in a zip":
        path = zip_of(tmp_path / "outer.zip", {name: path.read_bytes()})

    with open_source(folder if where == "in a folder" else path) as source:
        (found,) = source.names()
        assert source.head(found) == b"hello"
        assert source.findings == ()


def test_a_renamed_zip_of_a_snapshot_is_looked_into_as_on_the_disk(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"_chat.txt": b"hello"})
    (tmp_path / "note.txt").write_bytes(b"no archive")
    members = {
        name: DiskMember(str(tmp_path / file), (tmp_path / file).stat().st_size)
        for name, file in {"old/export.bak": "inner.zip", "note.txt": "note.txt"}.items()
    }

    with open_members("snapshot", members, lambda _name: inner) as source:
        assert source.names() == ("note.txt", "old/export.bak/_chat.txt")


def test_a_zip_without_its_beginning_and_its_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(bytes(2000) + os.urandom(5000))

    with open_source(tmp_path) as source:
        assert [finding.code for finding in source.findings] == ["archive-damaged"]


def test_a_document_that_is_a_zip_too_stays_a_document(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner", {"_chat.txt": b"hello"})
    inner.rename(tmp_path / "letter.docx")

    with open_source(tmp_path) as source:
        assert source.names() == ("letter.docx",)


def test_an_archive_inside_an_archive_is_opened_to_a_bounded_depth(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"_chat.txt": b"deep"}).read_bytes()
    for _level in range(4):
        outer = zip_of(tmp_path / "outer.zip", {"inner.zip": inner})
        inner = outer.read_bytes()

    with open_source(outer) as source:
        (name,) = source.names()

    assert name == "inner.zip/inner.zip/inner.zip"


def test_an_archive_inside_an_archive_shows_its_files(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "WhatsApp Chat - Li.zip", {"_chat.txt": b"deep"})
    outer = zip_of(tmp_path / "all.zip", {"chats/WhatsApp Chat - Li.zip": inner.read_bytes()})

    with open_source(outer) as source:
        assert source.names() == ("chats/WhatsApp Chat - Li.zip/_chat.txt",)
        assert source.head("chats/WhatsApp Chat - Li.zip/_chat.txt") == b"deep"


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/passwd", "a/../../b.txt", "C:/x.txt", "a\\b.txt"])
def test_names_that_point_outside_are_left_out_and_reported(tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, b"x")
        archive.writestr("good.txt", b"y")

    with open_source(path) as source:
        assert source.names() == ("good.txt",)
        assert [finding.code for finding in source.findings] == ["member-left-out"]


def test_a_link_in_an_archive_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, b"/etc/passwd")

    with open_source(path) as source:
        assert source.names() == ()
        assert source.findings[0].facts == {"reason": "link"}


def test_a_member_that_swells_like_a_bomb_is_stopped(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bomb.zip", {"_chat.txt": bytes(90 * 2**20)})

    with open_source(path) as source, pytest.raises(MalformedExport) as caught, source.open("_chat.txt") as stream:
        stream.read(90 * 2**20)

    assert caught.value.reason == "archive-member-swells"


def test_a_directory_that_declares_a_million_members_is_refused_before_it_is_read() -> None:
    end = b"PK\x05\x06" + b"\0\0\0\0" + (0xFFFF).to_bytes(2, "little") * 2 + (2**31).to_bytes(4, "little") + bytes(6)

    with pytest.raises(MalformedExport) as caught:
        open_archive(io.BytesIO(end), Locator("x.zip"), 1000)

    assert caught.value.reason == "archive-directory-too-large"


def test_a_flipped_byte_in_a_member_is_damage_and_no_crash(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "export.zip", {"_chat.txt": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)

    with open_source(path) as source, pytest.raises(MalformedExport) as caught, source.open("_chat.txt") as stream:
        stream.read()

    assert caught.value.reason == "archive-member-damaged"


def test_more_files_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").write_bytes(b"")

    with pytest.raises(MalformedExport) as caught, open_source(tmp_path):
        pass

    assert caught.value.reason == "too-many-files"


def test_an_absent_path_is_one_typed_error(tmp_path: Path) -> None:
    with pytest.raises(MalformedExport), open_source(tmp_path / "nothing"):
        pass


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_archive_never_gives_anything_but_its_members_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    inner = zip_of(folder / "i.zip", {"_chat.txt": b"in" * 50}).read_bytes()
    path = zip_of(folder / "export.zip", {"_chat.txt": b"hello" * 100, "i.zip": inner})
    original = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(original[: data.draw(st.integers(0, len(original)))]))

    try:
        with open_source(path) as source:
            for name in source.names():
                source.head(name)
                with source.open(name) as stream:
                    stream.read()
    except MalformedExport:
        pass


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'\xef\xbb\xbf {"a": 1}', Content.JSON),
        (b"[1]", Content.JSON),
        (b"<?xml version='1.0'?>", Content.MARKUP),
        ("早安".encode(), Content.TEXT),
        ("早安".encode("utf-16"), Content.TEXT),
        (b"SQLite format 3\0" + bytes(84), Content.SQLITE),
        (bytes(range(256)), Content.OTHER),
        (b"", Content.OTHER),
    ],
)
def test_a_files_first_bytes_show_what_it_is(head: bytes, expected: Content) -> None:
    assert content_of(head) is expected


def test_the_log_of_a_database_is_part_of_it_where_one_file_is_named(tmp_path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-other"):
        (tmp_path / f"msgstore.db{ending}").write_bytes(b"x")

    with open_source(tmp_path / "msgstore.db") as source:
        assert source.names() == ("msgstore.db", "msgstore.db-shm", "msgstore.db-wal")
        assert list(source.of(*Content)) == ["msgstore.db"]


def test_thousands_of_photos_are_not_opened(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.jpg").write_bytes(b'{"messages": []}')
    (tmp_path / "0.jpg").chmod(0)

    with open_source(tmp_path) as source:
        assert len(source.names()) == 50
        assert list(source.of(*Content)) == []


def without_end(path: Path, kept: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    return path


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_archive_whose_end_is_missing_is_read_from_the_front(tmp_path: Path, is_streamed: bool) -> None:
    made = io.BytesIO()
    noise = os.urandom(30_000)
    # A stream that cannot seek makes the archive write lengths behind each member, as phones do.
    target = OneWay(made) if is_streamed else made
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", b"hello " * 1000)
        archive.writestr("empty.txt", b"")
        archive.writestr("photo.bin", noise)
        archive.writestr("lost.bin", noise)
    path = tmp_path / "export.zip"
    path.write_bytes(made.getvalue())
    without_end(path)

    with open_source(path) as source:
        assert source.names() == ("_chat.txt", "empty.txt", "lost.bin", "photo.bin")
        assert source.head("_chat.txt", 6000) == b"hello " * 1000
        with source.open("photo.bin") as stream:
            assert stream.read() == noise
        with source.open("lost.bin") as stream, pytest.raises(TruncatedExport):
            stream.read()
        assert [finding.code for finding in source.findings] == ["archive-damaged"]


class OneWay(io.RawIOBase):
    """A stream that can only be written to, front to back."""

    def __init__(self, inner: io.BytesIO) -> None:
        super().__init__()
        self.inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self.inner.write(data)


def test_a_cut_whatsapp_zip_tells_what_it_still_holds(tmp_path: Path) -> None:
    written = write_whatsapp_iphone(tmp_path / "WhatsApp Chat - Li.zip", messages=3000)
    without_end(written.path, 0.8)

    summary = summary_of(written.path)

    assert summary.messages == 3000
    assert summary.is_damaged
    assert summary.media_missing is not None
    assert summary.media_missing > written.media_missing


def test_a_cut_inside_the_text_delivers_what_lies_before_it(tmp_path: Path) -> None:
    written = write_whatsapp_iphone(tmp_path / "WhatsApp Chat - Li.zip", messages=3000)
    written.path.write_bytes(written.path.read_bytes()[:20_000])

    summary = summary_of(written.path)

    assert summary.messages in range(100, 3000)
    assert [finding.code for finding in summary.findings] == ["archive-damaged", "export-cut"]


@pytest.mark.parametrize("place", ["locked", "locked.zip", "locked.json"])
def test_what_may_not_be_looked_into_is_told_and_hides_no_other_chats(ordinary_folder: Path, place: str) -> None:
    (ordinary_folder / "_chat.txt").write_bytes(b"hello")
    (ordinary_folder / "locked").mkdir()
    zip_of(ordinary_folder / "locked.zip", {"_chat.txt": b"there"})
    (ordinary_folder / "locked.json").write_bytes(b"[]")
    (ordinary_folder / place).chmod(0)

    with open_source(ordinary_folder) as source:
        assert "_chat.txt" in source.of(Content.TEXT)
        assert [(found.code, found.locator.file, found.facts) for found in source.findings if found.locator] == [
            ("place-unread", place, {"reason": "permission-denied"})
        ]
    (ordinary_folder / place).chmod(0o700)
