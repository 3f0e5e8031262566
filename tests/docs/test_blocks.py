"""Every command block of the README and of the pages does what it says, in the order of the page.

What is played otherwise than it is written is listed here, with the reason.
"""

import re
from pathlib import Path

import pytest

from tests.docs import blocks, stage
from tests.system import box

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLAYED = [page.relative_to(ROOT) for page in PAGES if blocks.blocks(page.read_text(), "sh")]
LIMIT_S = 300.0

CHANGED = {
    "sh scripts/test     # run the tests": ":",  # whoever reads this is being run by it
    ".venv/bin/python -m chaos real --profile kill": (
        ".venv/bin/python -m chaos real --profile kill --rounds 2"  # else four minutes
    ),
    "tradebaas status            # nobody answers (exit code 1); the last state of the store": (
        "if tradebaas status; then exit 9; fi"
    ),
    "tradebaas backup restore NAME": """tradebaas backup create
kill "$daemon"
wait "$daemon"
tradebaas backup restore "$(cd data/backups && ls *.db)"
tradebaas run >"$said/again" 2>&1 &
until grep -q "HTTP on" "$said/again"; do sleep 0.05; done""",
    # Needs systemd, and an address that takes notices: tests/system/test_service.py plays it.
    "systemd-run --pipe --wait -p LoadCredential=notice-urls:/etc/tradebaas/notice-urls \\\n"
    "    /opt/tradebaas/current/venv/bin/tradebaas notify --test": ":",
    # Needs a container engine.
    "docker compose -f deploy/docker/compose.yml up -d": ":",
    # These need a journal: tests/system/test_install.py plays them.
    "journalctl -u tradebaas -p warning             # what is worth a look": ":",
    "journalctl -u tradebaas TRADEBAAS_KIND=Filled": ":",
    "journalctl TRADEBAAS_SIGNAL=5f0c1a             # one trade from its signal on": ":",
    "sh deploy/install.sh": ":",  # needs systemd: tests/system/test_install.py plays it whole
    "sh scripts/test tests/integration/test_trial.py": (
        "sh scripts/test -n 0 tests/integration/test_trial.py -k recorded"  # the rest runs beside
    ),
}
ON_PAGE: dict[str, dict[str, str]] = {
    # These command an installed service: tests/system/test_install.py plays them.
    "docs/deployment.md": dict.fromkeys((
        "tradebaas status",
        'tradebaas halt "the owner says so"',
        "tradebaas log --follow",
        "tradebaas backup list",
        "TRADEBAAS=one tradebaas status                 # of tradebaas@one.service",
    ), ":"),
}  # fmt: skip
"""Of one page alone: other pages play the same."""
TESTNET = """
# What stands in for Deribit's test network: the embedded exchange, behind a certificate to trust.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=test.deribit.com -addext subjectAltName=DNS:test.deribit.com \
    -keyout "$HOME/key" -out "$HOME/certificate" 2>/dev/null
cat "$HOME/certificate" "$HOME/key" >"$HOME/pem"
.venv/bin/tradebaas exchange --port 18022 --idle-exit 0 --data "$HOME/testnet" --speed 20 \
    --account your-client-id:S3CRET:1:100000 \
    --key your-audit-id:AUD1T:your-client-id:trade:read,account:read >"$said/testnet" 2>&1 &
.venv/bin/python tests/docs/front.py "$HOME/pem" 443 18022 >"$said/front" 2>&1 &
export SSL_CERT_FILE="$HOME/certificate"
until grep -q "serving " "$said/testnet"; do sleep 0.05; done
"""
DAEMON = """
. .venv/bin/activate
tradebaas run >"$said/run" 2>&1 &
daemon=$!
until grep -q "HTTP on" "$said/run"; do sleep 0.05; done
"""
FIRST = "docs/first-five-minutes.md"
PREDECESSOR = """
printf '{"version": 1, "strategyName": "Razor", "instrument": "BTC-PERPETUAL", "state": "IDLE"}' \\
    >strategy-state.json
tradebaas exchange --data account --port 18099 --idle-exit 0 >"$said/account" 2>&1 &
until grep -q "serving " "$said/account"; do sleep 0.05; done
printf 'data = "new"\\n[exchange]\\nurl = "ws://127.0.0.1:18099/ws/api/v2"\\n' >my.toml
"""
GIVEN = {  # what a page takes for granted
    FIRST: TESTNET,
    "docs/testnet.md": TESTNET + ". .venv/bin/activate\n",
    "docs/recovery.md": DAEMON + PREDECESSOR,
    "docs/runbook.md": DAEMON,
    "docs/api.md": DAEMON,
}
ANSWERS = {FIRST: "S3CRET\n", "docs/testnet.md": "S3CRET\nAUD1T\n"}
SAMPLES = ("README.md", "docs/testnet.md", "docs/api.md", "docs/runbook.md")
"""Pages of which every line of sample output must be seen."""

pytestmark = pytest.mark.skipif(bool(box.refusal()), reason=box.refusal() or "not needed")


@pytest.mark.parametrize("page", PLAYED, ids=str)
@pytest.mark.timeout(LIMIT_S + 60)
def test_the_commands_of_a_page(page: Path, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    given = GIVEN.get(str(page), "")
    wanted = _sample(text) if str(page) in SAMPLES else []
    script = blocks.script(text, given, CHANGED | ON_PAGE.get(str(page), {}))
    played = stage.play(tmp_path, script, ANSWERS.get(str(page), ""), wanted, LIMIT_S)
    assert played.whole, played.said[-6000:]
    assert played.missing == (), played.said[-6000:]


def _sample(text: str) -> list[re.Pattern[str]]:
    lines = "\n".join(blocks.blocks(text, "text")).splitlines()
    return [blocks.shape(line) for line in lines if line.strip()]


def test_what_is_changed_is_there() -> None:
    every = {name: _commands(ROOT / name) for name in map(str, PLAYED)}
    assert CHANGED.keys() <= set().union(*every.values())
    assert all(changed.keys() <= every[page] for page, changed in ON_PAGE.items())


def _commands(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    return {word for block in blocks.blocks(text, "sh") for word in blocks.commands(block)}


def test_a_command_that_fails_is_found(tmp_path: Path) -> None:
    page = "```sh\nx=1\n[ $x = 1 ]   # holds\nfalse\ntouch never\n```\n"
    played = stage.play(tmp_path, blocks.script(page, "", {}), "", [], LIMIT_S)
    assert not played.whole
    assert played.said.rstrip().endswith("$ false")


def test_a_server_that_does_not_come_up_is_found(tmp_path: Path) -> None:
    page = "```sh\n.venv/bin/tradebaas exchange --port 1 --host 203.0.113.1\n```\n"
    played = stage.play(tmp_path, blocks.script(page, "", {}), "", [], LIMIT_S)
    assert not played.whole
    assert "it does not serve; it said:" in played.said


def test_a_sample_that_is_not_printed_is_found(tmp_path: Path) -> None:
    page = "```sh\necho bought 12 for 3.50\n```\n"
    wanted = [blocks.shape("bought 7 for ..."), blocks.shape("sold 7 for 1.5")]
    played = stage.play(tmp_path, blocks.script(page, "", {}), "", wanted, 4.0)
    assert (played.whole, len(played.missing)) == (True, 1)
