"""The files of a source by their names, in little memory: a phone's folders hold hundreds of thousands of pictures."""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, MutableMapping

from backupkit.chats.archives.members import DiskMember, Member


class SourceMembers(MutableMapping[str, Member]):
    """The members of a source by name, `/` between the parts.

    Of a file that lies in a folder of the disk only its own name and its length are kept, about 75 bytes; it becomes a
    member when somebody asks for it.
    """

    def __init__(self) -> None:
        self._folders: dict[str, _DiskFolder] = {}
        self._others: dict[str, Member] = {}
        self._on_disk = 0

    def add_disk_file(self, prefix: str, folder: str, name: str, size_bytes: int) -> None:
        """Add a file of the folder that lies at `folder` on the disk and at `prefix` in the source. Add a folder's files in order."""
        if prefix not in self._folders:
            self._folders[prefix] = _DiskFolder(folder)
        self._folders[prefix].append(name, size_bytes)
        self._on_disk += 1

    def __getitem__(self, name: str) -> Member:
        other = self._others.get(name)
        if other is not None:
            return other
        folder, leaf = self._place(name)
        member = None if folder is None else folder.member(leaf)
        if member is None:
            raise KeyError(name)
        return member

    def __setitem__(self, name: str, member: Member) -> None:
        self._take_off_disk(name)
        self._others[name] = member

    def __delitem__(self, name: str) -> None:
        if name in self._others:
            del self._others[name]
        elif not self._take_off_disk(name):
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._others
        for prefix, folder in self._folders.items():
            for leaf in folder.names:
                yield prefix + leaf

    def __len__(self) -> int:
        return len(self._others) + self._on_disk

    def _take_off_disk(self, name: str) -> bool:
        folder, leaf = self._place(name)
        if folder is None or not folder.remove(leaf):
            return False
        self._on_disk -= 1
        return True

    def _place(self, name: str) -> "tuple[_DiskFolder | None, str]":
        before, slash, leaf = name.rpartition("/")
        return self._folders.get(before + slash), leaf


class _DiskFolder:
    """The files of one folder of the disk, sorted by name."""

    __slots__ = ("_path", "_sizes", "names")

    def __init__(self, path: str) -> None:
        self._path = path
        self.names: list[str] = []
        self._sizes = array("Q")

    def append(self, name: str, size_bytes: int) -> None:
        assert not self.names or self.names[-1] < name, "the files of a folder are added in order"
        self.names.append(name)
        self._sizes.append(size_bytes)

    def member(self, name: str) -> DiskMember | None:
        at = self._at(name)
        return None if at is None else DiskMember(os.path.join(self._path, name), self._sizes[at])  # noqa: PTH118  a str is what the others are

    def remove(self, name: str) -> bool:
        at = self._at(name)
        if at is None:
            return False
        del self.names[at]
        del self._sizes[at]
        return True

    def _at(self, name: str) -> int | None:
        at = bisect_left(self.names, name)
        return at if at < len(self.names) and self.names[at] == name else None
