"""A distribution of seconds: bounded in size, and exact to merge.

Each value is kept as whole microseconds, rounded up to three significant digits, with the number of
times it came. So a figure read from here is at most 1 % above what was measured and never below it;
a million values take no more than some thousand entries; and merging only adds whole numbers, so
the order in which workers finish changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

MICROS = 1_000_000
DIGITS = 3


class Sample(Struct, frozen=True):
    """``counts`` maps whole microseconds, rounded up to three digits, to how often they came."""

    counts: dict[int, int] = {}

    def __post_init__(self) -> None:
        if any(micros < 0 or times < 1 for micros, times in self.counts.items()):
            raise ValueError("a sample counts durations of 0 or more, each at least once")

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Sample":
        """The sample of these durations.

        Raises:
            ValueError: one of them is negative.
        """
        return cls(_in_order(Counter(map(_micros, seconds))))

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts.values())

    def percentile(self, share: float) -> float:
        """Seconds that ``share`` (0 to 1) of all values do not exceed; 0 when there is none."""
        left = share * self.count
        for micros, times in sorted(self.counts.items()):
            left -= times
            if left <= 1e-9:
                return micros / MICROS
        return 0.0

    @property
    def max(self) -> float:
        """The longest, in seconds; 0 when there is none."""
        return max(self.counts, default=0) / MICROS


def merge_samples(a: Sample, b: Sample) -> Sample:
    """Both samples as one."""
    return Sample(_in_order(Counter(a.counts) + Counter(b.counts)))


def _micros(seconds: float) -> int:
    """Whole microseconds, rounded up to three significant digits."""
    if seconds < 0:
        raise ValueError(f"a duration can't be negative: {seconds}")
    micros = round(seconds * MICROS)
    step: int = 10 ** max(len(str(micros)) - DIGITS, 0)
    return -(-micros // step) * step


def _in_order(counts: Mapping[int, int]) -> dict[int, int]:
    return dict(sorted(counts.items()))
