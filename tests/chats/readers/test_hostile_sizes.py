"""A field, a nesting or a run of line ends that no app writes, in every format: told within bounds of time and memory, and what lies before it is read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from long_exports import LONG

from backupkit.chats.counting.summary import summarise
from backupkit.chats.readers.registry import READERS
from backupkit.chats.readers.sealed import Sealed

MOST_MEMORY_MB = 150
MOST_SECONDS = 30
HOSTILE = {
    "one field": b"a" * (34 * 2**20),
    "empty lines": b"\n" * 300_000,
    "brackets": b'["' + b"[" * 100_000,
    "elements": b"<b>" * 100_000,
    "quotation marks": b'"' * 1_000_001,
    "commas": b"," * 1_000_000,
}
# Read as databases are, and tried in `test_database_readers_fuzz.py`; an app that cannot be told has the form of one that can.
# Read as one whole, and refused as one where it is too long.
WHOLE_PAGES = {"google-voice"}
# A workbook is tried where mappings are.
OTHERWISE = {"meta-json", "meta-html", "qq-exporter-xlsx"}

CHILD = """
import resource, sys
from pathlib import Path
from backupkit.chats.counting.summary import summarise

resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
for path in sorted(Path(sys.argv[1]).iterdir()):
    # What the parent took before it became this program does not count.
    Path("/proc/self/clear_refs").write_text("5")
    found = summarise(path)
    print(path.name, found.format, found.messages, found.is_damaged or bool(found.findings), sep="|")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) >> 10, file=sys.stderr)
"""


def is_text(reader: object) -> bool:
    return not isinstance(reader, Sealed) and not str(getattr(reader, "format", "")).endswith("-db")


def test_every_format_of_text_is_tried() -> None:
    formats = {reader.format for reader in READERS if is_text(reader)}

    assert {name.split()[0] for name in LONG} | OTHERWISE >= formats


@pytest.mark.parametrize("name", LONG)
def test_what_no_app_writes_costs_neither_time_nor_memory(tmp_path: Path, name: str) -> None:
    file, data = LONG[name](60)
    at = next(data.index(words) for words in (b"word 30", b"hello 30", b"hi 30") if words in data)
    folder = tmp_path / "exports"
    for place, hostile in enumerate(HOSTILE.values()):
        path = folder / str(place) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(data[:at] + hostile + data[at:])

    answer = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(MOST_SECONDS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )

    peaks = list(map(int, answer.stderr.split()))
    assert max(peaks) <= MOST_MEMORY_MB, dict(zip(HOSTILE, peaks, strict=True))
    for line in answer.stdout.splitlines():
        number, format_name, messages, is_told = line.split("|")
        assert format_name.partition("-")[2] == name.split(maxsplit=1)[0].partition("-")[2], line
        # Half of the sixty lie before it. Whatever is missing is told.
        assert int(messages) >= 28 or name in WHOLE_PAGES, (list(HOSTILE)[int(number)], line)
        assert int(messages) >= 60 or is_told == "True", (list(HOSTILE)[int(number)], line)


def test_a_long_picture_is_no_hostile_record(tmp_path: Path) -> None:
    file, data = LONG["sms-xml"](60)
    part = b'<part seq="0" ct="image/png" cl="a.png" data="' + b"QUJD" * (5 * 2**20) + b'" />'
    mms = b'<mms date="1673020807999" msg_box="1" address="+861380"><parts>' + part + b"</parts></mms>\n"
    (tmp_path / file).write_bytes(data.replace(b"</smses>", mms + b"</smses>").replace(b'count="60"', b'count="61"'))

    found = summarise(tmp_path / file)

    assert found is not None
    assert (found.messages, found.media, found.findings) == (61, 1, ())
