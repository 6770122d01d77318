import pytest
from hypothesis import example, given, strategies as st

from backupkit.chats.search.document import Document, decode_documents, encode_documents
from backupkit.chats.search.postings import decode_postings, decode_terms, encode_postings, encode_terms
from backupkit.chats.search.terms import Needed, Part, Way, folded, is_word, parts_of, places_in, terms_of
from backupkit.codec.malformed import MalformedObject

MIXED = st.text(alphabet="生日快乐转账钱abcAB12 é🎂한국ไทย!。.-\n", max_size=30)


def may_match(part: Part, text: str) -> bool:
    """What an index does: for everything that is needed there is a term."""
    terms = terms_of(text)
    return all(any(leads(one, term) for term in terms) for one in part.needed)


def leads(needed: Needed, term: str) -> bool:
    """Say whether a term of a text is what is needed. Only words are looked into."""
    match needed.way:
        case Way.WHOLE:
            return term == needed.term
        case Way.BEGINNING:
            return term.startswith(needed.term)
        case Way.ENDING:
            return is_word(term) and term.endswith(needed.term)
        case Way.INSIDE:
            return is_word(term) and needed.term in term


@pytest.mark.parametrize("asked", ["生", "日", "生日", "日快", "快乐", "生日快乐", "乐!"])
def test_a_chinese_word_of_any_length_is_found(asked: str) -> None:
    (part,) = parts_of(asked)

    assert may_match(part, "祝你生日快乐!")


@pytest.mark.parametrize("asked", ["日生", "生快", "birth日", "天"])
def test_what_does_not_stand_there_is_not_found(asked: str) -> None:
    (part,) = parts_of(asked)

    assert not may_match(part, "生日快乐 birthday")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("birth", "Happy BIRTHDAY"), ("iphone手机", "我的iPhone手机坏了"), ("ＡＢＣ", "abc"), ("café", "cafe\u0301"),
        ("128.50", "转给你 ¥128.50"), ("🎂", "快乐🎂"), ("생일", "오늘은생일입니다"), ("日快乐", "生日快乐"), ("STRASSE", "straße"), ("rthda", "Happy BIRTHDAY"),
    ],
)  # fmt: skip
def test_width_case_and_accents_make_no_difference(asked: str, text: str) -> None:
    (part,) = parts_of(asked)

    assert may_match(part, text)
    assert part.text in folded(text)


@given(MIXED, st.integers(0, 30), st.integers(1, 8))
def test_any_piece_of_a_text_without_word_letters_is_found_by_its_terms(text: str, start: int, length: int) -> None:
    kept = "".join(character for character in text if character in "生日快乐转账钱🎂!。")
    piece = kept[start : start + length]

    assert all(may_match(part, kept) for part in parts_of(f'"{piece}"'))


WORDS = st.lists(st.text("abcé1", min_size=1, max_size=60), min_size=1, max_size=4).map(" ".join)


@given(WORDS, st.integers(0, 120), st.integers(3, 90))
@example("a" * 39 + "b" * 39, 20, 45)
def test_any_piece_of_words_is_found_that_begins_with_three_letters_of_one(text: str, start: int, length: int) -> None:
    piece = text[start : start + length].strip()

    if len(piece.split(" ")[0]) >= 3 or text.startswith(piece):
        assert all(may_match(part, text) for part in parts_of(f'"{piece}"'))


def test_one_or_two_letters_are_found_at_the_beginning_of_a_word_only() -> None:
    in_words = [part for part in parts_of("th") if may_match(part, "the")]
    inside = [part for part in parts_of("th") if may_match(part, "birthday")]

    assert in_words
    assert not inside
    assert [one.way for one in parts_of("rthd")[0].needed] == [Way.INSIDE]


@given(MIXED, MIXED)
@example("生日", "日生")
def test_an_exact_part_never_finds_what_is_not_there(asked: str, text: str) -> None:
    for part in parts_of(asked):
        if part.is_exact and may_match(part, text):
            assert part.text in folded(text)


@given(MIXED, MIXED)
def test_marked_places_are_what_was_asked_for(asked: str, text: str) -> None:
    parts = parts_of(asked)

    for first, last in places_in(text, parts):
        assert 0 <= first <= last <= len(text)
        assert any(part.text in folded(text[first:last] or text[first : first + 1]) for part in parts)


def test_words_in_quotation_marks_stay_together() -> None:
    assert [part.text for part in parts_of('a "b c" d')] == ["a", "b c", "d"]
    assert parts_of('  "" ') == ()


@given(st.sets(st.integers(0, 200_000)))
def test_numbers_read_back_as_they_were_written(numbers: set[int]) -> None:
    assert decode_postings(encode_postings(sorted(numbers)), 200_001) == sorted(numbers)


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="\n"), max_size=8), st.binary(max_size=20)), min_size=1)
)
def test_blocks_of_terms_read_back_as_they_were_written(rows: list[tuple[str, bytes]]) -> None:
    assert [(term, bytes(data)) for term, data in decode_terms(encode_terms(rows))] == rows


@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_one_typed_error(data: bytes) -> None:
    for read in (
        lambda: decode_postings(data, 1000),
        lambda: list(decode_terms(data)),
        lambda: list(decode_documents(data)),
    ):
        try:
            read()
        except MalformedObject:
            continue


def test_a_document_reads_back_as_it_was_written() -> None:
    document = Document(
        "ab" * 24, 0, 1, 2, 3, -5, True, "utc", "s", "text", "none", "生日 \ud83d", ("a",), ("image",), None, "f", "p"
    )

    assert list(decode_documents(encode_documents([document]))) == [document]
    assert {"生日", "日\x03", "a", "\x01c1", "\x01s2", "\x01ktext", "\x01kimage"} <= document.terms()
