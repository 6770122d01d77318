"""Questions are read strictly; what nobody knows is left alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from backupkit.guard.consent import ConsentAnswers
from backupkit.guard.outcome import Action
from backupkit.guard.package_name import is_package_name
from backupkit.guard.request import (
    MAX_REQUEST_BYTES,
    ConsentToken,
    OnDisk,
    OnRecord,
    RequestMalformed,
    UpdateRequest,
    deadline_of,
    decode_request,
)
from backupkit.guard.verdict import Loss
from backupkit.ids import AppPackage

WECHAT = AppPackage("com.tencent.mm")
SHORT = {"type": "hook-request", "v": 1, "package": WECHAT, "candidate": "/tmp/new.apk"}
FULL = {
    **SHORT,
    "action": "downgrade",
    "installed": {"path": "/tmp/old.apk", "sha256": "1" * 64},
    "candidate": {"path": "/tmp/new.apk", "sha256": "2" * 64},
    "device_sdk": 33,
    "app_name": "微信",
    "pass": "/tmp/a.pass",
    "challenge": "C0" * 16,
    "loss": {
        "messages": 5,
        "conversations": 2,
        "media": 1,
        "bytes": 9,
        "newest": "2018-06-01T12:00:00Z",
        "not_in_backup": 3,
    },
    "consent": {"id": "3" * 64, "understood": True, "typed": "微信"},
    "store": "a shop",
    "user_visible_text": "APP signature inconsistent",
    "deadline_ms": 500,
}


def read(**changes: Any) -> UpdateRequest:
    return decode_request(json.dumps({**SHORT, **changes}).encode())


def test_a_short_question_asks_about_an_upgrade_of_an_app_on_record() -> None:
    assert read() == UpdateRequest(installed=OnRecord(WECHAT), candidate=OnDisk(Path("/tmp/new.apk")), package=WECHAT)


def test_a_full_question_is_read_field_by_field() -> None:
    assert decode_request(json.dumps(FULL).encode()) == UpdateRequest(
        action=Action.DOWNGRADE,
        installed=OnDisk(Path("/tmp/old.apk"), "1" * 64),
        candidate=OnDisk(Path("/tmp/new.apk"), "2" * 64),
        package=WECHAT,
        device_sdk=33,
        app_name="微信",
        pass_path=Path("/tmp/a.pass"),
        challenge=b"\xc0" * 16,
        loss=Loss(
            messages=5,
            conversations=2,
            media=1,
            bytes=9,
            oldest=None,
            newest=datetime(2018, 6, 1, 12, tzinfo=UTC),
            not_in_backup=3,
        ),
        consent=ConsentAnswers("3" * 64, understood=True, typed="微信"),
        store="a shop",
        deadline=timedelta(milliseconds=500),
    )


@pytest.mark.parametrize("installed", ["com.tencent.mm", {"record": "com.tencent.mm"}])
def test_an_app_on_record_is_named_by_its_package(installed: Any) -> None:
    assert read(installed=installed).installed == OnRecord(WECHAT)


def test_uninstalling_needs_no_package() -> None:
    assert read(action="uninstall", candidate=None).candidate is None


def test_a_token_comes_as_text() -> None:
    assert read(consent={"token": "{}"}).consent == ConsentToken(b"{}")


def test_unknown_fields_are_left_alone() -> None:
    assert read(mood="good", device={"maker": "x"}) == read()


def test_a_deadline_is_at_most_a_minute() -> None:
    assert read(deadline_ms=10**9).deadline == timedelta(minutes=1)
    assert deadline_of({"deadline_ms": 250}) == timedelta(milliseconds=250)
    assert deadline_of({"deadline_ms": "soon"}) == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "verdict"}, "type"),
        ({"v": 2}, "v"),
        ({"v": True}, "v"),
        ({"package": "../../etc/passwd"}, "package"),
        ({"package": "com.tencent.mm\n"}, "package"),
        ({"package": 5}, "package"),
        ({"package": None}, "installed"),
        ({"installed": 5}, "installed"),
        ({"installed": {}}, "installed"),
        ({"installed": {"record": "../x"}}, "record"),
        ({"candidate": None}, "candidate"),
        ({"candidate": "relative.apk"}, "candidate"),
        ({"candidate": "/tmp/a\0b"}, "candidate"),
        ({"candidate": "/" + "a" * 5000}, "candidate"),
        ({"candidate": {"path": "/tmp/a", "sha256": "12"}}, "candidate"),
        ({"action": "update"}, "action"),
        ({"device_sdk": "33"}, "device_sdk"),
        ({"device_sdk": 0}, "device_sdk"),
        ({"device_sdk": True}, "device_sdk"),
        ({"challenge": "c0"}, "challenge"),
        ({"challenge": "zz" * 16}, "challenge"),
        ({"challenge": "c0" * 33}, "challenge"),
        ({"loss": []}, "loss"),
        ({"loss": {"messages": -1}}, "messages"),
        ({"loss": {"newest": "yesterday"}}, "loss"),
        ({"consent": True}, "consent"),
        ({"consent": {"id": "x", "typed": "y"}}, "consent"),
        ({"consent": {"id": "x", "typed": "y", "understood": 1}}, "consent"),
        ({"consent": {"token": 5}}, "consent"),
        ({"deadline_ms": -5}, "deadline_ms"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestMalformed) as refused:
        read(**changes)

    assert refused.value.facts["field"] == field


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"v":1,"v":1}', b'{"v":1.0}', b'{"v":NaN}', b"[" * 100_000],
)
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(RequestMalformed):
        decode_request(data)


def test_a_question_longer_than_any_question_is_refused() -> None:
    with pytest.raises(RequestMalformed):
        decode_request(b" " * (MAX_REQUEST_BYTES + 1))


@pytest.mark.parametrize("name", ["a", "com.tencent.mm", "org.telegram.messenger_x", "A.B1"])
def test_package_names_are_known(name: str) -> None:
    assert is_package_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "a/b", "a.b/", "1a", "a.1b", "a b", "a\n", "微信", "a" * 256])
def test_what_could_leave_a_folder_is_no_package_name(name: str) -> None:
    assert not is_package_name(name)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["path", "record", "id"]), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(FULL)), values))
def test_any_json_is_a_question_or_a_typed_refusal(changes: dict[str, Any]) -> None:
    try:
        request = decode_request(json.dumps({**FULL, **changes}).encode())
    except RequestMalformed:
        return
    assert isinstance(request.installed, OnDisk | OnRecord)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_question_or_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(RequestMalformed):
        decode_request(data)
