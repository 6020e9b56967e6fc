"""Failures of requests as sentences."""

import errno


class Refusal(Exception):  # noqa: N818 - names the event, not a fault
    """The exchange failed; ``str()`` is a sentence."""


def bracketed(address: str, port: int) -> str:
    """The address as a user types it, with brackets around IPv6."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def describe_error(error: OSError, where: str) -> str:
    """The sentence for a failed call on the connection to ``where``."""
    known = {
        errno.ECONNREFUSED: f"{where} refused the connection: nothing listens there.",
        errno.ECONNRESET: f"{where} reset the connection.",
        errno.EPIPE: f"{where} reset the connection.",
        errno.ETIMEDOUT: f"No answer from {where}: the kernel gave up.",
        errno.ENETUNREACH: f"No route to {where} from here: the network is unreachable.",
        errno.EHOSTUNREACH: f"{where} cannot be reached: no route to the host.",
        errno.EADDRNOTAVAIL: f"{where} cannot be reached: no address or no free port to send from.",
        errno.EAFNOSUPPORT: f"{where} cannot be reached: the kernel lacks its address family.",
        errno.EMSGSIZE: f"The datagram is too large for {where}.",
        errno.EPERM: f"A firewall rule here forbids sending to {where}.",
    }
    return known.get(error.errno or 0, f"The connection to {where} failed: {error.strerror or error}.")
