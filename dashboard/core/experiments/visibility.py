"""Why the network stacks of an engine's machine cannot be read from here."""


def explain_invisible(endpoint: str, *, desktop: bool, local: bool) -> str:
    """The reason, as a clause; empty if the engine is a process of this machine (``local``).

    An engine that is reached over TCP may run on this machine, but TCP does not name its process.
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
    """The notice of an experiment on an engine whose network stacks are not visible; empty without a reason."""
    return f"This page shows only what the Engine's API says: {reason}." if reason else ""


def not_visible(reason: str) -> str:
    """The word for a value that cannot be read."""
    return f"not visible: {reason}"
