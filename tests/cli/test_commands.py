"""Every command on a real repository: what it prints as JSON, and what it answers with."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chat_factory import write_chat_database, write_plain_database, write_telegram_chat, write_whatsapp_android
from computer import Computer, words_on
from json_schema import differences, schema_of

from backupkit.clock import FixedClock, SystemClock


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer with one chat in two snapshots, the second with more messages."""
    computer = Computer(tmp_path_factory.mktemp("home"))
    computer.initialise()
    chat = computer.home / "chat"
    write_telegram_chat(chat, messages=20)
    computer.run("snapshot", chat)
    (chat / "note.txt").write_text("new")
    computer.run("snapshot", chat, "--tag", "second")
    return computer


@pytest.mark.parametrize(
    ("arguments", "name", "code"),
    [
        (["snapshot", "chat"], "snapshot-1", 0),
        (["verify"], "verify-1", 0),
        (["verify", "--open"], "verify-1", 0),
        (["verify", "--sample", "10%"], "verify-1", 0),
        (["verify", "--quick"], "verify-1", 0),
        (["repair"], "repair-1", 0),
        (["show"], "show-1", 0),
        (["show", "latest:Family"], "show-1", 0),
        (["show", "--brief"], "show-1", 0),
        (["show", "latest:Nobody"], "error-1", 22),
        (["status"], "status-1", 0),
        (["stats"], "stats-1", 0),
        (["restore", "latest", "--to", "Restored"], "restore-1", 0),
        (["export", "latest", "--to", "Pages"], "export-1", 0),
        (["export", "--all-snapshots", "--to", "History", "--format", "text"], "export-1", 0),
        (["export", "latest", "--all-snapshots", "--to", "Clash"], "error-1", 2),
        (["export", "--to", "chat"], "error-1", 23),
        (["search", "--has", "image"], "search-1", 0),
        (["search"], "error-1", 2),
        (["search", "x", "--since", "yesterday"], "error-1", 2),
        (["search", "(", "--regex"], "error-1", 2),
        (["export", "--to", "Other", "--only", "nobody"], "error-1", 22),
        (["doctor", "chat"], "doctor-1", 0),
        (["doctor", "passphrase"], "doctor-1", 30),
        (["doctor", "nowhere"], "error-1", 2),
        (["show", "ffffffff"], "error-1", 22),
        (["restore", "latest", "--to", "chat"], "error-1", 23),
        (["--repo", "elsewhere", "status"], "error-1", 10),
        (["snapshot", "--app", "fax", "chat"], "error-1", 2),
        (["snapshot", "nowhere"], "error-1", 2),
        (["snapshot"], "error-1", 2),
        (["init"], "error-1", 2),
        (["key", "remove", "00000000"], "error-1", 22),
        (["guard", "inspect", "passphrase"], "package-1", 41),
    ],
)
def test_the_last_object_is_as_its_schema_says(home: Computer, arguments: list[str], name: str, code: int) -> None:
    answer = home.run(*arguments, "--json", expect=code)

    assert differences(answer.last, schema_of(name)) == []
    kinds = {"progress": "progress-1", "finding": "finding-1", "notice": "notice-1", "hit": "hit-1"}
    for line in answer.objects[:-1]:
        assert differences(line, schema_of(kinds.get(line["type"], "shown-conversation-1"))) == []
    assert [line["type"] for line in answer.objects[:-1] if line["type"] in {"summary", "error"}] == []


def test_each_snapshot_is_a_line_and_the_last_line_counts_them(home: Computer) -> None:
    *lines, summary = home.run("snapshots", "--json").objects

    assert [difference for line in lines for difference in differences(line, schema_of("snapshots-1"))] == []
    assert summary == {"type": "summary", "v": 1, "snapshots": len(lines)}
    assert lines[1]["tags"] == ["second"]
    assert lines[1]["previous"] == lines[0]["snapshot"]


def test_a_database_is_looked_at_without_a_key(home: Computer) -> None:
    write_plain_database(home.home / "plain.db", messages=200)
    (home.home / "sealed.db").write_bytes(os.urandom(64 * 4096))

    plain, sealed = home.run("doctor", "plain.db", "--json"), home.run("doctor", "sealed.db", "--json")

    assert (plain.last["format"], plain.last["sealed"]) == ("sqlite-database", False)
    assert (sealed.last["format"], sealed.last["sealed"], sealed.last["messages"]) == ("sealed-database", True, None)
    assert [difference for one in (plain, sealed) for difference in differences(one.last, schema_of("doctor-1"))] == []


def test_two_snapshots_that_differ_are_exit_6(home: Computer) -> None:
    first, second = (line["snapshot"] for line in home.run("snapshots", "--json").objects[:2])

    answer = home.run("diff", first[:8], second[:8], "--json", expect=6)

    assert differences(answer.last, schema_of("diff-1")) == []
    assert answer.last["added"] == ["chat/note.txt"]
    assert home.run("diff", second, second, "--json").last["same"] == answer.last["same"] + 1
    # Who names one only means it and the newest; of the newest itself that says nothing.
    assert "Both are snapshot" in home.run("diff", "latest").out
    assert "Both are snapshot" in home.run("diff", "latest", "--messages").out
    assert "Both are snapshot" not in home.run("diff", first, second, expect=6).out


def test_restored_files_are_the_ones_that_were_saved(home: Computer, tmp_path: Path) -> None:
    home.run("restore", "--to", tmp_path / "out")

    saved = {path.name: path.read_bytes() for path in (home.home / "chat").rglob("*") if path.is_file()}
    restored = {path.name: path.read_bytes() for path in (tmp_path / "out/chat").rglob("*") if path.is_file()}
    assert restored == saved


def test_a_wrong_passphrase_is_exit_12(home: Computer) -> None:
    wrong = home.home / "wrong"
    wrong.write_text("not it\n")
    wrong.chmod(0o600)

    answer = home.run("key", "test", "--json", expect=12, BACKUPKIT_PASSPHRASE_FILE=str(wrong))

    assert answer.last["exit_code"] == 12


def test_the_recovery_words_open_without_the_passphrase(home: Computer, tmp_path: Path) -> None:
    answer = home.run(
        "restore", "--to", tmp_path / "out", "--recovery-words-file", home.home / "words", "--json",
        BACKUPKIT_PASSPHRASE_FILE="/nowhere",
    )  # fmt: skip

    assert answer.last["damaged"] == []


def test_the_status_of_an_empty_repository_says_so_and_names_what_the_sheet_names(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()

    answer = computer.run("status", "--verbose", expect=5)

    assert answer.out.startswith("Not safe: nothing is saved here yet.")
    (on_the_sheet,) = re.findall(r"backupkit\.local/store/[a-z0-9]+", (computer.home / "sheet.html").read_text("utf-8"))
    assert f"id {on_the_sheet}" in answer.out
    for asked in (("restore", "--to", "there"), ("export", "--all-snapshots", "--to", "there"), ("verify",)):
        assert computer.run(*asked, "--json", expect=22).last["code"] == "no-snapshot-yet"


@pytest.mark.parametrize(("wanted", "is_named"), [("weekly", True), ("never", False)])
def test_a_drill_that_is_due_is_named_and_is_no_alarm(home: Computer, wanted: str, is_named: bool) -> None:
    (settings := home.home / "drill.toml").write_text(
        f'version = 1\n[guard]\nmax-backup-age = "30d"\n[verify]\ndrill = "{wanted}"\n'
    )
    home.clock = FixedClock(datetime.now(UTC) + timedelta(days=8))
    try:
        answer = home.run_here("status", "--config", settings)
    finally:
        home.clock = SystemClock()

    assert (f"It is time for a drill (verify.drill is {wanted}): backupkit drill" in answer.out) is is_named
    assert ("drill" in answer.out) is is_named


@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_what_the_sheet_says_to_type_works_on_any_computer(tmp_path: Path, language: str) -> None:
    computer, another = Computer(tmp_path / "one", language), Computer(tmp_path / "another")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", "chat")

    (command,) = re.findall("<code>backupkit ([^<]+)</code>", (computer.home / "sheet.html").read_text("utf-8"))
    typed = command.replace("DIR", str(computer.repository)).split()
    another.run(*typed, "--recovery-words-file", computer.home / "words")

    assert (another.home / "chats" / "chat" / "result.json").exists()


def test_a_stale_backup_is_exit_5(home: Computer) -> None:
    config = home.home / "strict.toml"
    config.write_text("[guard]\nmax-backup-age = '1s'\n")
    time.sleep(1.1)  # the age itself is what is tested

    answer = home.run("status", "--config", config, "--json", expect=5)

    assert answer.last["stale"] is True


def test_an_unreadable_file_is_exit_3_and_named(home: Computer) -> None:
    chat = home.home / "broken"
    write_telegram_chat(chat, messages=5)
    (chat / "loop").mkdir()
    target = chat / "no-utf8-\udcff"
    target.write_bytes(b"x")

    answer = home.run("snapshot", chat, "--json", expect=None)

    assert answer.code in {0, 3}
    assert answer.last["complete"] is (answer.code == 0)


def test_damage_is_exit_20_without_a_traceback(home: Computer, tmp_path: Path) -> None:
    computer = Computer(tmp_path / "other")
    computer.initialise()
    chat = computer.home / "chat"
    write_telegram_chat(chat, messages=20)
    computer.run("snapshot", chat)
    for pack in (computer.repository / "packs").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            # Often enough that no stretch between two of them holds a whole chat.
            for place in range(1500, len(data), 200):
                data[place] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(data)

    sealed = computer.run("verify", "--json", expect=20)
    restored = computer.run("restore", "--to", "out", expect=20)

    assert differences(sealed.last, schema_of("verify-1")) == []
    assert sealed.last["state"] == "damaged"
    assert "damaged" in restored.out


@pytest.mark.parametrize(
    ("language", "arguments"),
    [
        ("en", ["status"]),
        ("en", ["verify"]),
        *(
            ("zh-CN", line.split())
            for line in ("status", "snapshots", "show", "key list", "config show", "preview-loss chat")
        ),
    ],
)
def test_people_read_sentences_and_no_keys(home: Computer, language: str, arguments: list[str]) -> None:
    answer = home.run(*arguments, "--lang", language)

    keys = ("finding.", "notice.", "error.", "state.", "loss.", "key.", "snapshot.", "progress.")
    assert [word for word in (answer.out + answer.err).split() if word.startswith(keys)] == []
    assert answer.out.strip()


def test_plain_output_is_one_record_per_line(home: Computer) -> None:
    lines = home.run("snapshots", "--plain").out.splitlines()

    assert all(line.split("\t")[0] in {"snapshot", "summary"} for line in lines)
    assert "state=verified" in lines[0]


def test_quiet_leaves_only_the_result(home: Computer) -> None:
    assert home.run("verify", "-q").err == ""


def test_a_first_snapshot_without_anybody_to_ask_needs_init(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    chat = computer.home / "chat"
    write_telegram_chat(chat, messages=5)

    refused = computer.run("snapshot", chat, "--no-input", "--json", expect=10)
    made = computer.run("snapshot", chat, "--no-input", "--init", "--recovery-sheet", "sheet.html", "--json")

    assert refused.last["code"] == "no-repository"
    assert made.last["state"] == "verified"
    assert len(words_on(computer.home / "sheet.html")) == 24
    assert (computer.home / "sheet.html").stat().st_mode & 0o777 == 0o600


def test_a_sheet_is_never_written_over_anything(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    (computer.home / "sheet.html").write_text("precious")

    answer = computer.run("init", "--no-input", "--recovery-sheet", "sheet.html", "--json", expect=23)

    assert answer.last["code"] == "sheet-exists"
    assert (computer.home / "sheet.html").read_text() == "precious"
    assert not computer.repository.exists()


def test_a_repository_is_not_made_where_no_sheet_can_be_written(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")

    answer = computer.run("init", "--no-input", "--recovery-sheet", "no/such/folder/sheet.html", "--json", expect=2)

    assert answer.last["code"] == "sheet-unwritable"
    assert not computer.repository.exists()


def test_keys_are_added_tried_and_removed(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    new = computer.home / "new"
    new.write_text("another passphrase\n")
    new.chmod(0o600)

    slot = computer.run("key", "add", "--new-passphrase-file", new, "--label", "office", "--json").last["id"]
    tried = computer.run("key", "test", "--json", BACKUPKIT_PASSPHRASE_FILE=str(new)).last
    computer.run("key", "remove", slot)
    computer.run("key", "test", "--json", expect=12, BACKUPKIT_PASSPHRASE_FILE=str(new))
    sheet = computer.run("key", "sheet", "--to", "second.html", "--json").last

    assert (tried["id"], tried["label"]) == (slot, "office")
    assert sheet["recovery_confirmed"] is False
    computer.run("key", "test", "--recovery-words-file", "words", expect=12)
    assert len(words_on(computer.home / "second.html")) == 24


def test_watching_once_saves_the_sources_of_the_settings(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[[source]]\nname = 'telegram'\npath = '{computer.home}/chat'\n[watch]\nsettle = '1s'\n")

    answer = computer.run("watch", "--once", "--json")

    assert answer.last["saves"] == 1
    assert [line["state"] for line in answer.objects if line["type"] == "snapshot"] == ["verified"]
    assert len([path for path in (computer.repository / "parity").rglob("*") if path.is_file()]) == 2
    assert computer.run("status", "--json").last["sources"][0]["name"] == "telegram"


@pytest.mark.parametrize(
    ("number", "code", "error"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        # Somebody closed the window.
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_a_snapshot_that_is_stopped_keeps_what_it_stored(
    tmp_path: Path, number: signal.Signals, code: int, error: str
) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    folder = computer.home / "media"
    folder.mkdir()
    for place in range(20):
        (folder / f"{place:02d}.bin").write_bytes(os.urandom(1 << 20))
    # Tests that were started with `nohup` would hand on that a closed window is to be ignored.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with subprocess.Popen(
        computer.command("snapshot", folder, "--json"),
        env=computer.environment,
        cwd=computer.home,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("phase") == "store":
                process.send_signal(number)
                break
        rest = [json.loads(line) for line in process.stdout]
    signal.signal(signal.SIGHUP, before)

    assert process.returncode == code
    assert rest[-1]["code"] == error
    assert [one["state"] for one in rest if one["type"] == "summary"] == ["partial"]
    assert computer.run("verify", "--json").last["findings"] == []
    assert computer.run("snapshot", folder, "--json").last["complete"] is True


def test_whoever_saved_before_and_names_nothing_is_given_the_whole_command(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    computer.run("snapshot", "--json", expect=2)
    (computer.home / "my chat").mkdir()
    (computer.home / "my chat/saved.bin").write_bytes(os.urandom(100))
    computer.run("snapshot", "my chat")

    told = computer.run("snapshot", "--repo", computer.repository, "--json", expect=2).last

    program, *words = shlex.split(told["params"]["command"])
    assert (told["code"], program) == ("nothing-named", "backupkit")
    computer.run(*words)
    assert computer.run("status", "--json").last["repository"]["snapshots"] == 2
    (computer.home / "my chat").rename(computer.home / "moved")
    assert computer.run("snapshot", "--json", expect=2).last["code"] == "nothing-to-save"


def test_a_snapshot_that_covers_no_app_says_how_to_name_one(tmp_path: Path) -> None:
    """It said "verified", and the guard went on holding the update of the app that the files are from."""
    computer = Computer(tmp_path / "new")
    computer.initialise()
    (computer.home / "chat").mkdir()
    (computer.home / "chat/saved.bin").write_bytes(os.urandom(100))

    unnamed = computer.run("snapshot", "chat").out
    named = computer.run("snapshot", "chat", "--package", "org.example.chat").out

    assert "i The files do not tell which app they are from" in unnamed
    assert "--package PACKAGE" in unnamed
    assert "do not tell" not in named
    assert "covers org.example.chat for the guard" in named


def test_what_is_left_of_a_stopped_snapshot_is_not_called_no_files(tmp_path: Path) -> None:
    """It said "0 files, 0 B" of what it had stored."""
    computer = Computer(tmp_path / "new")
    computer.initialise()
    folder = computer.home / "chat"
    folder.mkdir()
    for place in range(20):
        (folder / f"{place:02d}.bin").write_bytes(os.urandom(1 << 20))
    with subprocess.Popen(
        computer.command("snapshot", folder, "--progress", "lines"),
        env=computer.environment,
        cwd=computer.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Saving"):
                process.send_signal(signal.SIGTERM)
                break
        process.stderr.read()
        out = process.stdout.read()

    assert "partial" in out
    assert "newly stored before it was stopped" in out
    assert "0 files" not in out


def test_parity_that_cannot_be_written_is_told_and_the_watcher_goes_on(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[[source]]\nname = 'telegram'\npath = '{computer.home}/chat'\n[watch]\nsettle = '1s'\n")
    (computer.repository / "parity").write_text("in the way")

    answer = computer.run("watch", "--once", "--json")

    assert answer.last["saves"] == 1
    assert "parity-not-written" in [line.get("code") for line in answer.objects]


def test_a_folder_with_several_apps_is_called_that(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    write_telegram_chat(computer.home / "all" / "telegram", messages=5)
    write_whatsapp_android(computer.home / "all" / "whatsapp", messages=5)

    assert computer.run("doctor", "all").out.startswith("Several apps (mixed)")


def test_no_number_of_people_is_said_where_a_format_names_nobody(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_chat_database(computer.home / "phone" / "msgstore.db", messages=12)
    computer.run("snapshot", "phone")

    shown = computer.run("show", "latest").out

    assert "  12 messages; " in shown
    assert " people" not in shown


@pytest.mark.parametrize(("language", "you"), [("en", "You"), ("zh-CN", "我")])
def test_a_search_says_which_messages_are_ones_own(tmp_path: Path, language: str, you: str) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_chat_database(computer.home / "phone" / "msgstore.db", messages=30)
    computer.run("snapshot", "phone")

    assert f"Family table  {you}\n" in computer.run("search", "--since", "2000-01-01", "--lang", language).out


@pytest.mark.parametrize(("language", "source"), [("en", "from {}"), ("zh-CN", "来自 {}")])
def test_a_message_in_two_exports_is_shown_with_the_name_of_each(tmp_path: Path, language: str, source: str) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    for folder in ("spring", "summer"):
        write_telegram_chat(computer.home / folder, messages=3)
    computer.run("snapshot", "spring", "summer")

    both = computer.run("search", "--since", "2000-01-01", "--lang", language).out

    assert [both.count(f"[{source.format(name)}]\n") for name in ("spring", "summer")] == [3, 3]
    # In one export nothing needs to be told apart.
    alone = Computer(tmp_path / "other")
    alone.initialise()
    write_telegram_chat(alone.home / "spring", messages=3)
    alone.run("snapshot", "spring")
    assert "spring" not in alone.run("search", "--since", "2000-01-01", "--lang", language).out


@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "Nothing found in 12 messages of 1 snapshot."), ("zh-CN", "没有找到；已搜索 1 个快照的 12 条消息。")],
)
def test_a_search_that_finds_nothing_says_so_and_where_it_looked(tmp_path: Path, language: str, told: str) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=12)
    computer.run("snapshot", "chat")

    assert computer.run("search", "hippopotamus", "--lang", language).out == f"{told}\n"


@pytest.mark.parametrize(
    ("later", "english", "chinese"),
    [
        (timedelta(hours=1), "", ""),
        (timedelta(days=1, hours=1), ", 1 day ago", "（1 天前）"),
        (timedelta(days=40, hours=1), ", 40 days ago", "（40 天前）"),
        (-timedelta(days=2), ", which is later than this computer's clock.", "，比这台电脑的时钟还晚"),
    ],
)
def test_status_says_how_old_a_backup_is_that_grew_too_old(
    tmp_path: Path, later: timedelta, english: str, chinese: str
) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", computer.home / "chat")
    computer.clock = FixedClock(datetime.now(UTC) + later)

    told = computer.run_here("status", expect=None).out
    said = computer.run_here("status", "--lang", "zh-CN", expect=None).out

    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d"
    assert re.search(rf"^  verified {moment}{re.escape(english)}.*   saved {moment}$", told, re.MULTILINE), told
    assert re.search(rf"^  核验于 {moment}{re.escape(chinese)}.*   保存于 {moment}$", said, re.MULTILINE), said
    assert ("ago" in told) is (" ago" in english)


def test_the_status_shows_until_when_the_guard_counts_a_source_and_a_way_off_this_disk(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", "chat", "--app", "telegram")

    counted = computer.run("status", "--repo", computer.repository).out
    (computer.home / ".local/state/backupkit/guard/passes/org.telegram.messenger.pass").unlink()
    uncounted = computer.run("status", "--repo", computer.repository)

    assert "  covers org.telegram.messenger for the guard until" in counted
    assert f"backupkit copy --to DIR --repo {computer.repository}\n" in counted
    assert "! The guard does not count it" in uncounted.out
    (said,) = [line for line in uncounted.out.splitlines() if "The guard does not count it" in line]
    computer.run(*said.partition("backupkit ")[2].split())
    assert "covers org.telegram.messenger" in computer.run("status").out
