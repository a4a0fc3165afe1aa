"""A secret is never shown by accident."""

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from auditor.secret import Secret

CANARY = "canary-7f3a"
SEEN_NOWHERE = 7_031_942_117
"""A number, so that no line of this file holds its text."""


def test_only_reveal_shows_a_secret() -> None:
    secret = Secret(CANARY)

    assert secret.reveal() == CANARY
    assert CANARY not in f"{secret} {secret!r} {secret:>40} {[secret]} {vars(type(secret))}"


def test_a_traceback_with_its_locals_does_not_show_a_secret() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match="Secret") as caught:
        fail(Secret(str(SEEN_NOWHERE)))
    seen = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert str(SEEN_NOWHERE) not in "".join(seen.format())


def test_a_secret_cannot_be_serialised_or_copied() -> None:
    for write in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode, copy.copy):
        with pytest.raises(TypeError):
            write(Secret(CANARY))


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert (Secret("a") == "a") is False
    assert Secret("ü") == Secret("ü")
    assert not Secret("")
    with pytest.raises(TypeError):
        hash(Secret("a"))
