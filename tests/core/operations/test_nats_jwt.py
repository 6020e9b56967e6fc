"""Documents that admit machines to NATS; tests/team/test_machine_access.py shows them to a real server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dashboard.core.operations.nats_jwt import (
    ACCOUNT,
    AuthRequest,
    admission,
    issuer_name,
    issuer_seed,
    parse_request,
    refusal,
)

REQUEST = AuthRequest("lab2", "key", "UNKEY", "SERVER")


def encoded(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def claims(document: bytes | str) -> dict[str, Any]:
    text = document if isinstance(document, bytes) else document.encode()
    _header, body, _signature = text.split(b".")
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
    return found


def test_a_question_is_read() -> None:
    asked = {
        "nats": {"connect_opts": {"user": "lab2", "pass": "key"}, "user_nkey": "UNKEY", "server_id": {"id": "SERVER"}}
    }
    assert parse_request(b"x." + encoded(asked) + b".y") == REQUEST
    asked["nats"]["connect_opts"] = {}
    assert parse_request(b"x." + encoded(asked) + b".y").user == "", "a connection without a user"


@pytest.mark.parametrize("data", [b"", b"x", b"a.b.c", b"x." + encoded({}) + b".y", b"x." + encoded([1]) + b".y"])
def test_data_that_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_request(data)


def test_the_answer_is_bound_to_the_connection_and_names_the_permissions() -> None:
    signed: list[bytes] = []

    def sign(data: bytes) -> bytes:
        signed.append(data)
        return b"signature"

    answer = claims(admission(REQUEST, "ISSUER", sign, 7, ["a"], ["b.>"]))
    assert (answer["sub"], answer["aud"], answer["iss"], answer["iat"]) == ("UNKEY", "SERVER", "ISSUER", 7)
    user = claims(answer["nats"]["jwt"])
    assert (user["sub"], user["aud"], user["name"]) == ("UNKEY", ACCOUNT, "lab2")
    assert (user["nats"]["pub"], user["nats"]["sub"]) == ({"allow": ["a"]}, {"allow": ["b.>"]})
    assert len(signed) == 2
    refused = claims(refusal(REQUEST, "ISSUER", sign, 7, "no"))["nats"]
    assert (refused["error"], "jwt" in refused) == ("no", False)


def test_the_issuer_is_derived_from_the_secret_key() -> None:
    assert issuer_seed("a") == issuer_seed("a") != issuer_seed("b")
    assert len(issuer_seed("a")) == 32
    name = issuer_name(bytes(32))
    assert name.startswith("AAAAAA")
    assert len(name) == 56
