"""Answer an operator's command when it is decided, and commit it afterwards."""

from chaos.breaks.patch import patch
from tradebaas.actors import persister
from tradebaas.core.decide import decide
from tradebaas.core.messages import (
    Answer,
    Arm,
    ClosePosition,
    Committed,
    Disarm,
    Halt,
    Refused,
    Request,
    Resume,
)
from tradebaas.runtime.mailbox import Ask

COMMANDS = (Arm, Disarm, ClosePosition, Halt, Resume)


def apply() -> None:
    """Break the order of commit and answer."""
    scribe = persister._Scribe
    honest = scribe._serve_batch

    async def serve_batch(self: persister._Scribe, batch: list[Ask[Request, Answer]]) -> None:
        candidate = self._state
        still: list[Ask[Request, Answer]] = []
        for ask in batch:
            decision = decide(candidate, ask.request, self._ctx.limits)
            if isinstance(decision, Refused) or not isinstance(ask.request, COMMANDS):
                still.append(ask)
            else:
                ask.reply.answer(Committed(seq=decision.state.seq, events=decision.events))
                still.append(Ask(ask.request))  # what it is answered later, nobody hears
            if not isinstance(decision, Refused):
                candidate = decision.state
        await honest(self, still)

    patch(scribe, "_serve_batch", serve_batch)
