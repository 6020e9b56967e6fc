"""The conditions of a measurement: quiet (real-time priority, idle cores kept awake) or ordinary, like any program."""

from enum import StrEnum


class Conditions(StrEnum):
    """The conditions in which client and responder run. Times that were measured in different conditions are not
    comparable."""

    QUIET = "quiet"  # real-time priority, idle cores are kept awake: the cost of the path alone
    ORDINARY = "ordinary"  # neither: what a program on an idle machine waits


def parse_conditions(text: str) -> Conditions:
    """Returns the conditions with this name. Raises ValueError with a message for the user if no conditions have the
    name."""
    try:
        return Conditions(text)
    except ValueError:
        shown = text[:40]
        raise ValueError(f"Unknown conditions “{shown}”: choose {' or '.join(Conditions)}.") from None


def describe_conditions(conditions: Conditions, cores_awake: bool | None = None) -> str:
    """Returns the conditions as text: ``quiet (real-time priority, cores kept awake)``. ``cores_awake`` states whether
    idle cores were really kept from sleeping; None if that is unknown."""
    if conditions is Conditions.QUIET:
        cores = (
            "cores may sleep, as /dev/cpu_dma_latency cannot be opened" if cores_awake is False else "cores kept awake"
        )
        return f"{conditions} (real-time priority, {cores})"
    cores = "cores kept awake by another program" if cores_awake else "idle cores may sleep"
    return f"{conditions} (normal priority, {cores})"


def with_conditions(sentence: str, conditions: Conditions) -> str:
    """Appends a sentence that names the conditions, unless they are quiet, the default."""
    return sentence if conditions is Conditions.QUIET else f"{sentence} Measured in {conditions} conditions."
