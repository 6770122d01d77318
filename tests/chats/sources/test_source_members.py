"""The files of a source by name, as a mapping that takes little memory."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backupkit.chats.archives.members import DiskMember, Member
from backupkit.chats.sources.source_members import SourceMembers

names = st.lists(
    st.sampled_from(["", "a/", "a/b/", "z/"]).flatmap(lambda p: st.sampled_from("kxyz").map(p.__add__)), unique=True
)


def member(size: int) -> Member:
    return DiskMember("/elsewhere", size)


def on_disk(members: SourceMembers, found: list[str]) -> dict[str, Member]:
    told: dict[str, Member] = {}
    for size, name in enumerate(sorted(found)):
        before, slash, leaf = name.rpartition("/")
        members.add_disk_file(before + slash, f"/disk/{before}", leaf, size)
        told[name] = DiskMember(str(Path("/disk", before, leaf)), size)
    return told


@given(names, names, names)
def test_it_is_what_a_dictionary_would_be(found: list[str], put: list[str], gone: list[str]) -> None:
    members = SourceMembers()
    told = on_disk(members, found)
    for size, name in enumerate(put):
        members[name] = told[name] = member(1000 + size)
    for name in gone:
        assert (members.pop(name, None) is None) == (told.pop(name, None) is None)

    assert sorted(members) == sorted(told)
    assert len(members) == len(told)
    for name, one in told.items():
        assert Path(getattr(members[name], "path")) == Path(getattr(one, "path"))  # noqa: B009  a member of any kind
        assert members[name].size_bytes == one.size_bytes


def test_a_file_that_is_not_there_is_missed() -> None:
    members = SourceMembers()
    on_disk(members, ["a/x"])

    assert "a/y" not in members
    assert "x" not in members
    assert members.get("b/x") is None
    with pytest.raises(KeyError):
        del members["a/y"]
