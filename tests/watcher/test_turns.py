"""Several watchers of one computer: one saves a source, the others know that."""

from pathlib import Path

from backupkit.watcher.turns import Turns

REPOSITORY = Path("/srv/backup")


def test_one_of_several_has_the_turn_until_it_ends(tmp_path: Path) -> None:
    sources = {"wechat": tmp_path / "wechat"}
    with Turns(tmp_path / "watching", REPOSITORY, sources) as second:
        with Turns(tmp_path / "watching", REPOSITORY, sources) as first:
            assert [first.has("wechat"), second.has("wechat"), first.has("wechat")] == [True, False, True]

        assert second.has("wechat")


def test_the_place_of_a_source_and_the_repository_count_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "wechat")

    def turns(repository: Path, **sources: Path) -> Turns:
        return Turns(tmp_path / "watching", repository, sources)

    with (
        turns(REPOSITORY, chats=tmp_path / "wechat") as first,
        turns(REPOSITORY, other=tmp_path / "link") as same,
        turns(REPOSITORY, chats=tmp_path / "qq") as elsewhere,
        turns(Path("/srv/another"), chats=tmp_path / "wechat") as another,
    ):
        assert first.has("chats")
        assert [same.has("other"), elsewhere.has("chats"), another.has("chats")] == [False, True, True]


def test_where_no_turn_can_be_kept_everybody_saves(tmp_path: Path) -> None:
    (tmp_path / "watching").write_text("in the way")
    sources = {"wechat": tmp_path / "wechat"}

    with (
        Turns(tmp_path / "watching", REPOSITORY, sources) as first,
        Turns(tmp_path / "watching", REPOSITORY, sources) as second,
    ):
        assert first.has("wechat")
        assert second.has("wechat")
