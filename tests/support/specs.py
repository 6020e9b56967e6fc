"""Specs of experiments as the form, the API and the command line read them."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.modes import ExperimentSpec

#: The lab image's server on a port that a program may open without root, as in host mode of a rootless Podman.
OPEN_PORT = 8090
SERVES_OPEN_PORT = f"sh -c 'NETMODES_PORT={OPEN_PORT} exec serve nginx -g \"daemon off;\"'"
HOST_WITHOUT_ROOT: dict[str, Any] = {"mode": "host", "command": SERVES_OPEN_PORT, "port": OPEN_PORT}


def make_spec(*modes: str, **more: Any) -> ExperimentSpec:
    """The spec of an experiment with these modes; AssertionError if it cannot be launched."""
    draft = parse_draft({"modes": list(modes), **more})
    assert not draft.problems, draft.problems
    return draft.spec
