"""The token of the API: made once, kept, and made anew when what is there is of no use."""

from pathlib import Path

import pytest

from tradebaas.bearer import bearer_token
from tradebaas.runtime.ports import SeededEntropy


@pytest.mark.parametrize("spoilt", [b"\x9etoken", b"", b"a", b"a" * 63, b"g" * 64])
def test_a_token_is_kept_unless_it_is_not_as_it_was_made(
    tmp_path: Path, spoilt: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    made = bearer_token(tmp_path, SeededEntropy(1))
    assert bearer_token(tmp_path, SeededEntropy(2)) == made
    (tmp_path / "token").write_bytes(spoilt)
    anew = bearer_token(tmp_path, SeededEntropy(2))
    assert anew != made
    assert ("there is a new token now" in capsys.readouterr().err) == bool(spoilt)
    assert bearer_token(tmp_path, SeededEntropy(3)) == anew
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
