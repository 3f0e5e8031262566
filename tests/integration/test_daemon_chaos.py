"""The real process lets nobody kill its actors, unless it was started with --chaos."""

from chaos.real.api import Api, wait_for_api
from tests.unit.actors.process import LIMIT_S, Run


def recovered(run: Run) -> Api:
    """Start it; its API once the first life has recovered."""
    run.start()
    run.until(lambda s: s.last_recovery is not None, "the first recovery")
    api = wait_for_api(run.data, run.pid, LIMIT_S)
    assert api is not None, run.words()
    return api


def test_without_chaos_there_is_nothing_that_kills_an_actor(run: Run) -> None:
    api = recovered(run)
    assert api.post("/chaos/kill/metrics").status == 404
    assert api.post("/api/strategy/stop").status == 200, "the token and the address are right"
    assert run.state().life == 1


def test_with_chaos_the_actor_dies_and_the_process_lives(run: Run) -> None:
    run.chaos = True
    api = recovered(run)
    assert api.post("/chaos/kill/metrics").status == 202
    state = run.until(
        lambda s: s.last_recovery is not None and s.last_recovery.life == 2, "the next life"
    )
    assert state.last_recovery is not None
    assert state.last_recovery.cause == "metrics Killed"
