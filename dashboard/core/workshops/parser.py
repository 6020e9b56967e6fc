"""Reads a workshop's files. What is wrong is a problem with file and line; with one problem nothing loads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import VOCABULARY
from dashboard.core.workshops.commands import read_command
from dashboard.core.workshops.front_matter import Source, SourceError, read_toml, split
from dashboard.core.workshops.model import Command, Prediction, Problem, Step, Workshop, WrongTurn
from dashboard.core.workshops.truth_readings import READINGS, Reading

HEAD = "workshop.toml"
FORMAT = 1
MOST_STEPS = 60
MOST_WORDS = 120
MOST_PROBLEMS = 50
_STEP_FILE = re.compile(r"([0-9]{2})-([a-z0-9]+(-[a-z0-9]+)*)\.md", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
#: A line of its own in the Markdown: what stands behind it is shown once the step is done.
_REVEAL = re.compile(r"^---[ \t]*$", re.MULTILINE)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]*)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$|<([a-z][a-z0-9+.-]*:[^>]*)>", re.MULTILINE | re.IGNORECASE
)
_IMAGE = re.compile(r"!\[")
#: Names that other pages of a workshop have.
RESERVED = frozenset({"start", "again", "result"})
_TABLES = {"predict", "check", "wrong"}
_STEP_KEYS = {"title", "run", "folded", "hints", *_TABLES}
_HEAD_KEYS = {"format", "title", "summary", "minutes", "order", "slug"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The workshop, or what is wrong with it."""

    workshop: Workshop | None
    problems: tuple[Problem, ...] = ()


class _Reader:
    """One file's values, checked one after the other; what is wrong is collected."""

    def __init__(self, file: str, source: Source) -> None:
        self.file = file
        self.source = source
        self.problems: list[Problem] = []

    def wrong(self, sentence: str, *path: str | int) -> None:
        self.problems.append(Problem(self.file, self.source.line(*path), sentence))

    def text(self, values: Mapping[str, Any], *path: str | int, most: int = 200, lines: bool = False) -> str:
        """A text that must be there; ``path`` ends with its key."""
        key = str(path[-1])
        value = values.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(f"“{key}” must be a text that is not empty.", *path)
            return ""
        if len(value) > most:
            self.wrong(f"“{key}” has {len(value)} characters: at most {most} are allowed.", *path)
        if not all(char.isprintable() or (lines and char == "\n") for char in value):
            self.wrong(f"“{key}” holds a character that cannot be printed.", *path)
        return value.strip()

    def texts(self, values: Mapping[str, Any], *path: str | int, most: int, longest: int = 400) -> tuple[str, ...]:
        """A list of texts, which may be missing."""
        key = str(path[-1])
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            self.wrong(f"“{key}” must be a list of texts.", *path)
            return ()
        if len(value) > most:
            self.wrong(f"“{key}” has {len(value)} entries: at most {most} are allowed.", *path)
        if any(len(one) > longest or not all(char.isprintable() for char in one) for one in value):
            self.wrong(f"An entry of “{key}” is longer than {longest} characters or cannot be printed.", *path)
        return tuple(one.strip() for one in value)

    def known(self, values: Mapping[str, Any], allowed: set[str], *path: str | int) -> None:
        """Every key that nobody knows is a problem: it may be a slip."""
        for key in values:
            if key not in allowed:
                self.wrong(f"“{key[:40]}” is not known here: choose from {', '.join(sorted(allowed))}.", *path, key)

    def tables(self, values: Mapping[str, Any], key: str, most: int) -> list[dict[str, Any]]:
        """``[[key]]`` tables, none if it is something else."""
        found = values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            self.wrong(f"Write “{key}” as tables: [[{key}]].", key)
            return []
        if len(found) > most:
            self.wrong(f"There are {len(found)} of [[{key}]]: at most {most} are allowed.", key)
        return found[:most]

    def asked[T](
        self,
        said: Mapping[str, Any],
        kinds: Mapping[str, Any],
        make: Callable[[str, dict[str, str | int]], T],
        *path: str | int,
        besides: frozenset[str] = frozenset(),
    ) -> T | None:
        """A check or a reading: its kind, and arguments as the vocabulary wants them."""
        kind = said.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            given = f"“{kind[:40]}”" if isinstance(kind, str) else "nothing"
            self.wrong(f"“kind” is {given}: choose one of {', '.join(kinds)}.", *path, "kind")
            return None
        wanted = kinds[kind]
        self.known(said, {"kind", *wanted.parameters, *besides}, *path)
        arguments: dict[str, str | int] = {}
        before = len(self.problems)
        for name, form in wanted.parameters.items():
            if name in said:
                sentence = unfit(said[name], form)
                if sentence:
                    self.wrong(f"“{name}” {sentence}", *path, name)
                arguments[name] = said[name]
            elif name in wanted.required:
                self.wrong(f"{kind} needs “{name}”.", *path)
        return make(kind, arguments) if len(self.problems) == before else None


def unfit(value: object, form: str) -> str:
    """What is wrong with an argument of the vocabulary; empty if nothing is."""
    if form in {"port", "number"}:
        least, most = (1, 65535) if form == "port" else (0, 100)
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if fits else f"must be a number from {least} to {most}."
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        return "must be a text of at most 200 characters."
    choices = form.split("|")
    return "" if form == "text" or value in choices else f"must be one of {', '.join(choices)}."


def _check(reader: _Reader, said: Mapping[str, Any], *path: str | int, may_say: bool = True) -> Check | None:
    besides = frozenset({"otherwise"}) if may_say else frozenset()
    otherwise = ""
    if may_say and "otherwise" in said:
        otherwise = reader.text(said, *path, "otherwise", most=500)
    return reader.asked(said, VOCABULARY, lambda kind, args: Check(kind, args, otherwise), *path, besides=besides)


def _prediction(reader: _Reader, said: object) -> Prediction | None:
    if not isinstance(said, dict):
        reader.wrong("Write “predict” as a table: [predict].", "predict")
        return None
    reader.known(said, {"question", "choices", "answer", "reading", "values"}, "predict")
    question = reader.text(said, "predict", "question", most=300)
    choices = reader.texts(said, "predict", "choices", most=8)
    if len(choices) < 2 or len(set(choices)) != len(choices):
        reader.wrong("“choices” must hold at least two different texts.", "predict", "choices")
    if ("answer" in said) == ("reading" in said):
        reader.wrong("Give either “answer” (a number) or “reading” with “values”.", "predict")
        return None
    if "answer" in said:
        answer = said["answer"]
        if not isinstance(answer, int) or isinstance(answer, bool) or not 1 <= answer <= len(choices):
            reader.wrong(f"“answer” must be a number from 1 to {len(choices)}.", "predict", "answer")
            return None
        if "values" in said:
            reader.wrong("“values” go with “reading”, not with “answer”.", "predict", "values")
        return Prediction(question, choices, answer - 1)
    values = reader.texts(said, "predict", "values", most=8)
    if len(values) != len(choices) or len(set(values)) != len(values):
        reader.wrong("“values” must hold one different text for each choice.", "predict", "values")
    if not isinstance(said["reading"], dict):
        reader.wrong("Write “reading” as a table: reading = {kind = …}.", "predict", "reading")
        return None
    reading = reader.asked(said["reading"], READINGS, Reading, "predict", "reading")
    return Prediction(question, choices, None, reading, values)


def _body(reader: _Reader, body: str, first: int) -> tuple[str, str]:
    """Text and reveal of the Markdown."""
    parts = _REVEAL.split(body)
    if len(parts) > 2:
        reader.problems.append(
            Problem(reader.file, first, "there may be one line “---” only: what is revealed follows it.")
        )
    text, reveal = parts[0].strip(), (parts[1].strip() if len(parts) > 1 else "")
    if not text:
        reader.problems.append(Problem(reader.file, first, "there is no text below the TOML."))
    count = words(text) + words(reveal)
    if count > MOST_WORDS:
        sentence = f"the text has {count} words: at most {MOST_WORDS} are allowed."
        reader.problems.append(Problem(reader.file, first, sentence))
    for number, line in enumerate(body.split("\n"), start=first):
        if _IMAGE.search(line):
            reader.problems.append(Problem(reader.file, number, "pictures are not shown: leave it out."))
        for link in _LINK.finditer(line):
            target = link[1] or link[2] or link[3] or ""
            if not re.match(r"/(?!/)|#|https://", target):
                reader.problems.append(
                    Problem(reader.file, number, f"“{target[:60]}” is no link that is shown: begin with / or https://.")
                )
        if any(not char.isprintable() and char != "\t" for char in line):
            reader.problems.append(Problem(reader.file, number, "there is a character that cannot be printed."))
    return text, reveal


def words(text: str) -> int:
    """How many words a text has; a command in it counts as one each."""
    return len(re.findall(r"[^\s`*_#>]*\w[^\s`*_#>]*", text))


def _step(file: str, slug: str, content: str) -> tuple[Step | None, list[Problem]]:
    try:
        source, body, first = split(content)
    except SourceError as error:
        return None, [Problem(file, error.line, str(error))]
    reader, values = _Reader(file, source), source.values
    reader.known(values, _STEP_KEYS)
    title = reader.text(values, "title", most=100)
    commands = []
    for line in reader.texts(values, "run", most=6):
        try:
            commands.append(Command(line, read_command(line)))
        except ValueError as error:
            reader.wrong(str(error), "run")
    checks = [
        _check(reader, said, "check", number) for number, said in enumerate(reader.tables(values, "check", most=12))
    ]
    wrong = []
    for number, said in enumerate(reader.tables(values, "wrong", most=12)):
        reader.known(said, {"when", "say"}, "wrong", number)
        when = said.get("when")
        if not isinstance(when, dict):
            reader.wrong("“when” must be a check: when = {kind = …}.", "wrong", number)
            continue
        check = _check(reader, when, "wrong", number, may_say=False)
        say = reader.text(said, "wrong", number, "say", most=500)
        if check is not None:
            wrong.append(WrongTurn(check, say))
    predict = _prediction(reader, values["predict"]) if "predict" in values else None
    hints = reader.texts(values, "hints", most=6, longest=500)
    text, reveal = _body(reader, body, first)
    folded = values.get("folded", False)
    if not isinstance(folded, bool):
        reader.wrong("“folded” must be true or false.", "folded")
    step = Step(
        slug=slug,
        title=title,
        text=text,
        reveal=reveal,
        run=tuple(commands),
        predict=predict,
        checks=tuple(one for one in checks if one is not None),
        hints=hints,
        wrong=tuple(wrong),
        folded=folded is True,
    )
    return (None if reader.problems else step), reader.problems


def _head(content: str | None) -> tuple[dict[str, Any], list[Problem]]:
    if content is None:
        return {}, [Problem(HEAD, 0, "this file is missing: it gives the workshop its title and summary.")]
    try:
        source = read_toml(content)
    except SourceError as error:
        return {}, [Problem(HEAD, error.line, str(error))]
    reader, values = _Reader(HEAD, source), source.values
    reader.known(values, _HEAD_KEYS)
    if values.get("format") != FORMAT or isinstance(values.get("format"), bool):
        reader.wrong(f"“format” must be {FORMAT}.", "format")
    for key in ("minutes", "order"):
        number = values.get(key, 0)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 1000:
            reader.wrong(f"“{key}” must be a number from 0 to 1000.", key)
    head = {
        "title": reader.text(values, "title", most=100),
        "summary": reader.text(values, "summary", most=500),
        "minutes": values.get("minutes", 0),
        "order": values.get("order", 1000),
    }
    if "slug" in values:
        head["slug"] = reader.text(values, "slug", most=40)
        if not _SLUG.fullmatch(head["slug"]):
            reader.wrong("“slug” must be small letters, digits and hyphens.", "slug")
    return head, reader.problems


def load(name: str, files: Mapping[str, str]) -> Loaded:
    """A workshop from the texts of its files by name. ``name`` is the folder's, the slug unless the head gives one."""
    head, found = _head(files.get(HEAD))
    slug = str(head.get("slug", name))
    if "slug" not in head and not (_SLUG.fullmatch(name) and len(name) <= 40):
        sentence = f"the folder's name “{name[:60]}” cannot stand in an address: rename it, or give a “slug” here."
        found.append(Problem(HEAD, 0, sentence))
    steps: list[Step] = []
    taken: dict[str, str] = {}
    numbers: dict[str, str] = {}
    names = sorted(one for one in files if one != HEAD)
    for file in names:
        named = _STEP_FILE.fullmatch(file)
        if named is None:
            found.append(
                Problem(file[:100], 0, "a step's file is called NN-name.md, with small letters, digits and hyphens.")
            )
            continue
        if named[2] in RESERVED:
            found.append(
                Problem(file, 0, f"a step cannot be called “{named[2]}”: that is the address of another page.")
            )
        for what, key, known in (("name", named[2], taken), ("number", named[1], numbers)):
            if key in known:
                found.append(Problem(file, 0, f"{known[key]} has the same {what}: give another one."))
            known[key] = file
        step, wrong = _step(file, named[2], files[file])
        found += wrong
        if step is not None:
            steps.append(step)
    if not names:
        found.append(Problem(HEAD, 0, "there is no step: add a file 01-name.md."))
    if len(names) > MOST_STEPS:
        found.append(Problem(HEAD, 0, f"there are {len(names)} steps: at most {MOST_STEPS} are allowed."))
    if found:
        return Loaded(None, tuple(found[:MOST_PROBLEMS]))
    whole = "\0".join(f"{one}\0{files[one]}" for one in sorted(files))
    digest = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]
    return Loaded(Workshop(slug, head["title"], head["summary"], tuple(steps), head["minutes"], head["order"], digest))
