"""``python -m tradebaas`` is the command ``tradebaas``."""

from tradebaas.cli import main

if __name__ == "__main__":
    main(prog_name="tradebaas")
