"""A program that speaks as adb does, for a phone that is a folder: what it says is what real versions of adb and Android say."""

import json
import sys
from pathlib import Path
from typing import Any

# Without the folders of installed packages it starts in half the time, and a question to a phone starts it six times.
_PROGRAM = """#!{python} -IS
import json, pathlib, shutil, sys, time
here = pathlib.Path({here!r})
phone = json.loads((here / "phone.json").read_text())
arguments = sys.argv[1:]
with (here / "asked.txt").open("a") as log:
    log.write(json.dumps(arguments) + "\\n")
if arguments == ["devices"]:
    sys.stdout.write(phone["devices"])
    sys.exit()
assert arguments[:2] == ["-s", phone["serial"]], arguments
verb, rest = arguments[2], arguments[3:]
if verb == "shell":
    assert len(rest) == 1
    time.sleep(phone["slow"])
    said, code, complained = phone["shell"].get(rest[0], ["", 1, ""])
    sys.stderr.write(phone["noise"] + complained)
    sys.stdout.write(said)
    sys.exit(code)
if verb == "pull":
    source = here / "phone" / rest[0].lstrip("/")
    if not source.is_file():
        sys.stderr.write(f"adb: error: failed to stat remote object '{{rest[0]}}': No such file or directory\\n")
        sys.exit(1)
    shutil.copyfile(source, rest[1])
    sys.stdout.write(f"{{rest[0]}}: 1 file pulled, 0 skipped. 35.1 MB/s\\n")
    sys.exit()
if verb in ("install", "install-multiple"):
    assert rest[0] == "-r"
    (here / "installed.json").write_text(json.dumps([pathlib.Path(name).read_bytes().hex() for name in rest[1:]]))
    said, code = phone["install"]
    sys.stdout.write(said)
    sys.exit(code)
sys.exit("adb: unknown command " + verb)
"""


class FakePhone:
    """A phone and the adb beside it, Android 14 unless told otherwise. `say` puts an answer in the place of the usual one."""

    serial = "R58M12ABCDE"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.adb = folder / "adb"
        self.adb.write_text(_PROGRAM.format(python=sys.executable, here=str(folder)))
        self.adb.chmod(0o755)
        self._told: dict[str, Any] = {
            "serial": self.serial,
            "devices": f"* daemon not running; starting now at tcp:5037\n* daemon started successfully\nList of devices attached\n{self.serial}\tdevice\n\n",
            "shell": {
                "getprop ro.build.version.sdk": ["34\n", 0, ""],
                "getprop ro.product.cpu.abilist": ["arm64-v8a,armeabi-v7a,armeabi\n", 0, ""],
                "pm path android": ["package:/system/framework/framework-res.apk\n", 0, ""],
                "pm list users": ["Users:\n\tUserInfo{0:Owner:c13} running\n", 0, ""],
            },
            "install": ["Performing Streamed Install\nSuccess\n", 0],
            "slow": 0,
            "noise": "",
        }
        self._keep()

    def has(self, package: str, **files: bytes) -> None:
        """Install an app, by the names of its package files without their ending."""
        where = self.where(package)
        for name, data in files.items():
            path = self.folder / "phone" / where.lstrip("/") / f"{name}.apk"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.say(f"pm path {package}", "".join(f"package:{where}/{name}.apk\n" for name in files))

    def where(self, package: str) -> str:
        """The folder of an app on the phone."""
        return f"/data/app/~~x9-_Q==/{package}-Zk3=="

    def answers(self, question: str) -> str:
        """What it says to a question of the shell now."""
        return str(self._told["shell"][question][0])

    def say(self, question: str, said: str, code: int = 0, complained: str = "") -> None:
        """Answer a question of the shell. Complaints of Android 7 and later come on standard error."""
        self._told["shell"][question] = [said, code, complained]
        self._keep()

    def tell(self, **fields: Any) -> None:
        """Change `devices`, `install`, `slow`, or the `noise` that adb makes on standard error."""
        self._told |= fields
        self._keep()

    @property
    def asked(self) -> list[list[str]]:
        """Every call of adb so far."""
        log = self.folder / "asked.txt"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def installed(self) -> list[bytes] | None:
        """The files that were installed, None where nothing was."""
        kept = self.folder / "installed.json"
        return [bytes.fromhex(data) for data in json.loads(kept.read_text())] if kept.exists() else None

    def _keep(self) -> None:
        (self.folder / "phone.json").write_text(json.dumps(self._told))
