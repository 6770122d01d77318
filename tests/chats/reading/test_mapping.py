"""Exports that their owner described: JSON, JSON Lines, CSV and Excel."""

import json
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from chat_reading import message_identities, summary_of
from hypothesis import HealthCheck, given, settings, strategies as st
from workbooks import workbook, write_workbook

import backupkit
from backupkit.chats.counting.summary import first_messages, summarise
from backupkit.chats.model import Direction, MediaState, Message, MessageKind, Precision
from backupkit.chats.readers.registry import read_all, recognise
from backupkit.chats.reading.mapping import MappingWrong, parse_mapping
from backupkit.chats.sources.source import open_source

DOCS = Path(backupkit.__file__).parent.parent / "docs" / "how-to"
FENCE = re.compile(r"^```(json|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MAPPING = "backupkit-mapping.toml"
START = 'mapping = 1\napp = "soul"\n'


def lay(folder: Path, mapping: str, **files: bytes | str) -> Path:
    """Put files and a mapping into a folder; `_` in a name stands for a dot."""
    folder.mkdir(exist_ok=True)
    (folder / MAPPING).write_text(START + mapping, "utf-8")
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def messages_in(folder: Path) -> list[Message]:
    return list(first_messages(folder, count=10_000))


def codes(folder: Path) -> list[str]:
    return [finding.code for finding in summary_of(folder).findings]


@pytest.mark.parametrize("page", ["describe-your-own-export.md", "describe-your-own-export.zh-CN.md"])
def test_the_example_of_the_page_does_what_the_page_says(tmp_path: Path, page: str) -> None:
    (_json, export), (_toml, mapping) = FENCE.findall((DOCS / page).read_text("utf-8"))
    (tmp_path / MAPPING).write_text(mapping, "utf-8")
    (tmp_path / "chats.json").write_text(export, "utf-8")
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "1.jpg").write_bytes(b"x")

    summary = summary_of(tmp_path)
    first, second, third = messages_in(tmp_path)

    assert (summary.format, summary.app, summary.messages, summary.conversations) == ("mapping-soul", "soul", 3, 1)
    assert summary.findings == ()
    assert (summary.media, summary.media_missing) == (1, 0)
    assert summary.by_conversation[0].title == "林晓雨"
    assert (first.text, first.direction, first.native_id, first.ts_utc_us) == (
        "早安",
        Direction.IN,
        "a1",
        1700000000123_000,
    )
    assert (first.ts_precision, first.ts_zone, first.locator.place) == (
        Precision.MILLISECOND,
        "utc",
        "/chats/0/items/0",
    )
    assert (second.kind, second.direction, second.media[0].state) == (
        MessageKind.IMAGE,
        Direction.OUT,
        MediaState.PRESENT,
    )
    assert (third.kind, third.direction) == (MessageKind.SYSTEM, Direction.SYSTEM)
    assert json.loads(first.raw)["mid"] == "a1"
    assert len({one.digest for one in message_identities(tmp_path)}) == 3


@pytest.mark.parametrize("page", ["describe-your-own-export.md", "describe-your-own-export.zh-CN.md"])
def test_the_page_lists_every_key_that_a_mapping_may_hold(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    whole = START + (
        'package = "x"\nfiles = ["a"]\n[records]\nat = "a.*"\nformat = "json"\nsheet = "s"\nheader = 1\nencoding = "gb18030"\nseparator = ";"\n'
        '[conversation]\nid = "a"\ntitle = "a"\n[message]\nid = "a"\nsender = "a"\nsender_name = "a"\ntext = "a"\nmedia = "a"\nreply_to = "a"\n'
        '[time]\nfrom = "a"\nformat = "iso"\nzone = "Asia/Shanghai"\n[kind]\nfrom = "a"\ntext = 1\n'
        '[direction]\nfrom = "a"\nin = 1\nout = 2\nsystem = 3\nowner = "a"\n[deleted]\nfrom = "a"\nis = true\n'
    )

    parse_mapping(whole.encode())

    for kind in MessageKind:
        assert f"`{kind.value}`" in text
    for key in ("mapping", "app", "package", "files", "records.at", "records.format", "records.sheet", "records.header", "records.encoding",
                "records.separator", "time.from", "time.format", "time.zone", "direction.owner", "deleted.from"):  # fmt: skip
        assert f"`{key}`" in text


@pytest.mark.parametrize(
    ("mapping", "place", "reason"),
    [
        ("mapping = 2", "mapping", "version-unknown"),
        ("mapping = 1", "app", "name-missing"),
        ('mapping = 1\napp = "So ul"', "app", "name-odd"),
        (START, "message.text", "missing"),
        (START + '[message]\ntext = "a"\ntxet = "b"', "message.txet", "key-unknown"),
        (START + "[message]\ntext = 5", "message.text", "wrong-type"),
        (START + '[message]\ntext = "a..b"', "message.text", "path-odd"),
        (START + '[message]\ntext = "a.*"', "message.text", "path-odd"),
        (START + '[message]\ntext = "^.a"', "^.a", "no-such-level"),
        (START + '[message]\ntext = "a"\n[time]\nfrom = "t"\nformat = "unix"', "time.format", "value-unknown"),
        (START + '[message]\ntext = "a"\n[time]\nfrom = "t"\nzone = "Mars/Base"', "time.zone", "value-unknown"),
        (START + '[message]\ntext = "a"\n[time]\nfrom = "t"\nzone = "../../etc/passwd"', "time.zone", "value-unknown"),
        (START + '[message]\ntext = "a"\n[kind]\nfrom = "t"\npicture = 1', "kind.picture", "key-unknown"),
        (START + '[message]\ntext = "a"\n[kind]\nimage = 1', "kind.from", "missing"),
        (START + '[message]\ntext = "a"\n[records]\nencoding = "utf-16"', "records.encoding", "value-unknown"),
        (START + '[message]\ntext = "a"\n[records]\nseparator = "ab"', "records.separator", "not-one-character"),
        ("mapping = 1\nx = ]", "line 2", "not-toml"),
        ("a = " + "[" * 5000, "", "not-toml"),
        ("#" * 300_000, "", "too-long"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_with_its_place(mapping: str, place: str, reason: str) -> None:
    with pytest.raises(MappingWrong) as caught:
        parse_mapping(mapping.encode())

    assert (caught.value.place, caught.value.reason) == (place, reason)


def test_a_wrong_mapping_in_a_source_counts_nothing_and_says_so(tmp_path: Path) -> None:
    folder = lay(tmp_path / "copy", '[message]\ntxet = "a"', a_json="[]")

    summary = summary_of(folder)

    assert (summary.messages, summary.is_damaged) == (0, True)
    assert [(one.code, one.facts) for one in summary.findings] == [("mapping-wrong", {"reason": "key-unknown"})]


def test_what_found_nothing_is_told(tmp_path: Path) -> None:
    mapping = (
        '[records]\nat = "{}"\n[message]\ntext = ["body", "txt"]\nid = "nope"\n[time]\nfrom = "t"\nformat = "unix-s"'
    )
    right = lay(
        tmp_path / "a", mapping.format("*"), a_json='[{"body": "x", "t": 1700000000}, {"txt": "y", "t": "soon"}]'
    )
    wrong = lay(tmp_path / "b", mapping.format("messages.*"), a_json='[{"body": "x"}]')
    none = lay(tmp_path / "c", mapping.format("*"))

    assert [(one.code, one.facts["field"], one.facts["count"]) for one in summary_of(right).findings] == [
        ("mapping-field-empty", "id", 2),
        ("mapping-field-empty", "time", 1),
    ]
    assert [one.text for one in messages_in(right)] == ["x", "y"]
    assert codes(wrong) == ["mapping-found-nothing"]
    assert codes(none) == ["mapping-found-nothing"]


def test_records_in_objects_take_their_names_and_what_stands_behind_them(tmp_path: Path) -> None:
    mapping = '[records]\nat = "*.*"\n[conversation]\nid = "^.@key"\n[message]\ntext = "t"\n[direction]\nfrom = "me"\nout = true'
    folder = lay(
        tmp_path / "a",
        mapping,
        a_json='{"li": [{"t": "1", "me": true}, {"t": "2", "me": false}], "外婆": [{"t": "3"}]}',
    )
    behind = '[records]\nat = "d.list.*.m.*"\n[conversation]\nid = "^.who.id"\ntitle = "$.about.title"\n[message]\ntext = "t"'
    late = lay(
        tmp_path / "b",
        behind,
        a_json='{"d": {"list": [{"m": [{"t": "1"}], "who": {"id": 5}}]}, "about": {"title": "T"}}',
    )

    assert [(one.conversation, one.text, one.direction) for one in messages_in(folder)] == [
        ("li", "1", Direction.OUT),
        ("li", "2", Direction.IN),
        ("外婆", "3", Direction.IN),
    ]
    assert messages_in(late)[0].conversation == "5"
    assert summary_of(late).by_conversation[0].title == "T"


def test_csv_of_any_office_program_is_read(tmp_path: Path) -> None:
    mapping = (
        '[records]\nheader = 2\nencoding = "gb18030"\nseparator = ";"\n[message]\nsender_name = "发送人"\ntext = "内容"\n'
        '[time]\nfrom = ["日期", "时间"]\nformat = "%Y/%m/%d %H:%M"\nzone = "Asia/Shanghai"'
    )
    text = '个人信息副本;;;\r\n日期;时间;发送人;内容\r\n2023/11/15;06:13;林晓雨;"早安;\r\n外婆"\r\n2023/11/15;06:14;我;好\r\n'

    first, second = messages_in(lay(tmp_path / "a", mapping, 聊天_csv=text.encode("gb18030")))

    assert (first.sender_name, first.text, first.conversation) == ("林晓雨", "早安;\n外婆", "聊天")
    assert (first.ts_utc_us, first.ts_precision, first.ts_zone) == (
        1699999980_000_000,
        Precision.MINUTE,
        "assumed:Asia/Shanghai",
    )
    assert second.raw.decode("gb18030") == "2023/11/15;06:14;我;好\r\n"


def test_csv_without_a_header_and_json_lines(tmp_path: Path) -> None:
    letters = lay(tmp_path / "a", '[records]\nheader = 0\n[message]\ntext = "C"\nid = "A"', a_csv="1,x,hi\n2,y,ho\n")
    lines = lay(
        tmp_path / "b",
        '[message]\ntext = "m.t"\n[time]\nfrom = "at"',
        a_jsonl='{"m": {"t": "a"}, "at": "2023-11-15T06:13:20+08:00"}\r\n\r\n{"m": {"t": "b"}}\n',
    )

    assert [(one.native_id, one.text) for one in messages_in(letters)] == [("1", "hi"), ("2", "ho")]
    assert [(one.text, one.ts_utc_us, one.ts_zone) for one in messages_in(lines)] == [
        ("a", 1700000000_000_000, "offset"),
        ("b", None, "unknown"),
    ]


ROWS: list[list[Any]] = [
    ["编号", "时间", "发送人", "内容", "本人"],
    [1700000000001, 45245.25925925926, "林晓雨", "早安 <&>", False],
    [1700000000002, 45245.259953703704, "我", None, True],
]
SHEET = (
    '[records]\nsheet = "聊天"\n[conversation]\nid = "@sheet"\n[message]\nid = "编号"\nsender_name = "发送人"\ntext = "内容"\n'
    '[time]\nfrom = "时间"\nzone = "+08:00"\n[direction]\nfrom = "本人"\nout = true\nin = false'
)


@pytest.mark.parametrize(("prefix", "shared"), [("", True), ("x:", False)])
def test_a_workbook_is_read_as_the_program_shows_it(tmp_path: Path, prefix: str, *, shared: bool) -> None:
    folder = lay(tmp_path / "a", SHEET)
    write_workbook(folder / "a.xlsx", workbook(ROWS, prefix=prefix, shared=shared))

    first, second = messages_in(folder)

    assert (first.native_id, first.sender_name, first.text, first.direction) == (
        "1700000000001",
        "林晓雨",
        "早安 <&>",
        Direction.IN,
    )
    assert (first.ts_raw, first.ts_utc_us, first.ts_zone) == (
        "2023-11-15T06:13:20",
        1700000000_000_000,
        "assumed:+08:00",
    )
    assert (second.text, second.direction, second.conversation, second.locator.place) == (
        "",
        Direction.OUT,
        "聊天",
        "聊天!3",
    )
    assert codes(folder) == []


def test_a_workbook_inside_an_archive_and_one_alone_are_read_too(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", workbook(ROWS))
    (tmp_path / "copy").mkdir()
    with zipfile.ZipFile(tmp_path / "copy" / "copy.zip", "w") as archive:
        archive.write(path, "inside/a.xlsx")
        archive.writestr(f"inside/{MAPPING}", START + SHEET)
    (tmp_path / "own.toml").write_text(START + SHEET, "utf-8")

    alone = summarise(path, mapping=tmp_path / "own.toml")

    assert summary_of(tmp_path / "copy").messages == 2
    assert alone is not None
    assert (alone.messages, alone.format) == (2, "mapping-soul")
    assert summarise(path) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dtd": '<!DOCTYPE x [<!ENTITY a "aaaa">]>'}, "entities-refused"),
        ({"sheet": "other"}, "no-such-sheet"),
    ],
)
def test_a_hostile_workbook_is_one_typed_error(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    folder = lay(tmp_path / "a", SHEET)
    write_workbook(folder / "a.xlsx", workbook(ROWS, **change))  # type: ignore[arg-type]

    damaged = [one.facts["reason"] for one in summary_of(folder).findings if one.code == "export-damaged"]

    assert damaged == [reason]


def test_a_cut_sheet_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    parts = workbook(ROWS)
    parts["xl/worksheets/sheet2.xml"] = parts["xl/worksheets/sheet2.xml"].partition('</row><row r="3"')[0] + "</row>"
    folder = lay(tmp_path / "a", SHEET)
    write_workbook(folder / "a.xlsx", parts)

    assert summary_of(folder).messages == 1
    assert "export-cut" in codes(folder)


def test_a_mapping_speaks_for_its_folder_and_wins_over_readers(tmp_path: Path) -> None:
    telegram = {"name": "L", "type": "personal_chat", "id": 7, "messages": [
        {"id": 1, "type": "message", "date": "2018-12-05T11:39:10", "date_unixtime": "1544006350", "from": "L", "from_id": "user7", "text": "hi"}
    ]}  # fmt: skip
    (tmp_path / "telegram").mkdir()
    (tmp_path / "telegram" / "result.json").write_text(json.dumps(telegram), "utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "result.json").write_text(json.dumps(telegram), "utf-8")
    (tmp_path / "mine" / MAPPING).write_text(START + '[records]\nat = "messages.*"\n[message]\ntext = "text"', "utf-8")

    with open_source(tmp_path) as source:
        found = sorted(
            (reader.format, told.text)
            for reader, told in read_all(source, recognise(source))
            if isinstance(told, Message)
        )

    assert found == [("mapping-soul", "hi"), ("telegram-json", "hi")]


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(data=st.data())
def test_changed_bytes_in_files_or_mapping_are_never_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    mapping = '[records]\nat = "c.*.m.*"\n[conversation]\nid = "^.id"\n[message]\ntext = "t"\nmedia = "f"\n[time]\nfrom = "at"\nformat = "unix-ms"\n'
    export = json.dumps({"c": [{"id": n, "m": [{"t": f"{n}", "at": 1700000000000, "f": ["a.jpg"]}]} for n in range(4)]})
    parts = [(START + mapping).encode(), export.encode(), b't,at\nx,1\n"a\nb",2\n']
    which = data.draw(st.integers(0, 2))
    damaged = bytearray(parts[which])
    for _change in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 20))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"[", b"{", b'"', b"^.", b"*"])
        )
    parts[which] = bytes(damaged)
    for name, content in zip((MAPPING, "a.json", "b.csv"), parts, strict=True):
        (tmp_path / name).write_bytes(content)

    summary = summary_of(tmp_path)

    assert "unexpected-shape" not in {finding.facts.get("reason") for finding in summary.findings}


def test_changed_bytes_in_a_workbook_are_never_a_traceback(tmp_path: Path) -> None:
    folder = lay(tmp_path / "a", SHEET)
    parts = workbook(ROWS)
    for seed in range(80):
        dice = random.Random(seed)
        changed = dict(parts)
        name = dice.choice(list(parts))
        text = changed[name]
        at = dice.randrange(len(text))
        changed[name] = (
            text[:at] + dice.choice(["", "<", "&", '"', "9" * 30, "<x>", "\0", "r="]) + text[at + dice.randrange(6) :]
        )
        path = write_workbook(folder / "a.xlsx", changed)
        if seed % 4 == 0:
            raw = bytearray(path.read_bytes())
            raw[dice.randrange(len(raw))] ^= 0xFF
            path.write_bytes(bytes(raw))

        assert "unexpected-shape" not in {finding.facts.get("reason") for finding in summary_of(folder).findings}


@pytest.mark.parametrize(
    "hostile",
    [f"mapping = {'9' * 10_000}", ".".join("a" * 50_000) + " = 1", "a = " + "[" * 50_000, "a = 1\na = 2", "\ud800"],
)
def test_a_hostile_mapping_is_refused_at_once(hostile: str) -> None:
    with pytest.raises(MappingWrong):
        parse_mapping(hostile.encode("utf-8", "surrogatepass"))
