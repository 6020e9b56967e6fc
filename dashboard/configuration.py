"""Configuration from environment variables, mainly ``NETMODES_*``. For each variable, ``NAME_FILE`` may name a file
with the value, for example for secrets."""

import json
import math
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
_BUNDLED = _PACKAGE / "_files"
#: The folders that pages need. In a checkout they are beside the package; a wheel contains them.
BUNDLED_FOLDERS = ("templates", "static", "locale", "docs")
#: Whether this is an installed wheel (``dashboard.packaging``).
INSTALLED = _BUNDLED.is_dir()
#: The folder of templates and static files.
BASE = _BUNDLED if INSTALLED else _PACKAGE.parent
#: The command as a user types it.
COMMAND = "netmodes" if INSTALLED else "./netmodes"
KEY_FILE = "secret.key"
JOINED_FILE = "machine.json"


class ConfigurationError(ValueError):
    """A setting is not valid. ``str()`` is the reason, as a sentence."""


@contextmanager
def exit_if_invalid() -> Iterator[None]:
    """Context manager for programs: if a setting is not valid, prints the reason and exits with status 2."""
    try:
        yield
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def value(name: str, default: str = "") -> str:
    """Returns the content of the file that the variable ``{name}_FILE`` names; otherwise the value of the variable
    ``name``; otherwise the default. Raises ConfigurationError if the file cannot be read."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "it is not text in UTF-8"
        raise ConfigurationError(f"Cannot read {path}, which {name}_FILE names: {reason}. Correct the path or file.")
    return os.environ.get(name, default)


def number(name: str, default: float, minimum: float = 0, maximum: float = math.inf) -> float:
    """Returns the value of a variable that is a number; the default if it is empty. Raises ConfigurationError if it is
    no finite number from ``minimum`` to ``maximum``."""
    text = value(name) or str(default)
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not (minimum <= found <= maximum and math.isfinite(found)):
        accepted = f"of at least {minimum:g}" if maximum == math.inf else f"from {minimum:g} to {maximum:.0f}"
        raise ConfigurationError(f"{name} is {text[:40]}: use a number {accepted}.")
    return found


def words(name: str) -> list[str]:
    """Returns the items of a variable that is a comma-separated list."""
    return [part.strip() for part in value(name).split(",") if part.strip()]


def require_package(module: str, package: str, extra: str) -> None:
    """Raises ConfigurationError if the module of a package is not installed. The package belongs to ``extra``, one of
    the extras of Netmodes."""
    if find_spec(module) is None:
        raise ConfigurationError(f"The package {package} is not installed. Install Netmodes with the extra “{extra}”.")


@contextmanager
def require_usable_data() -> Iterator[None]:
    """Context manager that raises ConfigurationError instead of OSError if the data folder, or a file in it, cannot be
    used."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"Cannot use {error.filename}: {error.strerror}. Set NETMODES_DATA_DIR to a folder that you can write to."
        ) from None


@require_usable_data()
def data_dir() -> Path:
    """Returns the folder that holds all data. Creates it with mode 0700 if it is missing."""
    path = Path(value("NETMODES_DATA_DIR") or (_user_data() if INSTALLED else BASE / "var"))
    path = path.resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _user_data() -> Path:
    """Returns the default data folder of an installed package: a system folder for root, otherwise a folder of the user
    (XDG Base Directory Specification)."""
    if os.geteuid() == 0:
        return Path("/var/lib/netmodes")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "netmodes"


def absolute_database(name: str) -> str:
    """Returns the name of a SQLite database as an absolute path. ``:memory:`` and URIs are returned unchanged."""
    return name if name.startswith((":", "file:")) else str(Path(name).absolute())


def keep_private(path: Path) -> None:
    """Creates the database file ``path`` if it is missing, and gives it mode 0600. SQLite gives the other files of a
    database the permissions of this file (sqlite3, ``os_unix.c``). Leaves a folder at ``path`` unchanged."""
    path = path.resolve()
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # By name, not by descriptor: closing a descriptor would release the locks of SQLite's connections in this
        # process (fcntl(2)).
        if path.is_file():
            path.chmod(0o600)


@require_usable_data()
def secret_key(folder: Path) -> str:
    """Returns the secret key from the environment, otherwise the key from a file in ``folder``. If the file is missing,
    creates it with a random key and mode 0600."""
    given = value("NETMODES_SECRET_KEY")
    if given:
        return given
    path = folder / KEY_FILE
    if not path.exists():
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8").strip()


@require_usable_data()
def joined(folder: Path) -> dict[str, str]:
    """Returns what this machine received when it joined an installation: its name (``machine``), the URLs ``server``,
    ``database`` and ``nats``, and the id ``installation``. Empty if this machine has joined none. Raises
    ConfigurationError if the file with these values is damaged."""
    path = folder / JOINED_FILE
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise ConfigurationError(
            f"{path} is damaged. Delete it, and join the installation again with {COMMAND} join."
        ) from None
    return found


def store_joined(folder: Path, received: dict[str, str]) -> None:
    """Stores what a machine received when it joined, with mode 0600."""
    new = folder / f"{JOINED_FILE}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(received, file)
    new.rename(folder / JOINED_FILE)


def note_installation(folder: Path, database: str, identity: str) -> None:
    """Adds the id of the installation to the file that ``store_joined`` has written in ``folder``. Earlier versions of
    Netmodes did not store the id. ``database`` is the URL of the installation's database, ``identity`` is the id in it.
    Does nothing if the file already has an id, or if the machine has not joined the installation with this database."""
    received = joined(folder)
    if received.get("database") == database and not received.get("installation"):
        store_joined(folder, received | {"installation": identity})


#: libpq ends a connection whose server has not acknowledged data for 10 s. TCP alone would retransmit it at growing
#: intervals: after a minute without a network, only another 40 s after its end.
_TCP = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3}
#: A longer statement is a bug, and must not hold a connection forever; migrations are exempt.
_TIMEOUTS = "-c statement_timeout=30000 -c lock_timeout=15000 -c idle_in_transaction_session_timeout=60000"


def database_connections() -> int:
    """Returns the maximum number of connections that one process opens to PostgreSQL."""
    return int(number("NETMODES_DATABASE_CONNECTIONS", 20, minimum=1))


def configure_pool(database: Any) -> None:
    """Adds a bounded connection pool with health checks to the settings of a PostgreSQL database."""
    max_size = database_connections()
    options = {"options": _TIMEOUTS, "connect_timeout": 5, "application_name": "netmodes", **_TCP}
    pool = {"min_size": 1, "max_size": max_size, "timeout": 20.0, "max_idle": 60.0, "reconnect_timeout": 5.0}
    database["OPTIONS"] = {**options, **database.get("OPTIONS", {}), "pool": pool}
    database["CONN_HEALTH_CHECKS"] = True
