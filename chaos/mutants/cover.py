"""Mutants of cover: how far away a stop may be, and what comes when there is none."""

from decimal import Decimal

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.core import duties, moving, owners
from tradebaas.core.model import Market, Order, Position, Role
from tradebaas.core.risk import Limits
from tradebaas.core.state import State

_FARTHER = 10
_NEVER_MS = 10**12


@mutant(
    "far-stop-covers",
    breaks="a stop of the owner's that is taken over counts as cover, however far away it is",
    costs="the position has a stop that loses many times what the plan allowed, and no other",
    by="Protected",
    needs="an owner who leaves a stop far away, and takes ours from beside it",
    profile="far stops",
)
def far_stop_covers(patch: Patch) -> None:
    honest = owners._duty

    def duty(state: State, order: Order, limits: Limits) -> Role:
        if state.position is not None and order.order_type in owners._STOPS:
            return Role.STOP
        return honest(state, order, limits)

    patch.set(owners, "_duty", duty)


@mutant(
    "adopted-far",
    breaks="the stop of a position that is taken over lies ten times as far away as configured",
    costs="what the owner left to the daemon may lose a fifth of its worth before it is closed",
    by="Protected",
    needs="a position of the owner's that is adopted",
    profile="left",
)
def adopted_far(patch: Patch) -> None:
    honest = moving.present

    def present(state: State, position: Position, limits: Limits) -> Decimal:
        percent = _FARTHER * limits.adopted_stop_percent
        return honest(state, position, replace(limits, adopted_stop_percent=percent))

    patch.set(moving, "present", present)
    patch.set(owners, "present", present)


@mutant(
    "no-last-resort",
    breaks="a naked position waits for its stop, however long the exchange takes none",
    costs="while nothing can protect it nobody closes it either, and the market decides",
    by="Protected",
    needs="an exchange that refuses every stop for longer than the limit of naked time",
    profile="no stops",
)
def no_last_resort(patch: Patch) -> None:
    honest = duties._hopeless

    def hopeless(state: State, at_ms: int, market: Market, limits: Limits) -> str:
        return honest(state, at_ms, market, replace(limits, naked_ms=_NEVER_MS))

    patch.set(duties, "_hopeless", hopeless)
