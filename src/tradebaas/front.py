"""The HTTP side of the shell: built beside the loop, served while the process lives.

At process start it binds only once the crew has its permit (or after three seconds), so that its
imports cost no trading time.
"""

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import final

import trio

from tradebaas import __version__
from tradebaas.access import denial
from tradebaas.bearer import bearer_token
from tradebaas.binding import bind_assignment
from tradebaas.config import Config
from tradebaas.errors import Unusable
from tradebaas.lives import Lives
from tradebaas.output import OUTPUT, say
from tradebaas.parts import Parts
from tradebaas.runtime.ports import Ports
from tradebaas.runtime.supervisor import LifePlan
from tradebaas.store.halt import write_halt
from tradebaas.store.place import Place

HTTP_WAITS_S = 3.0


@final
@dataclass(slots=True)
class Front:
    """Of one process. It serves until ``down``; with ``chaos`` actors can be killed through it."""

    config: Config
    ports: Ports
    lives: Lives
    down: trio.Event
    chaos: bool

    async def run(self, parts: Parts) -> None:
        """Serve once trading is possible."""
        with trio.move_on_after(HTTP_WAITS_S):
            await self._recovered()
        await parts.keep("HTTP", self._serve, self.down)

    async def _recovered(self) -> None:
        """Until the first life has reconciled, proven and protected everything."""
        await self.lives.board.recovery.wait_newer(0)

    async def _serve(self, _plan: LifePlan) -> None:
        async with self.ports.open_blocking("HTTP") as worker:
            await worker.run(import_module, "tradebaas.web.app")  # long: not in the loop
            await worker.run(import_module, "tradebaas.web.server")
            token = await worker.run(self._token)
        from tradebaas.gaps import gap_of
        from tradebaas.web.address import keep_address
        from tradebaas.web.app import create_app
        from tradebaas.web.server import serve
        from tradebaas.web.shell import Shell

        settings = self.config.http
        OUTPUT.log.secrets.add(token)
        shell = Shell(
            config=self.config,
            board=self.lives.board,
            door=self.lives.door,
            clock=self.ports.clock,
            version=__version__,
            started_at=self.lives.born,
            token=token,
            life_up=self.lives.life_up,
            deaths=lambda: self.lives.deaths,
            bind_assignment=partial(bind_assignment, self.config),
            leave_halt=self._leave_halt,
            read_gap=partial(gap_of, Place(self.config.data_dir), self.ports),
            kill=self.lives.kill if self.chaos else None,
        )
        app = create_app(shell)
        async with trio.open_nursery() as nursery:
            url = await nursery.start(
                partial(serve, app, settings.host, settings.port, shutdown=self.down)
            )
            async with trio.open_nursery() as telling:
                file = self.config.data_dir / "address"
                await telling.start(keep_address, file, str(url), self.ports)
                await say(f"HTTP on {url} (health, metrics, API)", actor="http")
                await self.down.wait()
                telling.cancel_scope.cancel()

    async def _leave_halt(self, reason: str) -> None:
        self.lives.board.halt = reason
        async with self.ports.open_blocking("halt") as worker:
            await worker.run(write_halt, Place(self.config.data_dir), reason)

    def _token(self) -> str:
        try:
            return bearer_token(self.config.data_dir, self.ports.entropy)
        except PermissionError as error:
            raise Unusable(denial(self.config.data_dir / "token")) from error
