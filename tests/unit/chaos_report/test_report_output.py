"""What a command does with its verdict: options, files, exit code."""

import io
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from report_kit import broken, passed
from rich.console import Console

from chaos.report.document import decode
from chaos.report.output import Output, deliver, output_options


@click.command()
@output_options
@click.option("--seed", default=1)
def command(output: Output, seed: int) -> None:
    verdict = passed() if seed == 1 else broken()
    raise SystemExit(deliver(verdict, output, Console(file=io.StringIO())))


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_files_that_are_asked_for_are_written_and_no_others(tmp_path: Path) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("json", "html", "junit")}
    for name, file in files.items():
        assert run(f"--{name}", file) == (0, "")
    assert sorted(tmp_path.iterdir()) == sorted(files.values())
    assert decode(files["json"].read_bytes()) == passed()
    assert files["html"].read_text("utf-8").startswith("<!doctype html>")
    assert files["junit"].read_bytes().startswith(b"<?xml")
    assert run() == (0, "")


def test_a_failed_run_is_exit_code_1_and_written_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    assert run("--seed", 2, "--json", file)[0] == 1
    assert not decode(file.read_bytes()).passed


def test_a_place_that_is_not_there_is_refused_before_the_run(tmp_path: Path) -> None:
    code, text = run("--html", tmp_path / "no" / "r.html", "--seed", 2)
    assert code == 2
    assert "is not there" in text


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        deliver(passed(), Output(json=file), Console(file=io.StringIO()))
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_who_reads_the_old_file_goes_on_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")
    with file.open() as reader:
        deliver(passed(), Output(json=file), Console(file=io.StringIO()))
        assert reader.read() == "old"
    assert decode(file.read_bytes()) == passed()


def test_the_table_is_out_before_a_file_is_tried(tmp_path: Path) -> None:
    text = io.StringIO()
    with pytest.raises(OSError):
        deliver(passed(), Output(json=tmp_path / "no" / "x"), Console(file=text))
    assert "PASSED" in text.getvalue()
