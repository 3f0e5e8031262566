"""``.ci/run``: what it promises about time is kept by the script itself."""

import re
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / ".ci" / "run").read_text(encoding="utf-8")
FUNCTIONS = re.findall(r"^\w+\(\) \{.*?^\}$", TEXT, re.MULTILINE | re.DOTALL)
IN_TIME = re.findall(r"^ *(step .* within .*?(?:\\\n.*)*)$", TEXT, re.MULTILINE)


def ended_with(worlds: int, points: int, broken: int) -> str:
    """What the script says about these seconds, and then which steps failed."""
    took = f'["simulated worlds"]={worlds} ["every point of a trade cycle"]={points} '
    took += f'["broken daemons"]={broken}'
    start = ["set -eu", "failed=() skipped=()", f"declare -A took=({took})"]
    script = "\n".join([*start, *FUNCTIONS, *IN_TIME, 'echo "failed: ${failed[*]}"'])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(("seconds", "fails"), [((200, 300, 100), False), ((200, 300, 101), True)])
def test_worlds_points_and_broken_daemons_have_ten_minutes(
    seconds: tuple[int, int, int], fails: bool
) -> None:
    said = ended_with(*seconds)
    assert f"took {sum(seconds)} s together, of 600 on two cores" in said
    assert ("too slow: 1 s more than the limit" in said) is fails
    assert said.splitlines()[-1] == "failed: " + "worlds, points and broken daemons in time" * fails
