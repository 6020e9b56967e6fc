"""Prepares the command lines of claims: mutates them, fills in names, and formats them as a person types them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboard.core.modes import MACHINE, Mode

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: The mode of a ``docker run`` line; a line without it uses the default bridge.
_NETWORK = re.compile(r" --network[ =]([\w{}-]+)")
_DRIVER = re.compile(r" -d[ =](\w+)")
#: What only the lab image has: its own settings, and busybox's web server.
_NEEDS_LAB_IMAGE = re.compile(r"NETMODES_|\bhttpd\b|\busleep\b")


def mutate(text: str, mutation: Mapping[str, str]) -> str:
    """Replaces each key of ``mutation`` that occurs in ``text`` by its value. All are replaced at once, so that two
    words can be swapped."""
    if not mutation:
        return text
    words = "|".join(re.escape(word) for word in sorted(mutation, key=len, reverse=True))
    return re.sub(words, lambda match: mutation[match[0]], text)


def fill(text: str, names: Mapping[str, str]) -> str:
    """Replaces each ``{name}`` by its value. Raises KeyError for an unknown name."""
    return _PLACEHOLDER.sub(lambda match: names[match[1]], text)


def show_line(line: str) -> str:
    """Returns the line as a person types it. ``IMAGE`` becomes nginx, or the name of the lab image if the line uses
    what only the lab image has."""
    image = "netmodes-lab:1" if _NEEDS_LAB_IMAGE.search(line) else "nginx"
    return _PLACEHOLDER.sub(lambda m: "MACHINE" if m[1] == MACHINE else m[1], line.replace("IMAGE", image))


def daemon_options(words: Sequence[str]) -> dict[str, Any]:
    """Converts options of dockerd, such as ``--userland-proxy=false`` and ``--bip=10.1.0.1/24``, to the members of a
    daemon.json. Raises ValueError for a word that does not have the form ``--NAME=VALUE``."""
    options: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not sign:
            raise ValueError(f"dockerd: write the option {word} as --NAME=VALUE.")
        if name == "default-address-pool":
            base, _, size = value.removeprefix("base=").partition(",size=")
            options["default-address-pools"] = [{"base": base, "size": int(size)}]
            continue
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def modes_of_lines(lines: Iterable[str]) -> frozenset[Mode]:
    """Returns the network modes that ``docker run`` and ``docker network create`` lines use. Joining an existing
    container or network adds no mode."""
    names = set()
    for line in lines:
        if line.startswith("docker run"):
            network = _NETWORK.search(line)
            names.add(network[1] if network else Mode.BRIDGE)
        elif line.startswith("docker network create"):
            driver = _DRIVER.search(line)
            names.add(driver[1] if driver and driver[1] != "bridge" else Mode.USER_BRIDGE)
    return frozenset(mode for mode in Mode if mode in names)
