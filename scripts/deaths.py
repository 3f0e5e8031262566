"""Measures docs/deaths.md: ``python scripts/deaths.py``, about a minute.

One trade of the enumeration's world is played to its end once for each place and each way to die
there; what the recovery report of the next start says is the time. Virtual time: every run on every
machine measures the same, and a test plays some of the places again.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.points import ON_DISK, Point
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.stage import Stage
from chaos.enumerate.trial import Trial, play
from chaos.sim.reaper import Deed

PAGE = Path(__file__).parent.parent / "docs" / "deaths.md"
SCENARIO = "stop"
NOT_THERE = "-"

HEAD = """\
# What becomes of a position when it all dies

<!-- Measured by scripts/deaths.py; do not edit by hand. -->

Whatever dies (the program, the machine, the line), the stop of an open position rests at the
exchange, and is the protection until somebody is back. This page follows one trade from an empty
disk to the end of a position whose stop fires, dies at each place of it, and measures what comes
then. *Place* is what the daemon was at: a commit that begins or is done, a sync of a file, a frame
that has just gone out or come in. *Killed* is a SIGKILL there, *power cut* takes what was not
synced with it. The time is what the recovery report of the next start says: from its first
instruction until the account is read, every order that can be is proven and what is open is
protected. *Proven after* is what an order took on top whose fate the exchange could not tell yet,
for it was still valid: until then nothing is opened. *Without a stop* is the longest time, by the
exchange's clock, that a position had no full stop in that trade.

All times are of a simulated machine, whose disk and network have delays of their own: they show
that no place is worse than the others, and are the same wherever they are measured. What a real
machine takes is in the [evidence](evidence.md), for all places together; the line is cut before,
inside and after every frame by `python -m chaos enumerate`, as this trade and ten others are
played there with every outcome at the exchange, and with a second death in each recovery.

| phase | place | how many | killed: back | power cut: back | proven after | without a stop |
| --- | --- | --- | --- | --- | --- | --- |
"""


class Measured(Struct, frozen=True):
    """What one death led to; seconds."""

    back: float
    proven: float
    bare: float


class Row(Struct, frozen=True):
    """Places that are alike, and the worst of what was measured at them."""

    phase: str
    place: str
    count: int
    killed: float
    cut: float | None
    proven: float
    bare: float

    def line(self) -> str:
        """Its line of the table."""
        times = (self.killed, self.cut, self.proven or None, self.bare)
        told = [NOT_THERE if seconds is None else f"{seconds:.3f} s" for seconds in times]
        return f"| {' | '.join((self.phase, self.place, str(self.count), *told))} |"


def places() -> list[Point]:
    """All places of the trade."""
    found: list[Point] = []

    def note(_depth: int, point: Point, _dooms: list[Doom]) -> None:
        if stage.its_own:
            found.append(point)

    stage = Stage(SCENARIOS[SCENARIO].script, False, note)
    stage.play()
    return found


def die(point: Point, deed: Deed) -> Measured:
    """Die there, and see what the next start makes of it."""
    _, result = play(Trial(SCENARIO, Doom(Outcome.DONE, deed), point.number))
    assert len(result.deaths) == 1, point
    assert not result.tally.findings, result.tally.findings
    (back,) = result.tally.recovery.values()
    return Measured(back.max, result.tally.settle.max, result.tally.naked["own"].max)


def name_of(point: Point) -> tuple[str, str]:
    """The phase and the place, as the page has them."""
    return point.phase, f"{point.kind} {point.what}"


def row(points: Iterable[Point]) -> Row:
    """The worst of places that are alike."""
    alike = list(points)
    killed = [die(point, Deed.SIGKILL) for point in alike]
    cut = [die(point, Deed.POWER) for point in alike if point.kind in ON_DISK]
    phase, place = name_of(alike[0])
    return Row(
        phase=phase,
        place=place,
        count=len(alike),
        killed=max(one.back for one in killed),
        cut=max((one.back for one in cut), default=None),
        proven=max(one.proven for one in killed + cut),
        bare=max(one.bare for one in killed + cut),
    )


def grouped() -> dict[tuple[str, str], list[Point]]:
    """The places by their names, in the order of the trade."""
    found: dict[tuple[str, str], list[Point]] = {}
    for point in places():
        found.setdefault(name_of(point), []).append(point)
    return found


def main() -> None:
    """Measure all of them and write the page."""
    lines = [row(points).line() for points in grouped().values()]
    PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
