"""Properties of the device rules, over any two packages on any device."""

from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
from installed_app import APP, A, B, C, signed

from backupkit.guard.device_facts import Device, Owner
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import (
    Capability,
    Demands,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
    signed_everywhere,
)
from backupkit.guard.outcome import Action, DeviceOutcome, Outcome
from backupkit.ids import AppPackage


def app(view: SignerView) -> PackageFacts:
    return APP._replace(signings=signed_everywhere(view))


def without(facts: PackageFacts, names: Iterable[str]) -> PackageFacts:
    changes: dict[str, Any] = dict.fromkeys(names)
    return facts._replace(**changes)


certificates = st.sampled_from([A, B, C])
capabilities = st.integers(0, 31).map(Capability)


@st.composite
def views(draw: st.DrawFn) -> SignerView:
    signers = draw(st.lists(certificates, min_size=1, max_size=3))
    lineage: tuple[LineageNode, ...] = ()
    if len(signers) == 1:
        past = draw(st.lists(certificates.filter(lambda digest: digest != signers[0]), unique=True, max_size=2))
        if past:
            lineage = (
                *(LineageNode(digest, draw(capabilities)) for digest in past),
                LineageNode(signers[0], draw(capabilities)),
            )
    return SignerView(tuple(signers), lineage, Scheme.V3)


@given(old=views(), new=views(), sdk=st.one_of(st.none(), st.integers(-1, 40)), action=st.sampled_from(Action))
def test_data_is_kept_only_where_one_side_vouches_for_the_other(
    old: SignerView, new: SignerView, sdk: int | None, action: Action
) -> None:
    answer = decide_install(app(old), app(new), action, Device(sdk))

    if answer.outcome is Outcome.KEEPS_DATA:
        assert action in {Action.UPGRADE, Action.DOWNGRADE}
        older = {entry.certificate for entry in new.lineage if Capability.INSTALLED_DATA in entry.capabilities}
        back = {entry.certificate for entry in old.lineage if Capability.ROLLBACK in entry.capabilities}
        assert set(old.signers) == set(new.signers) or set(old.signers) <= older or set(new.signers) <= back


optional = ["version_code", "min_sdk", "target_sdk", "shared_user_id", "test_only"]


@given(old=st.sets(st.sampled_from(optional)), new=st.sets(st.sampled_from(optional)), sdk=st.integers(24, 36))
def test_taking_facts_away_never_makes_an_update_more_welcome(old: set[str], new: set[str], sdk: int) -> None:
    full = decide_install(APP, app(signed(B)), Action.UPGRADE, Device(sdk))
    partial = decide_install(without(APP, old), without(app(signed(B)), new), Action.UPGRADE, Device(sdk))

    assert full.outcome is Outcome.WOULD_WIPE
    assert partial.outcome is Outcome.WOULD_WIPE


@st.composite
def spans(draw: st.DrawFn) -> tuple[SignerSpan, ...]:
    """Who signed, changing at any level; some levels may refuse the signature, and of some nothing may be known."""
    borders = sorted(draw(st.sets(st.integers(25, 36), max_size=2)))
    found = [
        SignerSpan(first, after - 1, draw(st.one_of(st.just(signed(A)), st.just(signed(A)), views(), st.none())))
        for first, after in zip([1, *borders], [*borders, 37], strict=True)
    ]
    return tuple(found[draw(st.sampled_from([0, 0, 0, 0, 1])) :])


def any_of(*values: Any) -> st.SearchStrategy[Any]:
    """The first is the usual one."""
    return st.sampled_from([values[0]] * 5 + list(values))


facts = st.builds(
    PackageFacts,
    package=any_of(APP.package, AppPackage("com.example.other")),
    signings=spans(),
    version_code=any_of(10, 9, 11, None),
    min_sdk=any_of(21, 24, 28, 33, 36, 37, None),
    target_sdk=any_of(34, 22, 23, 24, 29, 30, None),
    shared_user_id=any_of("", "user", "another", None),
    shared_user_max_sdk=any_of(None, 32, 33, 35),
    target_sandbox=any_of(1, 2, None),
    test_only=any_of(False, True, None),
    debuggable=any_of(False, True),
    upgrade_keys=any_of(False, True, None),
    upgrade_key_sets=any_of(None, (("key a",),), (("key b", "key c"),)),
    stores_data=any_of(True, False, None),
    is_base=any_of(True, False, None),
    demands=st.builds(
        Demands,
        abis=any_of((), ("arm64-v8a",), ("armeabi-v7a",)),
        is_multi_arch=st.booleans(),
        permissions=any_of((), ("permission",)),
        permissions_in=any_of((), (("permission", "group"),)),
        permission_groups=any_of((), ("group",)),
        providers=any_of((), ("authority",)),
        static_library=any_of(False, True),
        misses_splits=any_of(False, True),
        misses_code=any_of(False, True, None),
        packs_resources=any_of(False, True, None),
        keys=any_of(((A, "key a"), (B, "key b"), (C, "key c")), ((A, "key a"),)),
        for_development=any_of(False, True),
    ),
)
# Mostly packages that differ in their signers alone, so that answers other than a refusal are common.
packages = st.one_of(st.builds(lambda signings: APP._replace(signings=signings), spans()), facts)
owners = st.builds(Owner, st.just(AppPackage("com.example.third")), st.one_of(st.none(), views()))
devices = st.builds(
    Device,
    sdk=st.none(),
    abis=any_of(None, frozenset({"arm64-v8a"}), frozenset({"arm64-v8a", "armeabi-v7a"})),
    permissions=st.one_of(st.none(), st.fixed_dictionaries({"permission": owners})),
    permission_groups=st.one_of(st.none(), st.fixed_dictionaries({"group": owners})),
    providers=st.one_of(st.none(), st.fixed_dictionaries({"authority": owners})),
    shared_user=st.one_of(st.none(), st.fixed_dictionaries({"com.example.third": owners})),
    required_version=any_of(None, 10, 11),
    is_instant=any_of(False, True),
    is_debuggable_build=any_of(False, True),
)
WORST_LAST = [
    {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP},
    {Outcome.REFUSED_SAFE},
    {Outcome.UNKNOWN},
    {Outcome.WOULD_WIPE},
]


def severity(answer: DeviceOutcome) -> int:
    return next(place for place, outcomes in enumerate(WORST_LAST) if answer.outcome in outcomes)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(old=packages, new=packages, action=st.sampled_from(Action), device=devices)
def test_an_unknown_device_is_never_judged_more_leniently_than_any_level_that_runs_both(
    old: PackageFacts, new: PackageFacts, action: Action, device: Device
) -> None:
    answer = decide_install(old, new, action, device)

    first = max(24, old.min_sdk or 0, new.min_sdk or 0)
    known = [decide_install(old, new, action, device._replace(sdk=sdk)) for sdk in range(first, 37)]
    worst = max(map(severity, known), default=0)
    # Where the app is removed first, its chats are gone whether or not the rest is understood: either answer holds.
    assert severity(answer) >= (min(worst, 2) if action is Action.REINSTALL else worst)
    # A number is named only where all levels that answer as gravely answer with it.
    grave = [one for one in known if severity(one) == severity(answer)]
    if answer.install_result is not None and action is not Action.REINSTALL:
        assert {one.install_result for one in grave} == {answer.install_result}


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(old=packages, new=packages, action=st.sampled_from(Action), device=devices, sdk=st.integers(24, 36))
def test_a_fact_that_nobody_knows_is_never_judged_more_leniently_than_a_known_one(
    old: PackageFacts, new: PackageFacts, action: Action, device: Device, sdk: int
) -> None:
    """What Android would answer is among the answers to every value that the fact may have."""
    device = device._replace(sdk=sdk)
    asked: list[tuple[int, str, tuple[Any, ...]]] = [
        (0, "version_code", (9, 10, 11)),
        (1, "version_code", (9, 10, 11)),
        (0, "shared_user_id", ("", "user", "another")),
        (1, "shared_user_id", ("", "user", "another")),
        (1, "target_sdk", (22, 23, 30, 34)),
        (1, "min_sdk", (21, 37)),
        (1, "test_only", (False, True)),
    ]
    for side, name, values in asked:
        pair = [old, new]
        pair[side] = without(pair[side], [name])
        unknown = decide_install(pair[0], pair[1], action, device)
        if unknown.outcome not in {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP}:
            continue
        for value in values:
            pair[side] = pair[side]._replace(**{name: value})
            answer = decide_install(pair[0], pair[1], action, device)
            assert answer.outcome in {Outcome.KEEPS_DATA, Outcome.PARALLEL_APP}, (name, value)
