"""What every API level of a range says about a package, put together to one verdict.

Where several rules are broken, the one that the newest devices meet first is named, as apksig orders its checks: newest scheme first, v1 last.
"""

from backupkit.guard.apk.algorithms import ContentDigest
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.signing import Signing
from backupkit.guard.apk.source_stamp import digest_numbers, jar_digest
from backupkit.guard.apk.verification import Draft, Verification

_SCHEME_NUMBERS = {"v2": 2, "v3": 3, "v3.1": 31}


class LevelOutcomes:
    """The outcomes of one package over a range of levels; content digests come in last."""

    def __init__(
        self, verification: Verification, levels: range, *, strict: bool, signed_up_to: int = 0, has_end: bool = True
    ) -> None:
        """Check all signatures.

        `strict` asks for what must hold over a range as well: every signer for any level is right, and older and newer devices see one app. A level
        of the range may know none of the package's schemes, except where it is below `signed_up_to`. Unless it `has_end`, levels to come are meant as
        well.

        Raises:
            PackageNotGenuine: the newest level refuses it already.
            PackageUndecided: a newer scheme was used.
        """
        self._verification = verification
        self._strict = strict
        self._signed_up_to = signed_up_to
        self._levels = levels
        self._gaps: set[int] = set()
        self._drafts: dict[int, Draft | PackageNotGenuine] = {}
        self._signers = verification.check_blocks(levels[-1], has_end=has_end) if strict else ()
        for level in reversed(levels):
            self._drafts[level] = self._draft(level)
            if level == levels[-1]:
                _raise(self._drafts[level])
        oldest = self._drafts[levels[0]]
        if strict and isinstance(oldest, Draft) and oldest.scheme == "v1":
            verification.check_jar(levels)

    def needed(self) -> set[ContentDigest]:
        """Say which content digests must be computed."""
        drafts = [draft for draft in self._drafts.values() if isinstance(draft, Draft)]
        return {signer.content for signer in self._signers}.union(
            signer.content for draft in drafts for signer in draft.unchecked
        )

    def claims(self) -> dict[int, dict[int, bytes]]:
        """Return the content digests that the deciding signatures claim, for the source stamp."""
        found: dict[int, dict[int, bytes]] = {}
        for draft in self._drafts.values():
            if not isinstance(draft, Draft):
                continue
            if draft.scheme == "v1":
                found.setdefault(1, jar_digest(self._verification.jar_manifest()))
            for signer in draft.unchecked:
                found.setdefault(_SCHEME_NUMBERS[draft.scheme], {}).update(digest_numbers(signer.digests))
        return found

    def settle(self, digests: dict[ContentDigest, bytes]) -> dict[int, Signing | PackageNotGenuine]:
        """Compare the content, and return each level's answer.

        Only a level that knows none of the package's schemes may refuse it while it counts as genuine.

        Raises:
            PackageNotGenuine: a level refuses it, or the levels disagree about who signed it.
        """
        answers: dict[int, Signing | PackageNotGenuine] = {}
        for level in reversed(self._levels):
            draft = self._drafts[level]
            try:
                answers[level] = draft.settle(digests) if isinstance(draft, Draft) else draft
            except PackageNotGenuine as error:
                raise error.at(level) from error
            if level not in self._gaps:
                _raise(draft)
        for signer in self._signers:
            signer.check_content(digests)
        if self._strict:
            signings = [answer for answer in answers.values() if isinstance(answer, Signing)]
            self._verification.check_schemes_agree(signings, self._levels[-1])
        return answers

    def _draft(self, level: int) -> Draft | PackageNotGenuine:
        try:
            return self._verification.draft(level)
        except PackageNotGenuine as error:
            may_be_unsigned = self._strict and level >= self._signed_up_to
            if may_be_unsigned and error.reason is Reason.UNSIGNED_FOR_LEVEL:
                self._gaps.add(level)
            return error.at(level)


def _raise(outcome: Draft | PackageNotGenuine) -> None:
    if isinstance(outcome, PackageNotGenuine):
        raise outcome
