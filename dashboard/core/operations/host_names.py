"""Parses the settings with the names of this server: its host names, and the origins of its reverse proxy."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address

_NAME = re.compile(r"[a-z0-9_.-]+")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]+)?/?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def parse_hosts(texts: Iterable[str]) -> tuple[str, ...]:
    """Parses exact host names, and returns them as browsers write them into the Host header: in lower case, an IPv6
    address in brackets. Raises ValueError with a message for the user if a text is no exact host name."""
    return tuple(map(_parse_host, texts))


def _parse_host(text: str) -> str:
    name = text.lower()
    if "*" in name or name.startswith("."):
        raise ValueError("NETMODES_ALLOWED_HOSTS takes exact host names without * or a leading dot. List each host.")
    try:
        return f"[{IPv6Address(name.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        if _NAME.fullmatch(name):
            return name
    raise ValueError(
        "NETMODES_ALLOWED_HOSTS takes host names such as netmodes.example.org, without a scheme or a port, "
        f"not {text[:80]}."
    )


def parse_origins(texts: Iterable[str]) -> tuple[str, ...]:
    """Parses origins, and returns them as browsers write them into the Origin header: in lower case, without the
    default port and a slash at the end. Raises ValueError with a message for the user if a text is no origin."""
    origins = []
    for text in texts:
        parts = _ORIGIN.fullmatch(text.lower())
        if parts is None:
            raise ValueError(
                f"NETMODES_TRUSTED_ORIGINS takes origins such as https://netmodes.example.org, not {text[:80]}."
            )
        scheme, host, port = parts.groups("")
        origins.append(f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else port}")
    return tuple(origins)
