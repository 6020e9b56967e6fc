"""Drafts with problems: each is reported at its field, and no input raises an error."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.core.experiments.drafts import ARM_FIELDS, FIELDS, Draft, parse_draft
from dashboard.core.experiments.messages import encode
from dashboard.core.experiments.validation import MAX_ARMS
from dashboard.core.modes import ArmSpec, Mode
from tests.core.experiments.drafts.contents import arms_of, problems_of, sentence_of


@pytest.mark.parametrize(
    ("spelling", "flag"), [(True, True), ("on", True), ("yes", True), (False, False), ("off", False), ("0", False)]
)
def test_a_flag_accepts_several_spellings(spelling: object, flag: bool) -> None:
    assert arms_of(arms=[{"mode": "bridge", "publish_all": spelling}])[0].publish_all is flag


def test_unknown_fields_are_reported_with_the_known_ones() -> None:
    assert sentence_of(modes=["host"], netwrok="x").startswith("Unknown field “netwrok”: choose from arms, image,")
    assert sentence_of(arms=[{"mode": "host", "prot": 1}]).startswith(
        "An arm has no field “prot”: choose from add_host"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", ["nginx"]),
        ("image", "Not An Image"),
        ("command", "echo 'unclosed"),
        ("command", [["nested"]]),
        ("port", "eighty"),
        ("publish", "80:80:80:80"),
        ("publish", {"80": "80"}),
        ("publish", "8080:80/sctpp"),
        ("publish_all", "perhaps"),
        ("publish_all", [1]),
        ("environment", "NOVALUE"),
        ("environment", {"A": None}),
        ("environment", {"A": ["b"]}),
        ("environment", {"A B": "c"}),
        ("hostname", "-web"),
        ("hostname", True),
        ("hostname", "a" * 64),
        ("dns", "localhost"),
        ("dns", {"a": "b"}),
        ("add_host", "db"),
        ("sysctls", "net.ipv4.ip_forward"),
        ("sysctls", {"": "1"}),
        ("user", "a b"),
        ("user", {"id": 0}),
    ],
)
def test_an_invalid_option_is_reported_at_its_field(field: str, value: object) -> None:
    draft = parse_draft({"modes": ["bridge"], "arms": [{"mode": "host", field: value}]})
    assert [(problem.arm, problem.field) for problem in draft.problems] == [("host", field)]
    assert draft.problems[0].sentence.endswith((".", "!"))
    assert [arm.mode for arm in draft.spec.arms] == [Mode.BRIDGE, Mode.HOST]


@pytest.mark.parametrize("field", ["key", "target"])
def test_a_name_that_is_not_text_is_reported_at_its_arm(field: str) -> None:
    assert (None, f"arms-0-{field}") in problems_of(arms=[{"mode": "container", field: ["a"]}])


@pytest.mark.parametrize("arms", ["host", 5, {"mode": "host"}, ["host"], [None]])
def test_arms_that_are_not_a_list_of_objects_are_a_problem(arms: object) -> None:
    assert (None, "arms") in problems_of(modes=["host"], arms=arms)


def test_an_experiment_without_arms_is_a_problem() -> None:
    assert sentence_of() == "Choose at least one mode."


def test_the_number_of_arms_is_limited() -> None:
    assert len(arms_of(modes=["none"] * MAX_ARMS)) == MAX_ARMS
    assert sentence_of(modes=["none"] * (MAX_ARMS + 1)) == "There are 51 arms: at most 50 are allowed."
    assert sentence_of(arms=[{"mode": "none"}] * 60) == "There are 60 arms: at most 50 are allowed."


def test_a_flood_of_arms_is_refused_at_once() -> None:
    before = time.process_time()
    assert "at most 50" in sentence_of(modes="host " * 300_000)
    assert time.process_time() - before < 2.0


def test_empty_fields_are_not_used() -> None:
    empty = dict.fromkeys(ARM_FIELDS - {"mode"}, "")
    assert arms_of(arms=[{"mode": "host", **empty}]) == (ArmSpec("host", Mode.HOST),)
    nothing: dict[str, Any] = dict.fromkeys(ARM_FIELDS - {"mode"})
    assert arms_of(arms=[{"mode": "host", **nothing}]) == (ArmSpec("host", Mode.HOST),)


json_like = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["host", "bridge", "container:1", "8080:80", "nginx", "A=1", "80", "\ud800", "a\0b", "'"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=10), st.sampled_from(sorted(ARM_FIELDS))), inner, max_size=4),
    ),
    max_leaves=12,
)
inputs = st.one_of(
    st.dictionaries(st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=10)), json_like, max_size=6),
    st.fixed_dictionaries(
        {
            "modes": st.lists(st.sampled_from(["host", "bridge", "container:1", "x"]), max_size=4),
            "arms": st.lists(
                st.dictionaries(st.one_of(st.sampled_from(sorted(ARM_FIELDS)), st.text(max_size=10)), json_like),
                max_size=3,
            ),
        }
    ),
)


@given(inputs)
@example({"arms": [{"mode": "host", "publish_all": [1]}]})
@example({"arms": [{"mode": {}, "key": {}, "target": {}}]})
@example({"modes": {"host": 1}, "publish": 5, "names": [None], "title": ["a"]})
@example({"port": float("nan"), "modes": 5, "arms": [[]]})
def test_no_draft_raises_an_error(data: dict[str, Any]) -> None:
    draft = parse_draft(data)
    assert isinstance(draft, Draft)
    assert len(draft.spec.arms) <= MAX_ARMS
    for problem in draft.problems:
        assert problem.sentence
        assert len(problem.sentence) < 700
    if not draft.problems:
        encode(draft.spec)
        assert len({arm.key for arm in draft.spec.arms}) == len(draft.spec.arms)
        for arm in draft.spec.arms:
            assert all("\0" not in word for word in arm.command)


@given(inputs)
def test_parsing_is_deterministic(data: dict[str, Any]) -> None:
    assert parse_draft(data) == parse_draft(data)


def test_a_name_that_is_not_text_is_omitted() -> None:
    draft = parse_draft({"arms": [{"mode": "host", "key": ["web"]}, {"mode": "container", "target": {"a": 1}}]})
    assert [arm.key for arm in draft.spec.arms] == ["host", "container"]
    assert draft.spec.arms[1].target == "host"


def test_an_experiment_may_have_as_many_arms_as_are_allowed() -> None:
    assert problems_of(modes=["none"] * MAX_ARMS) == []
    assert (None, "arms") in problems_of(modes=["none"] * (MAX_ARMS + 1))
