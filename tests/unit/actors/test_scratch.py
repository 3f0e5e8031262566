from pathlib import Path
from tests.unit.actors.world import *
import tests.integration.test_actors_orders as T
async def test_a(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("lose_answer", method="private/buy")
        state = await world.open_position()
        for e in world.events(): print(str(e)[:230])
async def test_b(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        for number, text in enumerate(T.BAD_FRAMES, start=1):
            print(text[:40])
            await world.exchange.admin.call("frame", text=text)
            await world.until(lambda s, number=number: s.counters.frames_refused == number,"x",2)
