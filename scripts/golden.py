"""Records the golden transcripts anew: ``python scripts/golden.py``, in the project's environment.

After a change of what the client says, or of the embedded exchange, that is meant. Look at the
diff: it is what the exchange will see. The figures of docs/arithmetic.md follow from the fills; if
those change, the test says which. A transcript from the test network stays as it is.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT), str(ROOT / "tests" / "integration")]

from golden_kit import GOLDEN, SESSIONS, record  # noqa: E402
from trial_kit import record_trial  # noqa: E402

for session in SESSIONS.values():
    session.file.write_text(record(session)[0], encoding="utf-8")
(GOLDEN / "trial.jsonl").write_text(record_trial(), encoding="utf-8")
