"""The lock is complete, hashed and says nothing about the machine on which it was made."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINNED = re.findall(r"^([\w.-]+)==(\S+?)(?: ; (.+?))? \\$", LOCK, re.MULTILINE)


def wanted() -> list[Requirement]:
    """What the project asks for: to run, to be tested and to be built."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return [Requirement(text) for text in (*texts, *settings["build-system"]["requires"])]


def test_every_dependency_is_locked_to_a_version_that_fits() -> None:
    for requirement in wanted():
        name = canonicalize_name(requirement.name)
        versions = [version for known, version, _ in PINNED if known == name]
        assert versions, f"{name} is not in requirements.lock: sh scripts/lock"
        assert all(requirement.specifier.contains(version) for version in versions), name


def test_every_package_has_hashes_and_nothing_else() -> None:
    entries = [entry for entry in re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE) if "==" in entry]
    assert len(entries) == len(PINNED) > 20
    for entry in entries:
        first, *rest = entry.splitlines()
        hashes = [line for line in rest if line.startswith("    --hash=sha256:")]
        comments = [line for line in rest if line.lstrip().startswith("#")]
        assert hashes, first
        assert len(hashes) + len(comments) == len(rest), first


def test_the_lock_names_no_registry_and_no_path() -> None:
    assert re.findall(r"://|--index|--find-links|--extra-index|file:|/home/|/tmp/", LOCK) == []


@pytest.mark.parametrize("name", ["scripts/setup", "scripts/run", "scripts/test", ".ci/run"])
def test_what_installs_goes_through_the_hashed_lock(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert os.access(ROOT / name, os.X_OK)
    for line in text.splitlines():
        if re.match(r"\s*(?:pip|\S*python\S* -m pip) ", line) and '"$@"' not in line:
            assert "--require-hashes" in line or "--no-index" in line, line


def test_the_project_installs_with_what_the_lock_has(tmp_path: Path) -> None:
    build = "from hatchling.build import build_editable as build; import sys; build(sys.argv[1])"
    command = [sys.executable, "-c", build, str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("_tradebaas.pth").decode().strip() == str(ROOT / "src")


def test_setup_asks_for_the_python_that_the_project_needs() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    major, _, minor = settings["project"]["requires-python"].removeprefix(">=").partition(".")
    text = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    assert f"sys.version_info < ({major}, {minor})" in text
    assert f"--python-version {major}.{minor} " in (ROOT / "scripts" / "lock").read_text("utf-8")


def test_setup_refuses_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n', encoding="utf-8")
    refused = _setup(tmp_path, old)
    assert "Python 3.9.2 is too old, 3.11 is needed" in refused


def test_setup_says_when_venv_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "python-bare"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    assert "apt install python3-venv" in _setup(tmp_path, bare)


def _setup(directory: Path, python: Path) -> str:
    """Run scripts/setup with a stand-in for Python; what it says on stderr when it refuses."""
    python.chmod(0o755)
    env = {**os.environ, "PYTHON": str(python), "VENV": str(directory / "venv")}
    command = ["sh", str(ROOT / "scripts" / "setup")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert not (directory / "venv").exists()
    return done.stderr
