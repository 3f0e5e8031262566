"""Odd forms of frames: sent twice, spoilt, or dressed; see ``faults_mail`` and ``faults_dress``."""

from collections.abc import Callable

from chaos.world.faults_dress import FORMS, LOST_LABELS
from chaos.world.faults_mail import Armed
from chaos.world.faults_scene import Scene


def _dress(form: str) -> Callable[[Scene], str]:
    def strike(scene: Scene) -> str:
        if form in scene.mail.forms:
            return ""
        scene.mail.forms[form] = scene.struck
        return f"frames now with {form}"

    strike.__doc__ = f"From now on, frames with {form}."
    return strike


def _notes_twice(scene: Scene) -> str:
    """The next notifications of the account come twice each."""
    scene.mail.notes_twice = Armed(scene.rng.randint(1, 6), scene.struck)
    return f"the next {scene.mail.notes_twice.left} notifications come twice"


def _notes_in_two(scene: Scene) -> str:
    """The next notifications tell of the orders first, of their trades in a second frame."""
    scene.mail.notes_in_two = Armed(scene.rng.randint(1, 6), scene.struck)
    return f"the next {scene.mail.notes_in_two.left} notifications tell of trades after the orders"


def _answers_twice(scene: Scene) -> str:
    """The next answers to orders come twice each."""
    scene.mail.answers_twice = Armed(scene.rng.randint(1, 2), scene.struck)
    return f"the next {scene.mail.answers_twice.left} answers to orders come twice"


def _notes_spoilt(scene: Scene) -> str:
    """The next notification of the account cannot be read."""
    scene.mail.notes_spoilt = Armed(1, scene.struck)
    return "the next notification is spoilt"


def _answers_spoilt(scene: Scene) -> str:
    """The next answer to an order cannot be read, though it was executed."""
    scene.mail.answers_spoilt = Armed(1, scene.struck)
    return "the next answer to an order is spoilt"


EDGES: dict[str, Callable[[Scene], str]] = {LOST_LABELS: _dress(LOST_LABELS)}
ROWS: dict[str, Callable[[Scene], str]] = {
    **{form: _dress(form) for form in FORMS},
    "notifications twice": _notes_twice,
    "orders before their trades": _notes_in_two,
    "answers twice": _answers_twice,
    "notification spoilt": _notes_spoilt,
    "answer spoilt": _answers_spoilt,
}
