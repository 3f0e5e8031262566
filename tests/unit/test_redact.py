"""Nothing that is a secret gets through, however it is spelled."""

import pytest

from tradebaas.redact import HIDDEN, Redactor, secrets_of

ADDRESS = "mailtos://me%40home.org:pa%24%24word@smtp.example.org:587?to=you@home.org"


@pytest.mark.parametrize(
    "text",
    [
        f"could not reach {ADDRESS}!",
        "login pa$$word refused",
        "login pa%24%24word refused",
        "for me@home.org",
        "repr: 'pa$$word'",
    ],
)
def test_no_part_of_an_address_is_written(text: str) -> None:
    cleaned = Redactor(secrets_of(ADDRESS)).clean(text)
    assert HIDDEN in cleaned
    for word in ("pa$$", "pa%24", "me@home", "me%40"):
        assert word not in cleaned


def test_the_longest_goes_first() -> None:
    assert Redactor(["secret", "secret-and-more"]).clean("a secret-and-more b") == f"a {HIDDEN} b"


def test_words_too_short_to_be_one_stay() -> None:
    assert Redactor(["a", "", "abc"]).clean("a cab") == "a cab"


def test_without_secrets_everything_stays() -> None:
    assert Redactor().clean("all of it") == "all of it"


def test_one_that_is_learnt_later_is_hidden_as_well() -> None:
    redactor = Redactor(["first-one"])
    redactor.add("second-one")
    assert redactor.clean("first-one second-one") == f"{HIDDEN} {HIDDEN}"
