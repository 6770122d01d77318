"""A small system below a folder, as pacman knows one: what the hook needs to run in there, and packages of our own."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

_LOADED = """
import sys, time
from backupkit.hooks.program import main
code = main(["pacman", "--state", sys.argv[1]], {}, started=time.monotonic())
assert code == 0, code
print(*(file for one in [*sys.modules.values()] if (file := getattr(one, "__file__", None))), sep="\\n")
print(*(line.split()[-1] for line in open("/proc/self/maps") if "/" in line), sep="\\n")
"""


@dataclass(frozen=True)
class ArchRoot:
    """A system with the real pacman's database, in which everything runs with `folder` for its root."""

    folder: Path

    @property
    def entry(self) -> Path:
        """Where pacman reads our hook."""
        return self.folder / "etc/pacman.d/hooks/00-backupkit.hook"

    def pacman(
        self, *arguments: str, where: str = "--sysroot", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the real pacman, which never asks and never looks at signatures here."""
        return subprocess.run(
            ["pacman", "--noconfirm", where, str(self.folder), *arguments],
            capture_output=True, text=True, check=False, cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LANG": "C", **environment},
        )  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run the real pacman in the background; all that it says comes on its standard output."""
        return subprocess.Popen(
            ["pacman", "--noconfirm", "--sysroot", str(self.folder), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=self.folder, env={"PATH": os.environ["PATH"], "LANG": "C"},
        )  # fmt: skip

    def copy(self, folder: Path) -> "ArchRoot":
        """Return another one just like it, which shares its files."""
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=os.link)
        return ArchRoot(folder)

    def version(self, name: str) -> str | None:
        """Which version of a program is there."""
        file = self.folder / f"usr/share/{name}/version"
        return file.read_text() if file.exists() else None

    def package(self, name: str, version: str, *more: str) -> str:
        """Make a package, with more lines about it, and return its path as it is seen inside."""
        about = "\n".join([f"pkgname = {name}", f"pkgver = {version}-1", "pkgdesc = a chat", "arch = any", *more, ""])
        path = self.folder / f"{name}-{version}-1-any.pkg.tar"
        with tarfile.open(path, "w") as tar:
            for inside, content in ((".PKGINFO", about), (f"usr/share/{name}/version", version)):
                entry = tarfile.TarInfo(inside)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content.encode()))
        return f"/{path.name}"


def make_arch_root(folder: Path, guarded: Path) -> ArchRoot:
    """Make a system with all that the hook loads while it allows an update. `guarded` is a state folder where it does."""
    # Whoever lives in there must get through, as through any system's root.
    folder.chmod(0o755)
    for name in ("etc/pacman.d", "var/lib/pacman", "var/cache/pacman/pkg", "var/log", "dev", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/pacman.conf").write_text(
        "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n"
    )
    for link in ("bin", "lib", "lib64"):
        if Path("/", link).is_symlink():
            (folder / link).symlink_to(Path("/", link).readlink())
            (folder / link).resolve().mkdir(parents=True)
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED, guarded], input="wechat\n", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    libraries = [sys.executable, *(file for file in loaded if ".so" in file)]
    linked = subprocess.run(["ldd", *libraries], capture_output=True, text=True, check=True).stdout.split()
    hook, environment = Path(sys.executable).with_name("backupkit-hook"), Path(sys.prefix)
    files = {
        *map(Path, loaded), *(Path(word) for word in linked if word.startswith("/") and not word.endswith(":")), Path("/etc/ld.so.cache"), hook,
        Path(sys.executable), environment / "pyvenv.cfg", *environment.glob("lib/python*/site-packages/*.pth"),
    }  # fmt: skip
    # Where a virtual environment finds what it was made from.
    base = Path(getattr(sys, "_base_executable", sys.executable))
    for file in {*files, base}:
        if file.is_file():
            copy = folder / file.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                shutil.copy(file, copy)
    return ArchRoot(folder)
