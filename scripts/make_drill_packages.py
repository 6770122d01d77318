"""Makes the packages that `backupkit guard drill` plays with. Run by hand, once; their keys are drawn here and kept nowhere.

.venv/bin/python scripts/make_drill_packages.py
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from apk_factory import build_apk, make_key, sign  # noqa: E402  made by what the tests use

PACKAGE = "org.example.chat"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folder = ROOT / "backupkit" / "ops" / "guarding" / "drill_packages"
    for name, maker, version in (("installed", "maker", 10), ("update", "stranger", 20), ("swapped", "thief", 20)):
        package = sign(build_apk(PACKAGE, version), make_key("ec", maker), schemes=("v2", "v3"))
        (folder / f"{name}.apk").write_bytes(package)


if __name__ == "__main__":
    main()
