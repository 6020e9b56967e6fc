"""The figures of a report, for comparisons and trends. The journal and the histograms are skipped, so decoding takes
milliseconds."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.formatting import mode_of
from dashboard.core.measurements.measurement import Environment, Measurement, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.modes import ExperimentSpec
from dashboard.core.reports.environment import ReportEnvironment
from dashboard.core.reports.model import ClaimResult


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """The figures of a ``Block`` that comparisons need."""

    series: str
    round: int
    n: int = 0
    center_us: float = 0.0
    p99_us: float = 0.0
    error: str = ""

    @property
    def counts(self) -> bool:
        """Whether the block is valid: it has no error and at least one timed request."""
        return not self.error and self.n > 0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A measurement with its series and the figures of its blocks."""

    measurement: Measurement
    series: tuple[Series, ...]
    blocks: tuple[BlockFigures, ...]


@dataclass(frozen=True, slots=True)
class ExperimentFigures:
    """The experiment as the user specified it, and the engine on which it ran."""

    spec: ExperimentSpec
    engine: EngineRef


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """The fields of ``ReportContent`` that comparisons need, under the same names."""

    title: str
    saved_at: float
    experiment: ExperimentFigures | None = None
    measurements: tuple[RunFigures, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    environment: Environment = field(default_factory=Environment)
    version: str = ""

    @property
    def report_environment(self) -> ReportEnvironment:
        """The environment in which the report was made. If the report's own environment names no processor, the
        environment of its first measurement is used, which is more complete."""
        environment = self.environment
        if not environment.cpu_model and self.measurements:
            environment = self.measurements[0].measurement.environment
        if self.experiment is None:
            return ReportEnvironment(environment, netmodes=self.version)
        return ReportEnvironment(environment, self.experiment.engine, self.version, self.experiment.spec.image)

    @property
    def modes(self) -> dict[str, str]:
        """The requested mode of each arm by key; empty if the report has no experiment."""
        if self.experiment is None:
            return {}
        return {arm.key: str(arm.mode) for arm in self.experiment.spec.arms}


@dataclass(frozen=True, slots=True)
class SeriesFigures:
    """A series with at least one valid block. ``blocks`` are all its blocks, valid or not."""

    key: str
    column: str
    path: str
    probe: Probe
    mode: str
    options: Options
    blocks: tuple[BlockFigures, ...]

    @property
    def label(self) -> str:
        """The series as text, such as ``bridge/published-dnat tcp-rr`` or ``bridge/resolver dns localhost``, with
        ``ordinary`` at the end if it was not measured under quiet conditions."""
        name = f" {self.options.lookup_name}" if self.probe is Probe.DNS else ""
        conditions = "" if self.options.conditions is Conditions.QUIET else f" {self.options.conditions}"
        return f"{self.column}/{self.path} {self.probe}{name}{conditions}"


_decoder = msgspec.json.Decoder(ReportFigures)


def decode_figures(content: bytes) -> ReportFigures:
    """Decodes the JSON of a report's content. Raises msgspec.ValidationError or msgspec.DecodeError if it is
    malformed."""
    return _decoder.decode(content)


def _list_series(report: ReportFigures) -> Iterator[tuple[str, SeriesFigures]]:
    for run in report.measurements:
        blocks_of: dict[str, list[BlockFigures]] = {}
        for block in run.blocks:
            blocks_of.setdefault(block.series, []).append(block)
        options = run.measurement.options
        for one in run.series:
            blocks = tuple(blocks_of.get(one.key, ()))
            if any(block.counts for block in blocks):
                column = one.path.server
                mode = report.modes.get(column) or mode_of(column)
                signature = series_signature(one, {column: mode}, options)
                yield signature, SeriesFigures(one.key, column, one.path.name, one.probe, mode, options, blocks)


def series_by_signature(report: ReportFigures) -> dict[str, SeriesFigures]:
    """Returns the series that have a valid block, by signature (``series_signature``). If series of several columns
    have the same signature, the key of the column is appended to it in parentheses. If several runs measured a series,
    the series of the last run is returned."""
    series: dict[tuple[str, str], SeriesFigures] = {}
    columns: dict[str, set[str]] = {}
    for signature, one in _list_series(report):
        series[signature, one.column] = one
        columns.setdefault(signature, set()).add(one.column)
    return {
        signature if len(columns[signature]) == 1 else f"{signature} ({column})": one
        for (signature, column), one in series.items()
    }
