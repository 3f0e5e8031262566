"""Calls that are lost, late or queued: the exchange works, its answers do not arrive in time.

Each row is a way and a target. "lost" is before execution, "done" after it; what is cut takes the
connection with it. The delays straddle the daemon's own limits: the time that it waits for an
answer, an order's ``valid_until``, and the queue bound of the proof of absence. A queued order is
executed when its turn comes, or refused with 13888 after its ``valid_until``: the exchange itself
sees to that.
"""

from chaos.world.faults_scene import TARGETS, Row, Scene
from tradebaas.paper.faults import Kind

LATE_MS = (50, 4_000)
VERY_LATE_MS = (6_000, 30_000)
QUEUED_MS = (20, 600)
"""In a client's time; a short one, since nothing can be protected meanwhile."""
ALL = tuple(name for name in TARGETS if name != "edit")  # those have a file of their own
CHANGING = ("order", "cancel")

# way: (kind of rule, delay, targets)
WAYS: dict[str, tuple[Kind, tuple[int, int], tuple[str, ...]]] = {
    "lost, cut": ("swallow", (0, 0), ALL),
    "lost in silence": ("deaf", (0, 0), ALL),
    "done, cut": ("lose", (0, 0), CHANGING),
    "done in silence": ("mute", (0, 0), CHANGING),
    "answered late": ("late", LATE_MS, ALL),
    "answered very late": ("late", VERY_LATE_MS, ALL),
    "answered after what it set off": ("late", (0, 0), CHANGING),
    "queued": ("queue", QUEUED_MS, CHANGING),
}


def call_row(way: str, target: str) -> Row:
    """A row that has the next calls of a target go that way."""
    kind, delays, _ = WAYS[way]

    def strike(scene: Scene) -> str:
        delay_ms = scene.stretch(*delays)
        count = scene.rng.choice((1, 1, 1, 2, 3))
        if not scene.arm(kind, target, count=count, delay_ms=delay_ms):
            return ""
        by = f" by {delay_ms} ms" if delay_ms else ""
        return f"the next {count} {target} calls are {way}{by}"

    strike.__doc__ = f"The next {target} calls are {way}."
    return strike


ROWS: dict[str, Row] = {
    f"{target} {way}": call_row(way, target)
    for way, (_, _, targets) in WAYS.items()
    for target in targets
}
