"""Describes failures of requests in sentences."""

import errno


class Refusal(Exception):  # noqa: N818 - names the event, not a fault
    """A request failed. ``str()`` is a sentence for the user."""


def describe_error(error: OSError, where: str) -> str:
    """Returns a sentence for a system call that failed on the connection to ``where``."""
    known = {
        errno.ECONNREFUSED: f"{where} refused the connection: nothing listens there.",
        errno.ECONNRESET: f"{where} reset the connection.",
        errno.EPIPE: f"{where} reset the connection.",
        errno.ETIMEDOUT: f"No answer from {where}: the connection timed out.",
        errno.ENETUNREACH: f"No route to {where} from here: the network is unreachable.",
        errno.EHOSTUNREACH: f"{where} cannot be reached: no route to the host.",
        errno.EADDRNOTAVAIL: f"{where} cannot be reached: no address or no free port to send from.",
        errno.EAFNOSUPPORT: f"{where} cannot be reached: the kernel does not support its address family.",
        errno.EMSGSIZE: f"The datagram is too large for {where}.",
        errno.EPERM: f"A firewall rule here forbids sending to {where}.",
    }
    return known.get(error.errno or 0, f"The connection to {where} failed: {error.strerror or error}.")
