"""Determines the files that the web process can see: the code, its Python interpreter, and the database."""

import os
import shlex
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from os import chown
from pathlib import Path

import django
from django.conf import settings

from dashboard import configuration
from dashboard.core.operations.web_user import WebUser
from dashboard.management.pages.sandbox import RefusedError, Sandbox

#: The addresses of name servers, for sign-ins with OpenID Connect; systemd-resolved keeps the file below /run.
RESOLVER = Path("/etc/resolv.conf")
#: Variables that name certificates of authorities for these sign-ins. The value may be a list of folders.
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def database_paths() -> tuple[Path, ...]:
    """The paths of SQLite's database file and of the files that SQLite creates beside it (WAL)."""
    database = Path(settings.DATABASES["default"]["NAME"]).resolve()
    return tuple(Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm"))


class DatabaseFiles:
    """Makes a user the owner of SQLite's files. Keeps a connection open, so that SQLite neither removes nor replaces
    the files beside the database: the sandbox mounts them one by one (sqlite.org, "WAL-mode File Format", 1.3)."""

    def __init__(self, user: WebUser) -> None:
        configuration.keep_private(Path(settings.DATABASES["default"]["NAME"]))
        paths = database_paths()
        self._connection = sqlite3.connect(paths[0], timeout=5)
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            for path in paths:
                chown(path, user.uid, user.gid, follow_symlinks=False)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def symlinks(path: Path) -> Iterator[Path]:
    """Yields ``path`` if it is a symbolic link, then its target if that is one, and so on."""
    for _ in range(40):  # as many as the kernel follows (path_resolution(7))
        if not path.is_symlink():
            return
        yield path
        path = path.parent / path.readlink()


def code_folders() -> list[Path]:
    """The folders of the code and of the Python environment, without the data folder. Of a checkout, the history and
    the tests are omitted as well, because a running server does not need them."""
    package = Path(configuration.__file__).resolve().parent
    beside = [] if configuration.INSTALLED else [configuration.BASE / name for name in configuration.BUNDLED_FOLDERS]
    return [package, *(folder for folder in beside if folder.is_dir()), Path(sys.prefix)]


def python_paths() -> set[Path]:
    """The paths of the Python interpreter and its modules, without Netmodes' own code."""
    package = Path(configuration.__file__).resolve().parent
    interpreter = Path(sys.executable)
    paths = {Path(sys.base_prefix), interpreter.resolve().parent.parent, *symlinks(interpreter)}
    paths |= {Path(path).absolute() for path in sys.path if path}
    if not configuration.INSTALLED:
        paths = {path for path in paths if path.resolve() != package.parent}
    return paths


def certificate_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that name certificates. Their paths are made absolute, because the web process has
    another current folder."""
    return {
        name: os.pathsep.join(str(Path(path).absolute()) for path in variables[name].split(os.pathsep) if path)
        for name in CERTIFICATES
        if variables.get(name)
    }


def certificate_paths() -> set[Path]:
    """The paths in the environment variables that name certificates."""
    named = certificate_variables(os.environ).values()
    return {Path(path) for value in named for path in value.split(os.pathsep)}


def with_targets(paths: set[Path]) -> set[Path]:
    """The paths, made absolute, and the targets of those that are symbolic links."""
    links = {link.parent / link.readlink() for path in paths for link in symlinks(path)}
    return {Path(os.path.normpath(path.absolute())) for path in paths | links} | {path.resolve() for path in paths}


def make_workshops_folder(path: Path) -> None:
    """Creates the folder for the user's own workshops if it does not exist, because the web process could not see a
    folder that is created later. Raises RefusedError."""
    if path.exists():
        return
    if path.is_symlink():
        target = path.readlink()
        raise RefusedError(
            f"{path} is a link to {target}, which does not exist. Create that folder, or remove the link"
        )
    path.mkdir()
    path.chmod(0o755)  # the service has a umask of 077


def web_sandbox(user: WebUser) -> Sandbox:
    """Returns the sandbox for the web process. Also creates the folder for workshops, and raises RefusedError if that
    is not possible."""
    data = configuration.data_dir()
    own = data / "workshops"
    make_workshops_folder(own)
    code = code_folders()
    links = symlinks(Path(settings.DATABASES["default"]["NAME"]))
    shown = {*code, *python_paths(), data / "static", own, RESOLVER, *certificate_paths()}
    if sys.pycache_prefix:
        shown.add(Path(sys.pycache_prefix))
    read = with_targets(shown).union(links)
    template = configuration.BASE / "templates" / "base.html"
    return Sandbox(
        user,
        read=frozenset(read - set(database_paths())),
        write=database_paths(),
        cover=data,
        folder=code[0].parent,
        check=(code[0] / "asgi.py", template, Path(sys.executable), Path(django.__file__), own),
        hint=f"chmod -R go+rX {shlex.join(map(str, (*code, own)))}",
    )
