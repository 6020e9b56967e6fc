"""The key with which web processes sign that a machine may connect to NATS (``core.operations.nats_jwt``).

As a program (``python -m dashboard.nats_issuer <SECRET_KEY_FILE``), it prints the public key for ``nats.conf``.
"""

import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dashboard.core.operations.nats_jwt import issuer_name, issuer_seed


def issuer_key(secret_key: str) -> Ed25519PrivateKey:
    """Returns the private key with which the installation signs credentials for NATS. It is derived from Django's
    secret key."""
    return Ed25519PrivateKey.from_private_bytes(issuer_seed(secret_key))


def public_name(secret_key: str) -> str:
    """Returns the public key of ``issuer_key`` in the format of ``nats.conf``."""
    return issuer_name(issuer_key(secret_key).public_key().public_bytes_raw())


if __name__ == "__main__":
    sys.stdout.write(public_name(sys.stdin.read().strip()))
