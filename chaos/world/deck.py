"""A shuffled deck: chance without luck, since each card comes once before any comes again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Deck:
    """Draws each card once before any comes again; ``left`` are those that come first."""

    rng: random.Random
    cards: Sequence[str]
    left: list[str] = field(default_factory=list)

    def draw(self) -> str:
        """The next card."""
        if not self.left:
            self.left = list(self.cards)
            self.rng.shuffle(self.left)
        return self.left.pop()
