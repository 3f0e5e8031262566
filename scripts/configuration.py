"""Writes docs/configuration.md from deploy/tradebaas.toml.example, which states every setting.

python scripts/configuration.py
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "deploy" / "tradebaas.toml.example"
PAGE = ROOT / "docs" / "configuration.md"
HEAD = """# Settings

Made by `scripts/configuration.py` from `deploy/tradebaas.toml.example`, which is a valid
configuration with every default; a test holds it to the code. The daemon takes `tradebaas.toml`
where it is started, or the file named with `--config`. A setting that is unknown, of the wrong type
or out of its bounds is refused with the line it stands on, before anything is opened: exit code 78.
Secrets never stand in it: [the security page](security.md) says where they come from.

`tradebaas check` says what the daemon makes of a configuration. What is not set has the default.
"""
SECTION = re.compile(r"\[(\S+)]\s*(?:#\s*(.*))?")
SETTING = re.compile(r"(# )?(\w+) = (.+?)\s+#\s+(.*)")


def page() -> str:
    """The whole page."""
    parts, rows = [HEAD], list[str]()
    title, about = "For all of it", ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if section := SECTION.fullmatch(line):
            parts.append(_part(title, about, rows))
            title, about, rows = f"`[{section[1]}]`", section[2] or "", []
        elif setting := SETTING.fullmatch(line):
            default = f"not set, for example `{setting[3]}`" if setting[1] else f"`{setting[3]}`"
            rows.append(f"| `{setting[2]}` | {default} | {setting[4]} |")
    parts.append(_part(title, about, rows))
    return "\n".join(parts)


def _part(title: str, about: str, rows: list[str]) -> str:
    words = f"{about[0].upper()}{about[1:]}.\n\n" if about else ""
    table = "\n".join(["| setting | default | what it is |", "| --- | --- | --- |", *rows])
    return f"## {title}\n\n{words}{table}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
