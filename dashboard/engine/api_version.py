"""Chooses the version of the Engine's API, and adapts requests to it."""

from typing import Any

from dashboard.engine.decoding import mapping, text
from dashboard.engine.protocol import EngineError

#: The oldest and the newest API version that this code decodes. 1.41 is that of Docker Engine 20.10, the oldest engine
#: that the pages describe.
MIN_API = (1, 41)
MAX_API = (1, 52)


def negotiated_api(answer: object, endpoint: str) -> str:
    """Returns the newest API version that both the engine and Netmodes support. ``answer`` is the engine's answer to
    ``GET /version``. ``endpoint`` appears in error messages.

    Raises EngineError if the server is not a Docker Engine, or if its API is too old or too new.
    """
    top = mapping(answer)
    newest, oldest = (_api(text(top.get(name), 16)) for name in ("ApiVersion", "MinAPIVersion"))
    if newest is None:
        raise EngineError(
            f"The server at {endpoint} is not a Docker Engine: its version has no ApiVersion. Check DOCKER_HOST."
        )
    version = text(top.get("Version"), 64) or "of an unknown version"
    needed = f"but Netmodes needs {_dotted(MIN_API)} to {_dotted(MAX_API)}"
    if newest < MIN_API:
        raise EngineError(
            f"The Docker Engine {version} at {endpoint} has API {_dotted(newest)}, {needed}: "
            "update it to Docker Engine 20.10 or later."
        )
    if oldest is not None and oldest > MAX_API:
        raise EngineError(
            f"The Docker Engine {version} at {endpoint} has API {_dotted(oldest)} or later, {needed}: update Netmodes."
        )
    return _dotted(min(newest, MAX_API))


def _api(version: str) -> tuple[int, int] | None:
    major, dot, minor = version.partition(".")
    return (int(major), int(minor)) if dot and (major + minor).isascii() and (major + minor).isdigit() else None


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def create_body(config: dict[str, Any], api: str) -> dict[str, Any]:
    """Returns ``config`` adapted to the API version ``api``. ``config`` is a body of ``POST /containers/create``.

    From version 1.44 on, the container's field ``MacAddress`` is omitted. The MAC address is then a property of each
    network endpoint, and version 1.52 refuses the field (Docker Engine API, version history).
    """
    if (_api(api) or MIN_API) < (1, 44):
        return config
    return {name: value for name, value in config.items() if name != "MacAddress"}
