"""The 2018 accident, prevented: what ./scripts/demo shows.

Everything is real: the command line, the hook program, two signed packages, a chat database with a writer at work. Only
the phone is a folder.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import apk_factory  # noqa: E402  the packages and chats are made by what the tests use
import chat_factory  # noqa: E402

PACKAGE = "org.telegram.messenger"
APP = "Telegram"

WORDS = {
    "en": {
        "intro": "In 2018 an app store removed a chat app to install an update that was signed by somebody else. "
        "11 GB of messages were gone. Here is that day again, with backupkit.",
        "phone": "A phone: {chats} conversations with {messages} messages in an export, and a chat database that is being written to.",
        "offer": "The store offers an update of {app}. Its signature is not the installed app's. The store asks the hook.",
        "held": "The update is held: nothing is verified yet. The store must not install it.",
        "init": "A repository: encrypted, signed, with a recovery sheet whose words are typed back once.",
        "snap": "A snapshot, while the database is being written to. Every byte is read back.",
        "again": "The store asks again.",
        "consent": "Now the backup is verified. The update may go on, if the person agrees in two different steps:",
        "answered": "Somebody reads that, presses on, and types the name. The store hands both answers to the hook.",
        "gone": "Only now may it install. The store removes the app, and the phone's chats are gone.",
        "restore": "Everything comes back.",
        "same": "{files} files are the same to the byte, {messages} messages were counted again, the database passes its own check with {rows} rows.",
        "done": "Nothing was lost. It took {seconds:.0f} seconds. Have a look: {folder}",
        "step1": "1. shown:  messages {messages}, conversations {conversations}, backup verified {at}",
        "step2": "2. typed:  the app's name, {name}",
    },
    "zh-CN": {
        "intro": "2018 年，一家应用商店为了安装一个由别人签名的更新，先卸载了聊天应用，11 GB 的消息从此消失。下面用 backupkit 重演那一天。",
        "phone": "一部手机：导出的聊天记录里有 {chats} 个会话、{messages} 条消息，还有一个正在写入的聊天数据库。",
        "offer": "商店推送了 {app} 的更新，签名与已安装的应用不同。商店先询问钩子程序。",
        "held": "更新被暂缓：还没有任何已核验的备份。商店不得安装。",
        "init": "创建备份库：已加密、已签名，恢复单上的词要输入核对一次。",
        "snap": "在数据库仍在写入时拍快照，并读回每一个字节。",
        "again": "商店再次询问。",
        "consent": "现在备份已核验。只有本人经过两个不同的步骤同意，才可以继续：",
        "answered": "有人看完之后选择继续，并输入了名称。商店把这两个回答交给钩子程序。",
        "gone": "到这时才可以安装。商店卸载了应用，手机里的聊天记录没有了。",
        "restore": "全部恢复。",
        "same": "{files} 个文件逐字节相同，重新数出 {messages} 条消息，数据库自检通过，共 {rows} 行。",
        "done": "什么都没有丢。用时 {seconds:.0f} 秒。可以看看这里：{folder}",
        "step1": "第一步  显示：消息 {messages} 条，会话 {conversations} 个，备份核验于 {at}",
        "step2": "第二步  输入：应用名称 {name}",
    },
}


class Demo:
    """One run: its folder, its language, and a home of its own."""

    def __init__(self, folder: Path, language: str) -> None:
        self.folder = folder
        self.language = language
        self.home = folder / "home"
        self.phone = folder / "phone"
        self.home.mkdir(parents=True)
        self.phone.mkdir()
        (self.home / "passphrase").write_text("correct horse battery staple\n")
        (self.home / "passphrase").chmod(0o600)
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "LANG": "zh_CN.UTF-8" if language == "zh-CN" else "en_US.UTF-8",
            "BACKUPKIT_PASSPHRASE_FILE": str(self.home / "passphrase"),
            "COLUMNS": "110",
        }

    def say(self, key: str, **facts: object) -> None:
        said = WORDS[self.language][key].format(**facts)
        print(f"\n\033[1m{said}\033[0m" if sys.stdout.isatty() else f"\n{said}", flush=True)

    def backupkit(self, *arguments: str | Path, quiet: bool = False) -> str:
        shown = " ".join(str(argument).replace(str(self.folder) + "/", "") for argument in arguments)
        if not quiet:
            print(f"$ backupkit {shown}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "backupkit", *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        output = (done.stderr + done.stdout).replace(str(self.folder) + "/", "")
        if not quiet:
            print(output.rstrip(), flush=True)
        if done.returncode != 0:
            sys.exit(f"backupkit {shown}: exit {done.returncode}\n{output}")
        return done.stdout

    def ask_hook(self, installed: Path, candidate: Path, consent: dict[str, object] | None = None) -> dict[str, object]:
        request: dict[str, object] = {
            "type": "hook-request",
            "deadline_ms": 20_000,
            "v": 1,
            "action": "upgrade",
            "package": PACKAGE,
            "installed": {"path": str(installed)},
            "candidate": {"path": str(candidate)},
            "device_sdk": 28,
            "app_name": APP,
        }
        if consent is not None:
            request["consent"] = consent
        done = subprocess.run(
            [str(Path(sys.executable).with_name("backupkit-hook"))],
            input=json.dumps(request),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        verdict: dict[str, object] = json.loads(done.stdout)
        print("$ backupkit-hook < request.json", flush=True)
        for name in ("decision", "outcome", "reason", "signer_change", "would_erase", "loss"):
            print(f"    {name}: {json.dumps(verdict.get(name), ensure_ascii=False)}")
        asked = verdict.get("consent")
        if isinstance(asked, dict):
            print(f"    consent: {asked['state']}")
        print(f"    exit {done.returncode}", flush=True)
        return verdict


@contextmanager
def writer_at_work(database: Path) -> Iterator[None]:
    """A chat app that keeps writing to its database while we look."""
    code = (
        "import sqlite3, sys, time\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode=WAL')\n"
        "c.execute('CREATE TABLE IF NOT EXISTS live (n INTEGER PRIMARY KEY, at REAL, text TEXT)')\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    c.execute('INSERT INTO live(at, text) VALUES (?, ?)', (time.time(), '在吗 are you there ' * 4)); n += 1\n"
        "    time.sleep(0.002)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(database)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            yield
        finally:
            writer.kill()


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that does not belong to the live database."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("chat.db")
    }


def count_rows(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (rows,) = connection.execute("SELECT count(*) FROM live").fetchone()
    return int(rows)


def recovery_words(sheet: Path) -> str:
    """Read the words off the sheet, as a person with the paper in hand would."""
    listed = sheet.read_text("utf-8").partition('<ol class="words">')[2].partition("</ol>")[0]
    return " ".join(re.findall(r"<li><span>([^<]+)</span>", listed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = "zh-CN" if os.environ.get("LC_ALL", os.environ.get("LANG", "")).lower().startswith("zh") else "en"
    parser.add_argument("--lang", choices=sorted(WORDS), default=default)
    arguments = parser.parse_args()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=Path.cwd()))
    demo = Demo(folder, arguments.lang)

    demo.say("intro")
    facts = chat_factory.make_demo_phone(demo.phone, seed=2018, language=arguments.lang[:2])
    demo.say("phone", chats=facts.conversations, messages=facts.messages)
    database = demo.phone / "databases" / "chat.db"

    installed, candidate = folder / "installed.apk", folder / "update.apk"
    maker, stranger = apk_factory.make_key("rsa", "maker"), apk_factory.make_key("rsa", "stranger")
    installed.write_bytes(apk_factory.sign_v2(apk_factory.build_apk(PACKAGE, 10), maker))
    candidate.write_bytes(apk_factory.sign_v2(apk_factory.build_apk(PACKAGE, 20), stranger))

    demo.say("init")
    sheet = folder / "recovery-sheet.html"
    demo.backupkit("init", "--no-input", "--recovery-sheet", sheet)
    words = folder / "words-typed-back"
    words.write_text(recovery_words(sheet))
    demo.backupkit("key", "confirm", "--recovery-words-file", words)
    words.unlink()
    demo.backupkit("guard", "trust", "add", installed)

    demo.say("offer", app=APP)
    verdict = demo.ask_hook(installed, candidate)
    assert verdict["decision"] == "hold", verdict
    demo.say("held")

    demo.say("snap")
    with writer_at_work(database):
        demo.backupkit("snapshot", demo.phone, "--name", "phone", "--app", "telegram")

    demo.say("again")
    verdict = demo.ask_hook(installed, candidate)
    assert verdict["decision"] == "allow", verdict
    assert verdict["consent"], verdict
    demo.say("consent")
    loss, coverage = verdict["loss"], verdict["coverage"]
    assert isinstance(loss, dict)
    assert isinstance(coverage, dict)
    print(
        "   ",
        WORDS[demo.language]["step1"].format(
            at=coverage.get("verified_at"), **{k: loss.get(k) for k in ("messages", "conversations")}
        ),
    )
    print("   ", WORDS[demo.language]["step2"].format(name=APP))

    needed = verdict["consent"]
    assert isinstance(needed, dict)
    assert needed["state"] == "needed", needed
    demo.say("answered")
    verdict = demo.ask_hook(installed, candidate, {"id": needed["id"], "understood": True, "typed": APP})
    given = verdict["consent"]
    assert isinstance(given, dict)
    assert (verdict["decision"], given["state"]) == ("allow", "given"), verdict

    before = digests(demo.phone)
    demo.say("gone")
    shutil.rmtree(demo.phone)

    demo.say("restore")
    demo.backupkit("restore", "latest", "--to", folder / "restored")
    restored = folder / "restored" / "phone"
    after = digests(restored)
    assert before == after, sorted(set(before.items()) ^ set(after.items()))
    counted = json.loads(demo.backupkit("doctor", restored, "--json", quiet=True).splitlines()[-1])
    assert counted["messages"] == facts.messages, counted
    demo.say(
        "same", files=len(after), messages=counted["messages"], rows=count_rows(restored / "databases" / "chat.db")
    )
    demo.say("done", seconds=time.monotonic() - started, folder=folder)


if __name__ == "__main__":
    main()
