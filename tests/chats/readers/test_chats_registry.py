"""A source belongs to a reader only where the lead is clear."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backupkit.chats.readers.registry import READERS, recognise
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.sources.source import SourceFiles, open_source


@dataclass(frozen=True)
class Claiming:
    """A reader that is certain to some degree of every file."""

    format: str
    certainty: int
    app: str | None = "app"
    package: str | None = "package"

    def recognise(self, source: SourceFiles) -> Recognition:
        return Recognition(dict.fromkeys(source.names(), self.certainty))

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        return iter(())


def winners(tmp_path: Path, *readers: Claiming) -> tuple[list[str], list[str]]:
    (tmp_path / "a.txt").write_text("x")
    with open_source(tmp_path) as source:
        found = recognise(source, readers)
    return [reader.format for reader, _recognition in found.parts], [finding.code for finding in found.findings]


def test_a_clear_lead_wins(tmp_path: Path) -> None:
    assert winners(tmp_path, Claiming("one", 95), Claiming("two", 70)) == (["one"], [])


def test_two_that_are_nearly_as_certain_both_lose_and_it_is_told(tmp_path: Path) -> None:
    assert winners(tmp_path, Claiming("one", 95), Claiming("two", 85)) == ([], ["format-ambiguous"])


def test_an_uncertain_claim_is_no_claim(tmp_path: Path) -> None:
    assert winners(tmp_path, Claiming("one", 50)) == ([], [])


def test_formats_have_names_of_their_own() -> None:
    names = [reader.format for reader in READERS]

    assert len(set(names)) == len(names)
    assert all(name == name.lower() and " " not in name for name in names)
