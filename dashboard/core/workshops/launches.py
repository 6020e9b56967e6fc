"""Parses the ``docker run`` lines of a workshop. Most get a button; some must be typed.

The author of a workshop may be untrusted. So a launch that gives a container rights beyond its own network gets no
button.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.experiments.docker_run import RunCommand, UnsupportedOptionError, parse_run

#: Options of ``docker run`` that buttons do not perform: they give a container rights over its machine.
RIGHTS = frozenset(
    {
        "-v",
        "--volume",
        "--volumes-from",
        "--mount",
        "--tmpfs",
        "--privileged",
        "--device",
        "--device-cgroup-rule",
        "--gpus",
        "--security-opt",
        "--cap-add",
        "--pid",
        "--ipc",
        "--uts",
        "--userns",
        "--cgroupns",
        "--cgroup-parent",
        "--runtime",
    }
)
#: The fields of HostConfig that these options set, as far as ``parse_run`` supports them.
_RIGHTS_FIELDS = {
    "CapAdd": "--cap-add",
    "PidMode": "--pid",
    "IpcMode": "--ipc",
    "UTSMode": "--uts",
    "UsernsMode": "--userns",
}


@dataclass(frozen=True, slots=True)
class Launch:
    """The command ``docker run -d …``."""

    run: RunCommand


@dataclass(frozen=True, slots=True)
class TypedLine:
    """A line without a button, which participants type in a terminal. ``reason`` tells why it has no button."""

    reason: str


def parse_launch(words: Sequence[str]) -> Launch | TypedLine:
    """Parses the words after ``docker run``. Raises ValueError with a message for the user."""
    try:
        run = parse_run(words)
    except UnsupportedOptionError as error:
        if error.option not in RIGHTS:
            raise
        return _typed_line(error.option)
    host = run.config["HostConfig"]
    for key, option in _RIGHTS_FIELDS.items():
        if host.get(key):
            return _typed_line(option)
    if not all(name.startswith("net.") for name in host["Sysctls"]):
        return _typed_line("--sysctl")
    if not {"-d", "--detach"} & set(words):
        raise ValueError("A launch needs -d: without it docker run waits until the container ends.")
    return Launch(run)


def _typed_line(option: str) -> TypedLine:
    return TypedLine(f"Type this command in a terminal: {option} gives a container rights beyond its own network.")
