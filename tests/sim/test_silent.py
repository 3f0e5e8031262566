"""A world in which the channel of the account falls silent: it is found, and replaced."""

from chaos.sim.profiles import world
from chaos.sim.world import play
from tradebaas.actors.causes import BLIND
from tradebaas.core.events import LinkLost, ProtectOnlyEntered, ProtectOnlyLeft


def test_a_dead_channel_is_found_though_its_connection_lives() -> None:
    outcome = play(world("silent", 1))
    assert outcome.passed, outcome.violations
    lost = [e.reason for e in outcome.story.events.values() if isinstance(e, LinkLost)]
    assert any("the account's channel is dead" in reason for reason in lost)
    events = list(outcome.story.events.values())
    entered = [e for e in events if isinstance(e, ProtectOnlyEntered) and e.cause == BLIND]
    left = [e for e in events if isinstance(e, ProtectOnlyLeft) and e.cause == BLIND]
    assert len(entered) == len(left) >= 1
