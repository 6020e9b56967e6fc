"""A workshop's files: errors are reported with file and line, and nothing is partially parsed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.core.workshops.fields import argument_problem
from dashboard.core.workshops.model import Problem
from dashboard.core.workshops.parser import HEAD, MAX_PROBLEMS, MAX_STEPS, MAX_WORDS, count_words, parse_workshop
from tests.properties import examples

GOOD_HEAD = 'format = 1\ntitle = "A workshop"\nsummary = "What it is about."\nminutes = 5\norder = 5\n'
GOOD_STEP = """+++
title = "Launch"
run = ["docker run --rm -d --name web --network host nginx", "curl http://127.0.0.1/"]
hints = ["Look at docker ps."]

[predict]
question = "Whose network?"
choices = ["The machine's", "Its own"]
values = ["machine", "own"]
reading = {kind = "namespace", mode = "host"}

[[check]]
kind = "container-running"
mode = "host"
otherwise = "Launch it."

[[check]]
kind = "requested"
port = 80

[[wrong]]
when = {kind = "container-running", mode = "bridge"}
say = "This is the bridge."
+++
Launch *nginx* with `--network host`. See [measurements](/measurements/).

---

It shares the network.
"""
LONG = "x" * 60
GOOD = {HEAD: GOOD_HEAD, "01-launch.md": GOOD_STEP}


def test_a_workshop_is_parsed_completely() -> None:
    parsed = parse_workshop("mine", GOOD)
    assert parsed.problems == ()
    workshop = parsed.workshop
    assert workshop is not None
    (step,) = workshop.steps
    assert (workshop.slug, workshop.title, workshop.minutes, workshop.order) == ("mine", "A workshop", 5, 5)
    assert (step.slug, step.title, len(step.run), len(step.checks)) == ("launch", "Launch", 2, 2)
    assert step.text.startswith("Launch *nginx*")
    assert step.reveal == "It shares the network."
    assert step.checks[0].otherwise == "Launch it."
    assert step.predict is not None
    assert step.predict.reading is not None
    assert step.mistakes[0].when.arguments == {"mode": "bridge"}
    assert step.ports == (80,)
    assert workshop.images == ("nginx",)
    assert parse_workshop("mine", {**GOOD, HEAD: GOOD_HEAD + "# more\n"}).workshop != workshop, (
        "the digest changes with any file"
    )


def changed(old: str, new: str, file: str = "01-launch.md") -> dict[str, str]:
    assert old in GOOD[file], old
    return {**GOOD, file: GOOD[file].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("files", "at", "said"),
    [
        ({}, "workshop.toml", "missing"),
        ({HEAD: GOOD_HEAD}, "workshop.toml", "no step"),
        (changed("format = 1", "format = 2", HEAD), "workshop.toml:1", "must be 1"),
        (changed("minutes = 5", "minutes = -5", HEAD), "workshop.toml:4", "from 0 to 1000"),
        (changed('title = "A workshop"', "title = 3", HEAD), "workshop.toml:2", "must be a text"),
        ({**GOOD, HEAD: GOOD_HEAD + 'colour = "red"\n'}, "workshop.toml:6", "unknown here"),
        ({**GOOD, HEAD: GOOD_HEAD + 'slug = "../x"\n'}, "workshop.toml:6", "lowercase letters"),
        ({**GOOD, "notes.txt": "x"}, "notes.txt", "NN-name.md"),
        ({**GOOD, "../02-x.md": GOOD_STEP}, "../02-x.md", "NN-name.md"),
        ({**GOOD, "02-launch.md": GOOD_STEP}, "02-launch.md", "same name"),
        ({**GOOD, "01-other.md": GOOD_STEP}, "01-other.md", "same number"),
        ({**GOOD, "02-result.md": GOOD_STEP}, "02-result.md", "another page"),
        ({**GOOD, f"02-{LONG}x.md": GOOD_STEP}, f"02-{LONG}x.md", "at most 60"),
        (changed('title = "Launch"', 'titel = "Launch"'), "01-launch.md:2", "unknown here"),
        (changed("--network host nginx", "--restart no nginx"), "01-launch.md:3", "--restart is not supported"),
        (changed("curl http://127.0.0.1/", "rm -rf /"), "01-launch.md:3", "only commands that read"),
        (changed('kind = "requested"', 'kind = "reqested"'), "01-launch.md:18", "choose one of"),
        (changed("port = 80", "port = 80000"), "01-launch.md:19", "from 1 to 65535"),
        (changed("port = 80", 'prot = "tcp"'), "01-launch.md:19", "unknown here"),
        (changed("port = 80\n", "\n"), "01-launch.md:17", "needs “port”"),
        (changed('values = ["machine", "own"]', 'values = ["machine"]'), "01-launch.md:9", "for each choice"),
        (changed('values = ["machine", "own"]\n', ""), "01-launch.md:6", "for each choice"),
        (changed('kind = "namespace"', 'kind = "colour"'), "01-launch.md:10", "choose one of"),
        (changed('reading = {kind = "namespace", mode = "host"}', "answer = 3"), "01-launch.md:10", "from 1 to 2"),
        (changed('choices = ["The machine\'s", "Its own"]', 'choices = ["x"]'), "01-launch.md:8", "at least two"),
        (changed("[predict]", "[[predict]]"), "01-launch.md:6", "as a table"),
        (changed("hints = [", 'measure = ["host"]\nhints = ['), "01-launch.md:4", "at least two of host, bridge"),
        (changed("hints = [", 'measure = ["host", "none"]\nhints = ['), "01-launch.md:4", "at least two of host"),
        (changed("[[check]]", "[check]"), "01-launch.md", "not valid TOML"),
        (changed('when = {kind = "container-running", mode = "bridge"}', ""), "01-launch.md:21", "must be a check"),
        (changed('hints = ["Look', 'hints = ["a", "b", "c", "d", "e", "f", "Look'), "01-launch.md:4", "at most 6"),
        (changed("It shares", "word " * MAX_WORDS), "01-launch.md:25", "at most 120"),
        (changed("](/measurements/)", "](javascript:alert(1))"), "01-launch.md:25", "not a valid link"),
        (changed("](/measurements/)", "](//evil.example/)"), "01-launch.md:25", "not a valid link"),
        (changed("See [", "See ![x](/y) ["), "01-launch.md:25", "images are not shown"),
        (changed("It shares", "\x1b[31mIt shares"), "01-launch.md:29", "cannot be printed"),
        (changed("---\n\nIt", "---\n\nA\n\n---\n\nIt"), "01-launch.md:25", "one line"),
        (changed("hints = [", "folded = 1\nhints = ["), "01-launch.md:4", "true or false"),
    ],
)
def test_an_error_is_reported_with_file_and_line(files: dict[str, str], at: str, said: str) -> None:
    parsed = parse_workshop("mine", files)
    assert parsed.workshop is None, "nothing is partially parsed"
    texts = [str(one) for one in parsed.problems]
    assert any(text.startswith(f"{at}:") and said in text for text in texts), texts


@pytest.mark.parametrize("space", ["\u00a0", "\u202f"])
def test_texts_may_have_no_break_spaces_and_commands_may_not(space: str) -> None:
    """French typography has them before : ; ? and !, word processors elsewhere."""
    for text in ("Whose network", "Look at", "It shares"):
        assert parse_workshop("mine", changed(text, text.replace(" ", space))).problems == ()
    for line, at in (("--name web", 3), ('"bridge"', 21)):
        (problem,) = parse_workshop("mine", changed(line, line[:-1] + space + line[-1:])).problems
        assert (problem.line, "no-break space" in problem.sentence) == (at, True)


def test_the_name_of_a_step_has_up_to_60_characters() -> None:
    workshop = parse_workshop("mine", {HEAD: GOOD_HEAD, f"01-{LONG}.md": GOOD_STEP}).workshop
    assert workshop is not None
    assert workshop.steps[0].slug == LONG


def test_a_folder_with_a_name_unfit_for_a_url_needs_a_slug() -> None:
    assert parse_workshop("My Workshop!", GOOD).workshop is None
    renamed = parse_workshop("My Workshop!", {**GOOD, HEAD: GOOD_HEAD + 'slug = "mine"\n'}).workshop
    assert renamed is not None
    assert renamed.slug == "mine"


def _cut(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + text[at + chance.randrange(1, 40) :]


def _double(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return "".join([*lines[:at], lines[at], *lines[at:]])


def _swap(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _noise(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + "".join(chance.choice("\"'[]{}=+#\0\x1b\r\n9é\ud800") for _ in range(5)) + text[at:]


_VALUES = ("1", "true", "[]", "{}", "-3.5", "1979-05-27", '""', "[[1]]", "nan", "99999999999")


def _retype(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    keyed = [number for number, line in enumerate(lines) if " = " in line]
    at = chance.choice(keyed)
    key = lines[at].partition(" = ")[0]
    lines[at] = f"{key} = {chance.choice(_VALUES)}\n"
    return "".join(lines)


MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (_cut, _double, _swap, _noise, _retype)


@pytest.mark.parametrize("seed", range(120))
def test_a_malformed_workshop_has_problems_and_never_loads_partially(seed: int) -> None:
    """Each mutation of a good workshop loads completely, or not at all with problems that name a file and a line."""
    chance = random.Random(seed)
    files = dict(GOOD)
    for _ in range(1 + seed % 3):
        file = chance.choice(sorted(files))
        files[file] = chance.choice(MUTATIONS)(chance, files[file]) or "x"
    parsed = parse_workshop("mine", files)
    assert (parsed.workshop is None) == bool(parsed.problems)
    for problem in parsed.problems:
        assert problem.sentence
        assert problem.file in files
        assert 0 <= problem.line <= files[problem.file].replace("\r\n", "\n").count("\n") + 1, problem
    if parsed.workshop is not None:
        assert len(parsed.workshop.steps) == len(files) - 1


def test_most_mutations_are_detected() -> None:
    """Without this the previous test proves nothing."""
    found = 0
    for seed in range(100):
        chance = random.Random(seed)
        file = chance.choice(sorted(GOOD))
        found += (
            parse_workshop("mine", {**GOOD, file: chance.choice(MUTATIONS)(chance, GOOD[file]) or "x"}).workshop is None
        )
    assert found > 60


@settings(max_examples=examples(2))
@given(
    st.dictionaries(
        st.text(max_size=12) | st.sampled_from([HEAD, "01-a.md", "02-b.md"]), st.text(max_size=200), max_size=5
    )
)
def test_any_files_are_a_workshop_or_problems(files: dict[str, str]) -> None:
    parsed = parse_workshop("mine", files)
    assert (parsed.workshop is None) == bool(parsed.problems)
    assert all(isinstance(one, Problem) and str(one) for one in parsed.problems)


def test_words_are_counted() -> None:
    assert count_words("Start `nginx` with **--network host**. See [it](/x/).") == 7
    assert count_words("") == 0


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("port", (1, 80, 65535), (0, 65536, True, "80", 80.0)),
        ("number", (0, 100), (-1, 1.5, "1", False)),
        ("text", ("a",), ("", 7, "x" * 201, "a\nb")),
        ("net|uts", ("net", "uts"), ("mnt", "net|uts", 1)),
    ],
)
def test_arguments_have_a_form(form: str, good: tuple[object, ...], bad: tuple[object, ...]) -> None:
    assert [argument_problem(one, form) for one in good] == [""] * len(good)
    assert all(argument_problem(one, form) for one in bad)


@pytest.mark.parametrize(
    ("files", "at", "said"),
    [
        (changed('title = "Launch"', f'title = "{"x" * 101}"'), "01-launch.md:2", "101 characters"),
        (changed('title = "Launch"', 'title = "a\\u0007b"'), "01-launch.md:2", "cannot be printed"),
        (changed('title = "Launch"', 'title = "a\\nb"'), "01-launch.md:2", "cannot be printed"),
        (changed('title = "Launch"', 'title = " "'), "01-launch.md:2", "must be a text"),
        (changed('["Look at docker ps."]', f'["{"x" * 501}"]'), "01-launch.md:4", "longer than 500"),
        (changed('["Look at docker ps."]', '["a\\u0007b"]'), "01-launch.md:4", "cannot be printed"),
        (changed('["Look at docker ps."]', '[" "]'), "01-launch.md:4", "list of texts"),
        (changed('["Look at docker ps."]', '"a"'), "01-launch.md:4", "list of texts"),
        (changed("hints = [", "wrong = 3\nhints = [").copy(), "01-launch.md", "TOML"),
        (
            changed('[[wrong]]\nwhen = {kind = "container-running", mode = "bridge"}\nsay', "[wrong]\nsay"),
            "01-launch.md",
            "[[wrong]]",
        ),
        (
            changed("+++\nLaunch", '[[check]]\nkind = "removed"\n' * 11 + "+++\nLaunch"),
            "01-launch.md",
            "13 of [[check]]",
        ),
        (
            changed('reading = {kind = "namespace", mode = "host"}', 'reading = "namespace"'),
            "01-launch.md:10",
            "as a table",
        ),
        (changed('reading = {kind = "namespace", mode = "host"}', "answer = 1"), "01-launch.md:9", "“values”"),
        (changed('values = ["machine", "own"]', 'answer = 1\nvalues = ["machine", "own"]'), "01-launch.md", "either"),
        (changed('reading = {kind = "namespace", mode = "host"}', "answer = true"), "01-launch.md:10", "from 1 to 2"),
        (changed('reading = {kind = "namespace", mode = "host"}', "answer = 0"), "01-launch.md:10", "from 1 to 2"),
        (changed('choices = ["The machine\'s", "Its own"]', 'choices = ["x", "x"]'), "01-launch.md:8", "different"),
        (changed('["machine", "own"]', '["own", "own"]'), "01-launch.md:9", "different"),
        (changed('otherwise = "Launch it."', "otherwise = 3"), "01-launch.md:15", "must be a text"),
        (changed('say = "This', 'otherwise = "x"\nsay = "This'), "01-launch.md:23", "unknown here"),
        (changed('say = "This is the bridge."', ""), "01-launch.md", "“say”"),
        (changed('mode = "bridge"}', 'mode = "bridge", otherwise = "x"}'), "01-launch.md", "unknown here"),
        (
            changed("Launch *nginx* with `--network host`. See [measurements](/measurements/).", ""),
            "01-launch.md",
            "no text",
        ),
        (changed("](/measurements/)", "](http://example.com/)"), "01-launch.md:25", "not a valid link"),
        (changed("format = 1", "format = true", HEAD), "workshop.toml:1", "must be 1"),
        (changed("order = 5", "order = true", HEAD), "workshop.toml:5", "from 0 to 1000"),
        (changed("order = 5", "order = 1001", HEAD), "workshop.toml:5", "from 0 to 1000"),
        (changed('summary = "What it is about."', "", HEAD), "workshop.toml", "“summary”"),
        (
            {HEAD: GOOD_HEAD, **{f"{n:02}-step-{n}.md": GOOD_STEP for n in range(MAX_STEPS + 1)}},
            "workshop.toml",
            "steps",
        ),
    ],
)
def test_each_invalid_value_is_reported_at_its_line(files: dict[str, str], at: str, said: str) -> None:
    parsed = parse_workshop("mine", files)
    assert parsed.workshop is None
    texts = [str(one) for one in parsed.problems]
    assert any(text.startswith(f"{at}:") and said in text for text in texts), texts


@pytest.mark.parametrize(
    "files",
    [
        changed('title = "Launch"', f'title = "{"x" * 100}"'),
        changed('["Look at docker ps."]', f'["{"x" * 500}", "2", "3", "4", "5", "6"]'),
        changed('["Look at docker ps."]', "[]"),
        changed("+++\nLaunch", '[[check]]\nkind = "removed"\n' * 10 + "+++\nLaunch"),
        changed("minutes = 5", "minutes = 1000", HEAD),
        changed("minutes = 5", "minutes = 0", HEAD),
        changed("It shares the network.", "word " * (MAX_WORDS - 7)),
        changed("](/measurements/)", "](https://example.com/)"),
        changed("](/measurements/)", "](#top)"),
        changed("---\n\nIt shares", "It\tshares"),
        {**GOOD, HEAD: GOOD_HEAD + f'slug = "{"x" * 40}"\n'},
    ],
)
def test_values_at_their_limits_are_allowed(files: dict[str, str]) -> None:
    assert parse_workshop("mine", files).problems == ()


def test_an_answer_is_counted_from_1_in_the_file_and_from_0_in_the_step() -> None:
    files = changed('values = ["machine", "own"]\nreading = {kind = "namespace", mode = "host"}', "answer = 2")
    workshop = parse_workshop("mine", files).workshop
    assert workshop is not None
    prediction = workshop.steps[0].predict
    assert prediction is not None
    assert (prediction.answer, prediction.reading, prediction.values) == (1, None, ())


def test_a_step_may_leave_out_everything_but_its_title_and_text() -> None:
    workshop = parse_workshop(
        "mine", {HEAD: GOOD_HEAD, "01-a.md": '+++\ntitle = "A"\nfolded = true\n+++\nText.\n'}
    ).workshop
    assert workshop is not None
    (step,) = workshop.steps
    assert (step.run, step.checks, step.hints, step.mistakes, step.predict) == ((), (), (), (), None)
    assert (step.text, step.reveal, step.folded) == ("Text.", "", True)
    bare = parse_workshop("mine", {HEAD: 'format = 1\ntitle = "T"\nsummary = "S"\n', "01-a.md": GOOD_STEP}).workshop
    assert bare is not None
    assert (bare.minutes, bare.order, bare.steps[0].folded) == (0, 1000, False)


@pytest.mark.parametrize(("name", "fits"), [("x" * 40, True), ("x" * 41, False), ("Mine", False)])
def test_the_name_of_a_folder_is_its_slug_if_it_fits_an_address(name: str, fits: bool) -> None:
    workshop = parse_workshop(name, GOOD).workshop
    assert (workshop.slug if workshop else "") == (name if fits else "")


def test_steps_are_in_the_order_of_their_numbers_and_problems_are_limited() -> None:
    files = {HEAD: GOOD_HEAD, "02-b.md": GOOD_STEP, "01-c.md": GOOD_STEP}
    workshop = parse_workshop("mine", files).workshop
    assert workshop is not None
    assert [step.slug for step in workshop.steps] == ["c", "b"]
    many = parse_workshop("mine", {f"file {number}": "x" for number in range(200)})
    assert len(many.problems) == MAX_PROBLEMS


@pytest.mark.parametrize("value", ["3", "[1]", '"text"', "{a = 1}"])
@pytest.mark.parametrize("key", ["check", "wrong"])
def test_a_value_in_place_of_a_table_is_a_problem(key: str, value: str) -> None:
    parsed = parse_workshop("mine", {HEAD: GOOD_HEAD, "01-a.md": f'+++\ntitle = "A"\n{key} = {value}\n+++\nText.\n'})
    assert [str(one).partition(" ")[0] for one in parsed.problems] == ["01-a.md:3:"]
    assert f"[[{key}]]" in parsed.problems[0].sentence
