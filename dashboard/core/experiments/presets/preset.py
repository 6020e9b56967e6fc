"""A preset: a prepared experiment whose columns differ in a known row.

A preset names well-known programs and, last, one in the lab image. It launches the first program whose image the Engine
has. Netmodes builds the lab image itself, so a preset needs no registry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.core.experiments.messages import ModeReport

LAB_IMAGE = "netmodes-lab"
#: The prefixes with which Docker and Podman list an official image.
_PREFIXES = ("", "docker.io/library/", "library/")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that a preset can launch: its image, its port, and the ``docker run`` options that it needs."""

    image: str
    port: int
    command: str = ""
    environment: str = ""

    @property
    def arm(self) -> dict[str, str]:
        """The options of an arm that runs the program, as ``parse_draft`` takes them. Empty if the program needs no
        options."""
        return {name: text for name, text in (("command", self.command), ("environment", self.environment)) if text}


#: The launch values for a program and a free port of the machine, as ``parse_draft`` takes them.
LaunchValues = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """A prepared experiment.

    ``lesson`` states what the page will show. ``row`` is the id of the row that proves it. ``tab`` is the tab of the
    experiment's page to open. ``query`` is the query string that selects options in this tab. The last of ``programs``
    uses the lab image. ``arrange`` returns the launch values for a program and a free port of the machine.
    """

    key: str
    title: str
    lesson: str
    row: str
    tab: str
    programs: tuple[Program, ...]
    arrange: Callable[[Program, int], LaunchValues]
    query: str = ""


@dataclass(frozen=True, slots=True)
class PreparedPreset:
    """A preset with the image and the launch values for one engine. If the engine lacks a mode that the preset
    compares, ``unavailable`` is the reason why this mode is not available."""

    preset: Preset
    image: str
    is_lab_image: bool
    values: LaunchValues
    unavailable: str = ""


def common_reason(presets: Sequence[PreparedPreset]) -> str:
    """Returns the reason why none of the presets can be launched, if it is the same for all; otherwise empty."""
    reasons = {preset.unavailable for preset in presets}
    return reasons.pop() if len(reasons) == 1 else ""


def find_image(images: Sequence[str], name: str) -> str | None:
    """Returns the image with this name among ``images``, preferably with the tag ``latest``. None if it is missing."""
    names = {prefix + name for prefix in _PREFIXES}
    tags = [tag for tag in images if tag.rpartition(":")[0] in names]
    return min(tags, key=lambda tag: (not tag.endswith(":latest"), tag), default=None)


def prepare(preset: Preset, images: Sequence[str], free_port: int, modes: Sequence[ModeReport] = ()) -> PreparedPreset:
    """Prepares a preset for an engine. Chooses the first program whose image is among ``images``, otherwise the program
    in the lab image. ``free_port`` is a port of the machine that the preset can publish. ``modes`` tells which modes
    the engine has; empty if that is unknown."""
    for program in preset.programs:
        image = program.image if program.image == LAB_IMAGE else find_image(images, program.image)
        if image is not None:
            values = {"title": preset.title, "image": image, "port": program.port, **preset.arrange(program, free_port)}
            unavailable = _find_unavailable(values, modes)
            return PreparedPreset(preset, image, program.image == LAB_IMAGE, values, unavailable)
    raise ValueError(f"The preset {preset.key} has no program of the lab image.")


def _find_unavailable(values: LaunchValues, modes: Sequence[ModeReport]) -> str:
    """Returns the reason why a mode of the preset is not available. Empty if all modes are available."""
    needed = {str(mode) for mode in values.get("modes", ())} | {arm["mode"] for arm in values.get("arms", ())}
    return next((f"{one.mode}: {one.reason}" for one in modes if one.mode in needed and not one.available), "")
