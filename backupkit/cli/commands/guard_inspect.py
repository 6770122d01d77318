"""`backupkit guard inspect FILE`: whether a package is genuine, and who signed it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backupkit.cli.session import Session, session_of
from backupkit.errors import BackupkitError, ExitCode
from backupkit.text import printable

if TYPE_CHECKING:
    from backupkit.guard.apk.package import Package


def guard_inspect(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    device_sdk: Annotated[int | None, typer.Option("--device-sdk", min=1, max=10000, metavar="N")] = None,
) -> ExitCode:
    """Read a package for one Android level, or for all that it installs on. Exit 41: not genuine; 42: undecided."""
    from backupkit.guard.apk.package import read_package
    from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided

    session = session_of(context)
    try:
        package = read_package(file, device_sdk=device_sdk)
    except (PackageNotGenuine, PackageUndecided) as refusal:
        session.printer.summary(_refused(file, refusal), _refused_lines(session, refusal), kind="package")
        return refusal.exit_code
    session.printer.summary(_fields(package), _lines(session, package), kind="package")
    return ExitCode.DONE


def _fields(package: "Package") -> dict[str, Any]:
    signing = package.signing
    lineage = signing.lineage.nodes if signing.lineage else ()
    return {
        "genuine": True, "package": package.package, "version_code": package.version_code,
        "min_sdk": package.min_sdk, "target_sdk": package.target_sdk,
        "signers": list(signing.digests), "scheme": signing.scheme,
        "lineage": [{"sha256": node.digest, "capabilities": _names(node.capabilities)} for node in lineage],
        "findings": [{"code": one.code, "detail": one.detail} for one in package.findings], "sha256": package.sha256,
    }  # fmt: skip


def _refused(file: Path, refusal: BackupkitError) -> dict[str, Any]:
    nothing = dict.fromkeys(("package", "version_code", "min_sdk", "target_sdk", "scheme"))
    finding = {"code": str(refusal.facts.get("reason", refusal.code)), "params": dict(refusal.facts)}
    genuine = False if refusal.exit_code is ExitCode.DENY else None
    return {
        "genuine": genuine, **nothing, "signers": [], "lineage": [], "findings": [finding], "sha256": _sha256(file),
        "exit_code": int(refusal.exit_code),
    }  # fmt: skip


def _sha256(file: Path) -> str | None:
    import hashlib

    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None


def _names(capabilities: int) -> list[str]:
    from backupkit.guard.facts import Capability

    return [one.name.lower().replace("_", "-") for one in Capability if one.name and capabilities & one]


def _lines(session: Session, package: "Package") -> list[str]:
    say, signing = session.say, package.signing
    head = session.terminal.paint("good", say("inspect.genuine"))
    lines = [f"{head}  {printable(package.package)}  {package.version_code}"]
    lines += ["  " + say("inspect.signer", scheme=signing.scheme, digest=digest) for digest in signing.digests]
    for node in signing.lineage.nodes if signing.lineage else ():
        allowed = ", ".join(_names(node.capabilities)) or say("word.none")
        lines.append("  " + say("inspect.lineage", digest=node.digest, capabilities=allowed))
    for finding in package.findings:
        lines.append("! " + say(f"finding.{finding.code}", detail=finding.detail))
    return [*lines, "  SHA-256  " + package.sha256]


def _refused_lines(session: Session, refusal: BackupkitError) -> list[str]:
    from backupkit.ui.error_text import error_text

    text = error_text(refusal, session.catalogue)
    head = "inspect.not-genuine" if refusal.exit_code is ExitCode.DENY else "inspect.undecided"
    return [session.terminal.paint("bad", session.say(head)) + "  " + text.what, "  " + text.why, "  " + text.attempt]
