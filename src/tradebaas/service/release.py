"""Releases: each is a directory with an environment of its own, and ``current`` is a link to one.

A release is made beside the running one and never changed afterwards, so an upgrade is one rename
of a link, and going back is another. Packages come from the lock, each checked against its hash.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tradebaas import __version__
from tradebaas.errors import Unusable
from tradebaas.service import places, units
from tradebaas.service.system import run, without_python

LOCK = "requirements-run.lock"
KEPT = 3
"""The running one, the one before, and one more to go back to."""
DONE = "made"


def source() -> Path:
    """The checkout that this program runs from.

    Raises:
        Unusable: it runs from somewhere else.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / LOCK).is_file() or not (root / "deploy" / "systemd").is_dir():
        raise Unusable(
            "this program was not started from a checkout of its source, which an installation is "
            "made from: get one, and run `sudo sh deploy/install.sh` there"
        )
    return root


def make(root: Path, python: str) -> Path:
    """Make the release of a checkout unless it is there; its directory.

    Raises:
        StepFailed: the environment cannot be made.
    """
    release = places.RELEASES / name_of(root)
    if (release / DONE).exists():
        return release
    shutil.rmtree(release, ignore_errors=True)  # of an attempt that was cut short
    release.mkdir(parents=True)
    own = release / "venv" / "bin" / "python"
    run(python, "-I", "-m", "venv", "--without-pip", release / "venv")
    _install(own, "--require-hashes", "--only-binary", ":all:", "-r", root / LOCK)
    with tempfile.TemporaryDirectory() as folder:
        wheel = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
                 "--no-build-isolation", "--disable-pip-version-check")  # fmt: skip
        run(*wheel, "--wheel-dir", folder, root)
        _install(own, "--no-deps", "--no-index", *Path(folder).glob("*.whl"))
    # Last on the path, so that what lies there never stands in for a package of the lock.
    packages = run(own, "-I", "-c",
                   "import sysconfig; print(sysconfig.get_paths()['purelib'])")  # fmt: skip
    (Path(packages) / "own-strategies.pth").write_text(f"{places.STRATEGIES}\n", encoding="utf-8")
    for name in ("docs", "deploy", "README.md", "CHANGELOG.md"):
        place = root / name
        copy = shutil.copytree if place.is_dir() else shutil.copy2
        copy(place, release / name)
    (release / DONE).write_text(f"{__version__}\n", encoding="utf-8")
    return release


def _install(python: Path, *words: str | Path) -> None:
    """Install into the environment of ``python`` by this one's pip, since a release needs none.

    What the caller's environment says of Python's paths is for neither.
    """
    run(sys.executable, "-I", "-m", "pip", "--python", python, "install", "--quiet", "--no-input",
        "--disable-pip-version-check", *words, environment=without_python())  # fmt: skip


def name_of(root: Path) -> str:
    """The version, and a digest of everything that a release is made from."""
    digest = hashlib.sha256()
    files = [root / LOCK, root / "pyproject.toml", *sorted((root / "src").rglob("*"))]
    files += sorted((root / "deploy").rglob("*"))
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return f"{__version__}-{digest.hexdigest()[:12]}"


def running() -> Path | None:
    """The release that ``current`` leads to."""
    return places.CURRENT.resolve() if places.CURRENT.is_symlink() else None


def switch(release: Path) -> list[str]:
    """Make ``current`` lead to a release, and systemd read its units; those that have changed."""
    before = running()
    link = places.HOME / "next"
    link.unlink(missing_ok=True)
    link.symlink_to(release)
    os.replace(link, places.CURRENT)
    changed = units.put(release, before)
    run("systemctl", "daemon-reload")
    return changed


def forget_old() -> list[Path]:
    """Remove all but the newest releases, and none that runs; those that were removed."""
    made = [path for path in places.RELEASES.iterdir() if (path / DONE).exists()]
    made.sort(key=lambda path: (path / DONE).stat().st_mtime, reverse=True)
    old = [path for path in made[KEPT:] if path != running() and not _is_used(path)]
    for path in old:
        shutil.rmtree(path)
    return old


def _is_used(release: Path) -> bool:
    """Whether a process was started from a release, or has mapped a file of it."""
    inside = f"{release}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "maps"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if inside in (process / name).read_bytes():
                    return True
    return False
