import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backupkit.crypto.recovery import (
    Language,
    RecoveryChecksumWrong,
    RecoveryCode,
    RecoveryCodeMistyped,
    UnknownRecoveryWord,
    WrongRecoveryWordCount,
)
from backupkit.errors import ExitCode

LANGUAGES: list[Language] = ["en", "zh-CN"]
codes = st.binary(min_size=32, max_size=32).map(RecoveryCode)


@given(codes, st.sampled_from(LANGUAGES))
def test_the_words_of_either_language_give_the_code_back(code: RecoveryCode, language: Language) -> None:
    words = code.words(language)

    assert len(words) == 24
    assert RecoveryCode.from_words(" ".join(words)) == code


@pytest.mark.parametrize(
    "spelled",
    [
        "  {words}\n",
        "{upper}",
        "{numbered}",
        "{commas}",
        "{fullwidth}",
    ],
)
def test_case_spacing_numbers_and_full_width_letters_do_not_matter(spelled: str) -> None:
    code = RecoveryCode(bytes(range(32)))
    words = code.words("en")

    typed = spelled.format(
        words="\t\n ".join(words),
        upper=" ".join(words).upper(),
        numbered="\n".join(f"{number}. {word}" for number, word in enumerate(words, 1)),
        commas=", ".join(words),
        fullwidth=" ".join(words).translate({letter: letter + 0xFEE0 for letter in range(0x21, 0x7F)}),
    )

    assert RecoveryCode.from_words(typed) == code


def test_chinese_words_may_be_typed_without_spaces_or_with_numbers() -> None:
    code = RecoveryCode(bytes(range(32)))
    words = code.words("zh-CN")

    assert RecoveryCode.from_words("".join(words)) == code
    assert RecoveryCode.from_words("".join(f"{number}、{word}　" for number, word in enumerate(words, 1))) == code


def test_the_first_unknown_word_is_named_with_its_place() -> None:
    words = RecoveryCode(bytes(32)).words("en")
    words[6], words[9] = "abandonn", "xyzzy"

    with pytest.raises(UnknownRecoveryWord) as caught:
        RecoveryCode.from_words(" ".join(words))

    assert caught.value.facts == {"position": 7, "word": "abandonn"}
    assert caught.value.exit_code == ExitCode.CANNOT_UNLOCK


@given(codes, st.lists(st.sampled_from(LANGUAGES), min_size=24, max_size=24))
def test_words_of_both_languages_may_be_mixed_where_paper_is_torn(
    code: RecoveryCode, languages: list[Language]
) -> None:
    words = [code.words(language)[place] for place, language in enumerate(languages)]

    assert RecoveryCode.from_words(" ".join(words)) == code


def test_each_word_may_be_typed_in_both_languages_as_a_chinese_sheet_has_them() -> None:
    code = RecoveryCode(bytes(range(32)))
    both = list(zip(code.words("zh-CN"), code.words("en"), strict=True))

    assert RecoveryCode.from_words("\n".join(f"{number} {zh}\n{en}" for number, (zh, en) in enumerate(both, 1))) == code


def test_forty_eight_words_that_do_not_pair_are_counted() -> None:
    code = RecoveryCode(bytes(range(32)))

    with pytest.raises(WrongRecoveryWordCount) as caught:
        RecoveryCode.from_words(" ".join(code.words("zh-CN") + code.words("en")))

    assert caught.value.facts == {"count": 48, "expected": 24}


@pytest.mark.parametrize("count", [0, 12, 23, 25])
def test_another_number_of_words_is_counted(count: int) -> None:
    with pytest.raises(WrongRecoveryWordCount) as caught:
        RecoveryCode.from_words("abandon " * count)

    assert caught.value.facts == {"count": count, "expected": 24}


@given(codes, st.sampled_from(LANGUAGES), st.integers(0, 23), st.integers(0, 23))
def test_two_words_that_changed_places_are_noticed_or_give_another_code(
    code: RecoveryCode, language: Language, first: int, second: int
) -> None:
    words = code.words(language)
    words[first], words[second] = words[second], words[first]
    swapped = words != code.words(language)

    try:
        read = RecoveryCode.from_words(" ".join(words))
    except RecoveryChecksumWrong:
        assert swapped
    else:
        # The checksum has eight bits: one slip in 256 passes it, and then the code opens nothing.
        assert (read != code) == swapped


@given(st.text(max_size=400))
def test_anything_typed_gives_a_code_or_one_typed_error(text: str) -> None:
    with pytest.raises(RecoveryCodeMistyped):
        RecoveryCode.from_words(text)


def test_a_whole_book_typed_by_mistake_is_not_read_to_the_end() -> None:
    with pytest.raises(WrongRecoveryWordCount) as caught:
        RecoveryCode.from_words("abandon " * 10_000_000)

    assert caught.value.facts["count"] == 500


def test_the_fingerprint_names_the_code_and_is_not_part_of_it() -> None:
    code, other = RecoveryCode(bytes(32)), RecoveryCode(bytes(31) + b"\x01")

    assert code.fingerprint == RecoveryCode.from_words(" ".join(code.words("zh-CN"))).fingerprint
    assert code.fingerprint != other.fingerprint
    assert len(bytes.fromhex(code.fingerprint)) == 8


def test_a_code_of_another_length_cannot_be_made() -> None:
    with pytest.raises(ValueError):
        RecoveryCode(bytes(16))


@pytest.mark.corpus
@pytest.mark.parametrize(("language", "name"), [("en", "english"), ("zh-CN", "chinese_simplified")])
def test_our_words_are_those_of_the_bip_39_vectors(corpus: Path, language: Language, name: str) -> None:
    vectors = json.loads((corpus / "trust/bip39/vectors.json").read_text("utf-8"))
    long_ones = [vector for vector in vectors.get(name, []) if len(vector[0]) == 64]
    listed = (corpus / f"trust/bip39/src/mnemonic/wordlist/{name}.txt").read_text("utf-8").split()

    for entropy, words, *_ in long_ones:
        assert RecoveryCode(bytes.fromhex(entropy)).words(language) == words.split()
        assert RecoveryCode.from_words(words).entropy.hex() == entropy
    spelled = set(RecoveryCode(bytes(32)).words(language))
    assert spelled == {listed[0], RecoveryCode(bytes(32)).words(language)[-1]}
    assert len(long_ones) >= 8 or language == "zh-CN"
