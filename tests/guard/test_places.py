"""Where the guard keeps its files."""

from pathlib import Path

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", "..", ".x", "", "a\nb", "a\0", "a" * 300])
def test_no_package_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    places = GuardPlaces(tmp_path)

    for path_of in (places.record_of, places.pass_of, places.consent_of, places.hint_of):
        with pytest.raises(MalformedObject):
            path_of(AppPackage(name))


def test_an_app_has_files_of_its_own(tmp_path: Path) -> None:
    assert GuardPlaces(tmp_path).pass_of(AppPackage("com.tencent.mm")) == tmp_path / "passes" / "com.tencent.mm.pass"
