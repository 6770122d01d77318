"""The recovery code: 256 random bits that a person can write on paper as 24 words.

The words are BIP-39's, English or simplified Chinese; both spell the same bits, and the last word carries a checksum, so
that a slip of the pen is noticed and named. The code is as strong as the key it opens and needs no slow hashing.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, TypeAlias

from backupkit.crypto.derive import derive
from backupkit.errors import BackupkitError, ExitCode
from backupkit.text import printable

WORD_COUNT = 24
ENTROPY_SIZE = 32
MAX_TYPED = 4000
"""Characters of typed text that are looked at. Twenty-four numbered words need fewer than 400."""

Language: TypeAlias = Literal["en", "zh-CN"]

_LISTS: dict[Language, str] = {"en": "english", "zh-CN": "chinese_simplified"}
# A run of Latin letters, or one ideograph: Chinese words are typed without spaces. Numbers and punctuation belong to the
# sheet, not to the code.
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]")


class RecoveryCodeMistyped(BackupkitError):
    """What was typed is no recovery code. Nothing was tried with it."""

    code: ClassVar[str] = "recovery-code-mistyped"
    exit_code = ExitCode.CANNOT_UNLOCK


class UnknownRecoveryWord(RecoveryCodeMistyped):
    """A word is not in the list. Facts: `position` (from 1), `word`."""

    code = "recovery-word-unknown"


class WrongRecoveryWordCount(RecoveryCodeMistyped):
    """There are not 24 words. Facts: `count`, `expected`."""

    code = "recovery-word-count"


class RecoveryChecksumWrong(RecoveryCodeMistyped):
    """All words are in the list, and yet a word is wrong or two changed places."""

    code = "recovery-checksum"


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """256 bits that open a repository from paper."""

    entropy: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.entropy) != ENTROPY_SIZE:
            raise ValueError(len(self.entropy))

    @classmethod
    def generate(cls) -> "RecoveryCode":
        """Draw a new code."""
        return cls(secrets.token_bytes(ENTROPY_SIZE))

    @classmethod
    def from_words(cls, text: str) -> "RecoveryCode":
        """Read the words as a person types them: either language, also mixed, any case and spacing, numbered or not.

        A Chinese sheet has each word in both languages, so whoever copies it from beginning to end types 48.

        Raises:
            UnknownRecoveryWord: names the first word that is in neither list.
            WrongRecoveryWordCount: there are not 24.
            RecoveryChecksumWrong: the words are right one by one, and not together.
        """
        words = typed_words(text)
        known = _positions()
        for position, word in enumerate(words, 1):
            if word not in known:
                raise UnknownRecoveryWord(position=position, word=printable(word, limit=20))
        positions = _told_once([known[word] for word in words])
        if len(positions) != WORD_COUNT:
            raise WrongRecoveryWordCount(count=len(words), expected=WORD_COUNT)
        english = _word_list("en")
        try:
            return cls(bytes(english.to_entropy([english.wordlist[position] for position in positions])))
        except ValueError as error:
            raise RecoveryChecksumWrong from error

    def words(self, language: Language = "en") -> list[str]:
        """Return the 24 words in one of the two languages."""
        spelled: str = _word_list(language).to_mnemonic(self.entropy)
        return spelled.split()

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the code and give nothing of it away: the same on the sheet and in its key slot."""
        return derive(self.entropy, "recovery-fingerprint", size=8).hex()


def typed_words(text: str) -> list[str]:
    """Take apart what a person typed: words in Latin letters, or single Chinese characters."""
    # NFKC and case folding undo what an input method, a full-width keyboard or a proud shift key did.
    return _WORD.findall(unicodedata.normalize("NFKC", text[:MAX_TYPED]).casefold())


def _told_once(positions: list[int]) -> list[int]:
    """Return half of twice as many words as there should be, where each was typed in both languages."""
    if len(positions) == 2 * WORD_COUNT and positions[::2] == positions[1::2]:
        return positions[::2]
    return positions


@cache
def _positions() -> dict[str, int]:
    """Where each word of both languages stands in its list: no word is in both, and the same place means the same bits."""
    return {word: position for language in _LISTS for position, word in enumerate(_word_list(language).wordlist)}


@cache
def _word_list(language: Language) -> Any:
    from mnemonic import Mnemonic  # noqa: PLC0415 - nothing but a recovery code needs the lists

    return Mnemonic(_LISTS[language])
