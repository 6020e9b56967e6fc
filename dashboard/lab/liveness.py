"""Health checks of the process that uses a data folder. They run every few seconds, even during measurements, and
therefore use neither Django nor the database. All functions block."""

import socket
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

#: The maximum age in seconds of a healthy lab's heartbeat, and the timeout for a page.
HEALTHY_S = 15.0
TIMEOUT_S = 5.0


def note_heartbeat(folder: Path) -> None:
    """Records in the data folder that the lab has just reached its database."""
    (folder / "beat").touch()


def remove_heartbeat(folder: Path) -> None:
    """Removes the record of the last heartbeat, because the lab has ended."""
    (folder / "beat").unlink(missing_ok=True)


def address_file(folder: Path, *, apart: bool) -> Path:
    """Returns the path of the file that contains the address of a running server. ``apart`` is true if the web process
    runs without a lab. The file's name then contains the machine's name, because such web processes on several machines
    may share the data folder."""
    return folder / (f"serving.{socket.gethostname()}" if apart else "serving")


def lab_problem(folder: Path) -> str:
    """Returns the problem of the lab that uses this data folder, as a sentence; empty if the lab is healthy."""
    try:
        silent_s = time.time() - (folder / "beat").stat().st_mtime
    except FileNotFoundError:
        return f"No lab runs from {folder}."
    return f"The lab's last heartbeat was {silent_s:.0f} s ago." if silent_s > HEALTHY_S else ""


def web_problem(folder: Path, port: int = 0, *, apart: bool) -> str:
    """Returns the problem of the web process as a sentence; empty if it is healthy.

    Requests ``/healthz`` from 127.0.0.1 and ``port``. If ``port`` is 0, uses the address in ``address_file``, which
    need not be an allowed host name: a reverse proxy may send another one. ``apart`` is true if the web process runs
    without a lab.
    """
    host = f"127.0.0.1:{port}"
    if not port:
        try:
            host = urlsplit(address_file(folder, apart=apart).read_text(encoding="utf-8")).netloc
        except FileNotFoundError:
            return f"Nothing serves from {folder}."
    connection = HTTPConnection(host, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"127.0.0.1:{connection.port}"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"http://{host}/healthz does not answer: {error}."
    finally:
        connection.close()
    return "" if status == 200 else f"http://{host}/healthz answers {status}."


def problem(folder: Path, role: str, port: int = 0) -> str:
    """Returns the problem of the process with this role, as a sentence; empty if the process is healthy."""
    return lab_problem(folder) if role == "lab" else web_problem(folder, port, apart=role == "web")
