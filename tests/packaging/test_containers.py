"""compose.yaml, the Dockerfile and docs/deploying.md agree. tests/compose.sh runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text() + (ROOT / "docs" / "compose.hosts.yaml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text()


def variables() -> dict[str, str]:
    """Variables of the compose files with their defaults."""
    return dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE))


def test_every_variable_is_documented_with_its_default() -> None:
    assert len(variables()) > 10
    for name, default in variables().items():
        lines = [line for line in DOCUMENT.splitlines() if line.startswith("| `") and f"`{name}`" in line]
        assert len(lines) == 1, f"{name} has {len(lines)} lines in the tables of docs/deploying.md"
        assert not default or f"`{default}`" in lines[0], f"the default of {name} is {default}, not in {lines[0]}"


@pytest.mark.parametrize("capability", re.findall(r"^      - ([A-Z_]+) #", COMPOSE, re.MULTILINE))
def test_every_capability_of_the_lab_is_explained(capability: str) -> None:
    assert f"`{capability}`" in DOCUMENT


def test_users_and_stages_are_the_same_in_both() -> None:
    (web,) = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert f'user: "{web}"' in COMPOSE
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    targets = re.findall(r"target: (\w+)", COMPOSE)
    assert targets
    assert set(targets) <= stages
    assert DOCKERFILE.rstrip().splitlines()[-6:][0].startswith("FROM netmodes AS web"), (
        "the last stage is the unprivileged one"
    )


def test_no_image_names_a_registry() -> None:
    images = [
        *re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE),
        *(v for k, v in variables().items() if "IMAGE" in k),
    ]
    assert len(images) >= 5
    assert [one for one in images if "/" in one] == []


def test_the_files_of_the_images_exist() -> None:
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    optional = {"locale"}  # the first translation creates it
    assert [one for one in kept if not (ROOT / one).exists() and one not in optional] == []
    assert {"var", ".git", "tests"}.isdisjoint(kept)
