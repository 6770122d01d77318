import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_program_in_the_format_document_opens_the_golden_files_without_backupkit() -> None:
    document = (ROOT / "docs/format/keys.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert "backupkit." not in program

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    facts = json.loads((ROOT / "tests/vectors/keys/facts.json").read_text("utf-8"))
    assert (done.returncode, done.stdout.strip()) == (0, facts["root_seed"]), done.stderr
