import base64
import json
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes((number,))) for number in range(70)]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return sha256(b"\x01" + root_by_definition(leaves[:middle]) + root_by_definition(leaves[middle:])).digest()


def test_a_root_is_what_the_rfc_defines() -> None:
    for size in range(len(LEAVES)):
        assert tree_root(LEAVES[:size]) == root_by_definition(LEAVES[:size])
    assert tree_root([]) == EMPTY_ROOT


def test_every_leaf_of_every_small_tree_is_proved_to_be_in_it() -> None:
    for size in range(1, 40):
        leaves = LEAVES[:size]
        for index in range(size):
            verify_inclusion(leaves[index], index, size, tree_root(leaves), inclusion_proof(leaves, index))


def test_every_small_tree_is_proved_to_continue_every_smaller_one() -> None:
    for size in range(1, 40):
        for old in range(1, size + 1):
            proof = consistency_proof(LEAVES[:size], old)
            verify_consistency(old, tree_root(LEAVES[:old]), size, tree_root(LEAVES[:size]), proof)


def test_appending_leaf_by_leaf_reaches_the_same_roots() -> None:
    frontier = Frontier()

    for size, leaf in enumerate(LEAVES):
        assert frontier.root() == tree_root(LEAVES[:size])
        frontier = frontier.append(leaf)

    assert frontier == Frontier.over(LEAVES)
    assert len(frontier.nodes) == len(LEAVES).bit_count()


def test_a_leaf_is_not_proved_at_another_place() -> None:
    for index, other in pairwise(range(20)):
        with pytest.raises(ProofInvalid):
            verify_inclusion(LEAVES[index], other, 20, tree_root(LEAVES[:20]), inclusion_proof(LEAVES[:20], index))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.data())
def test_a_changed_leaf_breaks_every_proof_from_after_it(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    forged = list(LEAVES[:size])
    forged[data.draw(st.integers(0, old - 1))] = leaf_hash(b"forged")

    with pytest.raises(ProofInvalid):
        verify_consistency(old, tree_root(LEAVES[:old]), size, tree_root(forged), consistency_proof(forged, old))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.data())
def test_a_proof_with_one_flipped_bit_is_refused(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    proof = consistency_proof(LEAVES[:size], old)
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytearray(proof[place])
    flipped[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    proof[place] = bytes(flipped)

    with pytest.raises(ProofInvalid):
        verify_consistency(old, tree_root(LEAVES[:old]), size, tree_root(LEAVES[:size]), proof)


def test_nothing_is_proved_from_the_empty_tree() -> None:
    with pytest.raises(ProofInvalid):
        verify_consistency(0, EMPTY_ROOT, 1, LEAVES[0], [])
    with pytest.raises(ValueError):
        consistency_proof(LEAVES, 0)


def test_hashes_that_are_no_hashes_prove_nothing() -> None:
    with pytest.raises(ProofInvalid):
        verify_inclusion(b"", 0, 1, b"", [])
    with pytest.raises(ProofInvalid):
        verify_consistency(1, b"root", 1, b"root", [])


def test_there_is_no_proof_of_a_leaf_that_is_not_there() -> None:
    with pytest.raises(ValueError):
        inclusion_proof(LEAVES, len(LEAVES))


def verdicts(corpus: Path, kind: str, check: Any) -> list[str]:
    """Names of the vectors that we judge otherwise than their authors."""
    found = sorted((corpus / "trust/merkle-rfc6962/testdata" / kind).rglob("*.json"))
    assert len(found) > 20, kind
    strays = []
    for path in found:
        vector = json.loads(path.read_text())
        try:
            check(vector, [decoded(value) for value in vector["proof"] or ()])
            refused = False
        except ProofInvalid:
            refused = True
        if refused != vector["wantErr"]:
            strays.append(f"{path.parent.name}/{path.name}")
    return strays


def decoded(value: str | None) -> bytes:
    return base64.b64decode(value or "")


@pytest.mark.corpus
def test_published_inclusion_vectors_agree(corpus: Path) -> None:
    def check(vector: Any, proof: list[bytes]) -> None:
        leaf, root = decoded(vector["leafHash"]), decoded(vector["root"])
        verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], root, proof)

    assert not verdicts(corpus, "inclusion", check)


@pytest.mark.corpus
def test_published_consistency_vectors_agree(corpus: Path) -> None:
    def check(vector: Any, proof: list[bytes]) -> None:
        old_root, new_root = decoded(vector["root1"]), decoded(vector["root2"])
        verify_consistency(vector["size1"], old_root, vector["size2"], new_root, proof)

    assert not verdicts(corpus, "consistency", check)
