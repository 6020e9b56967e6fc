"""Signed replies with which web processes admit machines to NATS (auth callout of nats-server 2.10).

The NATS server asks a web process about each connection that ``nats.conf`` does not know. The reply is a JSON Web
Token, which contains another one with the permissions. Both are signed with the issuer's Ed25519 key. ``nats.conf`` has
the public part of the key in NATS's own format. The key is derived from the secret key that all web processes share.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: The account in ``nats.conf`` to which all connections belong.
ACCOUNT = "NETMODES"
#: The type of an account's public key, in its first five bits (nkeys).
_ACCOUNT_PREFIX = 0

type Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """A connection that asks to be admitted. ``subject`` is the public key of the connection's user, ``server`` the id
    of the NATS server. The reply contains both, so that it is valid for this request only."""

    user: str
    password: str
    subject: str
    server: str


def issuer_seed(secret_key: str) -> bytes:
    """Returns the private Ed25519 key of the issuer, derived from ``secret_key``, which all web processes share."""
    return hashlib.sha256(b"netmodes: issuer of NATS users\0" + secret_key.encode()).digest()


def issuer_name(public_key: bytes) -> str:
    """Returns the public key of the issuer in the format of ``nats.conf``."""
    data = bytes([_ACCOUNT_PREFIX]) + public_key
    checked = data + binascii.crc_hqx(data, 0).to_bytes(2, "little")
    return base64.b32encode(checked).decode().rstrip("=")


def parse_request(data: bytes) -> AuthRequest:
    """Parses the request of a NATS server. The signature is not checked, because only a server can publish a request.
    Raises ValueError if the request is malformed."""
    try:
        _header, body, _signature = data.split(b".")
        asked = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["nats"]
        options = asked["connect_opts"]
        return AuthRequest(
            str(options.get("user", "")), str(options.get("pass", "")), asked["user_nkey"], asked["server_id"]["id"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a request about a connection") from error


def admission(
    request: AuthRequest, issuer: str, sign: Sign, now: int, publish: Sequence[str], subscribe: Sequence[str]
) -> bytes:
    """Returns the reply that admits a connection. ``publish`` and ``subscribe`` are the subjects to which the
    connection may publish and subscribe. ``issuer`` is the issuer's public key in the format of ``nats.conf``
    (``issuer_name``). ``sign`` signs with the issuer's private key. ``now`` is in seconds since the epoch."""
    user = {
        "sub": request.subject,
        "aud": ACCOUNT,
        "name": request.user,
        "nats": {
            "type": "user",
            "version": 2,
            "pub": {"allow": list(publish)},
            "sub": {"allow": list(subscribe)},
            "subs": -1,
            "data": -1,
            "payload": -1,
        },
    }
    return _answer(request, issuer, sign, now, jwt=_encode(user, issuer, sign, now).decode())


def refusal(request: AuthRequest, issuer: str, sign: Sign, now: int, reason: str) -> bytes:
    """Returns the reply that refuses a connection. ``reason`` is for the log of the NATS server."""
    return _answer(request, issuer, sign, now, error=reason)


def _answer(request: AuthRequest, issuer: str, sign: Sign, now: int, **fields: str) -> bytes:
    nats = {"type": "authorization_response", "version": 2, **fields}
    return _encode({"sub": request.subject, "aud": request.server, "nats": nats}, issuer, sign, now)


def _encode(claims: dict[str, Any], issuer: str, sign: Sign, now: int) -> bytes:
    claims = {**claims, "iss": issuer, "iat": now}
    claims["jti"] = hashlib.sha256(json.dumps(claims).encode()).hexdigest()
    signed = _base64({"typ": "JWT", "alg": "ed25519-nkey"}) + b"." + _base64(claims)
    return signed + b"." + base64.urlsafe_b64encode(sign(signed)).rstrip(b"=")


def _base64(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
