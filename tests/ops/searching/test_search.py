import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chat_factory
import pytest
from backup_scene import Scene, some_chats

from backupkit.chats.search.document import Document
from backupkit.chats.search.terms import Needed, Way
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import OpenFailed
from backupkit.ops.keeping.forget import forget_snapshots
from backupkit.ops.searching import index as search_index
from backupkit.ops.searching.search import NothingAsked, PatternInvalid, Question, SearchResult, search_messages
from backupkit.ops.searching.segment import Filling, open_segment, write_segment

CHAT: list[dict[str, Any]] = [
    {"id": 1, "text": "祝你生日快乐🎂", "from": "外婆", "day": 1},
    {"id": 2, "text": "Happy Birthday! see you at three", "from": "Tom", "day": 2},
    {"id": 3, "text": "我的iPhone手机转账失败", "from": "外婆", "day": 3},
    {"id": 4, "text": "看 https://example.invalid/a", "from": "Tom", "day": 4},
    {"id": 5, "text": "日生 is not 生 日", "from": "Me", "day": 5},
]


def write(scene: Scene, messages: list[dict[str, Any]], name: str = "Family", folder: str = "tg") -> None:
    path = scene.chats / folder / "result.json"
    path.parent.mkdir(exist_ok=True)
    rows = [
        {
            "id": one["id"], "type": "message", "date": f"2024-03-{one['day']:02}T08:00:00",
            "date_unixtime": str(1709280000 + 86400 * (one["day"] - 1)), "from": one["from"],
            "from_id": f"user{len(one['from'])}", "text": one["text"],
        }
        for one in messages
    ]  # fmt: skip
    path.write_text(json.dumps({"name": name, "type": "private_group", "id": len(name), "messages": rows}))


def search(scene: Scene, text: str = "", *, rebuild: bool = False, **question: Any) -> SearchResult:
    return search_messages(
        scene.places, Question(text, **question), secret=scene.secret, tell=scene.tell, rebuild=rebuild
    )


def ids(found: SearchResult) -> list[str | None]:
    return [hit.id for hit in found.hits]


@pytest.fixture
def saved(scene: Scene) -> Scene:
    write(scene, CHAT)
    scene.take(app="telegram")
    return scene


def test_words_of_one_two_and_more_characters_are_found_and_marked(saved: Scene) -> None:
    assert ids(search(saved, "生日")) == ["1"]
    assert ids(search(saved, "日")) == ["5", "1"]
    assert ids(search(saved, "生日快乐")) == ["1"]
    assert ids(search(saved, "birth")) == ["2"]
    assert ids(search(saved, "iphone手机")) == ["3"]
    assert ids(search(saved, "you happy")) == ["2"]
    assert ids(search(saved, '"you happy"')) == []
    hit = search(saved, "快乐").hits[0]
    assert [hit.text[first:last] for first, last in hit.places] == ["快乐"]


def test_filters_narrow_what_is_found(saved: Scene) -> None:
    write(saved, [{"id": 8, "text": "生日", "from": "Tom", "day": 9}], name="Work", folder="work")
    saved.take(app="telegram")

    assert ids(search(saved, senders=("外",))) == ["3", "1"]
    assert ids(search(saved, "生日", senders=("tom",))) == ["8"]
    assert ids(search(saved, "日", conversations=("wor",))) == ["8"]
    assert ids(search(saved, has=("link",))) == ["4"]
    since, until = datetime(2024, 3, 2, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC)
    assert ids(search(saved, since=since, until=until)) == ["3", "2"]
    assert ids(search(saved, "nowhere", conversations=("nobody",))) == []


def test_a_message_of_many_snapshots_is_one_hit_with_the_first_and_the_last_that_have_it(saved: Scene) -> None:
    first = saved.repository.journal.taken()
    write(saved, [*CHAT, {"id": 6, "text": "生日 again", "from": "Tom", "day": 7}])
    saved.take(app="telegram")
    write(saved, CHAT[1:])
    newest = saved.take(app="telegram").snapshot

    found = search(saved, "生日")

    assert ids(found) == ["6", "1"]
    assert [hit.state for hit in found.hits] == ["absent", "absent"]
    assert found.hits[1].first_seen == next(iter(first))
    assert newest not in {found.hits[1].last_seen, found.hits[0].last_seen}
    assert ids(search(saved, deleted=True)) == ["6", "1"]
    assert search(saved, "birthday").hits[0].last_seen == newest


def test_an_edited_message_is_found_by_its_old_words_and_by_its_new_ones(saved: Scene) -> None:
    search(saved, "x")
    write(saved, [{**CHAT[0], "text": "祝你新年快乐"}, *CHAT[1:]])
    saved.take(app="telegram")

    assert {(hit.text, hit.state) for hit in search(saved, "快乐").hits} == {
        ("祝你新年快乐", "present"),
        ("祝你生日快乐🎂", "replaced"),
    }
    assert ids(search(saved, deleted=True)) == []


def test_a_message_that_comes_back_is_no_longer_gone(saved: Scene) -> None:
    for chat in (CHAT[1:], CHAT):
        write(saved, chat)
        saved.take(app="telegram")
        search(saved, "生日")

    assert [hit.state for hit in search(saved, "生日").hits] == ["present"]


def test_building_step_by_step_finds_the_same_as_building_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_SMALL", 200)
    monkeypatch.setattr(search_index, "_MOST_SMALL", 2)
    dice = random.Random(4)
    words = [chr(0x4E00 + dice.randrange(40)) for _ in range(30)]
    messages: list[dict[str, Any]] = []
    for number in range(1, 13):
        new = ["".join(dice.choices(words, k=4)) for _ in range(dice.randrange(1, 30))]
        messages += [
            {"id": len(messages) + n + 1, "text": text, "from": "Tom", "day": 1 + number} for n, text in enumerate(new)
        ]
        if number % 3 == 0:
            del messages[dice.randrange(len(messages))]
            messages[dice.randrange(len(messages))]["text"] = "改了"
        write(scene, messages)
        scene.take(app="telegram")
        search(scene, "改")
    questions = [*words[:12], "改了", words[0] + words[1]]

    stepwise = [search(scene, word, limit=1000) for word in questions]
    at_once = [search(scene, word, limit=1000, rebuild=word == questions[0]) for word in questions]

    def told(found: SearchResult) -> list[tuple[object, ...]]:
        return sorted((hit.id, hit.text, hit.state, hit.first_seen, hit.last_seen) for hit in found.hits)

    assert list(map(told, stepwise)) == list(map(told, at_once))
    assert sum(len(one.hits) for one in stepwise) > 50


def test_a_lost_or_damaged_index_costs_time_only(saved: Scene) -> None:
    before = ids(search(saved, "日"))
    folder = next((saved.repository.cache / "search").iterdir())
    for path in sorted(folder.iterdir()):
        data = bytearray(path.read_bytes())
        for at in (len(data) // 2, len(data) - 9):
            damaged = bytearray(data)
            damaged[at] ^= 1
            path.write_bytes(damaged)
            assert ids(search(saved, "日")) == before
        # The index was made anew, under other names.
        break
    for path in sorted(folder.iterdir()):
        path.unlink()
        assert ids(search(saved, "日")) == before


def test_no_word_of_a_chat_lies_open_in_the_index(saved: Scene) -> None:
    search(saved, "生日")

    cache = b"".join(path.read_bytes() for path in saved.places.cache.rglob("*") if path.is_file())
    for word in ("生日", "外婆", "Happy", "happy", "Family", "Tom", "tg/result.json"):
        assert word.encode() not in cache
    assert not list((saved.repository.cache / "indexing").iterdir())


def test_hits_only_in_forgotten_snapshots_are_not_shown(saved: Scene) -> None:
    first = next(iter(saved.repository.journal.taken()))
    write(saved, [*CHAT[1:], *({**CHAT[1], "id": number} for number in range(10, 15))])
    saved.take(app="telegram")
    assert ids(search(saved, "生日")) == ["1"]

    forget_snapshots(saved.places, [first], clock=saved.clock, tell=saved.tell)

    assert ids(search(saved, "生日")) == []


def test_a_pattern_that_would_take_for_ever_elsewhere_is_answered(saved: Scene) -> None:
    write(saved, [{"id": 7, "text": "a" * 5000 + "!", "from": "Eve", "day": 8}])
    saved.take(app="telegram")

    assert ids(search(saved, "(a+)+$", is_pattern=True)) == ["4"]
    assert ids(search(saved, "生.快", is_pattern=True)) == ["1"]
    with pytest.raises(PatternInvalid):
        search(saved, "(", is_pattern=True)


def test_asking_for_nothing_is_told_and_files_without_chats_are_passed_over(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(NothingAsked):
        search(scene, " ")
    assert search(scene, "在吗").matches == 0


def test_an_interrupted_build_goes_on_from_the_last_snapshot(scene: Scene) -> None:
    for count in (50, 60):
        chat_factory.write_telegram_chat(scene.chats, messages=count)
        scene.take(app="telegram")
    left = iter(range(70))

    with pytest.raises(KeyboardInterrupt):
        search_messages(
            scene.places, Question("a"), secret=scene.secret, tell=scene.tell, stop=lambda: next(left, None) is None
        )

    assert search(scene, has=("image",), limit=99).messages == 60


def a_document(number: int) -> Document:
    return Document(
        f"{number:048x}", 0, 0, 0, 0, number, True, "utc", "s", "text", "none", f"词{number}", (), (), None, "f", ""
    )


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segment") / "one"
    filling = Filling()
    for number in range(199, -1, -1):
        filling.add(a_document(number))
    write_segment(path, b"k" * 32, filling)
    return path


def beginning(text: str) -> Needed:
    return Needed(text, Way.BEGINNING)


def test_a_segment_gives_back_what_was_written(segment: Path) -> None:
    with open_segment(segment, b"k" * 32) as opened:
        assert [one.at for one in opened.every()] == list(range(200))
        assert opened.numbers(Needed("词\x03", Way.WHOLE)) == set(range(200))
        assert opened.numbers(beginning("19")) == {19, *range(190, 200)}
        assert opened.numbers(Needed("99", Way.INSIDE)) == {99, 199}
        assert opened.numbers(Needed("9", Way.ENDING)) == set(range(9, 200, 10))
        assert [one.at for one in map(opened.document, opened.between(100, 101))] != []
        assert set(range(100, 102)) <= set(opened.between(100, 101))


def test_a_segment_that_is_damaged_anywhere_gives_one_typed_error_or_the_truth(segment: Path, tmp_path: Path) -> None:
    data = segment.read_bytes()
    path = tmp_path / "damaged"
    for at in range(0, len(data), max(len(data) // 60, 1)):
        damaged = bytearray(data)
        damaged[at] ^= 0x40
        path.write_bytes(damaged)
        try:
            with open_segment(path, b"k" * 32) as opened:
                assert [one.at for one in opened.every()] == list(range(200))
                assert opened.numbers(beginning("19")) == {19, *range(190, 200)}
        except (MalformedObject, OpenFailed):
            continue
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises((MalformedObject, OpenFailed)), open_segment(path, b"k" * 32):
        pass
    with pytest.raises(OpenFailed), open_segment(segment, b"x" * 32):
        pass


def test_messages_of_the_owner_are_told_where_the_app_names_nobody(scene: Scene) -> None:
    chat_factory.write_chat_database(scene.folder / "phone" / "msgstore.db", messages=30)
    scene.take(scene.folder / "phone")

    hits = search(scene, limit=100, since=datetime(2000, 1, 1, tzinfo=UTC)).hits

    assert {hit.own for hit in hits} == {True, False}
    assert {hit.sender for hit in hits if hit.own} == {""}
    assert all(hit.sender for hit in hits if not hit.own)
