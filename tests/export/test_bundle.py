"""dashboard.export.bundle: modules become one script with the same behaviour."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dashboard.export.bundle import NotBundledError, bundle, styles

MODULES = {
    "main.js": 'import { add, LIMIT as most } from "./lib/sum.js";\nimport { say } from "./lib/say.js";\n\n'
    "say(`${add(1, 2)} of ${most}`);\n",
    "lib/sum.js": 'import { say } from "./say.js";\n\nexport const LIMIT = 9;\nlet count = 0;\n\n'
    "export function add(a, b) {\n  count += 1;\n  if (count > LIMIT) say('x');\n  return a + b;\n}\n",
    "lib/say.js": "export function say(text) {\n  console.log(text);\n}\nexport class Sayer {}\n"
    "export async function later() {}\nconst hidden = '</script><!--';\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_script_does_what_the_modules_do(root: Path) -> None:
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run([node, "-e", bundle("main.js", root)], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "3 of 9\n"


def test_a_module_that_two_import_is_included_once_and_before_them(root: Path) -> None:
    script = bundle("main.js", root)
    assert script.count("console.log(text)") == 1
    assert script.index("console.log") < script.index("a + b") < script.index("of ${most}")


def test_the_script_contains_nothing_that_ends_its_element(root: Path) -> None:
    script = bundle("main.js", root)
    assert "</script" not in script
    assert "<!--" not in script


@pytest.mark.parametrize(
    "text",
    [
        'import sum from "./lib/sum.js";',
        'import * as sum from "./lib/sum.js";',
        'import "./lib/sum.js";',
        "export default 1;",
        "export { a };",
        "export let count = 0;",
        'await import("./lib/sum.js");',
        'const later = () => import("./lib/sum.js");',
        'import { x } from "./main.js";',
    ],
)
def test_an_unknown_form_is_refused(root: Path, text: str) -> None:
    (root / "main.js").write_text(f"{text}\n")
    bundle.cache_clear()
    with pytest.raises(NotBundledError):
        bundle("main.js", root)


@pytest.mark.parametrize("text", ["a { b: url(x.png) }", '@import "x.css";', "a { b: '</style>' }"])
def test_a_style_that_would_load_something_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "a.css").write_text(text)
    styles.cache_clear()
    with pytest.raises(NotBundledError):
        styles("a.css", root=tmp_path)
