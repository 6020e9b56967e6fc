"""How much a group does on its host at once, with which images, and which claims."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Need
from dashboard.core.training.group_quota import (
    MOST_KEPT,
    Load,
    choose_for_class,
    image_problems,
    not_in_a_class,
    refuse_claims,
    refuse_launch,
    refuse_measurement,
)
from tests.specs import make_spec

FULL = Load(kept=MOST_KEPT)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: refuse_launch(Load(2, 8), 4), ""),
        (lambda: refuse_launch(Load(3, 3), 1), "at most 3 experiments, and 3 are there"),
        (lambda: refuse_launch(Load(1, 9), 4), "at most 12 containers, and 9 are there"),
        (lambda: refuse_launch(FULL, 1), "60 experiments of yours"),
        (lambda: refuse_launch(FULL, 1, anew=False), ""),
        (lambda: refuse_measurement(Load(3, 10), 2, 60.0), ""),
        (lambda: refuse_measurement(Load(), 2, 60.5), "at most 60 s, not 60.5"),
        (lambda: refuse_measurement(Load(measurements=1), 2, 5.0), "one at a time"),
        (lambda: refuse_measurement(Load(3, 11), 2, 5.0), "at most 12 containers"),
        (lambda: refuse_measurement(FULL, 0, 5.0), "no more are kept"),
        (lambda: refuse_claims(Load(measurements=1)), ""),
        (lambda: refuse_claims(Load(claim_runs=1)), "one at a time"),
        (lambda: refuse_claims(FULL), "60 runs of claims"),
    ],
)
def test_who_has_enough_is_told_so(refused: Callable[[], str], words: str) -> None:
    said = refused()
    assert bool(said) is bool(words)
    assert words in said


@pytest.mark.parametrize(
    ("image", "arms", "images", "fields"),
    [
        ("nginx", {}, ("nginx:latest", "netmodes-lab:1"), []),
        ("nginx:latest", {}, ("nginx:latest",), []),
        ("nginx:1.27", {}, ("nginx:latest",), [(None, "image")]),
        ("localhost:5000/web", {}, ("localhost:5000/web:latest",), []),
        ("redis", {}, (), [(None, "image")]),
        ("nginx", {"image": "redis"}, ("nginx:latest",), [("none", "image")]),
        ("redis", {"image": "nginx"}, ("nginx:latest",), [(None, "image")]),
    ],
)
def test_a_host_without_a_registry_runs_what_is_on_it(
    image: str, arms: dict[str, str], images: tuple[str, ...], fields: list[tuple[str | None, str]]
) -> None:
    spec = make_spec("host", image=image, arms=[{"mode": "none", **arms}])
    found = image_problems(spec, images)
    assert [(one.arm, one.field) for one in found] == fields
    assert all("reaches no registry" in one.sentence for one in found)


def test_an_image_that_no_arm_uses_need_not_be_there() -> None:
    arms = [{"mode": mode, "image": "nginx"} for mode in ("host", "none")]
    assert image_problems(make_spec(image="redis", arms=arms), ("nginx:latest",)) == ()


def test_a_class_executes_all_claims_but_those_that_need_quiet() -> None:
    chosen = choose_for_class(all_claims(), ())
    left = [claim for claim in all_claims() if claim not in chosen]
    assert left == [claim for claim in all_claims() if Need.MEASURE in claim.needs]
    assert all("not quiet" in not_in_a_class(claim) for claim in left)
    loud = left[0].id
    with pytest.raises(ValueError, match="not quiet"):
        choose_for_class(all_claims(), [chosen[0].id, loud])
    with pytest.raises(ValueError, match="There is no claim nonsense"):
        choose_for_class(all_claims(), ["nonsense"])
    assert choose_for_class(all_claims(), [chosen[0].id]) == (chosen[0],)
