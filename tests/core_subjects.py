"""The modules of core with the test file of each, for tools that run one without the other tests."""

from __future__ import annotations

import ast
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
PYTEST += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


@dataclass(frozen=True)
class Subject:
    """A module, and the test file that must notice its changes."""

    name: str
    path: Path
    test: Path

    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.path.read_text())


def subjects(root: Path, pattern: str) -> list[Subject]:
    """The modules of core, each with its own test file or the one that tests/test_layout.py names instead."""
    tables = _layout_tables(root)
    found = []
    for path in sorted((root / "dashboard" / "core").rglob("*.py")):
        name = path.relative_to(root / "dashboard")
        own = root / "tests" / name.parent / f"test_{name.name}"
        named = re.findall(r"tests/\S+\.py", tables.get("NO_OWN_TEST", {}).get(str(name), ""))
        tests = [test for test in (own, *(root / one for one in named)) if test.exists()]
        together = name.name == "__init__.py" or name.parent.name in tables.get("TESTED_TOGETHER", {})
        if tests and not together and fnmatch(str(name), f"core/{pattern}"):
            found.append(Subject(".".join(("dashboard", *name.with_suffix("").parts)), path, tests[0]))
    return found


def _layout_tables(root: Path) -> dict[str, dict[str, str]]:
    """The tables of tests/test_layout.py, by name."""
    layout = root / "tests" / "test_layout.py"
    tree = ast.parse(layout.read_text() if layout.exists() else "")
    assigned = [
        (ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]), node.value)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    ]
    return {name: ast.literal_eval(value) for name, value in assigned if isinstance(value, ast.Dict)}


def enter_tree(root: Path, folder: Path) -> None:
    """Prepares this process to import the tree at ``root``, and to write files only to ``folder``."""
    sys.pycache_prefix = f"{tempfile.gettempdir()}/bytecode"
    os.environ |= {"NETMODES_DATA_DIR": str(folder), "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)}
    os.chdir(root)
    sys.path[0] = str(root)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"dashboard", "tests"}]:
        del sys.modules[name]
