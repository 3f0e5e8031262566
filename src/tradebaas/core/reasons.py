"""An operator's reason for what is done: text of a person that others will read on a terminal.

It is stored, shown in tables, logs and on the dashboard, and written to a file that others read, so
it is one line of moderate length in which nothing steers a terminal.
"""

REASON_CHARS = 200


def printable(text: str) -> str:
    """``text`` with a space for whatever is not shown as a character: controls, line breaks."""
    return "".join(char if char.isprintable() else " " for char in text)


def reason_problem(reason: str) -> str:
    """Why a reason is not taken; "" when it is."""
    if len(reason) <= REASON_CHARS:
        return ""
    return (
        f"the reason has {len(reason)} characters, at most {REASON_CHARS} are taken: "
        "nothing was done, say it shorter"
    )
