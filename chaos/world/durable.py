"""Invariant 1, durable: what was acknowledged or shown is there after any crash or power cut.

Three things are held against what the driver saw: the log, ``data/head``, which names the log's
last record once nothing moves, and ``data/HALT``, which lies there from the answer to a halt until
somebody asks to resume, and makes the life that finds it a halted one. Pure.
"""

from collections.abc import Iterator

from chaos.world.ledger import Tail
from chaos.world.oracle import Violation, Witness, plain
from chaos.world.starts import first_life
from chaos.world.story import Story


def durable(story: Story, witness: Witness) -> list[Violation]:
    """Every acknowledged event is in the store, as it was answered, and so is every halt."""
    found = []
    for promise in witness.promises:
        key = f"{promise.what} {promise.seq}"
        if promise.seq > story.tail.seq:
            text = f"{promise.what} was answered with seq {promise.seq}, the store ends at "
            found.append(Violation("durable", key, text + str(story.tail.seq)))
            continue
        first = promise.seq - len(promise.events) + 1
        for seq, wanted in enumerate(promise.events, start=first):
            kept = story.events.get(seq)
            if kept is not None and plain(kept) != wanted:
                text = f"{promise.what} was answered with another event {seq} than the store has"
                found.append(Violation("durable", key, text, (str(wanted), str(plain(kept)))))
    found += [
        Violation("durable", f"shown {p.what} {p.seq}", f"{p.what} showed seq {p.seq}, not stored")
        for p in witness.published
        if p.seq > story.tail.seq
    ]
    return [*found, *_halts(story, witness)]


def head_agrees(story: Story, head: Tail) -> list[Violation]:
    """The log is never behind ``data/head``, and holds the record that it names."""
    digest = story.digests.get(head.seq)
    if head.seq > story.tail.seq:
        text = f"data/head says {head.seq}, the log ends at {story.tail.seq}"
        return [Violation("durable", f"head {head.seq}", text)]
    if digest is not None and digest != head.digest:
        return [Violation("durable", f"head {head.seq}", "data/head names another record")]
    return []


def head_is_last(story: Story, head: Tail) -> list[Violation]:
    """While nothing moves, ``data/head`` names the log's very last record."""
    if head == story.tail:
        return []
    text = f"data/head is at {head.seq} though the log has long been at {story.tail.seq}"
    return [Violation("durable", f"head behind {head.seq}", text)]


def _halts(story: Story, witness: Witness) -> Iterator[Violation]:
    """Answered halts whose file was gone, and lives that had one and were not halted."""
    for moment in witness.lost_halts:
        text = f"data/HALT was gone {moment}, with a halt answered and no resume asked for"
        yield Violation("durable", f"HALT {moment}", text)
    for number, start in enumerate(witness.starts):
        life = first_life(story, witness, number) if start.halt_file else None
        if life is not None and not story.born_halted[life]:
            text = f"life {life} was not halted, though data/HALT was there when its process began"
            yield Violation("durable", f"HALT of life {life}", text)
