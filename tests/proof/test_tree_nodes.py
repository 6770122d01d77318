import pytest

from backupkit.proof.coverage_pass import MAX_OFFERS, proof_from, proofs_from
from backupkit.proof.merkle import consistency_proof, inclusion_proof, leaf_hash, tree_root
from backupkit.proof.tree_nodes import TreeNodes

LEAVES = [leaf_hash(b"%d" % number) for number in range(75)]
NODES = TreeNodes(LEAVES)


def test_kept_nodes_give_the_roots_and_proofs_that_hashing_anew_gives() -> None:
    for size in range(len(LEAVES) + 1):
        assert NODES.root(size) == tree_root(LEAVES[:size])
        for other in range(1, size + 1):
            assert NODES.consistency_proof(other, size) == consistency_proof(LEAVES[:size], other)
            assert NODES.inclusion_proof(other - 1, size) == inclusion_proof(LEAVES[:size], other - 1)


def test_a_tree_that_grows_is_the_tree_that_was_built_at_once() -> None:
    nodes = TreeNodes()

    for size, leaf in enumerate(LEAVES):
        assert len(nodes) == size
        assert nodes.root() == NODES.root(size)
        nodes.append(leaf)

    assert nodes.consistency_proof(13) == NODES.consistency_proof(13)
    assert nodes.inclusion_proof(13) == NODES.inclusion_proof(13)


def test_nothing_is_proved_about_leaves_that_are_not_there() -> None:
    for ask in (
        lambda: NODES.root(76),
        lambda: NODES.consistency_proof(0),
        lambda: NODES.consistency_proof(3, 76),
        lambda: NODES.inclusion_proof(75),
        lambda: NODES.inclusion_proof(75, 76),
    ):
        with pytest.raises(ValueError):
            ask()


def test_proofs_are_made_from_every_size_that_the_log_had_newest_first() -> None:
    assert proofs_from(LEAVES, [5, 80, 0, 60, 5]) == (proof_from(LEAVES, 60), proof_from(LEAVES, 5))
    assert [offer.from_size for offer in proofs_from(LEAVES, range(100))] == [*range(75, 75 - MAX_OFFERS, -1)]
