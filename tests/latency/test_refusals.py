"""dashboard.latency.refusals."""

from __future__ import annotations

import errno
import os

import pytest

from dashboard.latency.refusals import describe_error


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_is_a_sentence_that_names_the_address(number: int) -> None:
    said = describe_error(OSError(number, os.strerror(number)), "192.0.2.1:80")
    assert "192.0.2.1:80" in said
    assert said.endswith(".")
