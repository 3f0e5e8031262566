"""A trace of system calls shows which promise came before its sync: each mutant of that is caught.

The honest daemon is traced by CI (``python -m chaos fsync``).
"""

from pathlib import Path

import pytest

from chaos.mutants import FSYNC_MUTANTS
from chaos.real import fsync
from chaos.real.fault import Need
from chaos.real.permitted import refusal


@pytest.mark.parametrize("broken", FSYNC_MUTANTS)
def test_a_promise_before_its_sync_is_seen(broken: str, tmp_path: Path) -> None:
    reason = refusal(Need.STRACE)
    if reason:
        pytest.skip(f"nothing can be traced here: {reason}")
    tally = fsync.run(tmp_path, 0, broken)
    assert tally.unvisited == []
    assert {finding.invariant for finding in tally.findings} == {"Durable"}
    assert all("synced" in finding.text for finding in tally.findings)
