import time
from pathlib import Path
import trio
from tests.unit.actors.world import *
async def test_a(tmp_path: Path) -> None:
    t=time.monotonic()
    async with new_world(tmp_path) as w:
        print("ready", time.monotonic()-t)
        t=time.monotonic()
        await w.open_position(); print("open", time.monotonic()-t); t=time.monotonic()
        await w.agree(); print("agree", time.monotonic()-t); t=time.monotonic()
        w.daemon.crew.kill("strategy")
        await w.until(lambda s: s.life==2, "life 2"); print("life2", time.monotonic()-t)
        await w.ready(); print("ready", time.monotonic()-t); t=time.monotonic()
        await w.agree()
        await w.clear(); print("clear", time.monotonic()-t); t=time.monotonic()
        await w.agree()
        await w.stop(); print("stop", time.monotonic()-t); t=time.monotonic()
