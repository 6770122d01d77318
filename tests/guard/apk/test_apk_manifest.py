"""The binary manifest."""

import contextlib
import hashlib
import struct
from typing import Any

import pytest
from apk_factory import Node, Reference, build_apk, make_binary_xml, read_zip
from hypothesis import given, strategies as st

from backupkit.guard.apk.binary_xml import XmlMalformed, read_elements
from backupkit.guard.apk.manifest import Manifest, read_manifest
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason

NO_DATA = "android.internal.PROPERTY_NO_APP_DATA_STORAGE"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest(**facts: Any) -> Manifest:
    return read_manifest(read_zip(build_apk(**facts))[0].data)


def test_what_a_manifest_does_not_say_has_androids_default() -> None:
    found = manifest(package="a.b", min_sdk=None, target_sdk=None)

    assert found == Manifest(package=found.package, version_code=1, min_sdk=1, target_sdk=1)
    assert found.allow_backup is True


def test_every_fact_is_read() -> None:
    found = manifest(
        package="com.example.Chat",
        version_code=3 << 32 | 9,
        min_sdk=21,
        target_sdk=35,
        shared_user_id="com.example.shared",
        test_only=True,
        debuggable=True,
        allow_backup=False,
        has_fragile_user_data=True,
        no_app_data_storage=True,
        target_sandbox_version=2,
        permissions=["com.example.P", "com.example.Q@com.example.G"],
        permission_groups=["com.example.G"],
        providers=["com.example.files;com.example.other"],
        key_sets={"old": [b"first"], "new": [b"second", b"third"]},
        upgrade_key_sets=["new"],
        split="config.zh",
        root_attributes={
            "isSplitRequired": True,
            "requiredSplitTypes": "base__abi, base__density",
            "splitTypes": "base__zh",
            "configForSplit": "",
            "isFeatureSplit": True,
            "sharedUserMaxSdkVersion": 32,
        },
        application_attributes={
            "multiArch": True,
            "dataExtractionRules": True,
            "fullBackupContent": True,
            "hasCode": False,
        },
        application_children=[Node("static-library", {"name": "com.example.shared"})],
    )

    assert found == Manifest(
        package=found.package,
        version_code=3 << 32 | 9,
        min_sdk=21,
        target_sdk=35,
        shared_user_id="com.example.shared",
        debuggable=True,
        test_only=True,
        allow_backup=False,
        has_fragile_user_data=True,
        no_app_data_storage=True,
        target_sandbox_version=2,
        permissions=("com.example.P", "com.example.Q"),
        permission_groups=("com.example.G",),
        providers=("com.example.files", "com.example.other"),
        permissions_in=(("com.example.Q", "com.example.G"),),
        key_sets={"old": (sha256(b"first"),), "new": (sha256(b"second"), sha256(b"third"))},
        upgrade_key_sets=("new",),
        split="config.zh",
        shared_user_max_sdk=32,
        has_extraction_rules=True,
        has_backup_rules=True,
        is_feature_split=True,
        config_for="",
        needs_splits=True,
        required_split_types=frozenset({"base__abi", "base__density"}),
        split_types=frozenset({"base__zh"}),
        static_library="com.example.shared",
        is_multi_arch=True,
        has_code=False,
    )
    assert found.package == "com.example.Chat"


@pytest.mark.parametrize(
    ("name", "level"),
    [
        *zip("ABCDEFGHIJKLMNOPQ", (1, 1, 2, 3, 4, 7, 8, 10, 13, 15, 18, 20, 22, 23, 25, 26, 27), strict=True),
        *(("Baklava", 34), ("CinnamonBun", 35), ("CANARY", 9999)),
    ],
)
def test_a_release_in_development_is_called_by_a_name(name: str, level: int) -> None:
    assert manifest(min_sdk=name).min_sdk == level


def test_without_a_target_the_minimum_is_the_target() -> None:
    assert manifest(min_sdk=26, target_sdk=None).target_sdk == 26


def test_the_highest_minimum_and_the_first_target_count() -> None:
    root = Node("manifest", {"package": "a.b"}, [
        Node("uses-sdk", {"minSdkVersion": 21, "targetSdkVersion": 30}),
        Node("uses-sdk", {"minSdkVersion": 24, "targetSdkVersion": 33}),
    ])  # fmt: skip

    found = read_manifest(make_binary_xml(root))

    assert (found.min_sdk, found.target_sdk) == (24, 30)


@pytest.mark.parametrize("target", ["UpsideDownCake", "35", "dev"])
def test_a_target_that_is_a_text_names_a_release_in_development_and_no_level(target: str) -> None:
    root = Node("manifest", {"package": "a.b"}, [
        Node("uses-sdk", {"minSdkVersion": 26, "targetSdkVersion": target}),
        Node("uses-sdk", {"targetSdkVersion": 33}),
    ])  # fmt: skip

    found = read_manifest(make_binary_xml(root))

    assert (found.target_sdk, found.is_for_development) == (26, True)


def test_a_release_in_development_is_known_from_its_name() -> None:
    assert manifest(min_sdk="Tiramisu").is_for_development
    assert not manifest(min_sdk=33).is_for_development


@pytest.mark.parametrize("number", [Reference(0x7F010001), "7", "-3"])
def test_what_a_resource_or_a_text_holds_is_not_guessed(number: str | int) -> None:
    """Android looks a resource up, and stumbles over a text where it wants a number. Neither is the number 0."""
    for name in ("versionCode", "versionCodeMajor"):
        assert manifest(root_attributes={name: number}).by_resource == {"version_code"}
    assert manifest(version_code=5 << 32 | 7).by_resource == set()


def test_facts_that_a_resource_decides_are_named() -> None:
    resource = Reference(0x7F010001)
    root = Node("manifest", {"package": "a.b", "sharedUserId": resource, "targetSandboxVersion": "2"}, [
        Node("uses-sdk", {"targetSdkVersion": resource}), Node("application", {"testOnly": resource}),
    ])  # fmt: skip

    found = read_manifest(make_binary_xml(root))

    assert found.by_resource == {"shared_user_id", "target_sdk", "test_only"}
    assert (found.shared_user_id, found.target_sandbox_version, found.target_sdk) == (None, 1, 1)


def test_elements_in_the_wrong_place_say_nothing() -> None:
    inner = Node("manifest", {"package": "evil"}, [Node("uses-sdk", {"minSdkVersion": 33})])
    root = Node(
        "manifest", {"package": "good.app"}, [Node("application", {}, [inner, Node("permission", {"name": "p"})])]
    )

    found = read_manifest(make_binary_xml(root))

    assert (found.package, found.min_sdk, found.permissions) == ("good.app", 1, ())


@pytest.mark.parametrize(
    "root",
    [
        Node("manifest", {}),
        Node("manifest", {"package": ""}),
        Node("application", {"package": "a.b"}),
        Node("manifest", {"package": "a.b"}, [Node("uses-sdk", {"minSdkVersion": "?"})]),
        Node("manifest", {"package": "a.b"}, [Node("uses-sdk", {"minSdkVersion": ""})]),
        Node("manifest", {"package": "a.b"}, [Node("uses-sdk", {"minSdkVersion": True})]),
        Node("manifest", {"package": "a.b"}, [Node("uses-sdk", {"minSdkVersion": Reference(0x7F010001)})]),
    ],
)
def test_a_manifest_without_what_android_needs_is_refused(root: Node) -> None:
    with pytest.raises(PackageNotGenuine) as caught:
        read_manifest(make_binary_xml(root))
    assert caught.value.reason is Reason.MANIFEST_MALFORMED


def test_a_document_without_an_element_is_no_manifest() -> None:
    pool, numbers, *_ = chunks(make_binary_xml(Node("manifest", {"package": "a.b"})))

    with pytest.raises(PackageNotGenuine) as caught:
        read_manifest(document(pool, numbers))
    assert caught.value.reason is Reason.MANIFEST_MALFORMED


@pytest.mark.parametrize(
    ("name", "value", "stores_nothing"),
    [(NO_DATA, True, True), (NO_DATA, False, False), (f"{NO_DATA}_EITHER", True, False)],
)
def test_only_its_own_property_rules_out_that_an_app_stores_data(name: str, value: bool, stores_nothing: bool) -> None:
    """An update in which this changes is refused, and a shop may answer that by removing the app."""
    own = Node("property", {"name": name, "value": value})

    assert manifest(application_children=[own]).no_app_data_storage is stores_nothing


def attribute(name: int, raw: int, value: int, *, space: int = 0xFFFFFFFF, kind: int = 3) -> bytes:
    return struct.pack("<IIIHBBI", space, name, raw, 8, 0, kind, value)


NONE = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        # Strings: 0 manifest, 1 package, 2 a.good, 3 c.evil, 4 a namespace, 5 a.good again.
        ([attribute(1, 2, 2)], "a.good"),
        ([attribute(1, NONE, 2)], "a.good"),
        ([attribute(1, 5, 2)], "a.good"),
        ([attribute(1, 2, 7, kind=0x10)], "a.good"),
        ([attribute(1, 99, 2)], "a.good"),
        ([attribute(1, 2, 2, space=99)], "a.good"),
        ([attribute(1, 3, 3, space=4), attribute(1, 2, 2)], "a.good"),
        ([attribute(1, 3, 2)], None),
        ([attribute(1, 2, 2), attribute(1, 3, 3)], None),
        ([attribute(1, 3, 3, space=4)], None),
    ],
)
@pytest.mark.parametrize("has_number", [False, True])
def test_the_name_of_a_package_is_the_one_that_the_phone_reads_or_none(
    attributes: list[bytes], name: str | None, has_number: bool
) -> None:
    """A stranger's package that is WeChat to the phone and another app to the guard would be let through as a second app."""
    strings = [in_utf8(one) for one in ("manifest", "package", "a.good", "c.evil", "urn:android", "a.good")]
    offsets = [sum(map(len, strings[:index])) for index in range(6)]
    data = b"".join(strings)
    pool = struct.pack("<HHI5I6I", 1, 28, 52 + len(data), 6, 0, 0x100, 52, 0, *offsets) + data
    numbers = struct.pack("<HHI2I", 0x0180, 8, 16, 0, 0x01010003) if has_number else b""
    size = 36 + 20 * len(attributes)
    head = struct.pack("<HHIIIIIHHHHHH", 0x0102, 16, size, 1, NONE, NONE, 0, 20, 20, len(attributes), 0, 0, 0)

    def read() -> str:
        return read_manifest(document(pool, numbers, head + b"".join(attributes))).package

    if name is not None:
        assert read() == name
    else:
        with pytest.raises(PackageNotGenuine) as caught:
            read()
        assert caught.value.reason is Reason.MANIFEST_MALFORMED


def test_chunks_that_packers_add_are_skipped() -> None:
    data = make_binary_xml(Node("manifest", {"package": "a.b"}))
    junk = struct.pack("<HHI", 0x7777, 8, 12) + b"junk"
    padded = struct.pack("<HHI", 3, 8, len(data) + len(junk)) + junk + data[8:]

    assert read_manifest(padded).package == "a.b"


def chunks(data: bytes) -> list[bytes]:
    """Split a document: string pool, resource numbers, elements."""
    found, at = [], 8
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        found.append(data[at : at + size])
        at += size
    return found


def document(*parts: bytes, behind: int = 0) -> bytes:
    """Put chunks together; the document claims `behind` bytes more than it has."""
    content = b"".join(parts)
    return struct.pack("<HHI", 3, 8, 8 + len(content) + behind) + content


@pytest.mark.parametrize(("size", "is_read"), [(0, False), (7, False), (8, True), (9, False)])
def test_a_chunk_that_nobody_knows_has_its_own_size_too(size: int, is_read: bool) -> None:
    """One of no size would never end, and one that reaches further than the document is not what the phone skips."""
    pool, numbers, *elements = chunks(make_binary_xml(Node("manifest", {"package": "a.b"})))
    data = document(pool, numbers, *elements, struct.pack("<HHI", 0x7777, 8, size))

    if is_read:
        assert read_manifest(data).package == "a.b"
    else:
        with pytest.raises(PackageNotGenuine) as caught:
            read_manifest(data)
        assert caught.value.reason is Reason.MANIFEST_MALFORMED


def test_a_document_that_two_readers_could_read_in_two_ways_is_refused() -> None:
    """The phone takes the last pool before the elements and stops behind the first root."""
    pool, numbers, *elements = chunks(make_binary_xml(Node("manifest", {"package": "a.b"})))
    other_pool, _, *others = chunks(make_binary_xml(Node("manifest", {"package": "c.d"})))
    stranger = chunks(make_binary_xml(Node("resources", {"package": "a.b"})))

    assert read_manifest(document(pool, numbers, *elements)).package == "a.b"
    assert read_manifest(document(pool, numbers, *elements) + b"behind").package == "a.b"
    for wrong in (
        document(pool, other_pool, numbers, *elements),
        document(pool, numbers, other_pool, *elements),
        document(pool, numbers, *elements, other_pool),
        document(pool, numbers, numbers, *elements),
        document(pool, numbers, *elements, *others),
        document(stranger[0], numbers, *stranger[2:], *elements),
        document(pool, numbers, *elements, behind=1),
    ):
        with pytest.raises(PackageNotGenuine) as refused:
            read_manifest(wrong)
        assert refused.value.reason is Reason.MANIFEST_MALFORMED


def test_a_string_without_its_end_is_none() -> None:
    """To the phone it has no text, so that its reader and ours must not see a name there."""
    data = make_binary_xml(Node("manifest", {"package": "a.b.cut"}))
    name = "a.b.cut".encode("utf-16-le")

    assert read_manifest(data).package == "a.b.cut"
    with pytest.raises(PackageNotGenuine):
        read_manifest(data.replace(name + b"\0\0", name + b"x\0"))


def test_a_pool_that_says_it_is_sorted_is_no_other_for_it() -> None:
    data = bytearray(make_binary_xml(Node("manifest", {"package": "a.b"})))
    struct.pack_into("<I", data, 8 + 16, 1)

    assert read_manifest(bytes(data)).package == "a.b"


@pytest.mark.parametrize(("kind", "version"), [(0x10, 77), (0x11, 77), (0x12, 0), (0x1C, 0)])
def test_a_version_is_a_number_however_it_was_written(kind: int, version: int) -> None:
    """0x11 is a number that was written in hex; the others are a truth value and a colour."""
    data = make_binary_xml(Node("manifest", {"package": "a.b", "versionCode": 77}))
    before = struct.pack("<HBBI", 8, 0, 0x10, 77)
    assert data.count(before) == 1

    found = read_manifest(data.replace(before, struct.pack("<HBBI", 8, 0, kind, 77)))

    assert found.version_code == version
    assert ("version_code" in found.by_resource) is (version == 0)


@pytest.mark.parametrize(
    ("text", "is_test_only", "unknown"),
    [
        ("true", True, set()),
        ("1", True, set()),
        ("false", False, set()),
        ("FALSE", False, set()),
        ("so", False, {"test_only"}),
    ],
)
def test_a_truth_value_may_be_a_text(text: str, is_test_only: bool, unknown: set[str]) -> None:
    found = manifest(application_attributes={"testOnly": text})

    assert found.test_only is is_test_only
    assert found.by_resource == unknown


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"\4\0"), (2, b"\4\0"), (12, bytes(4)), (12, b"\7\0\0\0"), (12, b"\xff\xff\0\0"), (4, b"\xff\xff\0\0")],
)
def test_a_document_whose_head_or_first_chunk_lies_is_refused(at: int, value: bytes) -> None:
    """Another kind, too short a head, and chunks of no size, of less than their own head, and of more than is there."""
    data = bytearray(make_binary_xml(Node("manifest", {"package": "a.b"})))
    data[at : at + len(value)] = value

    with pytest.raises(PackageNotGenuine) as caught:
        read_manifest(bytes(data))
    assert caught.value.reason is Reason.MANIFEST_MALFORMED


@given(st.binary(max_size=300))
def test_any_bytes_are_elements_or_malformed(data: bytes) -> None:
    with contextlib.suppress(XmlMalformed):
        list(read_elements(struct.pack("<HHI", 3, 8, 8 + len(data)) + data))


@given(st.integers(min_value=0), st.integers(0, 255), st.integers(1, 8))
def test_a_changed_manifest_is_read_or_malformed(at: int, value: int, count: int) -> None:
    data = bytearray(read_zip(build_apk(permissions=["p"], providers=["x"], key_sets={"k": 1}))[0].data)
    for step in range(count):
        data[(at + 37 * step) % len(data)] = value

    with contextlib.suppress(PackageNotGenuine):
        read_manifest(bytes(data))


def in_utf8(text: str) -> bytes:
    """Write a string as a UTF-8 pool holds it: characters, bytes, the text, a zero."""

    def size(number: int) -> bytes:
        return bytes((number,)) if number < 0x80 else bytes((0x80 | number >> 8, number & 0xFF))

    encoded = text.encode()
    return size(len(text)) + size(len(encoded)) + encoded + b"\0"


@pytest.mark.parametrize("text", ["a.b", "com." + "long" * 60, "com.例子.聊天"])
def test_a_manifest_in_utf8_is_read(text: str) -> None:
    strings = [in_utf8(one) for one in ("manifest", "package", text)]
    offsets = [sum(map(len, strings[:index])) for index in range(3)]
    data = b"".join(strings)
    pool = struct.pack("<HHI5I3I", 1, 28, 40 + len(data), 3, 0, 0x100, 40, 0, *offsets) + data
    attribute = struct.pack("<IIIHBBI", 0xFFFFFFFF, 1, 2, 8, 0, 3, 2)
    element = (
        struct.pack("<HHIIIIIHHHHHH", 0x0102, 16, 36 + 20, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0, 20, 20, 1, 0, 0, 0) + attribute
    )
    document = struct.pack("<HHI", 3, 8, 8 + len(pool) + len(element)) + pool + element

    (root,) = read_elements(document)
    name = root.by_name("package")
    assert name is not None
    assert name.text == text


@pytest.mark.parametrize(
    "name", ["../policy", "/a.b", "a b", "a\nb", "com.tencent.mm\0", ".", "..", "名字", "1.a", "a." + "b" * 222]
)
def test_a_name_that_no_android_takes_is_not_that_of_a_package(name: str) -> None:
    with pytest.raises(PackageNotGenuine) as refused:
        manifest(package=name)

    assert refused.value.reason is Reason.MANIFEST_MALFORMED


@pytest.mark.parametrize(
    ("major", "version"),
    [(0x7FFFFFFF, (0x7FFFFFFF << 32) | 5), (0x80000000, -(1 << 63) + 5), (0xFFFFFFFF, -(1 << 32) + 5)],
)
def test_a_version_has_the_sign_that_android_gives_it(major: int, version: int) -> None:
    assert manifest(version_code=major << 32 | 5).version_code == version
