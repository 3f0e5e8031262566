"""Profiles: those that are delivered can be read, and what means nothing is refused by name."""

from pathlib import Path

import pytest

from chaos.real.fault import End, Fault, Need, nothing
from chaos.real.faults import FAULTS
from chaos.real.profile import BadProfile, Profile, load, names, parse

SECTION = {"ends": ["killed"]}
ROWS = {
    "sigkill": Fault("x", nothing),
    "disk-full": Fault("x", nothing, needs=(Need.VOLUME,)),
    "disk-gone": Fault("x", nothing, needs=(Need.EXT4,)),
}


def parsed(**more: object) -> Profile:
    raw = {"about": "x", "rounds": 3, "faults": {"sigkill": SECTION}, **more}
    return parse(raw, ROWS, "p.toml")


@pytest.mark.parametrize("name", names())
def test_a_delivered_profile_can_be_read(name: str) -> None:
    profile = load(name, FAULTS)
    assert profile.name == name
    assert set(profile.cards()) == set(profile.faults)


def test_every_fault_is_in_some_profile() -> None:
    drawn = {fault for name in names() for fault in load(name, FAULTS).faults}
    assert set(FAULTS) == drawn


def test_cards_weigh_what_the_file_says() -> None:
    heavy = {"ends": ["lives", "exit 75"], "weight": 3}
    profile = parsed(faults={"sigkill": SECTION, "disk-full": heavy}, start={"filesystem": "tmpfs"})
    assert profile.cards() == ["sigkill", "disk-full", "disk-full", "disk-full"]
    assert profile.faults["disk-full"].ends == [End.LIVES, End.STORE]


@pytest.mark.parametrize(
    "more, words",
    [
        ({"round": 3}, "unknown key 'round'; did you mean 'rounds'?"),
        ({"name": "other"}, "unknown key 'name'"),
        (
            {"start": {"filesytem": "ext4"}},
            "[start]: unknown key 'filesytem'; did you mean 'filesy",
        ),
        (
            {"start": {"filesystem": "zfs"}},
            "start.filesystem: Invalid enum value 'zfs'; known: \"\", tmpfs, ext4",
        ),
        ({"faults": {}}, "faults: Expected `object` of length >= 1"),
        ({"faults": {"sigkil": SECTION}}, "there is no fault 'sigkil'; did you mean 'sigkill'?"),
        ({"faults": 3}, "faults: Expected `object`, got `int`"),
        ({"faults": {"sigkill": 3}}, "faults.sigkill: Expected `object`, got `int`"),
        ({"faults": {"sigkill": {}}}, "faults.sigkill: Object missing required field `ends`"),
        (
            {"faults": {"sigkill": {"ends": ["killed", "kiled"]}}},
            "faults.sigkill.ends[1]: Invalid enum value 'kiled'; known: lives, killed, aborted, "
            "exit 0, exit 70, exit 75, exit 78, recovers, restored",
        ),
        ({"faults": {"sigkill": {"ends": []}}}, "faults.sigkill.ends: Expected `array`"),
        ({"faults": {"sigkill": {**SECTION, "wight": 2}}}, "[faults.sigkill]: unknown key 'wight'"),
        ({"faults": {"sigkill": {**SECTION, "weight": 0}}}, "faults.sigkill.weight: Exp"),
        ({"faults": {"disk-full": SECTION}}, "disk-full needs a file system of its own"),
        (
            {"faults": {"disk-gone": SECTION}, "start": {"filesystem": "tmpfs"}},
            "disk-gone needs an ext4 file system",
        ),
        ({"rounds": 0}, "rounds: Expected `int` >= 1"),
    ],
)
def test_what_means_nothing_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(BadProfile) as refused:
        parsed(**more)
    assert words in str(refused.value)
    assert str(refused.value).startswith("p.toml: ")


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kill.toml").write_text("about = ")
    with pytest.raises(BadProfile, match="did you mean 'kill'"):
        load("kil", ROWS, tmp_path)
    with pytest.raises(BadProfile, match="not valid TOML"):
        load("kill", ROWS, tmp_path)


def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'rounds = 2\nabout = "\xfcber"\n')
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to("loop.toml")  # what no permission helps, root's neither
    refusals = {
        "latin": "is not UTF-8 in line 2; save it as UTF-8",
        "folder": "is a directory; give a profile's TOML file",
        "loop": "cannot be read (Too many levels of symbolic links); give a file that you may read",
    }
    for name, words in refusals.items():
        path = str(tmp_path / f"{name}.toml")
        with pytest.raises(BadProfile) as refused:
            load(path, ROWS)
        assert str(refused.value) == f"{path} {words}"


def test_a_file_of_ones_own_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('about = "x"\nrounds = 2\n[faults.sigkill]\nends = ["killed"]\n')
    assert load(str(path), ROWS).rounds == 2
