"""`backupkit guard` on real packages: what app stores and people are answered."""

import json
import os
import shutil
from pathlib import Path

import pytest
from apk_factory import Reference, ZipEntry, build_apk, make_key, make_lineage, make_zip, sign
from chat_factory import write_telegram_chat
from computer import Computer, words_on
from json_schema import differences

from backupkit.cli.codes import every_code
from backupkit.clock import SystemClock
from backupkit.guard.desk import load_hook_key
from backupkit.guard.ledger import append, entry_of
from backupkit.guard.outcome import Outcome
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision, Judged, Verdict
from backupkit.i18n import LANGUAGES, Catalogue, Language
from backupkit.ids import AppPackage
from backupkit.ops.apps import PACKAGES, app_of

PACKAGE = "org.example.chat"


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """A computer with three packages of one app: installed, its update, and one signed by somebody else."""
    computer = Computer(tmp_path / "home")
    maker, stranger = make_key(name="A"), make_key(name="B")
    (computer.home / "old.apk").write_bytes(sign(build_apk(PACKAGE, 1), maker))
    (computer.home / "update.apk").write_bytes(sign(build_apk(PACKAGE, 2), maker))
    (computer.home / "other.apk").write_bytes(sign(build_apk(PACKAGE, 2), stranger))
    return computer


def test_a_genuine_package_is_described(computer: Computer) -> None:
    answer = computer.run("guard", "inspect", "update.apk", "--device-sdk", "34", "--json")

    schema = json.loads((Path(__file__).parents[2] / "backupkit/ui/schemas/package-1.json").read_text())
    assert differences(answer.last, schema) == []
    assert len(answer.objects) == 1
    assert (answer.last["genuine"], answer.last["package"]) == (True, PACKAGE)


def test_a_version_that_a_resource_holds_is_not_shown(computer: Computer) -> None:
    looked_up = build_apk(PACKAGE, root_attributes={"versionCode": Reference(0x7F010001)})
    (computer.home / "looked-up.apk").write_bytes(sign(looked_up, make_key(name="A")))

    told = computer.run("guard", "inspect", "looked-up.apk", "--json").last

    schema = json.loads((Path(__file__).parents[2] / "backupkit/ui/schemas/package-1.json").read_text())
    assert differences(told, schema) == []
    assert told["version_code"] is None
    assert computer.run("guard", "inspect", "looked-up.apk").out.splitlines()[0].endswith(f"  {PACKAGE}")
    assert computer.run("guard", "inspect", "update.apk").out.splitlines()[0].endswith(f"  {PACKAGE}  2")


def test_a_version_below_zero_is_shown_as_android_counts_it(computer: Computer) -> None:
    below = build_apk(PACKAGE, 5, root_attributes={"versionCodeMajor": 0xFFFFFFFF})
    (computer.home / "below.apk").write_bytes(sign(below, make_key(name="A")))

    told = computer.run("guard", "inspect", "below.apk", "--json").last
    asked = computer.run(
        "guard", "check", "--candidate", "update.apk", "--installed", "below.apk", "--device-sdk", "34", "--json"
    ).last
    from_record = computer.run(
        "guard", "check", "--candidate", "update.apk", "--installed", PACKAGE, "--device-sdk", "34", "--json"
    ).last

    schema = json.loads((Path(__file__).parents[2] / "backupkit/ui/schemas/package-1.json").read_text())
    assert differences(told, schema) == []
    assert told["version_code"] == 5 - 2**32
    assert (asked["decision"], from_record["decision"]) == ("allow", "allow")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_damaged_package_is_refused_in_words(computer: Computer, language: Language) -> None:
    data = bytearray((computer.home / "update.apk").read_bytes())
    data[len(data) // 3] ^= 1
    (computer.home / "bad.apk").write_bytes(data)

    answer = computer.run("guard", "inspect", "bad.apk", "--lang", language, expect=41)

    assert "error." not in answer.out
    told = computer.run("guard", "inspect", "bad.apk", "--json", expect=41).last
    assert told["genuine"] is False
    rule = Catalogue(language).why(told["findings"][0]["reason"])
    assert answer.out.casefold().count(rule.casefold()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lineage_file_is_told_by_what_it_grants(computer: Computer, language: Language) -> None:
    keys = [make_key(name="A"), make_key(name="B")]
    (computer.home / "release.lineage").write_bytes(make_lineage(keys, [9, 0]).file())

    told = computer.run("guard", "inspect", "release.lineage", "--json").last
    lines = computer.run("guard", "inspect", "release.lineage", "--lang", language).out.splitlines()

    schema = json.loads((Path(__file__).parents[2] / "backupkit/ui/schemas/package-1.json").read_text())
    assert differences(told, schema) == []
    assert [keys[0].digest in lines[1], "installed-data" in lines[1], keys[1].digest in lines[2]] == [True] * 3
    assert lines[0] == Catalogue(language).say("inspect.lineage-alone")
    assert len(lines) == 4


def test_a_container_and_several_files_are_one_app(computer: Computer) -> None:
    base = (computer.home / "update.apk").read_bytes()
    split = sign(build_apk(PACKAGE, 2, split="config.zh"), make_key(name="A"))
    (computer.home / "zh.apk").write_bytes(split)
    (computer.home / "app.xapk").write_bytes(make_zip([ZipEntry(b"base.apk", base), ZipEntry(b"zh.apk", split)]))

    answer = computer.run("guard", "inspect", "app.xapk", "--json").last
    files = computer.run("guard", "inspect", "update.apk", "zh.apk").out
    checked = computer.run("guard", "check", "--candidate", "app.xapk", "--installed", "old.apk", "--json").last

    assert (answer["packaging"], [one["split"] for one in answer["members"]]) == ("container", [None, "config.zh"])
    assert "zh.apk" in files
    assert (checked["decision"], checked["candidate_sha256"]) == ("allow", answer["sha256"])


def test_the_installed_app_may_be_named_by_an_index(computer: Computer) -> None:
    manifest = {"versionCode": 1, "signer": {"sha256": [make_key(name="A").digest]}}
    index = {"packages": {PACKAGE: {"versions": {"x": {"manifest": manifest}}}}}
    (computer.home / "index-v2.json").write_text(json.dumps(index))
    named = ("--installed", f"index-v2.json#{PACKAGE}@1", "--json")

    assert computer.run("guard", "check", "--candidate", "update.apk", *named).last["decision"] == "allow"
    assert computer.run("guard", "check", "--candidate", "other.apk", *named, expect=40).last["decision"] == "hold"
    computer.run("guard", "check", "--candidate", "other.apk", "--installed", f"index-v2.json#{PACKAGE}@x", expect=2)


def test_an_update_by_the_same_maker_is_allowed(computer: Computer) -> None:
    answer = computer.run("guard", "check", "--candidate", "update.apk", "--installed", "old.apk", "--json")

    assert answer.last["type"] == "verdict"
    assert (answer.last["decision"], answer.last["outcome"], answer.last["exit_code"]) == ("allow", "keeps-data", 0)


def test_a_forced_reinstall_by_somebody_else_is_held_without_a_backup(computer: Computer) -> None:
    arguments = ("guard", "check", "--candidate", "other.apk", "--installed", "old.apk", "--action", "reinstall")

    answer = computer.run(*arguments, "--json", expect=40)
    english = computer.run(*arguments, expect=40)
    chinese = computer.run(*arguments, "--lang", "zh-CN", expect=40)

    assert (answer.last["decision"], answer.last["would_erase"]) == ("hold", True)
    assert english.out.splitlines()[0].split()[0].isupper()
    assert "guard/no-verified-backup" in english.out
    assert "guard/no-verified-backup" in chinese.out
    assert "reason." not in english.out + chinese.out


def test_chats_that_are_saved_first_count_as_soon_as_the_words_are_typed_back(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "new")
    (computer.home / "old.apk").write_bytes(sign(build_apk(PACKAGE, 1), make_key(name="A")))
    (computer.home / "other.apk").write_bytes(sign(build_apk(PACKAGE, 2), make_key(name="B")))
    write_telegram_chat(computer.home / "chat", messages=5)
    question = ("guard", "check", "--candidate", "other.apk", "--installed", "old.apk", "--json")
    computer.run("snapshot", "chat", "--package", PACKAGE, "--no-input", "--init", "--recovery-sheet", "sheet.html")
    held = computer.run(*question, expect=40).last
    (computer.home / "words").write_text(" ".join(words_on(computer.home / "sheet.html")))

    said = computer.run("key", "confirm", "--recovery-words-file", "words")
    asked = computer.run(*question).last

    assert held["reason"] == "no-verified-backup"
    assert f"covers {PACKAGE} for the guard until" in said.out
    assert (asked["reason"], asked["consent"]["state"], asked["coverage"]["messages"]) == ("backup-covers", "needed", 5)


def test_an_app_that_was_checked_once_is_known_by_its_name(computer: Computer) -> None:
    computer.run("guard", "check", "--candidate", "update.apk", "--installed", "old.apk")

    answer = computer.run("guard", "check", "--candidate", "other.apk", "--installed", PACKAGE, "--json", expect=None)

    assert answer.code in {40, 41}
    assert computer.run("guard", "trust", "list", "--json").objects[0]["package"] == PACKAGE


def test_what_is_not_known_is_undecided(computer: Computer) -> None:
    answer = computer.run(
        "guard", "check", "--candidate", "update.apk", "--installed", "com.nobody.knows", "--json", expect=42
    )

    assert answer.last["decision"] == "undecided"


def test_the_owner_accepts_and_forgets_a_signer(computer: Computer) -> None:
    computer.run("guard", "trust", "add", "old.apk", "--name", "Chat")
    listed = computer.run("guard", "trust", "list", "--json").objects
    computer.run("guard", "trust", "revoke", PACKAGE)

    assert (listed[0]["label"], listed[0]["enrolled_by"]) == ("Chat", "owner")
    assert computer.run("guard", "trust", "--json").last == {"type": "summary", "v": 1, "apps": 0, "damaged": []}
    assert computer.run("guard", "trust", "revoke", PACKAGE, "--json", expect=22).last["code"] == "app-not-known"


@pytest.mark.parametrize("name", ["   ", "We\x1b[31mChat", "\u202etahCeW", "We\nChat", "继续", "\udcff", "a" * 101])
def test_an_app_is_not_given_a_name_that_nobody_could_type(computer: Computer, name: str) -> None:
    refused = computer.run_here("guard", "trust", "add", computer.home / "old.apk", "--name", name, expect=2)

    assert "--name" in refused.err
    assert not {"\x1b", "\u202e", "\udcff"} & set(refused.err)
    assert computer.run_here("guard", "trust", "--json").last["apps"] == 0


def test_one_app_with_an_endless_name_leaves_the_list_of_decisions_readable(computer: Computer) -> None:
    longest = "org." + "x" * 219
    for package in (longest, PACKAGE):
        (computer.home / "new.apk").write_bytes(sign(build_apk(package, 1), make_key(name="A")))
        computer.run_here(
            "guard", "check", "--candidate", computer.home / "new.apk", "--installed", computer.home / "new.apk"
        )

    listed = computer.run_here("guard", "log")

    assert all(len(line) < 120 for line in listed.out.splitlines())
    assert computer.run_here("guard", "log", "--json").objects[0]["package"] == longest


@pytest.mark.parametrize(("language", "name"), [("en", "WeChat"), ("zh-CN", "微信")])
def test_a_known_chat_app_is_called_as_people_call_it(computer: Computer, language: str, name: str) -> None:
    """The second step had `com.tencent.mm` typed where no --name was given."""
    (computer.home / "wechat.apk").write_bytes(sign(build_apk("com.tencent.mm", 1), make_key(name="A")))

    computer.run("guard", "trust", "add", "wechat.apk", "--lang", language)
    computer.run("guard", "trust", "add", "old.apk")

    listed = computer.run("guard", "trust", "list").out
    assert f"{name}  com.tencent.mm  " in listed
    assert f"\n{PACKAGE}  " in listed


@pytest.mark.parametrize("app", PACKAGES)
def test_every_known_app_has_a_name_in_both_languages(app: str) -> None:
    assert all(Catalogue(language).has(f"app.{app}") for language in LANGUAGES)
    assert app_of(PACKAGES[app]) == app


def test_a_mistyped_file_of_the_installed_app_is_told_as_a_file(computer: Computer) -> None:
    answer = computer.run("guard", "check", "--candidate", "update.apk", "--installed", "odl.apk", "--json", expect=42)

    assert answer.last["reason"] == "package-unreadable"
    assert (
        "odl.apk could not be read"
        in computer.run("guard", "check", "--candidate", "update.apk", "--installed", "odl.apk", expect=42).out
    )


def test_decisions_are_listed_and_the_last_one_is_explained(computer: Computer) -> None:
    assert computer.run("guard", "explain", "--json", expect=22).last["code"] == "nothing-decided"
    computer.run("guard", "check", "--candidate", "update.apk", "--installed", "old.apk")
    computer.run(
        "guard", "check", "--candidate", "other.apk", "--installed", "old.apk", "--action", "reinstall", expect=40
    )

    *decisions, summary = computer.run("guard", "log", "--json").objects
    explained = computer.run("guard", "explain", "--lang", "zh-CN")

    assert [entry["decision"] for entry in decisions] == ["allow", "hold"]
    assert summary["entries"] == 2
    assert "reason." not in explained.out


@pytest.mark.parametrize(
    ("outcome", "reason", "said", "unsaid"),
    [
        (Outcome.UNKNOWN, "no-verified-backup", "waits until a verified backup", "could not check"),
        (Outcome.WOULD_WIPE, "consent-refused", "nobody has consented", "no verified backup counts"),
        (Outcome.WOULD_WIPE, "no-verified-backup", "no verified backup counts", "consented"),
    ],
)
def test_a_hold_is_explained_as_what_it_was(
    computer: Computer, outcome: Outcome, reason: str, said: str, unsaid: str
) -> None:
    """A program that waited for a backup "could not be checked", and a refused consent was a missing backup."""
    places = GuardPlaces(computer.home / ".local/state/backupkit/guard")
    held = Verdict(decision=Decision.HOLD, outcome=outcome, reason=reason, judged=Judged(package=AppPackage(PACKAGE)))
    append(places.ledger, entry_of(held, SystemClock().now()), load_hook_key(places))

    explained = " ".join(computer.run("guard", "explain").out.split())

    assert said in explained
    assert unsaid not in explained


def test_a_ledger_that_was_altered_is_exit_21(computer: Computer) -> None:
    computer.run("guard", "check", "--candidate", "update.apk", "--installed", "old.apk")
    ledger = computer.home / ".local/state/backupkit/guard/ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"allow"', b'"deny"'))

    assert computer.run("guard", "log", "--json", expect=21).last["code"] == "ledger-broken"


def test_the_hook_is_the_same_program(computer: Computer) -> None:
    request = {
        "type": "hook-request", "v": 1, "deadline_ms": 60_000,
        "installed": {"path": str(computer.home / "old.apk")}, "candidate": {"path": str(computer.home / "update.apk")},
    }  # fmt: skip

    direct, through = computer.hook(request), computer.run("guard", "hook", stdin=json.dumps(request), expect=None)

    assert (direct.code, direct.last) == (through.code, through.last)


def test_the_policy_of_the_settings_reaches_the_fast_program(computer: Computer) -> None:
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[guard]\nmax-backup-age = '2h'\nneeds = 'drilled'\n")

    computer.run("config", "check")

    path = computer.home / ".local/state/backupkit/guard/policy.json"
    policy = json.loads(path.read_text())
    assert (policy["max-backup-age"], policy["needs"]) == ("120m", "drilled")

    path.write_text("{")
    computer.run("config", "check")

    assert json.loads(path.read_text()) == policy


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_can_be_explained(language: str) -> None:
    codes = every_code(Catalogue("en" if language == "en" else "zh-CN"))

    assert all(meaning.why and meaning.attempt for meaning in codes.values() if meaning.kind == "reason")


def test_a_new_repository_counts_after_its_owner_said_so(computer: Computer) -> None:
    computer.initialise()
    shutil.rmtree(computer.home / ".local/share/backupkit/repository")
    sheet = computer.home / "second.html"
    made = computer.run("init", "--no-input", "--recovery-sheet", sheet)
    status = computer.run("status", "--json", expect=5).last

    assert "backupkit guard pair" in made.err
    assert status["guard_counts_another"] is True
    paired = computer.run("guard", "pair", "--json").last
    assert paired["changed"] is True
    assert computer.run("status", "--json", expect=5).last["guard_counts_another"] is False
    assert "already" in computer.run("guard", "pair").out


@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_a_damaged_record_is_named_beside_the_others_and_can_be_forgotten(computer: Computer, language: str) -> None:
    computer.environment["LANG"] = language
    computer.run("guard", "trust", "add", "old.apk")
    records = computer.home / ".local/state/backupkit/guard/records"
    (records / "org.example.torn.json").write_bytes(b'{"type":"package-rec')

    listed = computer.run("guard", "trust", expect=20)
    told = computer.run("guard", "trust", "--json", expect=20).last
    computer.run("guard", "trust", "revoke", "org.example.torn")

    assert "backupkit guard trust revoke org.example.torn" in listed.out
    assert (told["apps"], told["damaged"]) == (1, ["org.example.torn"])
    assert computer.run("guard", "trust", "--json").last["apps"] == 1


def test_a_list_of_another_key_is_told_as_that(computer: Computer) -> None:
    computer.run("guard", "check", "--installed", "old.apk", "--candidate", "old.apk")
    (computer.home / ".local/state/backupkit/guard/hook.key").unlink()

    broken = computer.run("guard", "log", expect=21)

    assert "another key than the one" in broken.err
    assert "hook.key" in broken.err


def test_a_pipe_in_place_of_the_list_is_not_waited_for(computer: Computer) -> None:
    guard = computer.home / ".local/state/backupkit/guard"
    guard.mkdir(parents=True, exist_ok=True)
    os.mkfifo(guard / "ledger.jsonl")

    assert computer.run("guard", "log", expect=2).err
