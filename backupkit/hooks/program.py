"""`backupkit-hook`: one question on standard input, one answer on standard output, the decision as exit code.

It needs no passphrase and no repository, and loads nothing that could be slow. Whatever goes wrong, the answer is
"undecided" and the exit code 42. Specified in `docs/reference/hook-protocol.md`.
"""

import gc
import os
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from backupkit.hooks.one_answer import OneAnswer
from backupkit.hooks.protocol import (
    DEFAULT_DEADLINE_SECONDS,
    HOST_DEADLINE_SECONDS,
    MAX_REQUEST_BYTES,
    UNDECIDED_EXIT,
    USAGE_EXIT,
    undecided_line,
)

_HELP = {
    "en": """\
Usage: backupkit-hook [--request FILE]
       backupkit-hook serve [--socket PATH] [--http PORT] [--print-unit] [--json]
       backupkit-hook apt|pacman --state DIR [--watch NAME=APP]... [--except NAME]...

An app store or package manager asks before an update: may it be installed, or would it wipe the chats?
The question is one JSON object (hook-request) on standard input, the answer one JSON object (verdict) on standard output.

  --request FILE   read the question from a file
  serve            stay and answer many questions: one a line on a Unix socket, and over HTTP on this computer
    --socket PATH  where to listen; $XDG_RUNTIME_DIR/backupkit/hook.sock otherwise
    --http PORT    listen on 127.0.0.1 as well; 0 picks a port
    --print-unit   print a systemd unit and stop
    --json         print the unit, or why the server cannot start, as a JSON object
  apt              answer apt (DPkg::Pre-Install-Pkgs, version 3) from the guard below DIR/backupkit/guard
  pacman           answer pacman (a hook that NeedsTargets) from the guard below DIR/backupkit/guard
    --watch NAME=APP  this package keeps the chats of APP (com.tencent.mm) as well
    --except NAME     never mind this package
  --version        show the version
  --help           show this

Exit: 0 allow, 40 hold, 41 deny, 42 undecided. Install only on 0 and "decision":"allow", and where "consent" is not null
only when its "state" is "given". Everything else, a crash and a time-out included, means: do not install.
""",
    "zh": """\
用法：backupkit-hook [--request 文件]
      backupkit-hook serve [--socket 路径] [--http 端口] [--print-unit] [--json]
      backupkit-hook apt|pacman --state 文件夹 [--watch 软件包=应用]... [--except 软件包]...

应用商店或包管理器在更新之前询问：能不能安装，会不会清空聊天记录？
问题是标准输入中的一个 JSON 对象（hook-request），答复是标准输出中的一个 JSON 对象（verdict）。

  --request 文件   从文件读取问题
  serve            常驻运行，回答多个问题：在 Unix 套接字上一行一问，也可在本机使用 HTTP
    --socket 路径  监听位置；默认为 $XDG_RUNTIME_DIR/backupkit/hook.sock
    --http 端口    同时监听 127.0.0.1；0 表示自动选择端口
    --print-unit   输出 systemd 单元文件后退出
    --json         以 JSON 对象输出单元文件，或无法启动的原因
  apt              回答 apt（DPkg::Pre-Install-Pkgs，第 3 版），使用 文件夹/backupkit/guard 下的守卫
  pacman           回答 pacman（带 NeedsTargets 的钩子），使用 文件夹/backupkit/guard 下的守卫
    --watch 软件包=应用  这个软件包也保存该应用（如 com.tencent.mm）的聊天记录
    --except 软件包      不必过问这个软件包
  --version        显示版本
  --help           显示本说明

退出码：0 放行，40 暂缓，41 拒绝，42 无法判断。只有退出码为 0 且 "decision" 为 "allow" 时才可安装；
"consent" 不为空时，还须 "state" 为 "given"。其他任何情况，包括崩溃和超时，都表示：不要安装。
""",
}


_UNANSWERED = {
    "en": "backupkit: the question could not be answered, so nothing is changed. Why: backupkit explain {reason}\n",
    "zh": "backupkit：问题无法回答，因此不做任何更改。原因：backupkit explain {reason}\n",
}


def run() -> NoReturn:
    """Answer one question and end the process."""
    started = time.monotonic()
    # One answer and gone: collecting garbage and taking the interpreter down cost a tenth of the hook's whole time.
    gc.disable()
    _occupy_standard_streams()
    code = main(sys.argv[1:], os.environ, started=started)
    _tell("")
    os._exit(code)


def _occupy_standard_streams() -> None:
    """Let no file of ours become the standard output of a shop that closed its own: the answer would be written into it."""
    # Each in the direction that it is not used in, so that reading and writing fail as they did before.
    for stream, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, flags)


def main(arguments: Sequence[str], environment: Mapping[str, str], *, started: float) -> int:
    """Do what `run` does, and return the exit code."""
    if list(arguments) in (["--help"], ["-h"]):
        _print(_HELP[_language(environment)])
        return 0
    if list(arguments) == ["--version"]:
        from backupkit import __version__

        _print(f"backupkit-hook {__version__}\n")
        return 0
    if arguments and arguments[0] == "serve":
        return _serve(arguments[1:], environment)
    if arguments and arguments[0] in {"apt", "pacman"}:
        return _ask_for(arguments[0], arguments[1:], _language(environment), started)
    if arguments and (len(arguments) != 2 or arguments[0] != "--request"):
        _tell(_HELP["en"].splitlines()[0] + "\n")
        return USAGE_EXIT
    return _answer(arguments[1] if arguments else None, environment, started)


def _serve(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    # Imported here: one question needs nothing of a server.
    from backupkit.hooks.serving import serve, wanted_of

    wanted = wanted_of(arguments)
    if wanted is None:
        _tell(_HELP["en"].splitlines()[1].strip() + "\n")
        return USAGE_EXIT
    return serve(wanted, environment, _language(environment))


def _ask_for(host: str, arguments: Sequence[str], language: str, started: float) -> int:
    # Without a deadline, a stopped process that holds the guard's memory would keep the host, and its own lock, for ever.
    answer = OneAnswer(2, started=started, late=_shown(_UNANSWERED[language].format(reason="timed-out")))
    try:
        answer.expect_within(HOST_DEADLINE_SECONDS)
        from backupkit.hooks.apt import ask_apt
        from backupkit.hooks.pacman import ask_pacman
        from backupkit.hooks.system_packages import MAX_INPUT_BYTES, guarded_of

        guarded = guarded_of(arguments)
        if guarded is None:
            _tell(f"backupkit-hook {host} --state DIR [--watch NAME=APP]... [--except NAME]...\n")
            return USAGE_EXIT
        ask = {"apt": ask_apt, "pacman": ask_pacman}[host]
        told = ask(_read(0, most=MAX_INPUT_BYTES), guarded, language)
        text, code = told.text, told.code
    except BaseException as error:  # noqa: BLE001 - a guard that crashes must hold, and say so
        text, code = _UNANSWERED[language].format(reason=_failure(error)), UNDECIDED_EXIT
    # Where the standard error is closed or full, the exit code says all that counts.
    with suppress(OSError):
        answer.give(_shown(text))
    return code


def _shown(text: str) -> bytes:
    """Encode text for the terminal of a host, which may not show every letter."""
    return text.encode(getattr(sys.stderr, "encoding", None) or "utf-8", "backslashreplace")


def _answer(request_file: str | None, environment: Mapping[str, str], started: float) -> int:
    answer = OneAnswer(1, started=started)
    try:
        # Inside: a machine that has no room for one more thread gets an answer as well.
        answer.expect_within(DEFAULT_DEADLINE_SECONDS)
        data = _read(0 if request_file is None else _open(request_file))
        # Imported under the deadline, and after the question came: a question that is too large costs nothing.
        from backupkit.hooks.asking import decide, places_in

        line, code = decide(data, places_in(environment), answer.expect_within)
    except BaseException as error:  # noqa: BLE001 - a guard that crashes must hold, and say so
        line, code = undecided_line(_failure(error)), UNDECIDED_EXIT
    try:
        answer.give(line)
    except OSError:
        # An "allow" that nobody heard is none.
        return UNDECIDED_EXIT
    return code


def _failure(error: BaseException) -> str:
    if isinstance(error, _TooLarge):
        return "request-malformed"
    return "request-unreadable" if isinstance(error, OSError) else "guard-failed"


class _TooLarge(Exception):
    """The question is longer than any question may be."""


def _open(path: str) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(path)
    return handle


def _read(handle: int, *, most: int = MAX_REQUEST_BYTES) -> bytes:
    data = bytearray()
    while piece := os.read(handle, 1 << 16):
        data += piece
        if len(data) > most:
            raise _TooLarge
    return bytes(data)


def _language(environment: Mapping[str, str]) -> str:
    for name in ("BACKUPKIT_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _tell(text: str) -> None:
    """Write to the standard error. Where it is closed or full, the exit code says all that counts."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _print(text: str) -> None:
    # To a program UTF-8 whatever the locale says, to a terminal what it shows; Chinese on a Latin one would be a crash.
    encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
    sys.stdout.buffer.write(text.encode(encoding, "backslashreplace"))
    sys.stdout.buffer.flush()
