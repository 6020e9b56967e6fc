"""A preset: a prepared experiment whose columns differ in a known row.

A preset names programs that people know and one of the lab image. It launches the first program of which the Engine
lists the image; Netmodes builds the lab image itself, so a preset needs no registry.
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
    """A program that a preset can launch: its image, and the options of ``docker run`` that it needs."""

    image: str
    port: int
    command: str = ""
    environment: str = ""

    @property
    def arm(self) -> dict[str, str]:
        """The options of an arm that runs the program; empty if the image needs none."""
        return {name: text for name, text in (("command", self.command), ("environment", self.environment)) if text}


#: The launch values for a program and a free port of the machine, as ``parse_draft`` takes them.
LaunchValues = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """A prepared experiment. ``title`` names it, ``lesson`` states what the page will show, and ``row`` is the row that
    proves it. ``tab`` is the part of the experiment's page to open, and ``query`` selects options in it. The last of
    ``programs`` uses the lab image."""

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
    """A preset for the images of one engine: the image it launches, whether that is the lab image, and the values.
    ``unavailable`` is the reason why this engine lacks a mode that the preset compares; without that mode the preset
    cannot show its difference."""

    preset: Preset
    image: str
    is_lab_image: bool
    values: LaunchValues
    unavailable: str = ""


def common_reason(presets: Sequence[PreparedPreset]) -> str:
    """The reason why none of the presets can be launched, if it is the same for all; otherwise empty."""
    reasons = {preset.unavailable for preset in presets}
    return reasons.pop() if len(reasons) == 1 else ""


def find_image(images: Sequence[str], name: str) -> str | None:
    """The tag of a local image with this name, ``latest`` before others; None if the Engine lists none."""
    names = {prefix + name for prefix in _PREFIXES}
    tags = [tag for tag in images if tag.rpartition(":")[0] in names]
    return min(tags, key=lambda tag: (not tag.endswith(":latest"), tag), default=None)


def prepare(preset: Preset, images: Sequence[str], free_port: int, modes: Sequence[ModeReport] = ()) -> PreparedPreset:
    """The preset with the first of its programs whose image is among ``images``, otherwise with the lab image.
    ``modes`` are those of the engine; empty if they are unknown."""
    for program in preset.programs:
        image = program.image if program.image == LAB_IMAGE else find_image(images, program.image)
        if image is not None:
            values = {"title": preset.title, "image": image, "port": program.port, **preset.arrange(program, free_port)}
            unavailable = _find_unavailable(values, modes)
            return PreparedPreset(preset, image, program.image == LAB_IMAGE, values, unavailable)
    raise ValueError(f"The preset {preset.key} has no program of the lab image.")


def _find_unavailable(values: LaunchValues, modes: Sequence[ModeReport]) -> str:
    """The reason why a mode of the preset is not available; empty if all are."""
    needed = {str(mode) for mode in values.get("modes", ())} | {arm["mode"] for arm in values.get("arms", ())}
    return next((f"{one.mode}: {one.reason}" for one in modes if one.mode in needed and not one.available), "")
