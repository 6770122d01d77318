"""The hash tree of RFC 6962 (SHA-256), its proofs and the checks of them.

A leaf's hash is SHA-256(00 || leaf) and a node's SHA-256(01 || left || right), so that neither can be taken for the
other. A tree of n leaves splits at the largest power of two below n. Proof layouts are those of RFC 6962 section 2.1;
the checking procedures are those of RFC 9162 section 2.1.3.2 and 2.1.4.2. Every hash here is exactly 32 bytes.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

from backupkit.errors import BackupkitError, ExitCode

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""


class ProofInvalid(BackupkitError):
    """A Merkle proof does not lead to the root it should lead to.

    Facts: `what` (inclusion or consistency).
    """

    code = "merkle-proof-invalid"
    exit_code = ExitCode.NOT_AUTHENTIC


def leaf_hash(leaf: bytes) -> bytes:
    """Hash a leaf's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children into their parent."""
    return sha256(b"\x01" + left + right).digest()


def tree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes in order."""
    return Frontier.over(leaf_hashes).root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from leaf `index` up to the root, nearest sibling first.

    Raises:
        ValueError: there is no such leaf.
    """
    return inclusion_path(index, len(leaf_hashes), lambda start, end: tree_root(leaf_hashes[start:end]))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """Prove that the tree of the first `old_size` leaves is the beginning of the tree of all of them.

    Raises:
        ValueError: `old_size` is zero (nothing to prove: no such proof exists) or over the number of leaves.
    """
    return consistency_path(old_size, len(leaf_hashes), lambda start, end: tree_root(leaf_hashes[start:end]))


def inclusion_path(index: int, size: int, subtree: Callable[[int, int], bytes]) -> list[bytes]:
    """Lay out an inclusion proof; `subtree(start, end)` gives the root over the leaves from `start` up to before `end`.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(index)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old_size: int, size: int, subtree: Callable[[int, int], bytes]) -> list[bytes]:
    """Lay out a consistency proof; `subtree` as for `inclusion_path`.

    Raises:
        ValueError: `old_size` is zero or over `size`.
    """
    if not 0 < old_size <= size:
        raise ValueError(old_size)
    path: list[bytes] = []
    start, end = 0, size
    # Descend to the node at which the old tree ends; each other child passed on the way is one hash of the proof.
    while end != old_size:
        middle = start + split(end - start)
        if old_size <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start:
        # The old tree is not one whole node: its last node is needed to rebuild the old root.
        path.append(subtree(start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the leaf with hash `leaf` lies at `index` in the tree of `size` leaves with `root`.

    Raises:
        ProofInvalid: it was not shown.
    """
    if not 0 <= index < size or not _all_hashes(leaf, root, *proof):
        raise ProofInvalid(what="inclusion")
    node, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid(what="inclusion")
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or not compare_digest(reached, root):
        raise ProofInvalid(what="inclusion")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree `new_size, new_root` continues the tree `old_size, old_root`.

    Nothing is ever shown *from* the empty tree: every tree continues it, so who accepts that case decides it knowingly
    (see `witness.advance`) and not by way of a proof.

    Raises:
        ProofInvalid: it was not shown.
    """
    if not 0 < old_size <= new_size or not _all_hashes(old_root, new_root, *proof):
        raise ProofInvalid(what="consistency")
    if old_size == new_size:
        if proof or not compare_digest(old_root, new_root):
            raise ProofInvalid(what="consistency")
        return
    # An old tree that is one whole node of the new one starts from its own root, which the proof leaves out.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise ProofInvalid(what="consistency")
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_reached = new_reached = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid(what="consistency")
        if node & 1 or node == last:
            old_reached = node_hash(sibling, old_reached)
            new_reached = node_hash(sibling, new_reached)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_reached = node_hash(new_reached, sibling)
        node, last = node >> 1, last >> 1
    if last != 0 or not compare_digest(old_reached, old_root) or not compare_digest(new_reached, new_root):
        raise ProofInvalid(what="consistency")


class Frontier(NamedTuple):
    """The right edge of a tree: all that is needed to go on appending, about log2(size) hashes.

    `nodes` are the roots of the whole subtrees that make up `size`, largest (leftmost) first: one for each bit that is
    set in `size`.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    @classmethod
    def over(cls, leaf_hashes: Sequence[bytes]) -> "Frontier":
        """Build the edge of a tree over leaf hashes in order."""
        nodes: list[bytes] = []
        for size, leaf in enumerate(leaf_hashes):
            _push(nodes, size, leaf)
        return cls(len(leaf_hashes), tuple(nodes))

    def append(self, leaf: bytes) -> "Frontier":
        """Return the edge after one more leaf hash."""
        nodes = list(self.nodes)
        _push(nodes, self.size, leaf)
        return Frontier(self.size + 1, tuple(nodes))

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in self.nodes[-2::-1]:
            root = node_hash(node, root)
        return root


def _push(nodes: list[bytes], size: int, leaf: bytes) -> None:
    # Each trailing one bit of the size is a whole subtree that the new leaf completes into one twice as large.
    while size & 1:
        leaf = node_hash(nodes.pop(), leaf)
        size >>= 1
    nodes.append(leaf)


def split(size: int) -> int:
    """Return how many leaves of a tree of `size` > 1 lie under its left child: the largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)


def _all_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
