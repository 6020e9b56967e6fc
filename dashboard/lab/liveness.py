"""How a health check learns whether the process of a data folder is well: without Django and the database, because it
is asked every few seconds, beside what is measured. Blocking."""

from __future__ import annotations

import socket
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

#: A lab that was heard of so lately is well, seconds; and how long pages may take.
HEALTHY_S = 15.0
TIMEOUT_S = 5.0


def beat(folder: Path) -> None:
    """The lab has just written into the database that it is here."""
    (folder / "beat").touch()


def end(folder: Path) -> None:
    """It goes."""
    (folder / "beat").unlink(missing_ok=True)


def address_file(folder: Path, *, apart: bool) -> Path:
    """Holds the address while something serves; ``apart``: of each web process of the team shape, where several
    machines share a data folder."""
    return folder / (f"serving.{socket.gethostname()}" if apart else "serving")


def lab_problem(folder: Path) -> str:
    """What is wrong with the lab of this folder, in a sentence; empty if nothing is."""
    try:
        silent_s = time.time() - (folder / "beat").stat().st_mtime
    except FileNotFoundError:
        return f"No lab runs from {folder}."
    return f"The lab was last heard of {silent_s:.0f} s ago." if silent_s > HEALTHY_S else ""


def web_problem(folder: Path, port: int = 0, *, apart: bool) -> str:
    """The same for the pages: on ``port`` of this machine, or where whoever serves has said so."""
    host = f"127.0.0.1:{port}"
    if not port:
        try:
            host = urlsplit(address_file(folder, apart=apart).read_text(encoding="utf-8")).netloc
        except FileNotFoundError:
            return f"Nothing serves from {folder}."
    connection = HTTPConnection(host, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"http://{host}/healthz does not answer: {error}."
    finally:
        connection.close()
    return "" if status == 200 else f"http://{host}/healthz answers {status}."


def problem(folder: Path, role: str, port: int = 0) -> str:
    """Of the process that plays this role."""
    return lab_problem(folder) if role == "lab" else web_problem(folder, port, apart=role == "web")
