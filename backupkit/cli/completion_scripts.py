"""Completion scripts for shells, written from the tree of commands. They run nothing and need no network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backupkit.cli.grammar import command_at
from backupkit.cli.help_page import parameter_key, path_key
from backupkit.cli.verbs import BY_PATH, NOUNS, below
from backupkit.i18n import Catalogue


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be typed, and what it means."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Place:
    """What may follow a command path."""

    path: str
    commands: tuple[Choice, ...]
    options: tuple[Choice, ...]
    values: dict[str, tuple[str, ...]]


def places(catalogue: Catalogue) -> list[Place]:
    """Return what may be typed at every place of the tree."""
    return [_place(path, catalogue) for path in ("", *NOUNS, *(path for path in BY_PATH if path not in NOUNS))]


def _place(path: str, catalogue: Catalogue) -> Place:
    command = command_at(path)
    commands: tuple[Choice, ...] = ()
    if path not in BY_PATH:
        commands = tuple(
            Choice(name, catalogue.say(f"command.{path_key(f'{path} {name}'.strip())}.summary")) for name in below(path)
        )
    options, values = [], {}
    for one in command.params:
        if one.param_type_name != "option":
            # Where an argument is one of a few words, these are completed as commands are.
            meaning = catalogue.say(parameter_key(path, one))
            commands += tuple(Choice(word, meaning) for word in _words_of(one))
            continue
        longest = max(one.opts, key=len)
        options.append(Choice(longest, catalogue.say(parameter_key(path, one))))
        if words := _words_of(one):
            values[longest] = words
    return Place(path, commands, tuple(options), values)


def _words_of(parameter: Any) -> tuple[str, ...]:
    """Return the words of which a parameter takes one, or none."""
    choices = getattr(parameter.type, "choices", None) or ()
    return tuple(str(getattr(choice, "value", choice)) for choice in choices)


def _values(known: list[Place]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a shell's pattern for a place and the option before the cursor, and the values that this takes there."""
    shared = known[0].values
    for place in known:
        yield from (
            (f'"{place.path} {option}"', words) for option, words in place.values.items() if option not in shared
        )
    yield from ((f'*" {option}"', words) for option, words in shared.items())


def bash(catalogue: Catalogue) -> str:
    """Write the script for bash."""
    known = places(catalogue)
    lines = [
        "_backupkit() {",
        '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} place="" word words="" options=""',
    ]
    lines += ['    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do', '        case "$place/$word" in']
    lines += [f'            "{step}") place="{path}" ;;' for step, path in _steps(known)]
    lines += ["        esac", "    done", '    case "$place $prev" in']
    lines += [
        f'        {pattern}) COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$cur")); return ;;'
        for pattern, words in _values(known)
    ]
    lines += ["    esac", '    case "$place" in']
    for place in known:
        words, options = (" ".join(one.word for one in choices) for choices in (place.commands, place.options))
        lines.append(f'        "{place.path}") words="{words}"; options="{options}" ;;')
    # Options only behind a dash: whoever asks for a path wants to see files, which bash adds where nothing else fits.
    lines += ["    esac", '    [[ $cur == -* ]] && words="$options"']
    lines += ['    COMPREPLY=($(compgen -W "$words" -- "$cur"))', "}"]
    lines.append("complete -o bashdefault -o default -F _backupkit backupkit")
    return "\n".join(lines) + "\n"


def zsh(catalogue: Catalogue) -> str:
    """Write the script for zsh."""
    known = places(catalogue)
    lines = ["#compdef backupkit", "_backupkit() {", '    local place="" word', "    local -a commands options"]
    lines += ["    for word in ${words[2,CURRENT-1]}; do", '        case "$place/$word" in']
    lines += [f'            "{step}") place="{path}" ;;' for step, path in _steps(known)]
    lines += ["        esac", "    done", '    case "$place ${words[CURRENT-1]}" in']
    lines += [f"        {pattern}) compadd -- {' '.join(words)}; return ;;" for pattern, words in _values(known)]
    lines += ["    esac", '    case "$place" in']
    for place in known:
        commands = " ".join(_zsh_choice(choice) for choice in place.commands)
        options = " ".join(_zsh_choice(choice) for choice in place.options)
        lines.append(f'        "{place.path}") commands=({commands}); options=({options}) ;;')
    lines += ["    esac", "    if [[ $words[CURRENT] == -* ]]; then", "        _describe -o option options"]
    lines += [
        "    elif (( $#commands )); then",
        "        _describe command commands",
        "    else",
        "        _files",
        "    fi",
    ]
    lines += ["}", "compdef _backupkit backupkit"]
    return "\n".join(lines) + "\n"


def fish(catalogue: Catalogue) -> str:
    """Write the script for fish."""
    known = places(catalogue)
    lines = ["function __backupkit_place", '    set -l place ""', "    for word in (commandline -opc)[2..-1]"]
    lines += ['        switch "$place/$word"']
    lines += [f'            case "{step}"\n                set place "{path}"' for step, path in _steps(known)]
    lines += ["        end", "    end", '    test "$place" = "$argv[1]"', "end"]
    for place in known:
        at = f"complete -c backupkit -n '__backupkit_place \"{place.path}\"'"
        lines += [f"{at} -f -a {choice.word} -d {_quoted(choice.meaning)}" for choice in place.commands]
        for choice in place.options:
            words = place.values.get(choice.word)
            values = f" -x -a {_quoted(' '.join(words))}" if words else ""
            lines.append(f"{at} -l {choice.word.removeprefix('--')}{values} -d {_quoted(choice.meaning)}")
    return "\n".join(lines) + "\n"


def _steps(known: list[Place]) -> Iterator[tuple[str, str]]:
    """Yield which word leads from one place to the next: `key/list` to `key list`."""
    for place in known:
        if place.path:
            before, _, last = place.path.rpartition(" ")
            yield f"{before}/{last}", place.path


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _zsh_choice(choice: Choice) -> str:
    meaning = choice.meaning.replace("'", "'\\''").replace(":", "\\:")
    return f"'{choice.word}:{meaning}'"
