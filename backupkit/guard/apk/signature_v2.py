"""APK Signature Scheme v2: every device from API level 24 on that finds no newer signature checks this one.

Source: source.android.com/docs/security/features/apksigning/v2; AOSP `ApkSignatureSchemeV2Verifier`; apksig `V2SchemeVerifier`.
"""

from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.records import Record, RecordMalformed
from backupkit.guard.apk.signer import CheckedSigner, check_signer, read_signers

SINCE = 24
_MOST_SIGNERS = 10
_STRIPPING_PROTECTION = 0xBEEFF00D
_VERITY_SINCE = 28


class SchemeV2:
    """The v2 block of one package. Signers are checked when a level asks, once for each choice of algorithm."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._checked: dict[bool, list[CheckedSigner] | PackageNotGenuine] = {}

    def signers_at(self, level: int, *, has_v3: bool) -> list[CheckedSigner]:
        """Return the signers that a device of this level sees. Its answer does not depend on the content yet.

        Raises:
            PackageNotGenuine: the device would refuse the package.
        """
        knows_verity = level >= _VERITY_SINCE
        if knows_verity not in self._checked:
            try:
                self._checked[knows_verity] = self._check(level)
            except PackageNotGenuine as error:
                self._checked[knows_verity] = error
        checked = self._checked[knows_verity]
        if isinstance(checked, PackageNotGenuine):
            raise checked
        # A signer that also used scheme 3 says so here; without its block the newer signature was cut off. Levels that do not
        # know scheme 3 cannot notice.
        if level >= _VERITY_SINCE and not has_v3:
            for signer in checked:
                if 3 in _named_schemes(signer):
                    raise PackageNotGenuine(Reason.STRIPPED, scheme="v2")
        return checked

    def _check(self, level: int) -> list[CheckedSigner]:
        records = read_signers(self._value, "v2")
        if len(records) > _MOST_SIGNERS:
            raise PackageNotGenuine(Reason.TOO_MANY_SIGNERS, scheme="v2")
        signers = [check_signer(record, level) for record in records]
        for signer in signers:
            _named_schemes(signer)
        return signers


def _named_schemes(signer: CheckedSigner) -> set[int]:
    try:
        return {Record(value).u32() for number, value in signer.attributes if number == _STRIPPING_PROTECTION}
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.ATTRIBUTE_MALFORMED, scheme="v2") from error
