"""Runs every command of the documents on a real engine, in the order of each page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, load_command_class

from dashboard.engine.lab_image import lab_image_archive
from tests.docs.documents import PRINTS, ROOT, Block, blocks, pages
from tests.docs.reference import LAUNCHER
from tests.support.private_engine import CACHE, PrivateEngine

pytestmark = pytest.mark.engine
LIMIT_S = 120
BLOCKS = {page: blocks(page, text) for page, text in pages().items()}
TYPED = {page: found for page, found in BLOCKS.items() if any(one.is_run for one in found)}
#: The gate runs the first commands of this page (``up``, ``doctor`` and a comparison), and parses those of all pages.
IN_GATE, LINES_IN_GATE = "README.md", 3
#: The lines of all console blocks that are commands of Netmodes.
NETMODES = sorted(
    {
        line
        for found in BLOCKS.values()
        for one in found
        if one.language == "console"
        for line in one.lines
        if line.startswith("./netmodes ")
    }
)
#: A saved report gets a random id, which later lines need.
SAVED = re.compile(r"^Saved as report (\w+):", re.MULTILINE)


class Desk:
    """A user's terminal on the machine of the suite's engine, in a folder with ``./netmodes``."""

    def __init__(self, host: PrivateEngine, folder: Path, kept: Path) -> None:
        self._folder = folder
        self._typed: dict[str, str] = {}
        self._enter = ["nsenter", "--target", str(host.pid), "--net", "--"]
        self._enter_processes = ["nsenter", "--target", str(host.pid), "--net", "--mount", "--pid", "--"]
        self._report = "ID"
        self._environment = {
            **os.environ,
            "DOCKER_HOST": host.endpoint,
            "NETMODES_DATA_DIR": str(folder / "data"),
            "COLUMNS": "120",
        }
        archive = lab_image_archive(CACHE)
        shutil.copytree(kept, folder / "data")
        (folder / "data/cache").mkdir()
        (folder / "data/cache" / archive.name).symlink_to(archive)
        program = folder / "netmodes"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/manage.py" "$@"\n')
        program.chmod(0o755)

    def type(self, line: str) -> str:
        """The output of a line; AssertionError if it fails. A ``./netmodes`` line on several pages runs only once."""
        line = re.sub(r"\bID\b", self._report, line)
        if not line.startswith("./netmodes "):
            return self._run(line)
        if line not in self._typed:
            self._typed[line] = self._serve(line) if line.startswith("./netmodes up") else self._run(line)
        return self._typed[line]

    def _run(self, line: str) -> str:
        # A line that uses a pid from the engine runs where the processes of the engine's machine are visible.
        enter = self._enter_processes if "/proc/$(docker inspect" in line else self._enter
        done = subprocess.run(
            [*enter, "bash", "-euo", "pipefail", "-c", line],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        self._report = (SAVED.findall(done.stderr) or [self._report])[-1]
        return done.stdout + done.stderr

    def _serve(self, line: str) -> str:
        """Runs a server until it has printed its link, then sends Ctrl-C."""
        command = [*self._enter, "setpriv", "--pdeathsig", "TERM", *line.split()]
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            said = ""
            for printed in process.stdout:
                said += printed
                if "/sign-in/?token=" in printed:
                    break
            process.send_signal(signal.SIGINT)
            said += process.stdout.read()
            assert process.wait(LIMIT_S) == 0, said
        return said


def shape(line: str) -> str:
    """A line without the parts that differ between runs: numbers, ids, lengths of bars."""
    line = re.sub(r"token=\S+", "token=#", line)
    line = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b", "#", line)
    line = re.sub(r"[\u2212+-]?\d[\d.,:]*", "#", line)
    return re.sub(r"[█▉▊▋▌▍▎▏─━·]+|\s+", " ", line).strip()


def first_missing(shown: str, printed: str) -> str | None:
    """The first line of ``shown`` that does not occur in ``printed`` after the previous one."""
    lines = iter([shape(line) for line in printed.splitlines()])
    for line in shown.splitlines():
        if line.strip() not in {"", "…"} and not any(shape(line) == one for one in lines):
            return line
    return None


@pytest.fixture(scope="module")
def room(engine_host: PrivateEngine, kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One terminal for all pages, with everything saved in it."""
    return Desk(engine_host, tmp_path_factory.mktemp("desk"), kept)


@pytest.fixture
def desk(room: Desk, engine_host: PrivateEngine) -> Iterator[Desk]:
    """A terminal for one page. Removes containers that the page leaves on the engine, and fails the test then."""
    yield room
    left = engine_host.docker("ps", "-aq").split()
    if left:
        engine_host.docker("rm", "-f", "-v", *left)
    assert not left, "the page leaves containers behind"


@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow) for page in TYPED])
def test_the_commands_on_a_page_work(desk: Desk, page: str) -> None:
    printed = ""
    for block in TYPED[page]:
        if block.is_run:
            for line in block.lines:
                printed = desk.type(line)
        elif block.mark == PRINTS:
            missing = first_missing(block.text, printed)
            assert missing is None, f"{block.page}:{block.line} shows {missing!r}; it prints:\n{printed}"


def test_the_first_commands_of_the_readme_work(desk: Desk) -> None:
    lines = [line for block in TYPED[IN_GATE] if block.is_run for line in block.lines]
    typed = lines[:LINES_IN_GATE]
    assert [line.split()[1] for line in typed] == ["up", "doctor", "compare"]
    for line in typed:
        desk.type(line)


def arguments_of(line: str) -> list[str]:
    """The words of the first command of a line, without ``./netmodes``."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((number for number, word in enumerate(words) if set(word) <= set("|&;<>")), len(words))
    return words[1:end]


@pytest.mark.parametrize("line", NETMODES)
def test_a_command_on_a_page_is_accepted(line: str) -> None:
    """``tests/docs/test_documents.py`` checks the options of ``test``, ``check`` and ``help``: they have no parser."""
    name, *arguments = arguments_of(line)
    if command := LAUNCHER.get(name, name):
        load_command_class("dashboard", command).create_parser("manage.py", command).parse_args(arguments)


def test_a_command_that_does_not_exist_is_found() -> None:
    assert arguments_of("./netmodes compare host --title 'a | b' --json | head -1 && true") == [
        *("compare", "host", "--title", "a | b", "--json")
    ]
    with pytest.raises(CommandError):
        load_command_class("dashboard", "compare").create_parser("manage.py", "compare").parse_args(["--nonsense"])


def test_a_page_that_shows_something_else_is_found() -> None:
    printed = "same  12 µs ▇\n≠ Own address\n  host: (none)\n  bridge: 172.17.0.2\n"
    assert first_missing("≠ Own address\n…\n  bridge: 172.17.0.9\n", printed) is None
    assert first_missing("  bridge: 172.17.0.9\n≠ Own address\n", printed) == "≠ Own address"
    assert first_missing("= Own address\n", printed) == "= Own address"


def test_a_line_that_fails_fails_the_test(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="no-such-command"):
        desk.type("no-such-command 2>&1 | cat")


def test_a_block_is_run_unless_its_mark_has_a_reason() -> None:
    text = "<!-- not run: it takes an hour -->\n```console\na\n```\n\n```console\nb \\\n  c  # said\n# d\n```\n"
    first, second = blocks("x.md", text)
    assert (first.is_run, first.mark) == (False, "not run: it takes an hour")
    assert (second.is_run, second.lines, second.line) == (True, ["b    c"], 6)
    assert isinstance(first, Block)
