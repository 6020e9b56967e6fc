"""Getting an image: locally, from a registry, or a substitute."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from dashboard.engine import images
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import LAB_REFERENCE, RECIPE_LABEL, LabImageUnavailableError, recipe
from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable, ImageFacts, PullProgress
from tests.support.polling import others_run


class Store:
    """An engine's images, and a registry with given responses."""

    def __init__(self, *tags: str, registry: Exception | None = None, labels: dict[str, str] | None = None) -> None:
        self.tags = {tag: self.facts(tag, labels or {}) for tag in tags}
        self.registry = registry
        self.calls: list[str] = []

    @staticmethod
    def facts(tag: str, labels: dict[str, str]) -> ImageFacts:
        return ImageFacts(id=f"sha256:{tag}", tags=(tag,), labels=labels)

    async def image(self, reference: str) -> ImageFacts | None:
        return self.tags.get(reference)

    async def pull(self, reference: str) -> AsyncIterator[PullProgress]:
        self.calls.append(f"pull {reference}")
        if self.registry is not None:
            raise self.registry
        yield PullProgress("half", 0.5)
        self.tags[reference] = self.facts(reference, {})

    async def import_image(self, archive: str, reference: str, changes: tuple[str, ...]) -> str:
        self.calls.append(f"import {reference}")
        self.tags[reference] = self.facts(reference, {RECIPE_LABEL: recipe()})
        return "sha256:lab"

    async def tag_image(self, image: str, reference: str) -> None:
        self.calls.append(f"tag {reference}")
        self.tags[reference] = self.tags[image]


SILENT = EngineUnreachable("No registry answers: dial tcp", 504)


@pytest.fixture(autouse=True)
def _archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(images, "lab_image_archive", lambda _data, _progress: tmp_path / "root.tar")


async def get(
    store: Store, reference: str, tmp_path: Path, *, private: bool = False
) -> tuple[images.ImageChoice, list[str]]:
    said: list[str] = []
    choice = await ensure_image(
        cast("Engine", store), reference, tmp_path, lambda text, _fraction: said.append(text), private=private
    )
    await others_run()
    return choice, said


async def test_a_local_image_is_used_without_asking_a_registry(tmp_path: Path) -> None:
    store = Store("redis:7")
    choice, said = await get(store, "redis:7", tmp_path)
    assert (choice.reference, choice.sentence, store.calls, said) == ("redis:7", "", [], [])


async def test_an_image_that_a_registry_has_is_pulled_with_its_progress(tmp_path: Path) -> None:
    store = Store()
    choice, said = await get(store, "nginx", tmp_path)
    assert (choice.reference, choice.sentence, store.calls) == ("nginx", "", ["pull nginx"])
    assert "half" in said


async def test_a_pull_reports_its_progress_at_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Layers(Store):
        async def pull(self, reference: str) -> AsyncIterator[PullProgress]:
            for number in range(2000):
                yield PullProgress(f"layer {number}", number / 2000)
            self.tags[reference] = self.facts(reference, {})

    monkeypatch.setattr(images, "PROGRESS_S", math.inf)
    _, said = await get(Layers(), "redis:7", tmp_path)
    assert said == ["Asking the registry for redis:7", "layer 0"]
    monkeypatch.setattr(images, "PROGRESS_S", 0.0)
    _, said = await get(Layers(), "redis:7", tmp_path)
    assert said == ["Asking the registry for redis:7", *(f"layer {number}" for number in range(2000))]


@pytest.mark.parametrize("error", [SILENT, EngineError("toomanyrequests: slow down", 429)])
async def test_the_lab_image_replaces_nginx_and_reports_it(tmp_path: Path, error: Exception) -> None:
    store = Store(registry=error)
    choice, _ = await get(store, "nginx", tmp_path)
    assert choice.reference == LAB_REFERENCE
    assert "runs instead" in choice.sentence
    assert "nginx" not in store.tags


async def test_no_image_replaces_another_one_than_nginx(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="redis:7 is not on this engine and cannot be pulled: No registry"):
        await get(Store(registry=SILENT), "redis:7", tmp_path)


async def test_an_engine_that_does_not_answer_is_not_taken_for_a_silent_registry(tmp_path: Path) -> None:
    store = Store(registry=EngineUnreachable("The engine hangs.", 503))
    with pytest.raises(EngineUnreachable, match="hangs"):
        await get(store, "nginx", tmp_path)


async def test_on_a_private_host_no_registry_is_asked_and_nginx_is_tagged(tmp_path: Path) -> None:
    store = Store(registry=SILENT)
    choice, _ = await get(store, "nginx", tmp_path, private=True)
    assert choice.reference == "nginx"
    assert choice.sentence == ""
    assert store.calls == [f"import {LAB_REFERENCE}", "tag nginx"]
    with pytest.raises(EngineError, match="docker save redis"):
        await get(store, "redis", tmp_path, private=True)


async def test_a_lab_image_of_an_older_recipe_is_replaced(tmp_path: Path) -> None:
    store = Store(LAB_REFERENCE, labels={RECIPE_LABEL: "old"})
    choice, _ = await get(store, LAB_REFERENCE, tmp_path)
    assert choice.facts.labels[RECIPE_LABEL] == recipe()
    again, _ = await get(store, LAB_REFERENCE, tmp_path)
    assert again.reference == LAB_REFERENCE
    assert store.calls == [f"import {LAB_REFERENCE}"]


@pytest.mark.parametrize("reference", ["my-web:1", "nginx"])
async def test_an_image_that_the_user_built_from_an_older_lab_image_is_used(tmp_path: Path, reference: str) -> None:
    store = Store(reference, labels={RECIPE_LABEL: "old"}, registry=SILENT)
    choice, _ = await get(store, reference, tmp_path)
    assert (choice.reference, choice.sentence, store.calls) == (reference, "", [])


async def test_an_older_lab_image_in_place_of_nginx_is_replaced_on_a_private_host(tmp_path: Path) -> None:
    store = Store("nginx", labels={RECIPE_LABEL: "old"})
    choice, _ = await get(store, "nginx", tmp_path, private=True)
    assert choice.facts.labels[RECIPE_LABEL] == recipe()
    assert store.calls == [f"import {LAB_REFERENCE}", "tag nginx"]


async def test_a_user_image_from_an_older_lab_image_is_used_on_a_private_host(tmp_path: Path) -> None:
    store = Store("my-web:1", labels={RECIPE_LABEL: "old"})
    choice, _ = await get(store, "my-web:1", tmp_path, private=True)
    assert (choice.reference, store.calls) == ("my-web:1", [])


async def test_a_lab_image_that_cannot_be_built_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_data: Path, _progress: object) -> Path:
        raise LabImageUnavailableError("apt-get is not here.")

    monkeypatch.setattr(images, "lab_image_archive", fail)
    with pytest.raises(EngineError, match="apt-get is not here"):
        await get(Store(registry=SILENT), "nginx", tmp_path)


async def test_a_full_disk_is_the_reason_why_the_lab_image_cannot_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_data: Path, _progress: object) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(images, "lab_image_archive", fail)
    with pytest.raises(EngineError, match=r"The lab image cannot be built: No space left on device\."):
        await get(Store(), LAB_REFERENCE, tmp_path)
