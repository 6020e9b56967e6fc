"""The documents are consistent: link targets exist, every page is in the index, every command and option exists."""

from __future__ import annotations

import ast
import json
import re
import tomllib

import pytest

from dashboard.launcher import usage
from tests.docs import reference
from tests.docs.documents import ROOT, Block, anchors, blocks, links, pages, without_blocks

PAGES = pages()
BLOCKS = [one for page, text in PAGES.items() for one in blocks(page, text)]
#: Options of pytest that documents use: ``./netmodes test`` passes them on.
PYTEST_OPTIONS = {"--hypothesis-seed", "--junitxml"}
#: Pages that the index need not name.
NOT_IN_THE_INDEX = {"docs/README.md", "README.md"}
#: A label of a page that a document names for use.
PRESSED = re.compile(r"\b(?:press|select|choose|set|after)\s+(?:\*\*|“)([^*”]+)(?:\*\*|”)", re.IGNORECASE)
LANGUAGES = {"console", "text", "python", "toml", "markdown", "json", "nginx", "yaml", "ini", "sh"}


def name_of(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_are_there(page: str) -> None:
    wrong = []
    for link in links(PAGES[page]):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_tests_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`(tests/[\w./-]+)", PAGES[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_file_with_tests_that_run_only_with_all_is_in_the_table() -> None:
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if re.search(r"mark\.slow", path.read_text())]
    assert len(files) > 50
    assert [path.name for path in files if f"{path.name}`" not in PAGES["docs/testing.md"]] == []


@pytest.mark.parametrize("page", PAGES)
def test_labels_that_the_reader_presses_are_on_a_page(page: str) -> None:
    labels = {re.sub(r"\s+", " ", label) for label in PRESSED.findall(PAGES[page])}
    templates = "\n".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    assert [label for label in labels if label not in templates] == []


def test_every_page_is_in_the_index() -> None:
    named = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links(PAGES["docs/README.md"])}
    missing = [page for page in PAGES if page not in NOT_IN_THE_INDEX and (ROOT / page).resolve() not in named]
    assert missing == []


def test_blocks_have_a_language_and_a_reason_if_they_are_not_run() -> None:
    assert [name_of(one) for one in BLOCKS if one.language not in LANGUAGES] == []
    reasons = {name_of(one): one.mark.partition(": ")[2] for one in BLOCKS if one.mark.startswith("not run")}
    assert [name for name, reason in reasons.items() if len(reason.split()) < 4] == []
    assert [name_of(one) for one in BLOCKS if one.mark and one.language not in {"console", "text"}] == []
    # A prompt would be copied along.
    assert [name_of(one) for one in BLOCKS if one.language == "console" and re.search(r"^[$#>] ", one.text)] == []


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language in {"python", "toml", "json"}], ids=name_of)
def test_code_in_documents_is_well_formed(block: Block) -> None:
    if block.language == "python":
        ast.parse(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    else:
        json.loads(block.text)


def test_the_claim_in_the_document_exists() -> None:
    (shown,) = (one.text for one in BLOCKS if one.page == "docs/adding-a-claim.md" and one.language == "python")
    assert shown == (ROOT / "dashboard/core/claims/catalogue/host_shares_netns.py").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_that_are_named_exist(page: str) -> None:
    code = [line for one in blocks(page, PAGES[page]) if one.language == "console" for line in one.lines]
    code += re.findall(r"`(\./netmodes [^`\n]+)`", without_blocks(PAGES[page]))
    wrong = []
    for found in re.findall(r"(?:^|[\s(])\./netmodes +([^|&;>)`\n]*)", "\n".join(code)):
        words = [word for word in found.split() if word not in {"--no-install", "COMMAND"}]
        known = reference.options_of(words)
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        if known is None or not set(options) <= known | PYTEST_OPTIONS:
            wrong.append(found.strip())
    assert wrong == []


@pytest.mark.parametrize("name", [*reference.command_names(), *reference.LAUNCHER])
def test_the_launcher_knows_every_command(name: str) -> None:
    assert name in usage.descriptions()
