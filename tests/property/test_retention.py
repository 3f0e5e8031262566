"""Which backups stay, whatever was made when."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.retention import DAY_MS, HELD_DAYS, Retention, surplus

NOW_MS = 2_000 * DAY_MS
HOUR_MS = 3_600_000


def info(made_ms: int, before: str, folded: bool) -> BackupInfo:
    return BackupInfo(
        name=f"{made_ms:015d}", made_ms=made_ms, seq=1, chain="", verified_from=0, fold_version=1,
        state_seq=1, state_digest="digest" if folded else "", size=1, file_digest="",
        before=before,
    )  # fmt: skip


TIMES = st.integers(0, 60 * 24 * 4).map(lambda quarter: NOW_MS - quarter * HOUR_MS // 4)
INFOS = st.lists(
    st.builds(info, TIMES, st.sampled_from(["", "", "", "upgrade"]), st.integers(0, 5).map(bool)),
    max_size=80, unique_by=lambda found: found.name,
).map(lambda found: sorted(found, key=lambda i: i.name, reverse=True))  # fmt: skip
RULES = st.builds(Retention, newest=st.integers(1, 30), days=st.integers(0, 10))


def kept(infos: Sequence[BackupInfo], rule: Retention) -> list[BackupInfo]:
    gone = {found.name for found in surplus(infos, rule, NOW_MS)}
    return [found for found in infos if found.name not in gone]


@given(INFOS, RULES)
def test_the_newest_stay_and_the_last_of_each_day_and_no_more(
    infos: list[BackupInfo], rule: Retention
) -> None:
    left = kept(infos, rule)
    verified = [found for found in infos if found.state_digest]
    assert all(found in left for found in verified[: rule.newest])
    days = sorted({found.made_ms // DAY_MS for found in verified})
    newest_days = days[-rule.days :] if rule.days else []
    for day in newest_days:
        last = max(found.name for found in verified if found.made_ms // DAY_MS == day)
        assert last in {found.name for found in left}
    young = NOW_MS - HELD_DAYS * DAY_MS
    held = {i.name for i in infos if (i.before or not i.state_digest) and i.made_ms > young}
    assert held <= {found.name for found in left}
    assert len({found.name for found in left} - held) <= rule.newest + rule.days


@given(INFOS, RULES)
def test_the_oldest_goes_first_and_pruning_again_removes_nothing(
    infos: list[BackupInfo], rule: Retention
) -> None:
    gone = surplus(infos, rule, NOW_MS)
    assert [found.name for found in gone] == sorted(found.name for found in gone)
    assert surplus(kept(infos, rule), rule, NOW_MS) == []


@given(INFOS, RULES, st.integers(0, 80))
def test_it_does_not_matter_how_often_it_is_pruned(
    infos: list[BackupInfo], rule: Retention, newer: int
) -> None:
    """What went early would have gone later as well."""
    earlier = kept(infos[newer:], rule)
    assert kept([*infos[:newer], *earlier], rule) == kept(infos, rule)


def test_a_month_of_hours_leaves_a_day_of_hours_and_a_week_of_days() -> None:
    hours = [info(NOW_MS - n * HOUR_MS, "", True) for n in range(24 * 30)]
    left = kept(hours, Retention())
    assert left[:24] == hours[:24]
    assert [found.made_ms // DAY_MS for found in left[24:]] == [1998, 1997, 1996, 1995, 1994]
    assert all(found.made_ms % DAY_MS == 23 * HOUR_MS for found in left[24:])
