"""How long things took, counted in buckets: what a histogram of the monitoring is made of.

prometheus_client's own would be imported before trading; this is a list of counts. It belongs to
the process and is written by one task.
"""

from bisect import bisect_left
from typing import final


@final
class Durations:
    """Seconds, by upper bounds. ``counts`` has one more than the bounds: what was longer."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds
