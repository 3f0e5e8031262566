"""Mutants of the operator's word: what was ordered is not done, or not for as long as it holds."""

from msgspec.structs import replace

from chaos.mutants.mutant import mutant
from chaos.mutants.patch import Patch
from tradebaas.core import apply, decide
from tradebaas.core.draft import Draft
from tradebaas.core.events import Disarmed, Halted, LifeStarted
from tradebaas.core.messages import Halt, Refused, StartLife
from tradebaas.core.state import State


@mutant(
    "disarmed-by-restart",
    breaks="a new life is not armed: it waits until its operator starts the strategy again",
    costs="after the first crash at night nothing is traded",
    by="Durable",
    needs="a death with a strategy armed, and a judge who sees that nobody had stopped it",
    seed=3,
)
def disarmed_by_restart(patch: Patch) -> None:
    honest = decide._start_life

    def start_life(draft: Draft, request: StartLife) -> Refused | None:
        refused = honest(draft, request)
        if draft.state.armed:
            decide._drop_signal(draft, "restart")
            draft.emit(Disarmed(reason="restart"))
        return refused

    patch.set(decide, "_start_life", start_life)


@mutant(
    "halt-keeps-position",
    breaks="a halt keeps entries back and closes nothing",
    costs="the operator was told that it halts, goes home, and the position runs on",
    by="Alive",
    needs="a halt with an open position that nothing else closes",
    profile="commands",
    seed=4,
)
def halt_keeps_position(patch: Patch) -> None:
    def halt(draft: Draft, request: Halt) -> None:
        draft.emit(Halted(by=request.by, reason=request.reason))
        decide._drop_signal(draft, f"halted: {request.reason}")

    def stay_halted(_draft: Draft) -> None:
        pass

    patch.set(decide, "_halt", halt)
    patch.set(decide, "_stay_halted", stay_halted)


@mutant(
    "close-forgotten",
    breaks="a close that was asked for is forgotten by the next life",
    costs="a halt or a close that meets a crash never happens, though it was answered",
    by="Alive",
    needs="a death between the answer to a close and its fill",
    profile="commands",
    seed=10,
)
def close_forgotten(patch: Patch) -> None:
    honest = apply._life_started

    def life_started(state: State, event: LifeStarted) -> State:
        return replace(honest(state, event), closing="")

    patch.set(apply, "_STEPS", {**apply._STEPS, LifeStarted: life_started})
