"""A tree whose whole nodes are kept, for whoever makes many proofs: each costs about log2(size) look-ups and no rehashing.

A log of n entries keeps about 2n hashes, 64 bytes for each entry.
"""

from collections.abc import Iterable

from backupkit.proof.merkle import EMPTY_ROOT, consistency_path, inclusion_path, node_hash, split


class TreeNodes:
    """The whole nodes of a growing tree, level by level: `_levels[k][i]` covers the leaves from i * 2^k on."""

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaf_hashes:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash and the nodes that it completes."""
        node = leaf
        for height in range(len(self).bit_length() + 1):
            if height == len(self._levels):
                self._levels.append([])
            level = self._levels[height]
            level.append(node)
            if len(level) % 2:
                return
            node = node_hash(level[-2], level[-1])

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first `size` leaves, all where None.

        Raises:
            ValueError: there are fewer.
        """
        end = self._size(size)
        return EMPTY_ROOT if end == 0 else self._subtree(0, end)

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Prove that leaf `index` is in the tree of the first `size` leaves.

        Raises:
            ValueError: there is no such leaf.
        """
        return inclusion_path(index, self._size(size), self._subtree)

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Prove that the tree of `size` leaves continues the tree of `old_size`.

        Raises:
            ValueError: `old_size` is zero or over `size`.
        """
        return consistency_path(old_size, self._size(size), self._subtree)

    def _size(self, asked: int | None) -> int:
        size = len(self) if asked is None else asked
        if not 0 <= size <= len(self):
            raise ValueError(size)
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        count = end - start
        if count & (count - 1) == 0 and start % count == 0:
            return self._levels[count.bit_length() - 1][start // count]
        middle = start + split(count)
        return node_hash(self._subtree(start, middle), self._subtree(middle, end))
