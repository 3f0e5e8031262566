"""The step with other people's clients says what it could not show, and never that it passed."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/"


def test_without_the_packages_it_is_skipped_and_says_so(tmp_path: Path) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
    away = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": NOWHERE,
        "PIP_RETRIES": "0",
        "CLIENTS_VENV": str(tmp_path / "venv"),
    }
    done = subprocess.run(
        ["sh", "scripts/clients"], cwd=ROOT, env=kept | away, capture_output=True, text=True,
        timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 77, done.stderr
    assert "skipped: the packages of scripts/clients.lock cannot be had here" in done.stdout
    assert not (tmp_path / "venv" / "made-from").exists(), "the next run must try again"


def test_ci_runs_it_and_knows_what_77_means() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'step "other people\'s clients" sh scripts/clients' in text
    assert '[ "$code" -eq 77 ]' in text
