"""Writes docs/reference from the code, in both languages. A test compares what lies there with what this would write.

python scripts/reference.py
"""

import argparse
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from backupkit.cli.codes import every_code, every_error
from backupkit.cli.environment import ENVIRONMENT
from backupkit.cli.grammar import command_at
from backupkit.cli.help_page import help_lines, path_key
from backupkit.cli.verbs import BY_PATH, SECTIONS, VERBS
from backupkit.config.keys import KEYS, TABLES
from backupkit.config.schema import template
from backupkit.errors import ExitCode
from backupkit.i18n import LANGUAGES, Catalogue, Language
from backupkit.ui.terminal import Terminal

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"

INTRODUCTIONS: dict[str, dict[Language, tuple[str, str]]] = {
    "commands": {
        "en": (
            "Commands",
            (
                "Every command takes the options listed first, before or after its name. Results go to the standard output, "
                "everything else to the standard error. The first Ctrl-C lets a command finish what is begun and keeps it; the "
                "second one stops at once. Both leave a usable repository."
            ),
        ),
        "zh-CN": (
            "命令",
            (
                "每个命令都接受最前面列出的通用选项，写在命令名之前或之后均可。结果写到标准输出，其余内容写到标准错误。第一次按 Ctrl-C 会把手头的部分完成并保留，"
                "第二次则立即停止；两种情况下备份库都完好可用。"
            ),
        ),
    },
    "exit-codes": {
        "en": (
            "Exit codes",
            (
                'A code that is not listed means failure. An app store installs only on exit 0 **and** `"decision":"allow"`; every '
                "other answer, a crash and a time-out included, means hold. Where the reader of the output leaves (`| head`), the "
                "process ends by the signal, which shells show as 141."
            ),
        ),
        "zh-CN": (
            "退出码",
            (
                '未列出的退出码一律表示失败。应用商店只有在退出码为 0 **并且** `"decision":"allow"` 时才能安装；其他任何回答，包括崩溃和超时，都表示暂缓。'
                "如果读取输出的一方提前离开（例如 `| head`），进程会因信号结束，shell 里显示为 141。"
            ),
        ),
    },
    "configuration": {
        "en": (
            "Configuration",
            (
                "Settings lie in `$XDG_CONFIG_HOME/backupkit/config.toml`, and for the whole machine in `/etc/backupkit/config.toml`. "
                "An option wins over the environment, that over a profile, that over your file, and that over the machine's. "
                "A key that is not known is an error with its line, never ignored. `backupkit config check` checks, "
                "`backupkit config show` shows what counts, `backupkit config schema` prints the JSON Schema. Lengths of time are "
                "written `90s`, `30m`, `24h`, `7d`, `2w`."
            ),
        ),
        "zh-CN": (
            "设置",
            (
                "设置文件是 `$XDG_CONFIG_HOME/backupkit/config.toml`，整机设置在 `/etc/backupkit/config.toml`。优先顺序为：选项、环境变量、配置方案、个人设置文件、整机设置文件。"
                "不认识的设置项会报错并指出行号，绝不会被忽略。`backupkit config check` 检查设置，`backupkit config show` 显示实际生效的值，`backupkit config schema` 输出 JSON Schema。"
                "时间长度写作 `90s`、`30m`、`24h`、`7d`、`2w`。"
            ),
        ),
    },
    "environment": {
        "en": (
            "Environment",
            (
                "No variable and no option holds the passphrase itself: others on the computer could read it. It comes from a file, "
                "a descriptor or a program, in this order: the variables below, then the settings, then the person at the terminal. "
                "With `--no-input`, or without a terminal, nobody is asked."
            ),
        ),
        "zh-CN": (
            "环境变量",
            (
                "没有任何变量或选项直接存放口令，因为这台电脑上的其他人可能读到它。口令来自文件、文件描述符或程序，顺序为：下面的变量、设置文件、终端前的人。"
                "使用 `--no-input` 或没有终端时，不会询问任何人。"
            ),
        ),
    },
    "json-output": {
        "en": (
            "JSON output",
            (
                "With `--json` every line of the standard output is one JSON object in UTF-8 with `type` and `v`. The last one is `summary` "
                "or `error`; only `guard check` and `guard inspect` end with `verdict` and `package` instead. Times are UTC (RFC 3339), sizes are bytes, ids are whole, "
                "and codes stand where people would read sentences, so nothing depends on the language. New fields may be added; a field "
                "never changes its meaning while `v` stays. The schemas come with backupkit: `backupkit config schema status-1`."
            ),
        ),
        "zh-CN": (
            "JSON 输出",
            (
                "使用 `--json` 时，标准输出的每一行都是一个 UTF-8 编码的 JSON 对象，带有 `type` 和 `v`。最后一行是 `summary` 或 `error`；只有 `guard check` 和 `guard inspect` "
                "分别以 `verdict` 和 `package` 结束。时间为 UTC（RFC 3339），大小以字节计，ID 完整给出；给人看的句子在这里用代码表示，因此与语言无关。"
                "以后可能增加字段；只要 `v` 不变，字段的含义就不变。各个 schema 随 backupkit 提供：`backupkit config schema status-1`。"
            ),
        ),
    },
    "errors": {
        "en": (
            "Codes",
            (
                "Every message ends in a code; `backupkit explain CODE` shows what stands here. What a message is filled with stands "
                "in ‹angle marks›."
            ),
        ),
        "zh-CN": (
            "代码",
            "每条提示都以代码结尾；`backupkit explain 代码` 会显示这里的内容。‹尖角号›里的是提示会填入的具体数据。",
        ),
    },
}

HEADINGS: dict[str, dict[Language, str]] = {
    "code": {"en": "Code", "zh-CN": "代码"},
    "meaning": {"en": "Meaning", "zh-CN": "含义"},
    "key": {"en": "Key", "zh-CN": "设置项"},
    "default": {"en": "Default", "zh-CN": "默认值"},
    "values": {"en": "Values", "zh-CN": "取值"},
    "variable": {"en": "Variable", "zh-CN": "变量"},
    "field": {"en": "Field", "zh-CN": "字段"},
    "form": {"en": "Form", "zh-CN": "形式"},
    "exit": {"en": "Exit code", "zh-CN": "退出码"},
    "template": {"en": "A file to start from", "zh-CN": "可以从这个文件开始"},
    "required": {"en": "required", "zh-CN": "必填"},
    "generated": {
        "en": "Written from the code by `scripts/reference.py`; change the code or the catalogues, then run it again.",
        "zh-CN": "本页由 `scripts/reference.py` 从代码生成；请修改代码或语言目录后重新运行。",
    },
    "findings": {"en": "Findings and notices", "zh-CN": "发现的问题与提示"},
    "reasons": {"en": "Reasons of verdicts", "zh-CN": "裁定的理由"},
    "errors": {"en": "Errors", "zh-CN": "错误"},
}


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    written = {}
    for language in LANGUAGES:
        catalogue = Catalogue(language)
        for name, write in _WRITERS.items():
            title, introduction = INTRODUCTIONS[name][language]
            suffix = "" if language == "en" else f".{language}"
            head = [f"# {title}", "", introduction, "", f"<!-- {HEADINGS['generated'][language]} -->", ""]
            written[f"{name}{suffix}.md"] = "\n".join([*head, *write(catalogue)]).rstrip() + "\n"
    return written


def _commands(catalogue: Catalogue) -> Iterator[str]:
    terminal = Terminal(columns=100)
    whole = help_lines(command_at(""), "", catalogue, terminal)
    start = whole.index(catalogue.say("help.everywhere"))
    yield from ("```text", *whole[start : whole.index("", start)], "```", "")
    for section in SECTIONS:
        yield f"## {catalogue.say(f'help.section.{section}')}"
        for verb in VERBS:
            if verb.section != section:
                continue
            lines = help_lines(command_at(verb.path), verb.path, catalogue, terminal)
            start = lines.index(catalogue.say("help.everywhere"))
            end = next((n for n, line in enumerate(lines) if line == "" and n > start), len(lines))
            yield from ("", f"### backupkit {verb.path}", "", "```text", *lines[: start - 1], *lines[end:], "```")
        yield ""


def _exit_codes(catalogue: Catalogue) -> Iterator[str]:
    language = catalogue.language
    yield from _header(HEADINGS["exit"][language], HEADINGS["meaning"][language])
    for code in ExitCode:
        yield f"| {int(code)} | {catalogue.say(f'exit.{int(code)}')} |"


def _configuration(catalogue: Catalogue) -> Iterator[str]:
    language = catalogue.language
    names = [HEADINGS[name][language] for name in ("key", "values", "default", "meaning")]
    yield from _header(*names)
    yield f"| `version` | `1` | `1` | {catalogue.say('config.key.version')} |"
    for key in KEYS:
        default = (
            HEADINGS["required"][language] if key.required else "" if key.default is None else f"`{_toml(key.default)}`"
        )
        values = key.expected.replace("|", "\\|")
        yield f"| `{key.dotted}` | `{values}` | {default} | {catalogue.say(f'config.key.{key.dotted}')} |"
    yield f"| `profile` | `[profile.travel.{next(iter(TABLES))}]` | | {catalogue.say('config.key.profile')} |"
    yield from ("", f"## {HEADINGS['template'][language]}", "", "```toml", *template().splitlines(), "```")


def _environment(catalogue: Catalogue) -> Iterator[str]:
    language = catalogue.language
    yield from _header(HEADINGS["variable"][language], HEADINGS["meaning"][language])
    for name in ENVIRONMENT:
        yield f"| `{name}` | {catalogue.say(f'environment.{name}')} |"


def _json_output(catalogue: Catalogue) -> Iterator[str]:
    language = catalogue.language
    for file in sorted((resources.files("backupkit") / "ui" / "schemas").iterdir(), key=lambda one: one.name):
        schema = json.loads(file.read_text("utf-8"))
        name = file.name.removesuffix(".json")
        yield from (f"## {name}", "", catalogue.say(f"schema.{name}"), "")
        yield from _header(*(HEADINGS[word][language] for word in ("field", "form", "meaning")))
        yield from _fields(schema, "", catalogue)
        yield ""


def _fields(schema: dict[str, Any], before: str, catalogue: Catalogue) -> Iterator[str]:
    for name, below in schema.get("properties", {}).items():
        items = below.get("items", {})
        many = "[]" if items else ""
        form = _form(below) if not items else _form(items) + "[]"
        yield f"| `{before}{name}{many}` | {form} | {catalogue.say(f'field.{name}')} |"
        yield from _fields(items or below, f"{before}{name}{many}.", catalogue)


def _form(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    kinds = schema.get("type", "any")
    return kinds if isinstance(kinds, str) else " / ".join(kinds)


def _errors(catalogue: Catalogue) -> Iterator[str]:
    language = catalogue.language
    codes = every_code(catalogue)
    exits = every_error()
    yield f"## {HEADINGS['errors'][language]}"
    for code, meaning in sorted(codes.items()):
        if meaning.kind != "error":
            continue
        exit_code = f"{HEADINGS['exit'][language]} {int(exits[code].exit_code)}" if code in exits else ""
        yield from ("", f"### {code}", "", *([exit_code, ""] if exit_code else []))
        yield from (f"- **{catalogue.say(label)}** {text}" for label, text in (
            ("explain.what", meaning.what), ("error.label.why", meaning.why), ("error.label.try", meaning.attempt),
        ) if text)  # fmt: skip
    yield from ("", f"## {HEADINGS['findings'][language]}", "")
    yield from _header(HEADINGS["code"][language], HEADINGS["meaning"][language])
    for code, meaning in sorted(codes.items()):
        if meaning.kind in {"finding", "notice"}:
            yield f"| `{code}` | {meaning.what.replace('|', chr(92) + '|')} |"
    yield from ("", f"## {HEADINGS['reasons'][language]}")
    for code, meaning in sorted(codes.items()):
        if meaning.kind == "reason":
            yield from ("", f"### guard/{code}", "")
            yield from (f"- **{catalogue.say(label)}** {text}" for label, text in (
                ("explain.what", meaning.what), ("error.label.why", meaning.why), ("error.label.try", meaning.attempt),
            ) if text)  # fmt: skip


def _header(*names: str) -> Iterator[str]:
    yield "| " + " | ".join(names) + " |"
    yield "|" + " --- |" * len(names)


def _toml(value: str | int | bool) -> str:  # noqa: FBT001  -- a default of the settings
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


_WRITERS = {
    "commands": _commands,
    "exit-codes": _exit_codes,
    "configuration": _configuration,
    "environment": _environment,
    "json-output": _json_output,
    "errors": _errors,
}


def main() -> None:
    """Write every page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    assert all(path_key(path) for path in BY_PATH)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
