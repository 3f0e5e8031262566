"""``python -m chaos.broken NAME run ...``: the daemon's command line with a breakage applied."""

import sys

from chaos.breaks import BREAKS, apply


def main() -> None:
    """Apply the breakage named first, then run the rest as ``tradebaas`` would."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in BREAKS:
        sys.exit(f"usage: python -m chaos.broken {{{','.join(sorted(BREAKS))}}} run ...")
    apply(name)
    from tradebaas.cli import main as tradebaas

    tradebaas(sys.argv[2:], prog_name="tradebaas")


if __name__ == "__main__":
    main()
