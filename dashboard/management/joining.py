"""Exchanges a join token for credentials, over HTTP or HTTPS."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import asdict

from dashboard.core.operations.machines import MachineFacts

TIMEOUT_S = 30.0
MAX_BYTES = 65_536


class ExchangeError(Exception):
    """A machine could not join. ``str()`` is the reason, as a sentence."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, so that the token is sent to no other address."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        """Returns None, so that a redirect becomes an HTTPError."""


def exchange(address: str, secret: str, name: str, labels: list[str], facts: MachineFacts) -> dict[str, str]:
    """Joins this machine to the server at ``address``: sends the secret of a join token, and the name, labels and facts
    of this machine. Returns the machine's credentials in the form that ``configuration.joined`` reads. Raises
    ExchangeError."""
    body = json.dumps({"token": secret, "name": name, "labels": labels, "facts": asdict(facts)}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(f"{address.rstrip('/')}/machines/join/", body, headers)  # noqa: S310 - split_token
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            received = json.loads(answer.read(MAX_BYTES))
            values = {key: str(received[key]) for key in ("machine", "database", "nats")}
            # A server that is one version older does not send the id of the installation.
            return {"server": address, **values, "installation": str(received.get("installation", ""))}
    except urllib.error.HTTPError as error:
        raise ExchangeError(_sentence(address, error)) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ExchangeError(
            f"Cannot reach {address}: {reason}. Check that this machine reaches the server, or create a token with "
            "another address."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ExchangeError(f"{address} did not answer like Netmodes. Check the address in the token.") from None


def _sentence(address: str, error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(MAX_BYTES))["problem"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"{address} answered with status {error.code}. Check the address in the token."
