"""The rule about signers beside a second telling of it, over thousands of pairs of signers.

The second telling follows AOSP's `SigningDetails` (`checkCapability`, `hasCommonAncestor`) and `verifySignatures` in its own way: by index, over
plain lists, and knows nothing of the code it judges.
"""

import random
from typing import NamedTuple

import pytest
from installed_app import APP, A, B, C, D

from backupkit.guard.device_facts import Device
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import Capability, LineageNode, PackageFacts, Scheme, SignerSpan, SignerView
from backupkit.guard.outcome import Action
from backupkit.ids import CertificateDigest

INSTALLED_DATA, SHARED_USER, ROLLBACK = 1, 2, 8
FLAGS = [23, 23, 31, 22, 21, 15, 9, 8, 2, 1, 0]
ALL = [A, B, C, D]


class Signers(NamedTuple):
    now: list[CertificateDigest]
    history: list[tuple[CertificateDigest, int]]

    def view(self) -> SignerView:
        nodes = tuple(LineageNode(one, Capability(flags)) for one, flags in self.history)
        return SignerView(tuple(self.now), nodes, Scheme.V3)


def accepts(one: Signers, other: Signers, flag: int) -> bool:
    if len(other.now) > 1:
        return sorted(one.now) == sorted(other.now)
    for index in range(len(one.history) - 1):
        certificate, flags = one.history[index]
        if certificate == other.now[0] and flags & flag == flag:
            return True
    return one.now == other.now


def are_of_one_history(one: Signers, other: Signers) -> bool:
    if not one.history or not other.history:
        return accepts(one, other, 0) or accepts(other, one, 0)
    later, earlier = (one, other) if accepts(one, other, 0) else (other, one)
    if not accepts(later, earlier, 0):
        return False
    at = next(i for i, (certificate, _) in enumerate(later.history) if certificate == earlier.now[0])
    behind = len(earlier.history) - 1
    while at >= 0 and behind >= 0:
        if later.history[at][0] != earlier.history[behind][0]:
            return False
        at, behind = at - 1, behind - 1
    return True


def android_answers(old: Signers, new: Signers, *, shares: bool) -> int:
    if not (accepts(new, old, INSTALLED_DATA) or accepts(old, new, ROLLBACK)):
        return -7
    may_stay = accepts(new, old, SHARED_USER) or accepts(old, new, SHARED_USER)
    return -8 if shares and not (may_stay and are_of_one_history(new, old)) else 1


def draw(dice: random.Random) -> Signers:
    if dice.random() < 0.15:
        return Signers(dice.sample(ALL, dice.choice([2, 3])), [])
    line = dice.sample(ALL, dice.choice([1, 2, 2, 3, 3, 4]))
    return Signers(line[-1:], [(one, dice.choice(FLAGS)) for one in line] if len(line) > 1 else [])


def app(before: Signers, since: Signers, first: int, user: str) -> PackageFacts:
    spans = (SignerSpan(1, first - 1, before.view()), SignerSpan(first, 36, since.view()))
    return APP._replace(signings=spans, shared_user_id=user)


@pytest.mark.parametrize("user", ["", "chat.group"])
def test_every_pair_of_signers_is_answered_as_android_answers_it_on_a_known_and_an_unknown_device(user: str) -> None:
    dice, seen = random.Random(2018), set()

    for _ in range(2000):
        (old, older), (new, newer) = [(draw(dice), draw(dice)) for _ in range(2)]
        if dice.random() < 0.3:
            new, newer = old, older
        border_old, border_new = dice.choice([28, 33, 34]), dice.choice([28, 33, 34])
        installed, offered = app(older, old, border_old, user), app(newer, new, border_new, user)

        answers = set()
        for sdk in (24, 28, 32, 33, 34, 36):
            at = (old if sdk >= border_old else older, new if sdk >= border_new else newer)
            expected = android_answers(*at, shares=bool(user))
            answer = decide_install(installed, offered, Action.UPGRADE, Device(sdk))
            assert answer.install_result == expected, (at, sdk)
            assert answer.outcome.value == ("keeps-data" if expected == 1 else "would-wipe")
            answers.add(expected)

        anywhere = decide_install(installed, offered, Action.UPGRADE, Device(None))
        assert anywhere.outcome.value == ("keeps-data" if answers == {1} else "would-wipe")
        refusals = answers - {1} or {1}
        assert anywhere.install_result == (refusals.pop() if len(refusals) == 1 else None)
        seen |= answers

    assert seen == ({1, -7, -8} if user else {1, -7})
