"""Join codes: 8 symbols from an alphabet of 32 (40 bits). They can be read from the back of a room and are easy to type
on a phone."""

import hashlib

#: Crockford's base 32: no I, L, O or U. The first three are read as 1, 1 and 0.
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
RANDOM_BYTES = 5
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})
#: Longest input that is parsed: a code with blanks.
MAX_TYPED = 40
#: The size of the tokens in links of participants and of shared reports, and its characters in URL-safe base64.
TOKEN_BYTES, TOKEN_LENGTH = 16, 22


def code_from(random: bytes) -> str:
    """Encodes five random bytes as a code. Raises ValueError if ``random`` has a different length."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"A code is made of {RANDOM_BYTES} bytes.")
    number = int.from_bytes(random)
    return "".join(SYMBOLS[number >> 5 * position & 31] for position in reversed(range(LENGTH)))


def parse_code(typed: str) -> str:
    """Returns a typed code in capitals, without blanks and hyphens. Raises ValueError with a message for the user if
    the text cannot be a code."""
    code = typed[:MAX_TYPED].upper().translate(_READ_AS) if len(typed) <= MAX_TYPED else ""
    if len(code) != LENGTH or any(symbol not in SYMBOLS for symbol in code):
        raise ValueError(f"A code has {LENGTH} letters and digits, such as 7K3M-9PQX. Check it and try again.")
    return code


def format_code(code: str) -> str:
    """Formats a code in two groups of four symbols: ``7K3M-9PQX``."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def digest_of(secret: str) -> str:
    """Returns the SHA-256 digest of a code, token or key. The database stores only the digest."""
    return hashlib.sha256(secret.encode()).hexdigest()
