"""``python -m chaos.broken NAME run ...``: the daemon's command line with a mutant applied."""

import sys

from chaos.mutants.patch import Patch
from chaos.real.breakages import ALL


def main() -> None:
    """Apply the mutant named first, then run the rest as ``tradebaas`` would."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in ALL:
        sys.exit(f"usage: python -m chaos.broken {{{','.join(sorted(ALL))}}} run ...")
    from tradebaas.cli import main as tradebaas

    with Patch() as patch:
        ALL[name].apply(patch)
        tradebaas(sys.argv[2:], prog_name="tradebaas")


if __name__ == "__main__":
    main()
