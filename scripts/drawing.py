"""States and the moves between them as an SVG: the states stand in a column, moves down run on its
right and moves up on its left, each in a lane of its own with its words beside it.
"""

from collections.abc import Iterator, Mapping, Sequence

WIDTH, HEIGHT, PITCH = 170, 62, 196
"""A state's box, and how far the states are apart."""
LANE, FIRST_LANE = 26, 44
"""Between two lanes, and from a box to the first one."""
ROUND = 8
STYLE = (
    "rect{fill:#fff;stroke:#334155}path{fill:none;stroke:#64748b}text{fill:#0f172a;"
    "font:12px sans-serif;text-anchor:middle}.state{font-weight:bold}"
    ".words{paint-order:stroke;stroke:#fff;stroke-width:4px}"
)
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0,0L8,4L0,8z" style="fill:#64748b"/></marker></defs>'
)
Move = tuple[int, int, str]
"""From which row, to which row, and why."""


def drawing(states: Sequence[str], moves: Mapping[tuple[str, str], str]) -> str:
    """The whole file."""
    rows = {state: row for row, state in enumerate(states)}
    every = [(rows[source], rows[target], words) for (source, target), words in moves.items()]
    down = sorted((m for m in every if m[1] > m[0]), key=_span)
    up = sorted((m for m in every if m[1] < m[0]), key=_span)
    left = FIRST_LANE + LANE * len(up)
    width = left + WIDTH + FIRST_LANE + LANE * len(down)
    height = PITCH * (len(states) - 1) + HEIGHT + 2
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f"<style>{STYLE}</style>{ARROW}",
        '<rect width="100%" height="100%" style="stroke:none"/>',
        *sorted((*_lanes(up, left, -1), *_lanes(down, left + WIDTH, 1))),  # lines, then words
        *(_box(state, left, 1 + row * PITCH) for state, row in rows.items()),
        "</svg>\n",
    ))  # fmt: skip


def _span(move: Move) -> tuple[int, int]:
    """Short moves are near the boxes."""
    return abs(move[1] - move[0]), move[0]


def _box(state: str, x: int, y: int) -> str:
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    middle = f'x="{x + WIDTH // 2}" y="{y + HEIGHT // 2 + 4}"'
    return f'{box}<text class="state" {middle}>{state}</text>'


def _lanes(moves: Sequence[Move], edge: int, side: int) -> Iterator[str]:
    """``edge`` is where the boxes end on that ``side``: 1 right, -1 left."""
    ports = [0] * (1 + max(max(move[:2]) for move in moves))
    ends = [sum(row in move[:2] for move in moves) for row in range(len(ports))]

    def port(row: int) -> int:
        ports[row] += 1
        return 1 + row * PITCH + HEIGHT * ports[row] // (ends[row] + 1)

    for number, (source, target, words) in enumerate(moves):
        x = edge + side * (FIRST_LANE + LANE * number - LANE // 2)
        start, end = port(source), port(target)
        turn = ROUND if end > start else -ROUND
        corner = x - side * ROUND
        yield (
            f'<path marker-end="url(#arrow)" d="M{edge},{start}H{corner}Q{x},{start} {x},'
            f'{start + turn}V{end - turn}Q{x},{end} {corner},{end}H{edge}"/>'
        )
        middle = f"{x + (15 if side > 0 else -5)},{(start + end) // 2}"
        yield f'<text class="words" transform="translate({middle})rotate(-90)">{words}</text>'
