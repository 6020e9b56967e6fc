"""Limits of a group on its host: concurrent runs, images and claims."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Need
from dashboard.core.training.group_quota import (
    MAX_KEPT,
    GroupLoad,
    choose_claims,
    missing_images,
    refuse_claim,
    refuse_claims,
    refuse_launch,
    refuse_measurement,
)
from tests.support.specs import make_spec

FULL = GroupLoad(kept=MAX_KEPT)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: refuse_launch(GroupLoad(2, 8), 4), ""),
        (lambda: refuse_launch(GroupLoad(3, 3), 1), "at most 3 experiments, and 3 exist"),
        (lambda: refuse_launch(GroupLoad(1, 9), 4), "at most 12 containers, and 9 exist"),
        (lambda: refuse_launch(FULL, 1), "already has 60 experiments"),
        (lambda: refuse_launch(FULL, 1, new=False), ""),
        (lambda: refuse_measurement(GroupLoad(3, 10), 2, 60.0), ""),
        (lambda: refuse_measurement(GroupLoad(), 2, 60.5), "at most 60 s, not 60.5"),
        (lambda: refuse_measurement(GroupLoad(measurements=1), 2, 5.0), "waiting or running"),
        (lambda: refuse_measurement(GroupLoad(3, 11), 2, 5.0), "at most 12 containers"),
        (lambda: refuse_measurement(FULL, 0, 5.0), "which is the maximum"),
        (lambda: refuse_claims(GroupLoad(measurements=1)), ""),
        (lambda: refuse_claims(GroupLoad(claim_runs=1)), "waiting or running"),
        (lambda: refuse_claims(FULL), "60 claim runs"),
    ],
)
def test_a_group_at_its_limit_is_refused_with_a_reason(refused: Callable[[], str | None], words: str) -> None:
    said = refused()
    assert bool(said) is bool(words)
    assert words in (said or "")


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
    found = missing_images(spec, images)
    assert [(one.arm, one.field) for one in found] == fields
    assert all("no access to a registry" in one.sentence for one in found)


def test_an_image_that_no_arm_uses_need_not_be_there() -> None:
    arms = [{"mode": mode, "image": "nginx"} for mode in ("host", "none")]
    assert missing_images(make_spec(image="redis", arms=arms), ("nginx:latest",)) == ()


def test_a_session_runs_all_claims_except_those_that_need_a_quiet_machine() -> None:
    chosen = choose_claims(all_claims(), ())
    left = [claim for claim in all_claims() if claim not in chosen]
    assert left == [claim for claim in all_claims() if Need.MEASURE in claim.needs]
    assert all("not quiet" in (refuse_claim(claim) or "") for claim in left)
    loud = left[0].id
    with pytest.raises(ValueError, match="not quiet"):
        choose_claims(all_claims(), [chosen[0].id, loud])
    with pytest.raises(ValueError, match="There is no claim nonsense"):
        choose_claims(all_claims(), ["nonsense"])
    assert choose_claims(all_claims(), [chosen[0].id]) == (chosen[0],)
