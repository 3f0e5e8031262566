"""Every way to go on from one moment: a process that forks in the middle of a world.

What came before a point is the same for every death there, so it is run once: at the point the
process forks, the child dies (in the world), lives to the end of that world, hands over what came
of it and exits; meanwhile the parent waits, and then goes on to the next point. A child may fork
in the same way. Nothing is lost by it: a world is memory only, its clock is virtual and its chance
seeded, so a child's journal is that of a fresh run which dies there (there is a test).

What parent and child share are descriptors. Of those Trio polls one, which no other process ever
wakes, and only while the other side waits; a child leaves by ``_exit`` and so closes nothing.
"""

import os
from typing import Generic, TypeVar, final

import msgspec

T = TypeVar("T")


class ChildBroken(Exception):
    """A child did not hand over what came of it."""


@final
class Forks(Generic[T]):
    """``results`` are those of this process and of all its children, in their order."""

    def __init__(self, kind: type[T]) -> None:
        self.results: list[T] = []
        self._decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._out: int | None = None

    def branch(self) -> bool:
        """Fork. True in the child; False in the parent, when the child has come to its end.

        Raises:
            ChildBroken: It came to none.
        """
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._out, self.results = write, []
            return True
        os.close(write)
        with open(read, "rb") as pipe:
            raw = pipe.read()
        _, status = os.waitpid(pid, 0)
        if status:
            raise ChildBroken(f"a child ended with status {status}")
        self.results += self._decoder.decode(raw)
        return False

    def hand_over(self, result: T) -> None:
        """The world has ended: keep what came of it. A child exits here."""
        self.results.append(result)
        if self._out is None:
            return
        code = 1
        try:
            with open(self._out, "wb") as pipe:
                pipe.write(msgspec.json.encode(self.results))
            code = 0
        finally:
            os._exit(code)
