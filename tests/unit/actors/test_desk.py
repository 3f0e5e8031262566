"""The desk alone, on a link that is a puppet: what is sent, and when closing is over."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace as replace_intent

from tests.unit.actors.test_parts import context
from tests.unit.core.core_kit import INVERSE, D, Story
from tradebaas.actors import desk, reconciler
from tradebaas.actors.desk import SLACK_MS, Desk
from tradebaas.actors.session import Session
from tradebaas.board import Context
from tradebaas.core.facts import AbsentFact, LostFact, NotSentFact, OrderFact
from tradebaas.core.messages import Answer, Committed, Report, Request
from tradebaas.core.messages import Link as LinkDown
from tradebaas.core.model import Absence, Direction, Intent, Leg, Order, Role
from tradebaas.core.proof import APART_MS, OLD_MS
from tradebaas.core.state import HaltLatch, Pending, State
from tradebaas.deribit import reads, trade
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.convert import Contracts
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.errors import NotSent, Unanswered
from tradebaas.deribit.link import Link
from tradebaas.runtime.mailbox import Asker, Asks, open_asks

Auto = trio.testing.MockClock


def intent(role: Role = Role.ENTRY, *, life: int = 1, connection: int = 1) -> Intent:
    return Intent(
        label=f"tb1-a-{life}{connection}-{role}", role=role, instrument="BTC-PERPETUAL",
        direction=Direction.BUY, amount=D(10), order_type="market", life=life,
        reduce_only=role is not Role.ENTRY, connection=connection, intended_ms=1, valid_until_ms=2,
    )  # fmt: skip


@dataclass
class Puppet:
    """A link that asks the guard and then gives no answer; ``held`` until it may go on."""

    clock: ExchangeClock = field(default_factory=ExchangeClock)
    contracts: Contracts = field(default_factory=Contracts)
    held: trio.Event | None = None
    sent: list[object] = field(default_factory=list)

    async def call(
        self, method: str, params: dict[str, object], *, guard: Callable[[], bool], **_: object
    ) -> None:
        if not guard():
            raise NotSent(f"{method}: its guard forbade it")
        self.sent.append(params["label"])
        if self.held is not None:
            await self.held.wait()
        raise Unanswered(f"{method}: no answer")


@dataclass
class Scene:
    ctx: Context
    puppet: Puppet
    desk: Desk
    reports: list[Report] = field(default_factory=list)

    def show(self, *intents: Intent, **changes: object) -> None:
        pending = {item.label: Pending(intent=item) for item in intents}
        known = {"life": 1, "connection": 1, "reconciled": 1, "pending": pending}
        self.ctx.board.view.set(State(**(known | changes)))  # type: ignore[arg-type]

    def facts(self) -> list[object]:
        return [fact for report in self.reports for fact in report.facts]


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A desk that sends; reports are answered and change nothing."""
    ctx, _ = context()
    ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(8)
    ctx = replace(ctx, asker=ends[0])
    puppet = Puppet()
    made = Scene(ctx, puppet, Desk(ctx, cast(Link, puppet), 1))

    async def answer() -> None:
        while True:
            for ask in await ends[1].receive_batch(8):
                assert isinstance(ask.request, Report)
                made.reports.append(ask.request)
                ask.reply.answer(Committed(seq=0))

    made.show()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        nursery.start_soon(made.desk.send_intents)
        yield made
        nursery.cancel_scope.cancel()


async def test_an_intent_is_sent_once(autojump_clock: Auto) -> None:
    async with scene() as made:
        wanted = intent()
        for _ in range(3):
            made.show(wanted)
            await trio.testing.wait_all_tasks_blocked()
        assert made.puppet.sent == [wanted.label]
        assert isinstance(made.facts()[0], LostFact)


@pytest.mark.parametrize(("life", "connection"), [(2, 1), (1, 2)])
async def test_an_intent_of_another_life_or_connection_is_not_sent(
    autojump_clock: Auto, life: int, connection: int
) -> None:
    async with scene() as made:
        made.show(intent(life=life, connection=connection))
        await trio.testing.wait_all_tasks_blocked()
        assert made.puppet.sent == []
        assert made.facts() == []


@pytest.mark.parametrize(
    "forbidden",
    [{"halted": HaltLatch(by="a", reason="b")}, {"protect": {"c": "d"}}, {"closing": "asked"}],
)
async def test_an_entry_that_is_forbidden_by_now_is_reported_as_not_sent(
    autojump_clock: Auto, forbidden: dict[str, object]
) -> None:
    """It must not stay behind, nor go out later when what forbids it has passed."""
    async with scene() as made:
        entry, stop = intent(), intent(Role.STOP)
        made.show(entry, stop, **forbidden)
        await trio.testing.wait_all_tasks_blocked()
        made.show(entry, stop)
        await trio.testing.wait_all_tasks_blocked()
        assert made.puppet.sent == [stop.label], "what reduces risk goes out all the same"
        told = {fact.label: type(fact) for fact in made.facts() if hasattr(fact, "label")}
        assert told == {entry.label: NotSentFact, stop.label: LostFact}


async def test_a_lost_connection_accounts_for_every_intent_of_it(autojump_clock: Auto) -> None:
    """Sent ones are in doubt, others certainly were not sent; what is not its own it leaves."""
    asked: list[Request] = []
    async with scene() as made:
        ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(8)
        ctx = replace(made.ctx, asker=ends[0])
        sent, unsent = intent(), intent(Role.STOP)
        foreign = (intent(Role.CLOSE, life=2), intent(Role.TAKE, connection=2))
        made.show(sent, unsent, *foreign)
        desk = SimpleNamespace(linked=True, taken={sent.label}, now_ms=lambda: 77)
        attempt = reconciler._Attempt(1, 0, Credits(), cast(Session, desk), "it broke")

        async def answer() -> None:
            while len(asked) < 2:
                for ask in await ends[1].receive_batch(8):
                    asked.append(ask.request)
                    ask.reply.answer(Committed(seq=0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            await reconciler._account_for(ctx, attempt)
    down, report = asked
    assert down == LinkDown(connection=1, up=False, reason="it broke")
    assert isinstance(report, Report)
    fates = {fact.label: type(fact) for fact in report.facts if hasattr(fact, "label")}
    assert fates == {sent.label: LostFact, unsent.label: NotSentFact}


async def test_closing_waits_for_the_answer_and_no_longer(autojump_clock: Auto) -> None:
    """Also when the answer changes nothing in the state, so that no new view comes."""
    async with scene() as made:
        made.puppet.held = trio.Event()
        made.show(intent())
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()

        async def answer_later() -> None:
            await trio.sleep(2)
            assert made.puppet.held is not None
            made.puppet.held.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_later)
            await made.desk.close(8)
        assert 2 <= trio.current_time() - began < 3


async def test_closing_is_bounded_and_takes_nothing_new(autojump_clock: Auto) -> None:
    async with scene() as made:
        made.puppet.held = trio.Event()
        made.show(intent())
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await made.desk.close(8)
        assert trio.current_time() - began == pytest.approx(8)
        made.show(intent(), intent(Role.CLOSE))
        await trio.testing.wait_all_tasks_blocked()
        assert made.puppet.sent == [intent().label]


@pytest.mark.parametrize(("age_ms", "looks"), [(60_000, 1), (OLD_MS + 1, 2)])
async def test_an_old_intent_is_looked_for_twice_before_it_counts_as_absent(
    autojump_clock: Auto, monkeypatch: pytest.MonkeyPatch, age_ms: int, looks: int
) -> None:
    """The archive lags: one look into it proves nothing."""
    at: list[float] = []

    async def nothing(*_: object) -> Absence:
        at.append(trio.current_time())
        return Absence(label=intent().label, read_ms=age_ms + len(at), sources=())

    monkeypatch.setattr(reads, "probe", nothing)
    monkeypatch.setattr(ExchangeClock, "now_ms", lambda *_: 1 + age_ms)
    async with scene() as made:
        await made.desk._probe(intent(), INVERSE)
        assert len(at) == looks
        assert at[-1] - at[0] == pytest.approx((looks - 1) * (APART_MS + SLACK_MS) / 1000)
        (fact,) = made.facts()
        assert isinstance(fact, AbsentFact)
        first_ms = age_ms + 1 if looks == 2 else 0
        assert fact.evidence.first_read_ms == first_ms


async def test_a_cancel_that_is_refused_is_tried_again_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the settlement every one of them is refused, and each costs credits that a stop needs."""
    ctx, clock = context()
    asked: list[float] = []

    async def refused(_link: Link, _order_id: str) -> trade.Gone:
        asked.append(clock.now - 100.0)
        return trade.Gone(reason="10041 settlement_in_progress")

    async def unread(_link: Link, _order_id: str) -> None:
        return None

    monkeypatch.setattr(trade, "cancel", refused)
    monkeypatch.setattr(reads, "order", unread)
    desk = Desk(ctx, cast(Link, Puppet()), 1)
    for _ in range(40):
        await desk.cancel(("order",))
        clock.now += 0.25
    assert asked == [0.25, 0.75, 1.75, 3.75, 5.75, 7.75, 9.75]
    await desk.cancel(())
    await desk.cancel(("order",))
    clock.now += 0.25
    await desk.cancel(("order",))
    assert len(asked) == 8, "one that was wanted again begins anew"


@pytest.mark.parametrize(
    ("code", "message", "resting"),
    [
        (11047, "unsupported_arg_combination", True),
        (-32602, 'Invalid params {"reason":"invalid value","param":"time_in_force"}', True),
        (-32602, 'Invalid params {"reason":"must conform to tick size","param":"price"}', False),
        (10009, "not_enough_funds", False),
    ],
)
async def test_where_a_linked_order_must_rest_the_next_entry_does(
    autojump_clock: Auto,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    message: str,
    resting: bool,
) -> None:
    asked: list[bool] = []

    async def refused(*_: object, resting: bool) -> trade.Rejected:
        asked.append(resting)
        return trade.Rejected(code=code, message=message)

    monkeypatch.setattr(trade, "place", refused)
    legs = (Leg(label="tb1-a-1-s", order_type="stop_market", trigger_price=D(1)),)
    async with scene() as made:
        made.show(replace_intent(intent(), label="tb1-a-1-e", legs=legs))
        await trio.testing.wait_all_tasks_blocked()
        made.show(replace_intent(intent(), label="tb1-a-2-e", legs=legs))
        await trio.testing.wait_all_tasks_blocked()
    assert asked == [False, resting]


@pytest.mark.parametrize(
    ("told", "over", "ends", "reads_all"),
    [
        ("withdrawn", True, True, False),  # a name that nobody knows
        ("cancelled", True, True, False),
        ("untriggered", True, False, True),  # a contradiction: what is open at all decides
        ("withdrawn", False, False, True),  # the refusal says nothing about the order
    ],
)
async def test_one_answer_that_an_order_is_over_ends_its_cancels(
    autojump_clock: Auto,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    over: bool,
    ends: bool,
    reads_all: bool,
) -> None:
    async def refused(_: Link, __: str) -> trade.Gone:
        return trade.Gone(reason="11044 not_open_order", over=over)

    async def read(_: Link, order_id: str) -> Order:
        return replace_intent(Story().order("", order_id).order, state=told)

    monkeypatch.setattr(trade, "cancel", refused)
    monkeypatch.setattr(reads, "order", read)
    monkeypatch.setattr(desk, "UNWANTED_FOR_S", 0.0)
    async with scene() as made:
        await made.desk.cancel(("7",))
        (fact,) = made.facts()
        assert isinstance(fact, OrderFact)
        assert fact.order.live is not ends
        assert made.desk.survey_wanted.is_set() is reads_all


@pytest.mark.parametrize(
    ("state", "label", "doubted"),
    [
        ("expired", "tb1-a-1-c", True),
        ("expired", "", False),  # the owner's
        *((state, "tb1-a-1-c", False) for state in ("open", "untriggered", "cancelled", "filled")),
    ],
)
async def test_an_order_of_ours_in_a_state_that_nobody_knows_is_looked_for_at_once(
    autojump_clock: Auto, monkeypatch: pytest.MonkeyPatch, state: str, label: str, doubted: bool
) -> None:
    """It may be a close that is over, and the next one waits for its end."""
    told = replace_intent(Story().order(label, "7").order, state=state)

    async def accepted(*_: object, **__: object) -> trade.Accepted:
        return trade.Accepted(orders=(told,), fills=())

    monkeypatch.setattr(trade, "place", accepted)
    async with scene() as made:
        made.show(intent(Role.CLOSE))
        await trio.testing.wait_all_tasks_blocked()
        assert made.desk.survey_wanted.is_set() is doubted
