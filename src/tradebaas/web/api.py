"""The operator's endpoints: what the daemon is doing, and the commands to it.

Every command becomes one request to the persister, and its answer says what is durable: a 2xx
carries the ``seq`` of the last committed event. A refusal is a 409 with the reason; when nobody
answered, a 503 says what is known about the outcome. A halt does not need a crew: without one it is
left in data/HALT for the next life, which has a little time to confirm it.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import trio
from msgspec import Struct
from quart import Response
from quart_trio import QuartTrio

from tradebaas.core.messages import (
    Arm,
    ClosePosition,
    Committed,
    Disarm,
    Halt,
    MoveStop,
    Refused,
    Request,
    Resume,
)
from tradebaas.core.model import Assignment
from tradebaas.core.reasons import printable, reason_problem
from tradebaas.core.state import State
from tradebaas.errors import Fatal
from tradebaas.runtime.mailbox import AskTimeout, LifeEnded
from tradebaas.web import status
from tradebaas.web.guard import from_loopback
from tradebaas.web.health import RECOVERING, Facts, glance
from tradebaas.web.reply import BadBody, answer, body_of, problem
from tradebaas.web.shell import Shell

ASK_SECONDS = 10.0
HALT_SECONDS = 12.0
LOOK_SECONDS = 0.05
LEFT = "data/HALT is written: this life or the next one reads it, halts and closes what is open"
NOT_LEFT = f"{RECOVERING}, and data/HALT cannot be written: try again"
OPERATOR = "operator"
TRY_AGAIN = f"{RECOVERING}; nothing was done, try again"


class StartBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to start; what is left out comes from the configuration."""

    strategy: str | None = None
    instrument: str | None = None
    timeframe: str | None = None
    parameters: dict[str, str | int | float] | None = None


class StopBody(Struct, frozen=True, forbid_unknown_fields=True):
    """``close`` also closes the position at the market."""

    close: bool = False


class ReasonBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, in the operator's words."""

    reason: str = ""


class MoveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the stop is to be, closer to the market than it is."""

    stop: Decimal


class NoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint that takes nothing."""


Read = Callable[[Facts, State], status.Body]

READS: dict[str, Read] = {
    "/api/strategy/status": status.strategy_body,
    "/api/position": status.position_body,
    "/api/orders": status.orders_body,
}


def add_reads(app: QuartTrio, shell: Shell) -> None:
    """Register the endpoints that only show the published state."""

    def reader(read: Read) -> Callable[[], Awaitable[Response]]:
        async def show() -> Response:
            facts = glance(shell)
            if facts.view is None:
                return problem(503, RECOVERING)
            return answer(read(facts, facts.view))

        return show

    for path, read in READS.items():
        app.add_url_rule(path, path, reader(read), methods=["GET"])

    @app.get("/api/recovery")
    async def recovery() -> Response:
        return answer(status.recovery_body(glance(shell)))

    @app.get("/api/gap")
    async def gap() -> Response:
        try:
            return answer({"restored": await shell.read_gap()})
        except Fatal as unreadable:
            return problem(503, str(unreadable))


def add_commands(app: QuartTrio, shell: Shell) -> None:
    """Register the endpoints that ask the persister."""

    @app.post("/api/strategy/start")
    async def start() -> Response:
        assignment = _assignment(shell, await body_of(StartBody))
        bound = shell.bind_assignment(assignment)
        if isinstance(bound, str):
            return problem(400, bound)
        return await _ask(shell, Arm(assignment=bound))

    @app.post("/api/strategy/stop")
    async def stop() -> Response:
        body = await body_of(StopBody)
        return await _ask(shell, Disarm(reason=f"stopped by {OPERATOR}", close=body.close))

    @app.post("/api/halt")
    async def halt() -> Response:
        reason = _reason(await body_of(ReasonBody))
        return await _halt(shell, reason or "no reason given")

    @app.post("/api/resume")
    async def resume() -> Response:
        await body_of(NoBody)
        return await _ask(shell, Resume(by=OPERATOR))

    @app.post("/api/position/close")
    async def close() -> Response:
        reason = _reason(await body_of(ReasonBody))
        return await _ask(shell, ClosePosition(reason=reason or f"closed by {OPERATOR}"))

    @app.post("/api/position/stop")
    async def move_stop() -> Response:
        body = await body_of(MoveBody)
        market = shell.board.market.value
        if market is None:
            return await _ask(shell, MoveStop(stop=body.stop, by=OPERATOR))
        mark, tick = market.ticker.mark, market.instrument.tick_size
        return await _ask(shell, MoveStop(stop=body.stop, by=OPERATOR, mark=mark, tick=tick))


def add_chaos(app: QuartTrio, kill: Callable[[str], None]) -> None:
    """Register the endpoint that kills an actor: for the chaos harness, from this machine."""

    @app.post("/chaos/kill/<actor>")
    async def kill_actor(actor: str) -> Response:
        if not from_loopback():
            return problem(403, "actors are killed from this machine only")
        try:
            kill(actor)
        except LookupError as unknown:
            return problem(404, str(unknown))
        return answer({"killed": actor}, 202)


def _assignment(shell: Shell, body: StartBody) -> Assignment:
    """What to arm. The configured parameters belong to the configured strategy only."""
    configured = shell.config.strategy
    name = body.strategy or configured.name
    defaults = configured.parameters if name == configured.name else {}
    parameters = defaults if body.parameters is None else {**defaults, **body.parameters}
    return Assignment(
        strategy=name,
        parameters={key: str(value) for key, value in parameters.items()},
        instrument=body.instrument or configured.instrument,
        timeframe=body.timeframe or configured.timeframe,
    )


def _reason(body: ReasonBody) -> str:
    """In one line.

    Raises:
        BadBody: it is too long.
    """
    if problem := reason_problem(body.reason):
        raise BadBody(problem)
    return printable(body.reason)


async def _halt(shell: Shell, reason: str) -> Response:
    """Ask the crew; while none answers, leave the file, and ask again.

    A crew that is dying is up for a moment more: what counts is whether it has answered.
    """
    left = False
    with trio.move_on_after(HALT_SECONDS):
        while True:
            if shell.life_up():
                reply = await _ask(shell, Halt(by=OPERATOR, reason=reason))
                if reply.status_code != 503:
                    return reply
            if not left:
                try:
                    await shell.leave_halt(f"{OPERATOR}: {reason}")
                except OSError as error:
                    return problem(503, f"{NOT_LEFT} ({error.strerror})", outcome="unknown")
                left = True
            await trio.sleep(LOOK_SECONDS)
    return answer({"halted": "at the next life", "detail": LEFT}, 202)


async def _ask(shell: Shell, request: Request) -> Response:
    if not shell.life_up():
        return problem(503, TRY_AGAIN, outcome="not done")
    try:
        decided = await shell.door.ask(request, within=ASK_SECONDS)
    except (LifeEnded, AskTimeout) as lost:
        return problem(503, f"{lost}; look at /api/strategy/status", outcome="unknown")
    match decided:
        case Refused(reason=reason):
            return problem(409, reason)
        case Committed(seq=seq, events=events):
            return answer({"seq": seq, "events": events})
