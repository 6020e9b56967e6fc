"""Provides the image that an arm requests: from the engine, from a registry, or the lab image."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from dashboard.engine.lab_image import (
    LAB_REFERENCE,
    RECIPE_LABEL,
    LabImageUnavailableError,
    changes,
    lab_image_archive,
    recipe,
)
from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable, ImageFacts

LAB_NAMES = frozenset({"netmodes-lab", "netmodes-lab:latest", LAB_REFERENCE})
NGINX_NAMES = frozenset({"nginx", "nginx:latest"})
REGISTRY_SILENT = 504

#: Seconds during which an unreachable registry is not tried again, so that not every launch waits for it.
SILENT_S = 600.0
#: The minimum number of seconds between two reports of a pull's progress. Docker writes hundreds of lines about a large
#: image, and a journal keeps an entry for each report.
PROGRESS_S = 1.0
_silent: WeakKeyDictionary[Engine, float] = WeakKeyDictionary()

log = logging.getLogger(__name__)

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """The image to run. If this image is not the requested one, ``sentence`` is a notice for the user; otherwise
    ``sentence`` is empty."""

    reference: str
    facts: ImageFacts
    sentence: str = ""


async def ensure_image(
    engine: Engine, reference: str, data_dir: Path, progress: Progress, *, private: bool = False
) -> ImageChoice:
    """Returns the image to run for ``reference``: the engine's own, a pulled one, or the lab image.

    The engine's own image is used unless it is an outdated lab image. Images that users build from the lab image
    inherit its label, but are never outdated. Otherwise the image is pulled; the lab image itself is imported. If nginx
    cannot be pulled, the lab image takes its place, under its own name ``netmodes-lab``, and the choice has a notice.

    ``private`` tells whether the engine is on a private host, which reaches no registry. There, nothing is pulled: the
    lab image is used as nginx, and is tagged ``nginx`` as well. ``progress`` is called with a text and a fraction (None
    if unknown). Raises EngineError with a sentence if there is no image, EngineUnreachable if the engine does not
    answer.
    """
    facts = await engine.image(reference)
    is_lab_image = reference in LAB_NAMES or (private and reference in NGINX_NAMES)
    if facts is not None and (not is_lab_image or facts.labels.get(RECIPE_LABEL, recipe()) == recipe()):
        return ImageChoice(reference, facts)
    if is_lab_image:
        return ImageChoice(reference, await _lab_image(engine, reference, data_dir, progress))
    if private:
        raise EngineError(
            f"A private host reaches no registry, and {reference} is not on it: copy it there with "
            f"`docker save {reference} | docker -H SOCKET load`, or use nginx.",
            404,
        )
    if reference in NGINX_NAMES and time.monotonic() < _silent.get(engine, 0.0):
        return await _replacement(engine, reference, data_dir, progress)
    try:
        return ImageChoice(reference, await _pulled(engine, reference, progress))
    except EngineError as error:
        if isinstance(error, EngineUnreachable) and error.status != REGISTRY_SILENT:
            raise
        if reference not in NGINX_NAMES:
            raise EngineError(f"{reference} is not on this engine and cannot be pulled: {error}", 404) from error
        _silent[engine] = time.monotonic() + SILENT_S
        log.info("%s cannot be pulled: %s", reference, error)
    return await _replacement(engine, reference, data_dir, progress)


async def _replacement(engine: Engine, reference: str, data_dir: Path, progress: Progress) -> ImageChoice:
    """Returns the lab image in place of ``reference``, with a notice. The lab image keeps its own name, so that no tag
    on the user's engine changes."""
    lab = await _lab_image(engine, LAB_REFERENCE, data_dir, progress)
    sentence = (
        f"{reference} cannot be pulled here, so the lab image {LAB_REFERENCE} runs instead: "
        "nginx and network tools from this machine's distribution."
    )
    return ImageChoice(LAB_REFERENCE, lab, sentence)


async def _pulled(engine: Engine, reference: str, progress: Progress) -> ImageFacts:
    progress(f"Asking the registry for {reference}", None)
    reported_at = -math.inf
    async for step in engine.pull(reference):
        if (now := time.monotonic()) - reported_at >= PROGRESS_S:
            reported_at = now
            progress(step.text, step.fraction)
    facts = await engine.image(reference)
    if facts is None:
        raise EngineError(f"{reference} was pulled, but the engine does not list it.", 404)
    return facts


async def _lab_image(engine: Engine, reference: str, data_dir: Path, progress: Progress) -> ImageFacts:
    """Returns the lab image, tagged both LAB_REFERENCE and ``reference``. Imports it unless the engine has one that was
    built with the current recipe."""
    facts = await engine.image(LAB_REFERENCE)
    if facts is None or facts.labels.get(RECIPE_LABEL) != recipe():
        loop = asyncio.get_running_loop()

        def say(text: str, fraction: float | None) -> None:
            loop.call_soon_threadsafe(progress, text, fraction)

        try:
            archive = await asyncio.to_thread(lab_image_archive, data_dir, say)
        except LabImageUnavailableError as error:
            raise EngineError(str(error), 404) from error
        except OSError as error:  # for example a full disk
            raise EngineError(f"The lab image cannot be built: {error.strerror or error}.", 404) from error
        progress("Importing the lab image", 0.9)
        await engine.import_image(str(archive), LAB_REFERENCE, changes())
    if reference != LAB_REFERENCE:
        await engine.tag_image(LAB_REFERENCE, reference)
    facts = await engine.image(reference)
    if facts is None:
        raise EngineError(f"The lab image was imported, but the engine does not list {reference}.", 404)
    progress("The lab image is ready", 1.0)
    return facts
