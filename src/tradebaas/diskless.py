"""A halt that the disk does not take: it is carried out at the exchange all the same.

Either a commit has failed for good, which ends the process, or a life waits for space, which may
take for ever. What was known last is what is acted on.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import final

import trio

from tradebaas.config import Config
from tradebaas.errors import Fatal, StoreFault
from tradebaas.lives import Lives
from tradebaas.output import say
from tradebaas.runtime.ports import Ports
from tradebaas.store.place import Place

SPACE_CHECK_S = 2.0
DEED_S = 20.0
WORDS_S = 1.0


@final
@dataclass(slots=True)
class Diskless:
    """Of one process. ``acting`` while it acts: then no life of the crew does."""

    config: Config
    ports: Ports
    lives: Lives
    tell: Callable[[str], None]
    acting: bool = False

    async def live(self) -> None:
        """All lives.

        Raises:
            Fatal: as ``Lives.run``.
        """
        try:
            await self.lives.run()
        except StoreFault:
            await self._carry_out()
            raise

    async def watch(self) -> None:
        """Likewise while a life waits for space; once."""
        store, version = self.lives.board.store, 0
        while not (self.lives.waits_for_space() and self._reason()):
            with trio.move_on_after(SPACE_CHECK_S):
                _, version = await store.wait_newer(version)
        await self._carry_out()

    def _reason(self) -> str:
        """Of a halt that is in force or was asked for; "" when there is none."""
        board = self.lives.board
        halted = board.view.value.halted if board.view.value is not None else None
        return board.halt or (f"{halted.by}: {halted.reason}" if halted is not None else "")

    async def _carry_out(self) -> None:
        """Do the deed of a halt with what was known last, if there is one and anything is known."""
        from tradebaas.direct.flatten import flatten
        from tradebaas.direct.life import Setting

        state, reason = self.lives.board.view.value, self._reason()
        if state is None or not reason:
            return
        setting = Setting(
            config=self.config, ports=self.ports, locate=self.lives.locate,
            secret=self.lives.secret, state=state, cause="halt without a disk",
            tell=lambda _: None,
        )  # fmt: skip
        self.tell(f"the disk does not take the halt ({reason}): acting at the exchange without it")
        steps: list[str] = []
        self.acting = True
        try:
            with nullcontext() if self.lives.waits_for_space() else self._claimed():
                left = await flatten(
                    setting, "daemon", reason, DEED_S,
                    lambda step, detail: steps.append(f"{step}: {detail}"),
                )  # fmt: skip
            steps.append(left.problem or "halted: nothing of ours is left at the exchange")
        except Fatal as fatal:
            steps.append(f"nothing more was done: {fatal}")
        finally:
            self.acting = False
        with trio.move_on_after(WORDS_S):
            await say("\n".join(steps))

    def _claimed(self) -> AbstractContextManager[None]:
        from tradebaas.direct.claim import claimed

        return claimed(Place(self.config.data_dir), self.ports.clock.wall_ms())
