"""Who is connected, what they hear, and the frames that a step will send them.

Nothing is sent from here: frames and drops are collected, and the server sends them when the step
is durable. Each topic reaches a connection once for each channel that carries it.
"""

from collections.abc import Collection

from tradebaas.paper.encoding import encode
from tradebaas.paper.sessions import Session

MAX_HELD_FRAMES = 1_000
"""What an admin hold keeps back for one session before its connection is cut."""


class Outbox:
    """The connections by number, and what is to be sent to them."""

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}
        self._frames: list[tuple[int, bytes]] = []
        self._drops: list[int] = []

    def take(self) -> tuple[list[tuple[int, bytes]], list[int]]:
        """Return the frames since the last call, and the sessions to be cut off after them."""
        taken = self._frames, self._drops
        self._frames, self._drops = [], []
        return taken

    def heard(self) -> Collection[str]:
        """Return the topics that anybody subscribes to."""
        channels = (session.channels for session in self.sessions.values())
        return {topic for held in channels for topics in held.values() for topic in topics}

    def tell(self, topic: str, data: object) -> None:
        """Send data to everybody who subscribes to a topic."""
        for session in self.sessions.values():
            for channel, topics in session.channels.items():
                if topic in topics:
                    self.tell_channel(session, channel, topic, data)

    def tell_channel(self, session: Session, channel: str, topic: str, data: object) -> None:
        """Send data to one channel of one session."""
        if topic.startswith("ticker.") and isinstance(data, dict):
            session.note_told(data)
        # Single orders travel bare on raw channels, as lists on aggregated ones.
        listed = topic.startswith("orders.") and not channel.endswith(".raw")
        params = {"channel": channel, "data": [data] if listed else data}
        if channel in session.labels:
            params["label"] = session.labels[channel]
        frame = encode({"jsonrpc": "2.0", "method": "subscription", "params": params})
        if session.held is not None and channel.startswith("user."):
            session.held.append(frame)
            if len(session.held) > MAX_HELD_FRAMES:
                self.drop(session.number)
        else:
            self.send(session.number, frame)

    def send(self, session: int, frame: bytes) -> None:
        """Put a frame into the step, for one session."""
        self._frames.append((session, frame))

    def release(self) -> int:
        """Send what is held for anybody and hold nothing any more; return how many frames."""
        count = 0
        for session in self.sessions.values():
            held, session.held = session.held or [], None
            count += len(held)
            for frame in held:
                self.send(session.number, frame)
        return count

    def mark(self) -> int:
        """Return the place in the step's frames where an answer belongs."""
        return len(self._frames)

    def insert(self, mark: int, session: int, frame: bytes) -> None:
        """Put a frame into the step at a marked place."""
        self._frames.insert(mark, (session, frame))

    def silence(self, mark: int, session: int) -> None:
        """Take back what a session was to hear since a mark."""
        later = self._frames[mark:]
        self._frames[mark:] = [(to, frame) for to, frame in later if to != session]

    def drop(self, session: int) -> None:
        """Have the connection of a session cut after this step."""
        self._drops.append(session)
