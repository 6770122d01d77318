"""`backupkit config`: see, check and change the settings."""

import json
import os
import shlex
import subprocess
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated

import typer

from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ValueWrong
from backupkit.config.schema import config_schema as schema_of_settings, template
from backupkit.config.writing import settings_as_toml
from backupkit.errors import BackupkitError, ExitCode


class EditorFailed(BackupkitError):
    """No editor could be run. Facts: `editor`, `reason`."""

    code = "editor-failed"
    exit_code = ExitCode.USAGE


def config_show(context: typer.Context) -> None:
    """Show what counts after all files, variables and options were put together."""
    session = session_of(context)
    settings, places = session.settings, session.places
    facts = {"repository": str(places.repository), "state": str(places.state), "cache": str(places.cache)}
    lines = [f"# {session.say(f'config.place-{name}', path=place)}" for name, place in facts.items()]
    named = [session.say("config.from-file", path=origin) for origin in settings.origins]
    nothing = session.say("config.none", file=str(session.settings_file))
    lines += [f"# {line}" for line in named or [nothing]]
    session.printer.summary(_in_force(session), [*lines, "", *settings_as_toml(settings)][:-1])


def config_check(context: typer.Context) -> None:
    """Read the settings and say whether they are right."""
    session = session_of(context)
    settings = session.read_settings()
    publish_policy(session)
    key = "config.checked" if settings.origins else "config.none"
    lines = [session.say(key, file=", ".join(settings.origins) or str(session.settings_file))]
    session.printer.summary({"files": list(settings.origins), "sources": len(settings.sources)}, lines)


def config_edit(context: typer.Context) -> None:
    """Open the settings in the editor and check them afterwards."""
    session = session_of(context)
    path = session.settings_file
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(template(), "utf-8")
    editor = session.environment.get("VISUAL") or session.environment.get("EDITOR") or "vi"
    try:
        ran = subprocess.run([*shlex.split(editor), os.fspath(path)], check=False)
    except (OSError, ValueError) as problem:
        raise EditorFailed(editor=editor, reason=getattr(problem, "strerror", None) or "unreadable") from problem
    if ran.returncode != 0:
        raise EditorFailed(editor=editor, reason=f"exit {ran.returncode}")
    config_check(context)


def schema_names() -> list[str]:
    """Return the names of the schemas that come with backupkit."""
    return ["config-1", *sorted(_shipped())]


def config_schema(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")] = "config-1") -> None:
    """Print a JSON Schema."""
    session = session_of(context)
    known = schema_names()
    if name not in known:
        raise ValueWrong(name="NAME", found=name, expected=" | ".join(known), help="backupkit config schema --help")
    schema = schema_of_settings() if name == "config-1" else json.loads(_shipped()[name].read_text("utf-8"))
    session.printer.summary(
        {"name": name, "schema": schema}, json.dumps(schema, indent=2, ensure_ascii=False).splitlines()
    )


def _shipped() -> dict[str, Traversable]:
    """Return the schema files by name: those of the command line, and those of the contract with app stores."""
    house = resources.files("backupkit")
    folders = [folder for folder in (house / "ui" / "schemas", house / "hooks" / "schemas") if folder.is_dir()]
    files = [file for folder in folders for file in folder.iterdir()]
    return {file.name.removesuffix(".json"): file for file in files if file.name.endswith(".json")}


def _in_force(session: Session) -> dict[str, object]:
    settings, places = session.settings, session.places
    return {
        "repository": str(places.repository), "state": str(places.state), "cache": str(places.cache),
        "config_file": str(session.settings_file), "files": list(settings.origins),
        "passphrase_from": "named" if session.passphrases.is_named() else "asked",
        "keep_daily": settings.keep.daily, "keep_monthly": settings.keep.monthly,
        "verify_after_snapshot": settings.verify.after_snapshot, "verify_drill": settings.verify.drill,
        "guard_max_backup_age_s": int(settings.guard.max_backup_age.total_seconds()),
        "guard_needs": settings.guard.needs, "guard_when_unsure": settings.guard.when_unsure,
        "watch_settle_s": int(settings.watch.settle.total_seconds()),
        "sources": [
            {"name": one.name, "path": str(one.path), "app": one.app, "package": one.package} for one in settings.sources
        ],
    }  # fmt: skip
