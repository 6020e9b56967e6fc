"""A report's figures without its journal and its histograms: what comparing and trends need, read in a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.formatting import mode_of
from dashboard.core.measurements.measurement import Environment, Measurement, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.modes import ExperimentSpec
from dashboard.core.reports.environment import Place
from dashboard.core.reports.model import ClaimResult


@dataclass(frozen=True, slots=True)
class LightBlock:
    """A block's figures, as in ``core.measurements.measurement``."""

    series: str
    round: int
    n: int = 0
    center_us: float = 0.0
    p99_us: float = 0.0
    error: str = ""

    @property
    def counts(self) -> bool:
        """Whether it takes part in comparisons."""
        return not self.error and self.n > 0


@dataclass(frozen=True, slots=True)
class LightRun:
    """A measurement with its blocks."""

    measurement: Measurement
    series: tuple[Series, ...]
    blocks: tuple[LightBlock, ...]


@dataclass(frozen=True, slots=True)
class LightExperiment:
    """What was asked for, and of which Engine."""

    spec: ExperimentSpec
    engine: EngineRef


@dataclass(frozen=True, slots=True)
class LightReport:
    """A report's content as far as it is needed; the names are those of ``core.reports.model``."""

    title: str
    saved_at: float
    experiment: LightExperiment | None = None
    measurements: tuple[LightRun, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    environment: Environment = field(default_factory=Environment)
    version: str = ""

    @property
    def place(self) -> Place:
        """Where it was made: the first measurement knows more of the machine than an experiment without one."""
        environment = self.environment
        if not environment.cpu_model and self.measurements:
            environment = self.measurements[0].measurement.environment
        return Place(environment, self.experiment.engine if self.experiment is not None else None, self.version)

    @property
    def modes(self) -> dict[str, str]:
        """The mode of each column as the experiment asked for it."""
        if self.experiment is None:
            return {}
        return {arm.key: str(arm.mode) for arm in self.experiment.spec.arms}


@dataclass(frozen=True, slots=True)
class Measured:
    """One series of one report."""

    key: str
    column: str
    path: str
    probe: Probe
    mode: str
    options: Options
    blocks: tuple[LightBlock, ...]

    @property
    def label(self) -> str:
        """``bridge/published-dnat tcp-rr``."""
        return f"{self.column}/{self.path} {self.probe}"


_decoder = msgspec.json.Decoder(LightReport)


def decode_light(content: bytes) -> LightReport:
    """The figures of a content's JSON; msgspec.ValidationError or msgspec.DecodeError if it is malformed."""
    return _decoder.decode(content)


def _measured(report: LightReport, modes: Mapping[str, str]) -> Iterator[tuple[str, Measured]]:
    for run in report.measurements:
        own: dict[str, list[LightBlock]] = {}
        for block in run.blocks:
            own.setdefault(block.series, []).append(block)
        options = run.measurement.options
        for one in run.series:
            blocks = tuple(own.get(one.key, ()))
            if any(block.counts for block in blocks):
                column = one.path.server
                mode = modes.get(column) or mode_of(column)
                name = series_signature(one, {column: mode}, options)
                yield name, Measured(one.key, column, one.path.name, one.probe, mode, options, blocks)


def series_of(report: LightReport) -> dict[str, Measured]:
    """The series that were measured, by signature; where columns of one mode share it, with the column's key behind
    it. Of several runs the last one counts."""
    found: dict[tuple[str, str], Measured] = {}
    columns: dict[str, set[str]] = {}
    for name, one in _measured(report, report.modes):
        found[name, one.column] = one
        columns.setdefault(name, set()).add(one.column)
    return {name if len(columns[name]) == 1 else f"{name} ({column})": one for (name, column), one in found.items()}
