"""How a command of this program is written for a person who will paste it into a shell.

An installation may lie in an environment that is on nobody's PATH, and the next terminal may stand
in another directory. So advice never spells the command by itself; it asks here. Nothing here runs
anything.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path


def command(*arguments: str | Path) -> str:
    """The line that runs ``tradebaas`` with ``arguments``, quoted for a shell.

    The program is ``tradebaas`` when the PATH has it, else the one beside this interpreter, else
    this interpreter with the module. A ``Path`` is made absolute.
    """
    words = [str(word.absolute()) if isinstance(word, Path) else word for word in arguments]
    return shlex.join([*_program(), *words])


def _program() -> list[str]:
    if shutil.which("tradebaas"):
        return ["tradebaas"]
    beside = str(Path(sys.executable).with_name("tradebaas"))
    # Not ``Path.exists``, which raises where this user may not even look.
    return [beside] if os.access(beside, os.X_OK) else [sys.executable, "-m", "tradebaas"]
