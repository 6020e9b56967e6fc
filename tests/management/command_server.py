"""Runs commands as processes that start quickly: a server imports what all commands import, and forks for each.

``python command_server.py FD`` serves requests on the socket with this descriptor. What is imported before a request
depends on neither the environment nor the settings; everything else a command imports itself, as in a new process.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
#: The modules that take longest to import. The modules of ``dashboard.core`` are pure.
MODULES = (
    "django.core.management",
    "django.core.serializers",
    "django.db.backends.sqlite3.base",
    "django.db.migrations.executor",
    "django.db.models",
    "django.forms",
    "django.views.debug",
    "dashboard.engine.docker_engine",
    "dashboard.engine.hosts.private_host",
    "dj_database_url",
    "markdown_it",
    "psutil",
    "psycopg",
)
MESSAGE_BYTES = 1 << 20


def serve(requests: socket.socket) -> None:
    """Forks for each request until the client has gone. Returns in the process of a command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are not waited for
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(requests, MESSAGE_BYTES, 4)
        if not message:
            requests.close()
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _supervise(json.loads(message), descriptors)
        for one in descriptors:
            os.close(one)


def _supervise(request: dict[str, object], descriptors: list[int]) -> None:
    """Starts the command and reports its pid and exit status; returns in its process."""
    *streams, told = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        for one in streams:
            os.close(one)
        os.write(told, f"{pid}\n".encode())
        _report(told, pid)
    os.close(told)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.argv = [str(ROOT / "manage.py"), *request["arguments"]]  # type: ignore[misc]


def _report(told: int, pid: int) -> NoReturn:
    _pid, status = os.waitpid(pid, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.path[0] = str(ROOT)
    for module in MODULES:
        import_module(module)
    core = import_module("dashboard.core")
    for found in pkgutil.walk_packages(core.__path__, f"{core.__name__}."):
        import_module(found.name)
    gc.freeze()  # commands share these objects as long as nothing writes to them
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(sys.argv[0], run_name="__main__")
