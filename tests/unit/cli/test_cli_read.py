"""state, log, verify and backup on real small stores; what is wrong is said once, clearly."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.volume import Volume, system
from tests.unit.cli.stores import HALTED, RESTART, STORY, tradebaas, write_store
from tradebaas.commands.gap import SHOWN_MS
from tradebaas.core.state import State
from tradebaas.store.catalogue import read_restored, write_restored
from tradebaas.store.folding import snapshot_of, state_digest
from tradebaas.store.place import Place


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


# ------------------------------------------------------------------------------- state and log


def test_state_shows_what_the_log_amounts_to(data: Path) -> None:
    state = write_store(data)
    shown = tradebaas("state", "--data", data)
    assert shown.exit_code == 0
    assert "ma_cross on BTC-PERPETUAL 1m, armed" in shown.output
    assert "ANALYZING" in shown.output
    as_json = json.loads(tradebaas("state", data, "--json").output)
    assert as_json["seq"] == state.seq
    assert as_json["assignment"]["strategy"] == "ma_cross"


@pytest.mark.parametrize("snapshots", [True, False])
def test_state_is_the_same_with_and_without_snapshots(data: Path, snapshots: bool) -> None:
    state = write_store(data, snapshots=snapshots)
    assert json.loads(tradebaas("state", data, "--json").output)["seq"] == state.seq


def test_log_prints_one_line_for_each_event(data: Path) -> None:
    state = write_store(data)
    result = tradebaas("log", "--data", data)
    lines = result.output.splitlines()
    assert len(lines) == state.seq
    assert lines[0].split()[:4] == ["1", "2023-11-14", "22:13:20.000", "L1"]
    assert "LifeStarted" in lines[0]
    assert lines[2].endswith("started ma_cross on BTC-PERPETUAL 1m (fast=3, slow=8)")


def test_log_limit_shows_the_newest(data: Path) -> None:
    state = write_store(data)
    lines = tradebaas("log", "--data", data, "--limit", 2).output.splitlines()
    assert [int(line.split()[0]) for line in lines] == [state.seq - 1, state.seq]
    assert len(tradebaas("log", "--data", data, "--limit", 0).output.splitlines()) == state.seq


def test_log_json_has_the_stored_events(data: Path) -> None:
    write_store(data)
    lines = tradebaas("log", "--data", data, "--json").output.splitlines()
    first = json.loads(lines[0])
    assert first["kind"] == "LifeStarted"
    assert first["event"]["token"] == "t"


@pytest.mark.parametrize("command", ["state", "log", "verify"])
def test_without_a_store_it_says_so(data: Path, command: str) -> None:
    result = tradebaas(command, "--data", data)
    assert result.exit_code == 78
    assert str(data) in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["state", "log", "verify"])
def test_a_store_that_is_gone_is_damage_with_advice(data: Path, command: str) -> None:
    write_store(data)
    tradebaas("backup", "create", "--data", data)
    Place(data).db.unlink()
    result = tradebaas(command, "--data", data)
    assert result.exit_code == 75
    assert "but there was a store" in result.stderr
    assert f"backup restore --data {data} tradebaas-" in result.stderr


@pytest.fixture
def forbidden(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A data directory that this user may not look into; root is nobody for the while.

    Nobody may not be able to read this program either: the command is run once before, elsewhere,
    so that all that it imports is there.
    """
    with tempfile.TemporaryDirectory() as elsewhere:
        write_store(Path(elsewhere))
        tradebaas(*request.getfixturevalue("command").split(), "--data", elsewhere)
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        write_store(data)
        Path(directory).chmod(0o755)
        data.chmod(0)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            yield data
        finally:
            if was_root:
                os.seteuid(0)
            data.chmod(0o755)


@pytest.mark.parametrize(
    "command", ["check", "status", "log", "state", "verify", "backup list", "halt"]
)
def test_a_forbidden_directory_is_said_without_a_traceback(forbidden: Path, command: str) -> None:
    result = tradebaas(*command.split(), "--data", forbidden)
    assert result.exit_code == (1 if command == "halt" else 78), result.output
    assert isinstance(result.exception, SystemExit)
    assert "this user" in result.output or "as the user" in result.output
    assert str(forbidden) in result.output
    if command == "check":  # one row for each, not the first complaint alone
        assert result.output.count("FAIL") >= 2
        assert "MiB are free" in result.output


def test_printed_advice_works_in_a_bare_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[3]
    program = tmp_path / "my env" / "bin" / "tradebaas"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{root / "src"}" exec "{sys.executable}" -m tradebaas "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    seq = write_store(Path("my data")).seq
    tradebaas("backup", "create", "--data", "my data")
    Path("my data/tradebaas.db").write_bytes(b"")
    line = tradebaas("verify", "--data", "my data").stderr.partition(" with: ")[2]
    bare = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", line]
    done = subprocess.run(bare, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(tradebaas("state", "my data", "--json").output)["seq"] == seq


# -------------------------------------------------------------------------------------- verify


@pytest.mark.parametrize("full", [True, False])
def test_verify_finds_a_sound_store_sound(data: Path, full: bool) -> None:
    state = write_store(data)
    options = ["--full"] if full else []
    found = json.loads(tradebaas("verify", "--data", data, "--json", *options).output)
    assert found["events"] == state.seq
    assert found["chain_from"] == 0
    assert (found["fold_from"] == 0) is full
    assert "sound" in tradebaas("verify", "--data", data, *options).output


def test_verify_walks_on_from_the_newest_backup(data: Path) -> None:
    seq = write_store(data).seq
    assert tradebaas("backup", "create", "--data", data).exit_code == 0
    write_store(data, RESTART)
    assert json.loads(tradebaas("verify", data, "--json").output)["chain_from"] == seq
    name = next(Place(data).backups.glob("*.db")).name
    said = tradebaas("verify", data).output
    assert f"sound from event {seq + 1} on; events before it were verified with" in said
    assert f"backup {name}; --full walks all" in said
    assert "--full" not in tradebaas("verify", data, "--full").output
    assert json.loads(tradebaas("verify", data, "--json", "--full").output)["chain_from"] == 0


def tamper(data: Path, statement: str) -> None:
    connection = sqlite3.connect(Place(data).db)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = CAST('{}' AS BLOB) WHERE seq = 2",
        "UPDATE events SET life = 9 WHERE seq = 3",
        "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)",
        "UPDATE snapshots SET body = CAST('{}' AS BLOB)",
    ],
)
def test_verify_finds_what_was_changed(data: Path, statement: str) -> None:
    write_store(data)
    tamper(data, statement)
    result = tradebaas("verify", "--data", data, "--full")
    assert result.exit_code == 75
    assert "is not what was written" in result.stderr
    assert "Nothing was changed" in result.stderr


def test_verify_finds_a_cut_tail_by_the_head(data: Path) -> None:
    write_store(data, snapshots=False)
    tamper(data, "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    result = tradebaas("verify", "--data", data)
    assert result.exit_code == 75
    assert "data/head" in result.stderr


def test_verify_finds_a_snapshot_of_another_state(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = snapshot_of(State())
    monkeypatch.setattr("tests.unit.cli.stores.snapshot_of", lambda _state: empty)
    write_store(data)
    result = tradebaas("verify", "--data", data, "--full")
    assert result.exit_code == 75
    assert "fold to another state than the snapshot" in result.stderr


# -------------------------------------------------------------------------------------- backup


def test_backup_create_list_verify_restore(data: Path) -> None:
    state = write_store(data)
    made = tradebaas("backup", "create", "--data", data, "--keep", 2)
    assert made.exit_code == 0, made.output
    listed = json.loads(tradebaas("backup", "list", "--data", data, "--json").output)
    assert [item["seq"] for item in listed] == [state.seq]
    assert listed[0]["verified"] is True
    name = Path(listed[0]["path"]).name
    assert name in tradebaas("backup", "list", "--data", data).output
    assert "is sound" in tradebaas("backup", "verify", "--data", data, name).output
    assert json.loads(tradebaas("state", listed[0]["path"], "--json").output)["seq"] == state.seq
    assert "sound" in tradebaas("verify", listed[0]["path"]).output

    write_store(data, HALTED)
    restored = tradebaas("backup", "restore", "--data", data, name)
    assert restored.exit_code == 0, restored.output
    assert json.loads(tradebaas("state", data, "--json").output)["seq"] == state.seq
    assert Place(data).halt.exists()
    assert list(data.glob("damaged-*"))
    assert json.loads(tradebaas("verify", data, "--json").output)["events"] == state.seq


def test_the_gap_of_a_restore_is_told_of_for_some_days(data: Path) -> None:
    write_store(data)
    where = ("--data", str(data))
    assert "was never restored" in tradebaas("backup", "gap", *where).stdout
    assert json.loads(tradebaas("backup", "gap", "--json", *where).stdout) == {"restored": None}
    name = json.loads(tradebaas("backup", "create", "--json", *where).stdout)["backup"]["name"]
    assert tradebaas("backup", "restore", name, *where).exit_code == 0
    listed = tradebaas("backup", "gap", *where).stdout
    assert "not in it: not known before a start has read the account" in listed
    assert f"restored {name} at " in listed
    assert f"from {name} at" in " ".join(tradebaas("status", *where).stdout.split())
    place = Place(data)
    note = read_restored(place)
    assert note is not None
    write_restored(place, replace(note, at_ms=note.at_ms - SHOWN_MS - 1000))
    assert "restored" not in tradebaas("status", *where).stdout
    assert f"restored {name} at " in tradebaas("backup", "gap", *where).stdout


def test_a_backup_is_held_to_the_state_that_was_named(data: Path) -> None:
    state = write_store(data)
    digest = state_digest(state).hex()
    assert (
        tradebaas("backup", "create", "--data", data, "--state", f"{state.seq}:{digest}").exit_code
        == 0
    )
    wrong = tradebaas("backup", "create", "--data", data, "--state", f"{state.seq}:00")
    assert wrong.exit_code == 75
    assert f"but 00 was stated at seq {state.seq}" in wrong.stderr
    assert tradebaas("backup", "create", "--data", data, "--state", "nine").exit_code == 2


def test_a_backup_from_before_an_upgrade_is_listed_as_that_and_not_pruned(data: Path) -> None:
    write_store(data)
    tradebaas("backup", "create", "--data", data, "--before", "upgrade")
    write_store(data, RESTART)
    tradebaas("backup", "create", "--data", data, "--keep", 1, "--keep-days", 0)
    listed = tradebaas("backup", "list", "--data", data).output
    assert "yes, made before: upgrade" in listed
    assert listed.count("tradebaas-") == 2


def test_backups_are_copied_to_a_directory_and_listed_there(data: Path, tmp_path: Path) -> None:
    write_store(data)
    tradebaas("backup", "create", "--data", data)
    mount = tmp_path / "mount"
    refused = tradebaas("backup", "copy", "--data", data, mount)
    assert refused.exit_code == 75
    assert f"there is no directory {mount}" in refused.stderr
    assert tradebaas("backup", "copy", "--data", data).exit_code == 2
    mount.mkdir()
    assert "copied 1 to" in tradebaas("backup", "copy", "--data", data, mount).output
    assert "copied 0 to" in tradebaas("backup", "copy", "--data", data, mount).output
    listed = json.loads(tradebaas("backup", "list", "--data", mount, "--json").output)
    assert [item["verified"] for item in listed] == [True]


def test_a_second_place_that_is_read_only_says_what_may_be_the_reason(
    data: Path, tmp_path: Path
) -> None:
    """To systemd's sandbox everything is, unless the unit names it."""
    reason = refusal(Need.VOLUME)
    if reason:
        pytest.skip(f"nothing can be mounted here: {reason}")
    write_store(data)
    tradebaas("backup", "create", "--data", data)
    volume = Volume(tmp_path, "tmpfs", 4)
    try:
        system("mount", "-o", "remount,ro", str(volume.root))
        refused = tradebaas("backup", "copy", "--data", data, volume.root)
    finally:
        volume.end()
    assert refused.exit_code == 75
    assert f"{volume.root} cannot be written" in refused.stderr
    assert "ReadWritePaths=" in refused.stderr


def test_backup_keep_prunes(data: Path) -> None:
    write_store(data)
    tradebaas("backup", "create", "--data", data)
    write_store(data, RESTART)
    pruned = tradebaas("backup", "create", "--data", data, "--keep", 1, "--keep-days", 0)
    assert "removed" in pruned.output
    assert len(json.loads(tradebaas("backup", "list", "--data", data, "--json").output)) == 1


def test_without_a_name_the_newest_backup_is_verified(data: Path) -> None:
    write_store(data)
    result = tradebaas("backup", "verify", "--data", data)
    assert result.exit_code == 1
    assert "there is no backup in" in result.stderr
    tradebaas("backup", "create", "--data", data)
    write_store(data, RESTART)
    tradebaas("backup", "create", "--data", data)
    newest = json.loads(tradebaas("backup", "list", "--data", data, "--json").output)[0]
    said = tradebaas("backup", "verify", "--data", data).output
    assert said.startswith(f"{Path(newest['path']).name} is sound")


def test_an_unknown_backup_is_refused(data: Path) -> None:
    write_store(data)
    for command in ("verify", "restore"):
        result = tradebaas("backup", command, "--data", data, "nothing.db")
        assert result.exit_code == 1
        assert "tradebaas backup list" in result.stderr


def test_a_damaged_backup_is_not_restored(data: Path) -> None:
    seq = write_store(data).seq
    tradebaas("backup", "create", "--data", data)
    path = next(Place(data).backups.glob("*.db"))
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 8)
    result = tradebaas("backup", "restore", "--data", data, path.name)
    assert result.exit_code == 75
    assert json.loads(tradebaas("state", data, "--json").output)["seq"] == seq
    assert not Place(data).halt.exists()


def test_an_empty_list_says_so(data: Path) -> None:
    write_store(data, STORY[:1])
    assert "there is no backup" in tradebaas("backup", "list", "--data", data).output
