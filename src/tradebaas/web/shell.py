"""What the daemon hands to the HTTP side: everything it may see and do, and nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import final

from tradebaas.board import Board
from tradebaas.config import Config
from tradebaas.core.messages import Answer, Request
from tradebaas.core.model import Assignment
from tradebaas.runtime.mailbox import Door
from tradebaas.runtime.ports import Clock


@final
@dataclass(frozen=True, slots=True)
class Shell:
    """Read access to the published values, and a way to ask the persister.

    ``started_at`` is monotonic seconds at the start of the process. ``token`` is the bearer token
    that every POST must carry. ``life_up`` says whether a crew is running and its store recovered;
    ``deaths`` how many crews have died in this process. ``bind_assignment`` spells out every
    parameter of an assignment, or says why it cannot be started. ``kill`` makes one actor die
    (``LookupError`` for an unknown name); it is None unless the daemon was started with --chaos.
    ``leave_halt`` writes data/HALT, durably (``OSError``): for when there is no crew to ask.
    ``read_gap`` reads what the newest restore did not have, None if there was none (``Fatal``).
    """

    config: Config
    board: Board
    door: Door[Request, Answer]
    clock: Clock
    version: str
    started_at: float
    token: str
    life_up: Callable[[], bool]
    deaths: Callable[[], int]
    bind_assignment: Callable[[Assignment], Assignment | str]
    leave_halt: Callable[[str], Awaitable[None]]
    read_gap: Callable[[], Awaitable[object]]
    kill: Callable[[str], None] | None = None
