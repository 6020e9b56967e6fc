"""Texts about how much Netmodes can see of an engine's machine, and the title of the machine's column in each case."""

import re

#: The title of the machine's column.
MACHINE_TITLE = "this machine"
#: Its title for an engine whose machine is not visible: it may be another machine.
INVISIBLE_TITLE = "the engine's machine"
#: Its title for a rootless Docker Engine, which runs in namespaces that RootlessKit made.
ROOTLESS_TITLE = "RootlessKit's namespace"

_MACHINE = re.compile(r"\b(on |of |in )?(?:t|(T))h(?:e|is) machine('s)?( itself)?\b")


def explain_invisible(endpoint: str, *, desktop: bool, local: bool) -> str:
    """Returns a clause on why the network stacks of the engine's machine are not visible; empty if they are.
    ``desktop``: the engine is Docker Desktop. ``local``: the engine is a process of this machine.

    An engine that is reached over TCP may run on this machine, but TCP does not identify its process.
    """
    if desktop:
        return "the engine runs in the virtual machine of Docker Desktop"
    if local:
        return ""
    scheme = endpoint.partition("://")[0]
    if scheme == "ssh":
        return "the engine is reached over SSH"
    if scheme in {"tcp", "http", "https"}:
        return "the engine is reached over TCP"
    return "the engine is not a process of this machine"


def invisible_notice(reason: str) -> str:
    """Returns the notice of an experiment on an engine whose network stacks are not visible. ``reason`` is the clause
    from ``explain_invisible`` that says why. The notice is empty if ``reason`` is empty."""
    return f"This page shows only what the Engine's API reports: {reason}." if reason else ""


def rootless_notice(network_driver: str, port_driver: str) -> str:
    """Returns the notice of an experiment on a rootless Docker Engine. The drivers are those of RootlessKit, empty if
    unknown."""
    network = f" ({network_driver})" if network_driver else ""
    notice = f"The engine is rootless: {ROOTLESS_TITLE}{network} takes the place of the machine."
    holder = {"builtin": "RootlessKit", "slirp4netns": "slirp4netns"}.get(port_driver)
    if network_driver == "pasta" and not port_driver:  # RootlessKit reports no name for the driver “implicit”.
        return f"{notice} On the machine itself, pasta binds published ports, unless RootlessKit has no port driver."
    if holder is None:
        return f"{notice} Which process binds published ports on the machine itself is not visible."
    return f"{notice} On the machine itself, {holder} binds published ports (port driver {port_driver})."


def name_machine(text: str, title: str) -> str:
    """Replaces “the machine” in the text by “RootlessKit's namespace” if the title of the machine's column (``title``)
    is that name. Otherwise returns the text unchanged."""
    return _MACHINE.sub(_rootless_words, text) if title == ROOTLESS_TITLE else text


def _rootless_words(match: re.Match[str]) -> str:
    preposition, _capital, possessive, itself = match.groups()
    if possessive:
        return f"{preposition or ''}RootlessKit's{itself or ''}"
    return f"{'in ' if preposition == 'on ' else preposition or ''}{ROOTLESS_TITLE}{itself or ''}"


def not_visible(reason: str) -> str:
    """Returns the text that a cell shows for a value that cannot be read."""
    return f"not visible: {reason}"
