"""What went wrong with a request, as a sentence."""

from __future__ import annotations

import errno


class Refusal(Exception):  # noqa: N818 - what the other side did
    """The exchange failed; ``str()`` is a sentence for a person."""


def bracketed(address: str, port: int) -> str:
    """As a person would type it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def say_error(error: OSError, where: str) -> str:
    """The sentence for a failed call on the connection to ``where``."""
    known = {
        errno.ECONNREFUSED: f"{where} refused the connection: nothing listens there.",
        errno.ECONNRESET: f"{where} reset the connection.",
        errno.EPIPE: f"{where} reset the connection.",
        errno.ETIMEDOUT: f"No answer from {where}: the kernel gave up.",
        errno.ENETUNREACH: f"No route to {where} from here: the network is unreachable.",
        errno.EHOSTUNREACH: f"{where} cannot be reached: no route to the host.",
        errno.EADDRNOTAVAIL: f"{where} cannot be asked: no address or no free port to send from.",
        errno.EAFNOSUPPORT: f"{where} cannot be asked: the kernel lacks its address family.",
        errno.EMSGSIZE: f"The datagram is too large for {where}.",
        errno.EPERM: f"A firewall rule here forbids sending to {where}.",
    }
    return known.get(error.errno or 0, f"The connection to {where} failed: {error.strerror or error}.")
