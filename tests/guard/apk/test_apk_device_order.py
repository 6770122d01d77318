"""Which signer each level takes: drawn packages, beside a second and simpler telling of the order in which Android looks.

Written after AOSP `ApkSignatureVerifier.verifySignatures` and `ApkSignatureSchemeV3Verifier.verify`, without the code that it judges.
"""

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from apk_factory import (
    NEWEST,
    V2,
    V3,
    V31,
    build_apk,
    make_key,
    make_signer,
    sequence,
    sign_v1,
    sized,
    u32,
    with_pairs,
)

from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.reasons import PackageNotGenuine

KEYS = {name: make_key("ec", name) for name in "ABC"}
NAMES = {key.digest: name for name, key in KEYS.items()}
REFUSED = "refused"


class Ranged(NamedTuple):
    """A signer for some levels. `names` is the level from which v3 says that v3.1 takes over."""

    first: int
    last: int
    name: str
    for_development: bool = False
    names: int | None = None


class Plan(NamedTuple):
    """Who signs what. Schemes 1 and 2 are A's, where they are there."""

    v31: list[Ranged]
    v3: list[Ranged]
    jar_names: str | None
    has_jar: bool
    has_v2: bool
    v2_names_v3: bool

    def package(self) -> bytes:
        apk = build_apk(min_sdk=24, target_sdk=29)
        if self.has_jar:
            apk = sign_v1(apk, KEYS["A"], schemes=self.jar_names)
        blocks = []
        if self.has_v2:
            names = [(0xBEEFF00D, u32(3))] if self.v2_names_v3 else []
            blocks.append((V2, [make_signer(apk, KEYS["A"], attributes=names)]))
        for number, signers in ((V3, self.v3), (V31, self.v31)):
            blocks.append((number, [self._signer(apk, one) for one in signers]))
        return with_pairs(apk, [(number, sized(sequence(found))) for number, found in blocks if found])

    @staticmethod
    def _signer(apk: bytes, one: Ranged) -> bytes:
        attributes = [(0xC2A6B3BA, b"")] if one.for_development else []
        if one.names is not None:
            attributes.append((0x559F8B02, u32(one.names)))
        return make_signer(apk, KEYS[one.name], sdks=(one.first, one.last), attributes=attributes)

    def taken_at(self, level: int) -> str:
        """Say whose signature a released device of this level takes."""
        begins: int | None = None
        if level >= 33:
            found = []
            for one in self.v31:
                if not one.first <= level <= one.last:
                    begins = one.first if begins is None else min(begins, one.first)
                elif one.for_development and one.first == level:
                    begins = one.first
                else:
                    found.append(one)
            if len(found) == 2 and level >= 36:
                meant = [one for one in found if one.for_development]
                found = meant if len(meant) == 1 else found
            if found:
                return found[0].name if len(found) == 1 else REFUSED
        if level >= 28 and self.v3:
            found = [one for one in self.v3 if one.first <= level <= one.last]
            if level >= 33 and any(one.names not in {None, begins} for one in found):
                return REFUSED
            return found[0].name if len(found) == 1 else REFUSED
        if self.has_v2:
            return REFUSED if level >= 28 and self.v2_names_v3 else "A"
        named = set() if self.jar_names is None else {int(one) for one in self.jar_names.split(",")}
        is_stripped = 2 in named or (3 in named and level >= 28)
        return "A" if self.has_jar and not is_stripped else REFUSED


def drawn(dice: random.Random) -> Plan:
    v31 = []
    for _ in range(dice.choice([0, 1, 1, 2, 2, 3])):
        first = dice.choice([28, 32, 33, 33, 34, 35, 36, 37])
        last = max(first, dice.choice([first, first + 1, 36, NEWEST, NEWEST]))
        v31.append(Ranged(first, last, dice.choice("ABC"), for_development=dice.random() < 0.35))
    v3 = []
    for _ in range(dice.choice([0, 1, 1, 1, 2])):
        first = dice.choice([24, 28, 31, 33])
        last = max(first, dice.choice([30, 32, 33, 34, NEWEST, NEWEST]))
        names = dice.choice([*(one.first for one in v31), 33, 34]) if dice.random() < 0.6 else None
        v3.append(Ranged(first, last, dice.choice("AAB"), names=names))
    jar_names = dice.choice([None, "2", "2, 3", "3"])
    return Plan(v31, v3, jar_names, dice.random() < 0.4, dice.random() < 0.5, dice.random() < 0.4)


def taken(path: Path, level: int) -> str:
    try:
        return NAMES[read_package(path, device_sdk=level).signing.digests[0]]
    except PackageNotGenuine:
        return REFUSED


@pytest.mark.parametrize("seed", range(3))
def test_every_level_takes_the_signer_that_androids_order_comes_to(tmp_path: Path, seed: int) -> None:
    dice, path, answers = random.Random(seed), tmp_path / "app.apk", set()
    for _ in range(60):
        plan = drawn(dice)
        path.write_bytes(plan.package())

        found = [taken(path, level) for level in range(24, 37)]

        assert found == [plan.taken_at(level) for level in range(24, 37)], plan
        answers.update(found)
    assert answers == {"A", "B", "C", REFUSED}


@pytest.mark.parametrize(
    ("level", "names", "expected"), [(34, 32, "A"), (34, 34, REFUSED), (33, 33, "A"), (33, 32, REFUSED)]
)
def test_a_skipped_signer_for_a_release_in_development_says_alone_where_v31_begins(
    tmp_path: Path, level: int, names: int, expected: str
) -> None:
    plan = Plan(
        [Ranged(32, 32, "B"), Ranged(33, 33, "C", for_development=True)],
        [Ranged(28, NEWEST, "A", names=names)],
        None, has_jar=False, has_v2=False, v2_names_v3=False,
    )  # fmt: skip
    path = tmp_path / "app.apk"
    path.write_bytes(plan.package())

    assert taken(path, level) == plan.taken_at(level) == expected
