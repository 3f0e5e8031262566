"""What a process uses, and of how much."""

from pathlib import Path

import pytest

from tradebaas.runtime.usage import OwnUsage, memory_limit


def test_this_process_uses_memory() -> None:
    usage = OwnUsage().measure()
    assert usage.memory_bytes > 1_000_000
    assert 0 < usage.memory_percent < 100


@pytest.mark.parametrize(
    ("own", "root", "limit"),
    [
        ("536870912\n", None, 536_870_912),
        ("max\n", "1000\n", 1000),
        (None, "1000\n", 1000),
        (None, "max\n", 0),
        (None, None, 0),
        ("nonsense", None, 0),
    ],
)
def test_the_memory_limit_of_the_control_group(
    tmp_path: Path, own: str | None, root: str | None, limit: int
) -> None:
    group = tmp_path / "groups" / "system.slice" / "tradebaas.service"
    group.mkdir(parents=True)
    for directory, text in ((group, own), (tmp_path / "groups", root)):
        if text is not None:
            (directory / "memory.max").write_text(text, encoding="ascii")
    membership = tmp_path / "cgroup"
    membership.write_text("1:cpu:/x\n0::/system.slice/tradebaas.service\n", encoding="ascii")
    assert memory_limit(tmp_path / "groups", membership) == limit


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path / "none", tmp_path / "neither") == 0
