"""What the environment says: ``NETMODES_*`` variables, and secrets also as ``*_FILE``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
_CARRIED = _PACKAGE / "_files"
#: A wheel carries the folders beside the package inside it (``dashboard.packaging``).
INSTALLED = _CARRIED.is_dir()
#: Where templates and static files are.
BASE = _CARRIED if INSTALLED else _PACKAGE.parent
#: What a person types.
COMMAND = "netmodes" if INSTALLED else "./netmodes"


def value(name: str, default: str = "") -> str:
    """The variable, or the content of the file that ``NAME_FILE`` names, or the default."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ.get(name, default)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [part.strip() for part in value(name, default).split(",") if part.strip()]


def data_dir() -> Path:
    """Where Netmodes keeps everything: 0700, made on first use."""
    path = Path(value("NETMODES_DATA_DIR") or (_user_data() if INSTALLED else BASE / "var"))
    path = path.resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _user_data() -> Path:
    """The folder for data that stays: the system's for root, whose home is nobody's desk; else the person's
    (XDG Base Directory Specification)."""
    if os.geteuid() == 0:
        return Path("/var/lib/netmodes")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "netmodes"


def keep_private(path: Path) -> None:
    """Makes the file if there is none, and lets only its owner read and write it: what SQLite puts beside
    its database gets the database's permissions (sqlite3, ``os_unix.c``)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def secret_key(folder: Path) -> str:
    """The key from the environment, or one made once and kept 0600 beside the database."""
    given = value("NETMODES_SECRET_KEY")
    if given:
        return given
    path = folder / "secret.key"
    if not path.exists():
        descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(path.with_suffix(".new"), path)
        except FileExistsError:
            pass
        finally:
            path.with_suffix(".new").unlink(missing_ok=True)
    return path.read_text(encoding="utf-8").strip()


#: A statement that takes longer is a mistake, and must not hold a connection for ever; migrations are exempt.
_TIMEOUTS = "-c statement_timeout=30000 -c lock_timeout=15000 -c idle_in_transaction_session_timeout=60000"


def bound_connections(database: Any) -> None:
    """Settings of a PostgreSQL: a pool that is bounded and gives no connection that has died."""
    most = int(value("NETMODES_DATABASE_CONNECTIONS", "20"))
    options = {"options": _TIMEOUTS, "connect_timeout": 5, "application_name": "netmodes"}
    pool = {"min_size": 1, "max_size": most, "timeout": 20.0, "max_idle": 60.0, "reconnect_timeout": 5.0}
    database["OPTIONS"] = {**options, **database.get("OPTIONS", {}), "pool": pool}
    database["CONN_HEALTH_CHECKS"] = True


def channel_layer(redis: str) -> dict[str, Any]:
    """Django Channels' setting: over Redis where there is one."""
    if not redis:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    # The layer waits for 5 s in one read: a Redis that hangs is noticed after that.
    host = {"address": redis, "socket_connect_timeout": 2.0, "socket_timeout": 12.0}
    settings = {"hosts": [host], "prefix": "netmodes", "capacity": 1000, "expiry": 10}
    return {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": settings}
