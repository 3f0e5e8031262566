"""The verdict as JSON: everything, in an order that never depends on how it was counted.

Beside the run and its tally the document holds what is derived from them (whether it passed, the
percentiles), for readers without this code. ``decode`` derives it anew and believes none of it.
"""

import msgspec
from msgspec import Struct

from chaos.report.sample import Sample
from chaos.report.verdict import Run, Tally, Verdict

FORMAT = 2
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


class Document(Struct, frozen=True):
    """``format`` changes with the meaning of any field; durations are seconds.

    ``virtual_seconds`` are of the daemon's clock, in which its limits are told and in which it
    recovers; ``exchange_seconds`` of the exchange's, which may run many times as fast.
    """

    format: int
    passed: bool
    failures: tuple[str, ...]
    deaths: int
    deaths_per_second: float
    virtual_seconds: float
    exchange_seconds: float
    virtual_seconds_per_second: float
    recovery_seconds: dict[str, dict[str, float]]
    naked_seconds: dict[str, dict[str, float]]
    run: Run
    tally: Tally


class DocumentBroken(Exception):
    """A file is no report of this harness; the message says why."""


def encode(verdict: Verdict) -> bytes:
    """The verdict as indented JSON that ends with a line break; equal verdicts give equal bytes."""
    tally = verdict.tally
    document = Document(
        format=FORMAT,
        passed=verdict.passed,
        failures=tuple(verdict.failures),
        deaths=tally.died,
        deaths_per_second=round(verdict.deaths_per_second, 3),
        virtual_seconds=verdict.virtual,
        exchange_seconds=verdict.exchange,
        virtual_seconds_per_second=round(verdict.speed, 3),
        recovery_seconds={name: _figures(sample) for name, sample in tally.recovery.items()},
        naked_seconds={name: _figures(sample) for name, sample in tally.naked.items()},
        run=verdict.run,
        tally=tally,
    )
    plain = msgspec.to_builtins(document, order="deterministic", str_keys=True)
    return msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"


def decode(raw: bytes) -> Verdict:
    """The verdict of a document.

    Raises:
        DocumentBroken: it is not JSON, of another format, or its values make no verdict.
    """
    try:
        document = msgspec.json.decode(raw, type=Document)
    except msgspec.MsgspecError as error:
        raise DocumentBroken(f"no report of the chaos harness: {error}") from error
    if document.format != FORMAT:
        raise DocumentBroken(f"a report of format {document.format}, this reads {FORMAT}")
    return Verdict(document.run, document.tally)


def _figures(sample: Sample) -> dict[str, float]:
    return {"count": sample.count, **{n: sample.percentile(at) for n, at in SHARES.items()}}
