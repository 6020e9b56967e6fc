"""Parses the files of a workshop. Each error is reported as a problem with file and line. A workshop with a problem
does not load."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.core.modes import Mode
from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import VOCABULARY
from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.fields import FieldReader, is_printable
from dashboard.core.workshops.front_matter import SourceError, read_toml, split
from dashboard.core.workshops.model import Command, CommonMistake, Prediction, Problem, Step, Workshop
from dashboard.core.workshops.truth_readings import READINGS, Reading

HEAD = "workshop.toml"
FORMAT = 1
MAX_STEPS = 60
#: The length of the database's columns for names of steps.
MAX_NAME = 60
MAX_WORDS = 120
MAX_PROBLEMS = 50
_STEP_FILE = re.compile(r"([0-9]{2})-([a-z0-9]+(-[a-z0-9]+)*)\.md", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
#: A separate line in the Markdown: the text after it is shown once the step is done.
_REVEAL = re.compile(r"^---[ \t]*$", re.MULTILINE)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]*)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$|<([a-z][a-z0-9+.-]*:[^>]*)>", re.MULTILINE | re.IGNORECASE
)
_IMAGE = re.compile(r"!\[")
#: Addresses of other pages of a workshop, which no step can have.
RESERVED = frozenset({"start", "again", "result"})
_TABLES = {"predict", "check", "wrong"}
_STEP_KEYS = {"title", "run", "folded", "hints", "measure", *_TABLES}
#: The modes whose paths a step can measure: a container of its own answers in each.
_MEASURABLE = (Mode.HOST, Mode.BRIDGE, Mode.USER_BRIDGE)
_HEAD_KEYS = {"format", "title", "summary", "minutes", "order", "slug"}


@dataclass(frozen=True, slots=True)
class ParsedWorkshop:
    """The result of parsing: the workshop, or None and its problems."""

    workshop: Workshop | None
    problems: tuple[Problem, ...] = ()


def _check(reader: FieldReader, values: Mapping[str, Any], number: int) -> Check | None:
    otherwise = reader.text(values, "check", number, "otherwise", max_chars=500) if "otherwise" in values else ""
    return reader.typed(
        values,
        VOCABULARY,
        lambda kind, arguments: Check(kind, arguments, otherwise),
        "check",
        number,
        optional=frozenset({"otherwise"}),
    )


def _mistake(reader: FieldReader, values: Mapping[str, Any], number: int) -> CommonMistake | None:
    reader.reject_unknown(values, {"when", "say"}, "wrong", number)
    when = values.get("when")
    if not isinstance(when, dict):
        reader.add_problem("“when” must be a check: when = {kind = …}.", "wrong", number)
        return None
    check = reader.typed(when, VOCABULARY, Check, "wrong", number)
    advice = reader.text(values, "wrong", number, "say", max_chars=500)
    return None if check is None else CommonMistake(check, advice)


def _prediction(reader: FieldReader, values: object) -> Prediction | None:
    if not isinstance(values, dict):
        reader.add_problem("Write “predict” as a table: [predict].", "predict")
        return None
    reader.reject_unknown(values, {"question", "choices", "answer", "reading", "values"}, "predict")
    question = reader.text(values, "predict", "question", max_chars=300)
    choices = reader.texts(values, "predict", "choices", max_items=8)
    if len(choices) < 2 or len(set(choices)) != len(choices):
        reader.add_problem("“choices” must have at least two different texts.", "predict", "choices")
    if ("answer" in values) == ("reading" in values):
        reader.add_problem("Give either “answer” (a number) or “reading” with “values”.", "predict")
        return None
    if "answer" in values:
        answer = values["answer"]
        if not isinstance(answer, int) or isinstance(answer, bool) or not 1 <= answer <= len(choices):
            reader.add_problem(f"“answer” must be a number from 1 to {len(choices)}.", "predict", "answer")
            return None
        if "values" in values:
            reader.add_problem("“values” belong to “reading”, not to “answer”.", "predict", "values")
        return Prediction(question, choices, answer - 1)
    results = reader.texts(values, "predict", "values", max_items=8)
    if len(results) != len(choices) or len(set(results)) != len(results):
        reader.add_problem("“values” must have a text for each choice, and all must be different.", "predict", "values")
    if not isinstance(values["reading"], dict):
        reader.add_problem("Write “reading” as a table: reading = {kind = …}.", "predict", "reading")
        return None
    reading = reader.typed(values["reading"], READINGS, Reading, "predict", "reading")
    return Prediction(question, choices, None, reading, results)


def _body(reader: FieldReader, body: str, first_line: int) -> tuple[str, str]:

    def add_problem(sentence: str, line: int = first_line) -> None:
        reader.problems.append(Problem(reader.file, line, sentence))

    parts = _REVEAL.split(body)
    if len(parts) > 2:
        add_problem("only one line “---” is allowed: the text after it is shown once the step is done.")
    text, reveal = parts[0].strip(), (parts[1].strip() if len(parts) > 1 else "")
    if not text:
        add_problem("there is no text below the TOML.")
    count = count_words(text) + count_words(reveal)
    if count > MAX_WORDS:
        add_problem(f"the text has {count} words: at most {MAX_WORDS} are allowed.")
    for number, line in enumerate(body.split("\n"), start=first_line):
        if _IMAGE.search(line):
            add_problem("images are not shown: remove the image.", number)
        for link in _LINK.finditer(line):
            target = link[1] or link[2] or link[3] or ""
            if not re.match(r"/(?!/)|#|https://", target):
                add_problem(f"“{target[:60]}” is not a valid link: start it with / or https://.", number)
        if not is_printable(line.replace("\t", " ")):
            add_problem("there is a character that cannot be printed.", number)
    return text, reveal


def count_words(text: str) -> int:
    """Counts the words of Markdown; each word of a command counts."""
    return len(re.findall(r"[^\s`*_#>]*\w[^\s`*_#>]*", text))


def _step(file: str, slug: str, content: str) -> tuple[Step | None, list[Problem]]:
    try:
        source, body, first_line = split(content)
    except SourceError as error:
        return None, [Problem(file, error.line, str(error))]
    reader, values = FieldReader(file, source), source.values
    reader.reject_unknown(values, _STEP_KEYS)
    title = reader.text(values, "title", max_chars=100)
    commands = []
    for line in reader.texts(values, "run", max_items=6):
        try:
            commands.append(Command(line, parse_command(line)))
        except ValueError as error:
            reader.add_problem(str(error), "run")
    checks = [_check(reader, table, number) for number, table in enumerate(reader.tables(values, "check", 12))]
    mistakes = [_mistake(reader, table, number) for number, table in enumerate(reader.tables(values, "wrong", 12))]
    predict = _prediction(reader, values["predict"]) if "predict" in values else None
    hints = reader.texts(values, "hints", max_items=6, max_chars=500)
    measure = reader.texts(values, "measure", max_items=len(_MEASURABLE))
    if len(set(measure)) != len(measure) or len(measure) == 1 or not set(measure) <= set(_MEASURABLE):
        reader.add_problem(f"“measure” must list at least two of {', '.join(_MEASURABLE)}, each once.", "measure")
        measure = ()
    text, reveal = _body(reader, body, first_line)
    folded = values.get("folded", False)
    if not isinstance(folded, bool):
        reader.add_problem("“folded” must be true or false.", "folded")
    step = Step(
        slug=slug,
        title=title,
        text=text,
        reveal=reveal,
        run=tuple(commands),
        predict=predict,
        checks=tuple(check for check in checks if check is not None),
        hints=hints,
        mistakes=tuple(mistake for mistake in mistakes if mistake is not None),
        folded=folded is True,
        measure=tuple(Mode(mode) for mode in measure),
    )
    return (None if reader.problems else step), reader.problems


def _head(content: str | None) -> tuple[dict[str, Any], list[Problem]]:
    if content is None:
        return {}, [Problem(HEAD, 0, "this file is missing: it gives the workshop its title and summary.")]
    try:
        source = read_toml(content)
    except SourceError as error:
        return {}, [Problem(HEAD, error.line, str(error))]
    reader, values = FieldReader(HEAD, source), source.values
    reader.reject_unknown(values, _HEAD_KEYS)
    if values.get("format") != FORMAT or isinstance(values.get("format"), bool):
        reader.add_problem(f"“format” must be {FORMAT}.", "format")
    for key in ("minutes", "order"):
        number = values.get(key, 0)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 1000:
            reader.add_problem(f"“{key}” must be a number from 0 to 1000.", key)
    head = {
        "title": reader.text(values, "title", max_chars=100),
        "summary": reader.text(values, "summary", max_chars=500),
        "minutes": values.get("minutes", 0),
        "order": values.get("order", 1000),
    }
    if "slug" in values:
        head["slug"] = reader.text(values, "slug", max_chars=40)
        if not _SLUG.fullmatch(head["slug"]):
            reader.add_problem("“slug” must be lowercase letters, digits and hyphens.", "slug")
    return head, reader.problems


def parse_workshop(name: str, files: Mapping[str, str]) -> ParsedWorkshop:
    """Parses a workshop. ``name`` is the name of its folder, which becomes the slug unless ``workshop.toml`` has one.
    ``files`` maps file names to texts."""
    head, problems = _head(files.get(HEAD))
    slug = str(head.get("slug", name))
    if "slug" not in head and not (_SLUG.fullmatch(name) and len(name) <= 40):
        sentence = f"the folder's name “{name[:60]}” cannot be part of a URL: rename it, or set “slug” here."
        problems.append(Problem(HEAD, 0, sentence))
    steps: list[Step] = []
    slugs: dict[str, str] = {}
    numbers: dict[str, str] = {}
    names = sorted(file for file in files if file != HEAD)
    for file in names:
        match = _STEP_FILE.fullmatch(file)
        if match is None:
            sentence = "a step's file must be named NN-name.md, with lowercase letters, digits and hyphens."
            problems.append(Problem(file[:100], 0, sentence))
            continue
        if len(match[2]) > MAX_NAME:
            sentence = f"the name of a step has at most {MAX_NAME} characters, without number and .md: rename the file."
            problems.append(Problem(file, 0, sentence))
        if match[2] in RESERVED:
            problems.append(Problem(file, 0, f"a step cannot be named “{match[2]}”: another page has that address."))
        for what, key, known in (("name", match[2], slugs), ("number", match[1], numbers)):
            if key in known:
                problems.append(Problem(file, 0, f"{known[key]} has the same {what}: choose another."))
            known[key] = file
        step, step_problems = _step(file, match[2], files[file])
        problems += step_problems
        if step is not None:
            steps.append(step)
    if not names:
        problems.append(Problem(HEAD, 0, "there is no step: add a file 01-name.md."))
    if len(names) > MAX_STEPS:
        problems.append(Problem(HEAD, 0, f"there are {len(names)} steps: at most {MAX_STEPS} are allowed."))
    if problems:
        return ParsedWorkshop(None, tuple(problems[:MAX_PROBLEMS]))
    content = "\0".join(f"{file}\0{files[file]}" for file in sorted(files))
    digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]
    workshop = Workshop(slug, head["title"], head["summary"], tuple(steps), head["minutes"], head["order"], digest)
    return ParsedWorkshop(workshop)
