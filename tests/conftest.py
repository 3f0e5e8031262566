"""For all tests: in what order the files begin; and that no draw is too slow on any machine."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent
LONGEST = (
    "system/test_install.py",
    "docs/test_blocks.py",
    "system/test_service.py",
    "integration/test_chaos_real.py",
    "integration/test_daemon_ends.py",
    "integration/test_halt_direct.py",
    "sim/test_worlds.py",
    "sim/test_enumerate.py",
    "sim/test_enumerate_cuts.py",
    "sim/test_readings.py",
    "sim/test_mutants_caught.py",
)
"""They begin first, the longest at the front: a file is played by one process, and one that begins
last keeps the others waiting."""

settings.register_profile(
    # How long a draw takes depends on who else uses the machine; pytest's timeout bounds each test.
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""
    place = {ROOT / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))
