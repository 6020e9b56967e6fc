"""Gets the images of an experiment before its launch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dashboard.core.modes import ArmSpec
from dashboard.engine.images import ImageChoice, ensure_image
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.context import Context

Images = dict[str, ImageChoice | EngineError]


async def prepare_images(
    context: Context, arms: Iterable[ArmSpec], progress: Callable[[str, float | None], None]
) -> tuple[Images, str]:
    """Finds, pulls or builds the images of the arms. Returns the images by name, and a notice for the user.

    If an image is not available, its name is mapped to the error. An error concerns only the arms that use the image.
    The notice is empty if there is nothing to report. ``progress`` is called with a text and the completed fraction
    (None if unknown). Raises EngineUnreachable.
    """
    images: Images = {}
    for reference in dict.fromkeys(arm.image for arm in arms):
        try:
            images[reference] = await ensure_image(
                context.engine, reference, context.data_dir, progress, private=context.private
            )
        except EngineUnreachable:
            raise
        except EngineError as error:
            images[reference] = error
    notices = dict.fromkeys(image.sentence for image in images.values() if not isinstance(image, EngineError))
    return images, " ".join(filter(None, notices))
