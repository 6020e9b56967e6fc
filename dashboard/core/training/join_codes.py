"""Join codes: 8 of 32 symbols, 40 bits, that can be read from the back of a room and typed on a phone."""

from __future__ import annotations

import hashlib

#: Crockford's base 32: no I, L, O or U. Whoever types one of the first three means 1, 1 and 0.
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
RANDOM_BYTES = 5
_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})
#: What anybody would type for a code, with room for blanks; more is not looked at.
LONGEST = 40


def code_from(random: bytes) -> str:
    """Five random bytes as a code. ValueError for another number of bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"A code is made of {RANDOM_BYTES} bytes.")
    number = int.from_bytes(random)
    return "".join(SYMBOLS[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def normalised(typed: str) -> str:
    """The code that was meant. ValueError with a sentence if it cannot be one."""
    code = typed[:LONGEST].upper().translate(_MEANT) if len(typed) <= LONGEST else ""
    if len(code) != LENGTH or any(symbol not in SYMBOLS for symbol in code):
        raise ValueError(f"A code has {LENGTH} letters and digits, such as 7K3M-9PQX: read it once more.")
    return code


def shown(code: str) -> str:
    """In two halves, as people read it to each other."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def digest_of(secret: str) -> str:
    """What is kept of a code or a token: its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()
