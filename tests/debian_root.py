"""A small system below a folder, as apt knows one: apt's own folders, packages of our own, and a guard that says whether they may be changed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from guard_scene import Scene

from backupkit.clock import SystemClock


@dataclass
class Debian:
    """A root with nothing in it but apt's own folders, and a scene with the guard's memory."""

    folder: Path
    scene: Scene

    @property
    def entry(self) -> Path:
        return self.folder / "root" / "etc/apt/apt.conf.d/99backupkit"

    def apt(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return self.run("apt-get", "-y", "-q", *arguments, **environment)

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, env=self._environment(environment)
        )

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Run a command in the background; all that it says comes on its standard output."""
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=self.folder, env=self._environment(environment),
        )  # fmt: skip

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LANG": "C", "LC_ALL": "C", **more}

    def build(self, name: str, version: str) -> None:
        """Make a package in which its version stands."""
        package = self.folder / f"{name}-{version}"
        (package / "DEBIAN").mkdir(parents=True)
        (package / "usr/share" / name).mkdir(parents=True)
        (package / "usr/share" / name / "version").write_text(version)
        (package / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a chat\n"
        )
        subprocess.run(
            ["dpkg-deb", "-b", "--root-owner-group", package, self.folder / f"{name}_{version}.deb"],
            check=True, capture_output=True,
        )  # fmt: skip

    @property
    def version(self) -> str | None:
        """Which version of the chat program is there."""
        return self.version_of("wechat")

    def version_of(self, name: str) -> str | None:
        """Which version of a package is there."""
        file = self.folder / "root" / "usr/share" / name / "version"
        return file.read_text().strip() if file.exists() else None


def make_debian_root(folder: Path) -> Debian:
    """Make a system with nothing in it, and two versions of a chat program to install."""
    root = folder / "root"
    for name in (
        "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial", "var/log/apt",
        "var/cache/apt/archives/partial", "var/lib/dpkg/updates", "var/lib/dpkg/info",
    ):  # fmt: skip
        (root / name).mkdir(parents=True)
    for name in ("var/lib/dpkg/status", "etc/apt/sources.list"):
        (root / name).touch()
    (folder / "apt.conf").write_text(
        f'Dir "{root}/";\nDir::Etc::parts "apt.conf.d";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
        'Dir::Bin::dpkg "/usr/bin/dpkg";\nAPT::Sandbox::User "root";\n'
        f'DPkg::Options {{"--root={root}"; "--force-not-root"; "--log={root}/dpkg.log"; "--force-script-chrootless";}};\n'
    )
    scene = Scene(folder, now=SystemClock().now().replace(microsecond=0))
    scene.enrol_store()
    debian = Debian(folder, scene)
    for version in ("1.0", "2.0"):
        debian.build("wechat", version)
    return debian
