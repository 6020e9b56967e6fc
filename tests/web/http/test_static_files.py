"""Static files: versioned URLs that browsers cache, and module preloads of pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.templatetags.static import static
from django.test import Client

from dashboard.templatetags.modules import needed_by
from dashboard.web.http import static_files

ROOT = Path(__file__).resolve().parents[3]
MODULES = ROOT / "static/dashboard/js"
OTHER = "v0123456789ab"
#: Modules that no page preloads, with the reason.
ON_DEMAND = {
    "ui/terminal/terminal.js": "the terminal's own library is ten times its size",
    "ui/terminal/recording.js": "the terminal's own library is ten times its size",
}


def get(path: str, **headers: str) -> tuple[int, str, bytes]:
    """Requests a file without a session. Returns status, Cache-Control and body."""
    answer = Client().get(path, headers=headers)
    return answer.status_code, answer.headers.get("Cache-Control", ""), answer.content


def test_a_url_with_the_current_hash_is_cached_forever() -> None:
    address = static("dashboard/js/main.js")
    assert re.fullmatch(r"/static/v[0-9a-f]{12}/dashboard/js/main\.js", address)
    assert get(address) == (200, static_files.IMMUTABLE, (MODULES / "main.js").read_bytes())


@pytest.mark.parametrize("path", [f"/static/{OTHER}/dashboard/js/main.js", "/static/dashboard/js/main.js"])
def test_a_page_of_another_version_finds_its_files_uncached(path: str) -> None:
    status, kept, body = get(path)
    assert (status, body) == (200, (MODULES / "main.js").read_bytes())
    assert "max-age=0" in kept
    assert "immutable" not in kept


@pytest.mark.parametrize("path", ["/static/v0/dashboard/js/main.js", f"/static/{OTHER}/", f"/static/{OTHER}/../x"])
def test_invalid_addresses_of_static_files_are_refused(path: str) -> None:
    assert get(path)[0] != 200


def test_changed_content_changes_the_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("django.conf.settings.STATICFILES_DIRS", [tmp_path])
    monkeypatch.setattr(finders, "get_finders", lambda: [finders.FileSystemFinder()])
    versions = []
    try:
        for name, text in (("a.js", "1"), ("a.js", "2"), ("b.js", "2"), ("b.js", "2")):
            (tmp_path / name).write_text(text)
            static_files.version.cache_clear()
            versions.append(static_files.version())
    finally:
        static_files.version.cache_clear()
    assert len(set(versions)) == 3


def test_a_page_preloads_the_imports_of_its_modules_without_those_of_every_page() -> None:
    html = Template('{% load modules %}{% modules "ui/experiments/experiment.js" %}').render(Context())
    named = set(re.findall(r'<link rel="modulepreload" href="/static/v[0-9a-f]{12}/dashboard/js/([^"]+)">', html))
    assert named == set(needed_by("ui/experiments/experiment.js")) - set(needed_by("main.js"))
    assert {"ui/experiments/experiment.js", "ui/comparison/table.js", "core/experiments/experiment_model.js"} <= named
    # The expected modules, read from the imports in the files.
    found: set[Path] = set()
    waiting = [MODULES / "ui/experiments/experiment.js"]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [(one.parent / part.split('"')[1]).resolve() for part in one.read_text().split("\nimport {")[1:]]
    assert {str(one.relative_to(MODULES)) for one in found} == set(needed_by("ui/experiments/experiment.js"))


def test_every_module_that_is_loaded_later_is_preloaded_by_a_page() -> None:
    later = set(re.findall(r'import\("\./(ui/[^"]+)"\)', (MODULES / "main.js").read_text()))
    templates = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    named = {
        name for tag in re.findall(r"\{% modules ([^%]+) %\}", templates) for name in re.findall(r'"([^"]+)"', tag)
    }
    assert named - {"main.js"} == later - set(ON_DEMAND)
    assert all((MODULES / name).is_file() for name in named)
