"""The judged corpus: every update pair on every Android level it speaks about."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupkit.guard.judge import judge
from backupkit.guard.package_record import EnrolledBy, Records, enrol
from backupkit.guard.package_source import read_facts
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Verdict

NOW = datetime(2018, 6, 1, tzinfo=UTC)
OUTCOMES = {
    "update_keeps_data": "keeps-data",
    "refused_reinstall_would_wipe": "would-wipe",
    "refused_data_untouched": "refused-safe",
    "parallel_app_data_untouched": "parallel-app",
}
DECISIONS = {"keeps-data": "allow", "would-wipe": "hold", "refused-safe": "deny", "parallel-app": "allow"}


def ask(request: UpdateRequest, records: Path) -> Verdict:
    return judge(request, pins=None, policy=GuardPolicy(), records=Records(records), witness=None, now=NOW)


@pytest.mark.corpus
def test_every_judged_update_has_the_judged_outcome_and_code(corpus: Path, tmp_path: Path) -> None:
    folder = corpus / "apk"
    wrong, asked = [], 0
    for line in (folder / "updates.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for sdk in range(row["device_sdk_min"], row["device_sdk_max"] + 1):
            verdict = ask(
                UpdateRequest(
                    installed=OnDisk(folder / row["old"], row["old_sha256"]),
                    candidate=OnDisk(folder / row["new"], row["new_sha256"]),
                    device_sdk=sdk,
                ),
                tmp_path,
            )
            asked += 1
            outcome = OUTCOMES[row["expect"]]
            found = (verdict.outcome.value, verdict.install_result, verdict.decision.value)
            if found != (outcome, row["result_code"], DECISIONS[outcome]):
                wrong.append(f"{row['id']} on API {sdk}: {found} for {row['expect']} {row['result_code']}")

    assert wrong == []
    assert asked > 0


@pytest.mark.corpus
def test_a_record_of_the_installed_app_judges_like_the_app_itself(corpus: Path, tmp_path: Path) -> None:
    folder, records = corpus / "apk", Records(tmp_path)
    wrong = []
    for line in (folder / "updates.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        # What Android accepts at this level need not be genuine on every other: the record is made on the device.
        sdk = row["device_sdk_max"]
        facts = read_facts(folder / row["old"], device_sdk=sdk)
        records.write(enrol(facts, NOW, by=EnrolledBy.OWNER))
        offered = OnDisk(folder / row["new"])
        verdict = ask(
            UpdateRequest(installed=OnRecord(facts.package), candidate=offered, device_sdk=sdk), records.folder
        )
        if (verdict.outcome.value, verdict.install_result) != (OUTCOMES[row["expect"]], row["result_code"]):
            wrong.append(f"{row['id']}: {verdict.outcome} {verdict.install_result} {verdict.reason}")

    assert wrong == []


@pytest.mark.corpus
def test_an_unknown_device_is_never_allowed_what_one_level_would_wipe(corpus: Path, tmp_path: Path) -> None:
    folder = corpus / "apk"
    rows = [json.loads(line) for line in (folder / "updates.jsonl").read_text("utf-8").splitlines()]
    wiping = {(row["old"], row["new"]) for row in rows if row["expect"] == "refused_reinstall_would_wipe"}

    allowed = [
        f"{old} {new}"
        for old, new in sorted(wiping)
        if ask(UpdateRequest(installed=OnDisk(folder / old), candidate=OnDisk(folder / new)), tmp_path).exit_code == 0
    ]

    assert allowed == []
    assert wiping


@pytest.mark.corpus
def test_no_hostile_package_is_allowed_over_the_app_it_imitates(corpus: Path, tmp_path: Path) -> None:
    folder = corpus / "apk"
    rows = [json.loads(line) for line in (folder / "attacks.jsonl").read_text("utf-8").splitlines()]
    installed = OnDisk(folder / "pairs" / "A_v10.apk")
    allowed = []
    for row in rows:
        if row["expect"] == "verified":
            continue
        for sdk in (24, 28, 33, 36, None):
            request = UpdateRequest(installed=installed, candidate=OnDisk(folder / row["file"]), device_sdk=sdk)
            verdict = ask(request, tmp_path)
            if verdict.exit_code == 0:
                allowed.append(f"{row['id']} on {sdk}: {verdict.reason}")

    assert allowed == []
