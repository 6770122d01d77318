"""What a shop says of the device, and what follows from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apk_factory import Reference, ZipEntry, build_apk, make_key, make_zip, read_zip, sections, sign
from installed_app import APP, A, B, C, signed

from backupkit.guard.apk.package import read_package
from backupkit.guard.device_facts import Device, DeviceMalformed, Owner, decode_device
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import (
    NO_SHARED_USER,
    Capability,
    Demands,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerView,
    signed_everywhere,
)
from backupkit.guard.inspect_view import inspect
from backupkit.guard.outcome import Action, Outcome
from backupkit.guard.package_record import decode_record, encode_record, observe
from backupkit.guard.package_source import read_facts
from backupkit.guard.request import RequestMalformed, decode_request
from backupkit.ids import AppPackage, CertificateDigest

STRANGER = AppPackage("org.example.stranger")
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def judge(device: dict[str, Any], installed: PackageFacts = APP, **demands: Any) -> tuple[str, int | None, str]:
    offered = APP._replace(version_code=11, demands=Demands(**demands))
    answer = decide_install(installed, offered, Action.UPGRADE, decode_device({"sdk": 35, **device}))
    return answer.outcome.value, answer.install_result, answer.reason


KEPT = ("keeps-data", 1, "signer-same")


@pytest.mark.parametrize(
    ("device", "demands", "code", "reason"),
    [
        ({"abis": ["arm64-v8a"]}, {"abis": ("x86_64",)}, -113, "no-matching-abi"),
        (
            {"abis": ["arm64-v8a", "armeabi-v7a"]},
            {"abis": ("arm64-v8a",), "is_multi_arch": True},
            -131,
            "needs-all-abis",
        ),
        ({}, {"misses_splits": True}, -28, "split-missing"),
        ({}, {"misses_code": True}, -2, "code-missing"),
        ({}, {"packs_resources": True}, -124, "resources-packed"),
        (
            {"permissions": {"p": {"package": STRANGER, "signers": [B]}}},
            {"permissions": ("p",)},
            -112,
            "permission-taken",
        ),
        (
            {"permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permission_groups": ("g",)},
            -126,
            "permission-group-taken",
        ),
        (
            {"permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permissions": ("p",), "permissions_in": (("p", "g"),)},
            -127,
            "permission-group-foreign",
        ),
        (
            {"sdk": 31, "permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permission_groups": ("g",)},
            -126,
            "permission-group-taken",
        ),
        (
            {"sdk": 31, "permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permissions_in": (("p", "g"),)},
            -127,
            "permission-group-foreign",
        ),
        (
            {"abis": ["arm64-v8a", "x86_64", "x86"]},
            {"abis": ("x86",), "is_multi_arch": True},
            -131,
            "needs-all-abis",
        ),
        ({"providers": {"a.files": STRANGER}}, {"providers": ("a.files",)}, -13, "provider-taken"),
        ({"instant": True}, {}, -116, "becomes-instant"),
        ({"required_version": 9}, {}, -121, "another-version-required"),
        ({}, {"static_library": True}, -5, "static-library"),
    ],
)
def test_what_the_device_would_refuse_leaves_the_chats_alone(
    device: dict[str, Any], demands: dict[str, Any], code: int, reason: str
) -> None:
    assert judge(device, **demands) == ("refused-safe", code, reason)


@pytest.mark.parametrize(
    ("device", "demands"),
    [
        ({"abis": ["arm64-v8a"]}, {}),
        ({"abis": ["arm64-v8a", "armeabi-v7a"]}, {"abis": ("armeabi-v7a",)}),
        ({"abis": ["arm64-v8a"]}, {"abis": ("arm64-v8a",), "is_multi_arch": True}),
        ({}, {"abis": ("arm64-v8a",), "is_multi_arch": True}),
        ({"abis": ["arm64-v8a", "armeabi-v7a"]}, {"is_multi_arch": True}),
        ({"permissions": {"p": {"package": STRANGER, "signers": [A]}}}, {"permissions": ("p",)}),
        ({"permissions": {"p": APP.package}}, {"permissions": ("p",)}),
        ({"permissions": {"p": "android"}}, {"permissions": ("p",)}),
        ({"permissions": {"q": {"package": STRANGER, "signers": [B]}}}, {"permissions": ("p",)}),
        (
            {"sdk": 30, "permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permission_groups": ("g",), "permissions_in": (("p", "g"),)},
        ),
        (
            {"sdk": 30, "permission_groups": {"g": {"package": STRANGER, "signers": [B]}}},
            {"permissions_in": (("p", "g"),)},
        ),
        ({"abis": ["arm64-v8a", "x86"]}, {"abis": ("arm64-v8a", "x86"), "is_multi_arch": True}),
        ({"providers": {"a.files": APP.package}}, {"providers": ("a.files",)}),
        ({"required_version": 10}, {}),
        ({"sdk": 34, "abis": ["arm64-v8a", "x86"]}, {"abis": ("x86",), "is_multi_arch": True}),
    ],
)
def test_what_the_device_would_take_is_kept(device: dict[str, Any], demands: dict[str, Any]) -> None:
    assert judge(device, **demands) == KEPT


def test_an_owner_whose_signer_was_not_said_is_no_reason_to_allow() -> None:
    answer = judge({"permissions": {"p": STRANGER}}, permissions=("p",))

    assert answer == ("unknown", None, "fact-missing")


def test_an_owner_that_grew_out_of_the_offered_signer_vouches_for_it() -> None:
    history = (LineageNode(A, Capability.PERMISSION), LineageNode(B, Capability(0)))
    offered = APP._replace(demands=Demands(permissions=("p",)))

    def owned_by(view: SignerView) -> Device:
        return Device(34, permissions={"p": Owner(STRANGER, view)})

    vouched = decide_install(APP, offered, Action.UPGRADE, owned_by(SignerView((B,), history)))
    alone = decide_install(APP, offered, Action.UPGRADE, owned_by(SignerView((B,))))
    unknown = decide_install(APP, offered._replace(signings=()), Action.UPGRADE, owned_by(SignerView((B,))))

    assert vouched.outcome is Outcome.KEEPS_DATA
    assert alone.reason == "permission-taken"
    assert unknown.outcome is Outcome.UNKNOWN


_SHARED = Capability.SHARED_USER_ID | Capability.INSTALLED_DATA
ROTATED = SignerView((B,), (LineageNode(A, _SHARED), LineageNode(B, Capability(0))), Scheme.V3)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({STRANGER: {"package": STRANGER, "signers": [A]}}, ("keeps-data", 1)),
        ({STRANGER: {"package": STRANGER, "signers": [B]}}, ("keeps-data", 1)),
        ({STRANGER: {"package": STRANGER, "signers": [C]}}, ("would-wipe", -8)),
        ({STRANGER: STRANGER}, ("unknown", None)),
        ({APP.package: {"package": APP.package, "signers": [C]}}, ("keeps-data", 1)),
    ],
)
def test_the_others_in_a_shared_user_id_must_get_on_with_the_new_signer(
    others: dict[str, Any], expected: tuple[str, int | None]
) -> None:
    installed = APP._replace(shared_user_id="chat.group")
    offered = installed._replace(signings=signed_everywhere(ROTATED), version_code=11, demands=Demands())

    device = decode_device({"sdk": 35, "shared_user": others})
    alone = decide_install(APP, offered._replace(shared_user_id=NO_SHARED_USER), Action.UPGRADE, device)
    answer = decide_install(installed, offered, Action.UPGRADE, device)

    assert (answer.outcome.value, answer.install_result) == expected
    # For an app with a user id of its own the list means nothing.
    assert alone.outcome is Outcome.KEEPS_DATA


def test_a_neighbour_that_grew_out_of_the_new_signer_lets_it_stay() -> None:
    shared = APP._replace(shared_user_id="chat.group", version_code=11)

    def beside(capability: Capability) -> Outcome:
        history = (LineageNode(A, capability), LineageNode(B, Capability(0)))
        neighbour = Owner(STRANGER, SignerView((B,), history))
        return decide_install(shared, shared, Action.UPGRADE, Device(34, shared_user={STRANGER: neighbour})).outcome

    assert beside(Capability.SHARED_USER_ID) is Outcome.KEEPS_DATA
    assert beside(Capability.PERMISSION) is Outcome.WOULD_WIPE


def test_going_back_to_a_signer_that_the_shared_user_id_still_trusts_keeps_the_chats() -> None:
    rights = Capability.ROLLBACK | Capability.INSTALLED_DATA
    node = LineageNode(B, Capability(0))
    shared = APP._replace(shared_user_id="chat.group")

    def back_from(capabilities: Capability) -> tuple[str, int | None]:
        view = SignerView((B,), (LineageNode(A, capabilities), node), Scheme.V3)
        answer = decide_install(shared._replace(signings=signed_everywhere(view)), shared, Action.UPGRADE, Device(34))
        return answer.outcome.value, answer.install_result

    assert back_from(rights | Capability.SHARED_USER_ID) == ("keeps-data", 1)
    assert back_from(rights) == ("would-wipe", -8)


def test_what_nobody_said_is_named_and_refuses_nothing() -> None:
    demands = Demands(abis=("x86",), permissions=("p",), permissions_in=(("p", "g"),), providers=("a",))
    offered = APP._replace(demands=demands)

    silent = decide_install(APP, offered, Action.UPGRADE, Device(34))
    partly = decide_install(APP, offered, Action.UPGRADE, decode_device({"sdk": 34, "abis": ["x86"], "providers": {}}))
    plain = decide_install(APP, APP._replace(demands=Demands()), Action.UPGRADE, Device(34))

    assert silent.outcome is partly.outcome is plain.outcome is Outcome.KEEPS_DATA
    assert silent.not_judged == ("abis", "permissions", "permission_groups", "providers")
    assert partly.not_judged == ("permissions", "permission_groups")
    assert plain.not_judged == ()


def test_a_refusal_by_the_device_never_hides_that_another_signer_came() -> None:
    stranger = APP._replace(signings=signed_everywhere(signed(B)), demands=Demands())

    answer = decide_install(APP, stranger, Action.UPGRADE, decode_device({"sdk": 34, "instant": True}))

    assert (answer.outcome, answer.install_result) == (Outcome.WOULD_WIPE, -7)


def test_a_system_for_developers_lets_a_downgrade_through_that_was_asked_for() -> None:
    older = APP._replace(version_code=9)
    device = decode_device({"sdk": 34, "debuggable_build": True})

    assert decide_install(APP, older, Action.DOWNGRADE, device).outcome is Outcome.KEEPS_DATA
    assert decide_install(APP, older, Action.UPGRADE, device).install_result == -25
    assert decide_install(APP, older, Action.DOWNGRADE, Device(34)).install_result == -25


@pytest.mark.parametrize(
    ("sets", "signer", "keys", "outcome", "reason"),
    [
        ((("k1",),), B, ((B, "k1"),), "keeps-data", "signer-in-key-set"),
        ((("k1",), ("k2",)), B, ((B, "k2"),), "keeps-data", "signer-in-key-set"),
        ((("k1", "k2"),), B, ((B, "k1"),), "would-wipe", "different-signer"),
        ((("k1",),), A, ((A, "k1"),), "keeps-data", "signer-same"),
        # The key sets replace the check: even the same certificate does not pass without its key in a set.
        ((("k1",),), A, ((A, "k9"),), "would-wipe", "different-signer"),
        (None, B, ((B, "k1"),), "unknown", "fact-missing"),
        ((("k1",),), B, (), "unknown", "fact-missing"),
    ],
)
def test_key_sets_for_updates_replace_the_check_of_certificates(
    sets: Any, signer: CertificateDigest, keys: Any, outcome: str, reason: str
) -> None:
    installed = APP._replace(upgrade_keys=True, upgrade_key_sets=sets)
    offered = APP._replace(signings=signed_everywhere(signed(signer)), demands=Demands(keys=keys))

    answer = decide_install(installed, offered, Action.UPGRADE, Device(34))

    assert (answer.outcome.value, answer.reason) == (outcome, reason)


def test_in_a_shared_user_id_certificates_are_compared_whatever_the_key_sets_say() -> None:
    installed = APP._replace(upgrade_keys=True, upgrade_key_sets=(("k1",),), shared_user_id="com.tencent.shared")
    stranger = installed._replace(signings=signed_everywhere(signed(B)), demands=Demands(keys=((B, "k1"),)))

    assert decide_install(installed, stranger, Action.UPGRADE, Device(34)).install_result == -7


def test_a_permission_follows_a_rotation_that_keeps_its_capability() -> None:
    owner = Owner(STRANGER, signed(A))
    device = Device(34, permissions={"p": owner})
    for flags, outcome in ((Capability.PERMISSION, Outcome.KEEPS_DATA), (Capability(0), Outcome.REFUSED_SAFE)):
        nodes = (LineageNode(A, Capability.INSTALLED_DATA | flags), LineageNode(B, Capability(0)))
        rotated = APP._replace(
            signings=signed_everywhere(SignerView((B,), nodes, Scheme.V3)), demands=Demands(permissions=("p",))
        )

        assert decide_install(APP, rotated, Action.UPGRADE, device).outcome is outcome


@pytest.mark.parametrize(
    ("device", "field", "reason"),
    [
        ([], "device", "wrong-type"),
        ({"sdk": True}, "sdk", "wrong-type"),
        ({"sdk": 0}, "sdk", "out-of-range"),
        ({"abis": "arm64-v8a"}, "abis", "wrong-type"),
        ({"abis": [1]}, "abis", "wrong-type"),
        ({"abis": [""]}, "abis", "out-of-range"),
        ({"abis": ["x"] * 20_001}, "abis", "too-large"),
        ({"providers": ["a"]}, "providers", "wrong-type"),
        ({"providers": {"a": 7}}, "providers", "wrong-type"),
        ({"providers": {"a": {"signers": []}}}, "providers", "wrong-type"),
        ({"permissions": {"p": {"package": "a", "signers": []}}}, "permissions", "unknown-value"),
        ({"permissions": {"p": {"package": "a", "signers": ["A" * 64]}}}, "permissions", "unknown-value"),
        ({"instant": "yes"}, "instant", "wrong-type"),
        ({"required_version": -1}, "required_version", "out-of-range"),
        ({"required_version": 1 << 63}, "required_version", "out-of-range"),
        ({"sdk": 10_001}, "sdk", "out-of-range"),
        ({"abis": ["x" * 1025]}, "abis", "out-of-range"),
        ({"permissions": {"p": {"package": "a", "signers": ["a" * 63]}}}, "permissions", "unknown-value"),
        ({"permissions": {"p": {"package": "a", "signers": [A] * 11}}}, "permissions", "unknown-value"),
    ],
)
def test_what_is_said_wrong_is_refused_by_its_field(device: Any, field: str, reason: str) -> None:
    with pytest.raises(DeviceMalformed) as caught:
        decode_device(device)

    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_what_is_said_may_go_to_the_end_of_every_range() -> None:
    most = decode_device({
        "sdk": 10_000, "abis": ["x" * 1024], "required_version": (1 << 63) - 1,
        "permissions": {"p": {"package": "a", "signers": [A] * 10}, **{f"p{n}": "a" for n in range(19_999)}},
    })  # fmt: skip
    least = decode_device({"sdk": 1, "abis": ["x"] * 20_000, "required_version": 0})

    assert (most.sdk, most.required_version, least.sdk, least.required_version) == (10_000, (1 << 63) - 1, 1, 0)
    assert most.permissions is not None
    assert most.permissions["p"].signers == SignerView((A,) * 10)
    assert len(most.permissions) == 20_000


def test_an_owner_may_be_named_without_its_signers() -> None:
    device = decode_device({"permissions": {"p": {"package": STRANGER}}})

    assert device.permissions == {"p": Owner(STRANGER)}


def test_a_question_carries_the_device() -> None:
    asked = b'{"package":"a.b","candidate":"/c.apk","device":{"sdk":34,"abis":["x86"],"unknown":1}}'

    request = decode_request(asked)

    assert request.device_sdk == 34
    assert request.device.abis == frozenset({"x86"})


@pytest.mark.parametrize(
    ("device", "field"),
    [(b'{"sdk":33}', "device.sdk"), (b"7", "device"), (b'{"abis":1}', "device.abis")],
)
def test_a_question_with_a_wrong_device_is_malformed(device: bytes, field: str) -> None:
    with pytest.raises(RequestMalformed) as caught:
        decode_request(b'{"package":"a.b","candidate":"/c.apk","device_sdk":34,"device":' + device + b"}")

    assert caught.value.facts["field"] == field


@pytest.mark.parametrize(
    ("declared", "has_file", "found"),
    [({}, True, False), ({}, False, True), ({"hasCode": False}, False, False), ({"hasCode": True}, False, True)],
)
def test_code_that_a_package_says_it_runs_is_looked_for(
    tmp_path: Path, declared: dict[str, Any], has_file: bool, found: bool
) -> None:
    entries = [
        entry
        for entry in read_zip(build_apk(application_attributes=declared))
        if has_file or entry.name[-4:] != b".dex"
    ]
    path = tmp_path / "app.apk"
    path.write_bytes(sign(make_zip(entries), make_key("ec", "A")))

    demands = read_facts(path, device_sdk=34).demands

    assert demands is not None
    assert demands.misses_code is found


@pytest.mark.parametrize(
    ("packed", "target", "sdk", "answer"),
    [
        ("mapped", 30, 30, KEPT),
        ("none", 30, 30, KEPT),
        ("compressed", 30, 30, ("refused-safe", -124, "resources-packed")),
        ("between", 30, 36, ("refused-safe", -124, "resources-packed")),
        ("in a split", 34, 34, ("refused-safe", -124, "resources-packed")),
        ("compressed", 29, 36, KEPT),
        ("compressed", 30, 29, KEPT),
        ("out of reach", 30, 30, ("unknown", None, "fact-missing")),
        ("out of reach", 29, 30, KEPT),
    ],
)
def test_resources_that_a_phone_cannot_map_are_refused_where_android_11_asks_for_it(
    tmp_path: Path, packed: str, target: int, sdk: int, answer: tuple[str, int | None, str]
) -> None:
    def package(name: str, packed: str, split: str | None = None) -> None:
        apk = build_apk(version_code=2, target_sdk=target, split=split)
        # The name and the header of its own stand between what lies before and the table.
        room = bytes(-(sections(apk)[0] + 30 + len("resources.arsc")) % 4)
        entry = ZipEntry(b"resources.arsc", b"\2\0\x0c\0" * 40, extra=room)
        match packed:
            case "compressed" | "in a split":
                entry.method = 8
            case "between":
                entry.extra += b"\0\0"
            case "out of reach":
                entry.local_name = b"resources.ARSC"
        entries = read_zip(apk)
        apk = make_zip(entries if packed == "none" else [*entries, entry])
        (tmp_path / "new" / name).write_bytes(sign(apk, key, schemes=["v2", "v3"]))

    key = make_key("ec", "A")
    (tmp_path / "new").mkdir()
    (tmp_path / "old.apk").write_bytes(sign(build_apk(), key))
    package("base.apk", "mapped" if packed == "in a split" else packed)
    if packed == "in a split":
        package("zh.apk", packed, split="config.zh")

    old, new = read_facts(tmp_path / "old.apk", device_sdk=sdk), read_facts(tmp_path / "new", device_sdk=sdk)
    found = decide_install(old, new, Action.UPGRADE, Device(sdk))

    assert (found.outcome.value, found.install_result, found.reason) == answer
    if packed == "between":
        assert read_package(tmp_path / "new" / "base.apk", device_sdk=sdk).packs_resources


def test_what_a_resource_decides_is_not_known_and_never_allowed(tmp_path: Path) -> None:
    """A version that is looked up could be older than the installed one; as the number 0 it never was."""
    resource, key = Reference(0x7F010001), make_key("ec", "A")
    facts = []
    for name, made in {
        "known": build_apk(),
        "version": build_apk(root_attributes={"versionCode": resource}),
        "revision": build_apk(root_attributes={"revisionCode": resource}),
        "user": build_apk(root_attributes={"sharedUserId": resource}),
        "target": build_apk(target_sdk=resource),
        "test": build_apk(application_attributes={"testOnly": resource}),
    }.items():
        path = tmp_path / f"{name}.apk"
        path.write_bytes(sign(made, key))
        facts.append(read_facts(path, device_sdk=34))
    known, version, revision, user, target, test = facts

    assert (version.version_code, user.shared_user_id, target.target_sdk, test.test_only) == (None,) * 4
    assert (known.version_code, known.shared_user_id, known.target_sdk, known.test_only) == (1, "", 34, False)
    for old, new in ((version, known), (revision, known), *((known, one) for one in facts[1:])):
        assert decide_install(old, new, Action.UPGRADE, Device(34)).outcome is Outcome.UNKNOWN
    assert decide_install(known, known, Action.UPGRADE, Device(34)).outcome is Outcome.KEEPS_DATA
    seen, _ = inspect(tmp_path / "version.apk", device_sdk=34)
    assert (seen["genuine"], seen["version_code"]) == (True, None)


def test_a_package_for_a_release_in_development_says_so_to_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(sign(build_apk(min_sdk="Tiramisu"), make_key("ec", "A")))

    demands = read_facts(path, device_sdk=34).demands

    assert demands is not None
    assert demands.for_development


def test_one_version_does_not_go_back_to_an_older_revision_of_any_part(tmp_path: Path) -> None:
    key, name = make_key("ec", "A"), "org.example.chat"

    def facts(*, base: int | None, split: int | None = None, version: int = 5) -> PackageFacts:
        folder = tmp_path / f"{base} {split} {version}"
        folder.mkdir(exist_ok=True)
        for file, revision, part in (("base", base, None), ("zh", split, "config.zh")):
            if part is None or revision is not None:
                own = {} if revision is None else {"revisionCode": revision}
                made = build_apk(name, version, root_attributes=own, split=part)
                (folder / f"{file}.apk").write_bytes(sign(made, key))
        return read_facts(folder, device_sdk=34)

    def update(old: PackageFacts, new: PackageFacts, action: Action = Action.UPGRADE) -> tuple[str, int | None, str]:
        kept = decode_record(encode_record(observe(None, old, NOW))).facts
        answer = decide_install(kept, new, action, Device(34))
        assert answer == decide_install(old, new, action, Device(34))
        return answer.outcome.value, answer.install_result, answer.reason

    older = ("would-wipe", -25, "older-version")
    assert update(facts(base=2), facts(base=1)) == older
    assert update(facts(base=2), facts(base=None)) == older
    assert update(facts(base=None), facts(base=-1)) == older
    assert update(facts(base=2, split=3), facts(base=2, split=2)) == older
    assert update(facts(base=2), facts(base=2)) == KEPT
    assert update(facts(base=2), facts(base=1, version=6)) == KEPT
    assert update(facts(base=2, split=3), facts(base=2)) == KEPT
    assert update(facts(base=2), facts(base=2, split=-1)) == KEPT
    debuggable = facts(base=2)._replace(debuggable=True)
    assert update(debuggable, facts(base=1), Action.DOWNGRADE) == KEPT
