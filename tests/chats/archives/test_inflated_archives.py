"""Compressed tar archives and Android backups: read within bounds, whole as far as they go."""

import gzip
import io
import tarfile
import zlib
from pathlib import Path

import pytest
from chat_factory import write_chat_database
from chat_reading import summary_of

from backupkit.chats.counting.summary import summarise
from backupkit.chats.sources.source import open_source


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def chat(tmp_path: Path) -> bytes:
    return write_chat_database(tmp_path / "made" / "x.db", messages=80).path.read_bytes()


def android(plain: bytes, *, is_compressed: bool = True) -> bytes:
    return b"ANDROID BACKUP\n5\n%d\nnone\n" % is_compressed + (zlib.compress(plain) if is_compressed else plain)


@pytest.mark.parametrize("kind", ["android compressed", "android plain", "gzip"])
@pytest.mark.parametrize("in_a_folder", [False, True])
def test_a_chat_inside_is_counted(tmp_path: Path, kind: str, *, in_a_folder: bool) -> None:
    plain = tar_of({"apps/com.whatsapp/_manifest": b"1\n", "apps/com.whatsapp/db/msgstore.db": chat(tmp_path)})
    data = {
        "android compressed": android(plain),
        "android plain": android(plain, is_compressed=False),
        "gzip": gzip.compress(plain),
    }
    folder = tmp_path / "phone"
    folder.mkdir()
    path = folder / ("phone.tar.gz" if kind == "gzip" else "phone.ab")
    path.write_bytes(data[kind])

    summary = summary_of(folder if in_a_folder else path)

    assert (summary.format, summary.messages, summary.findings) == ("whatsapp-android-db", 80, ())


def test_a_cut_archive_gives_what_came_before(tmp_path: Path) -> None:
    data = android(tar_of({"a/msgstore.db": chat(tmp_path), "b/photo.bin": bytes(range(256)) * 4000}))
    path = tmp_path / "phone.ab"
    path.write_bytes(data[: len(data) - 200])

    summary = summary_of(path)

    assert summary.messages == 80
    assert {finding.code for finding in summary.findings} == {"archive-damaged"}


def test_an_archive_that_swells_beyond_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.archives.archive.FREE_BYTES", 1 << 20)
    path = tmp_path / "bomb.tgz"
    path.write_bytes(gzip.compress(tar_of({"zeros.json": bytes(40 << 20)})))

    with open_source(path) as source:
        assert next(finding.facts["reason"] for finding in source.findings) == "archive-member-swells"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"no archive", mtime=0),
        b"\x1f\x8b\x08broken",
        b"ANDROID BACKUP\n5\n1\nnone\n",
        b"ANDROID BACKUP\n5\n1\nnone\nnoise",
    ],
)
def test_what_only_begins_like_one_is_a_plain_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.ab").write_bytes(data)

    assert summarise(tmp_path / "x.ab") is None
