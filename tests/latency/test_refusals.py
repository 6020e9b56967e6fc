"""dashboard.latency.refusals."""

from __future__ import annotations

import errno
import os

import pytest

from dashboard.latency.refusals import bracketed, describe_error


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_is_a_sentence_that_names_the_address(number: int) -> None:
    said = describe_error(OSError(number, os.strerror(number)), "192.0.2.1:80")
    assert "192.0.2.1:80" in said
    assert said.endswith(".")


def test_addresses_stand_before_their_port() -> None:
    assert bracketed("::1", 80) == "[::1]:80"
    assert bracketed("127.0.0.1", 80) == "127.0.0.1:80"
