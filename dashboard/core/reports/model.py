"""The model of a report: one experiment, its measurements and claims, frozen with what is needed to show, check and
replay it.

The file is ``{"content": …, "hash": "sha256:…", "schema": "report/1"}`` in canonical JSON: UTF-8, keys sorted by code
point, no white space. The hash is that of the content's canonical bytes, so a reformatted file is still the same
report. Fields may be added and are never changed; unknown fields are kept and hashed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from dashboard.core.experiments.journal import Entry
from dashboard.core.experiments.messages import EngineRef, ExperimentHead
from dashboard.core.measurements.measurement import Block, Environment, Measurement
from dashboard.core.measurements.schedule import Series
from dashboard.core.modes import ExperimentSpec

SCHEMA = "report/1"


class Origin(StrEnum):
    """The source of a report."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


class ClaimVerdict(StrEnum):
    """The result of a claim."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_TESTABLE = "not-testable"

    @property
    def word(self) -> str:
        """The verdict as the command line and documents show it."""
        return {self.HOLDS: "confirmed", self.NOT_TESTABLE: "not testable"}.get(self, str(self))


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One tested claim: a line of ``claims/1``."""

    id: str
    statement: str
    source: str
    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FrozenExperiment:
    """An experiment up to its newest entry. ``shown_seq`` is the entry that readers see first: the last one before the
    stop, 0 while the experiment runs."""

    spec: ExperimentSpec
    head: ExperimentHead
    engine: EngineRef
    journal: tuple[Entry, ...]
    shown_seq: int = 0


@dataclass(frozen=True, slots=True)
class FrozenRun:
    """A measurement with every block; ``measurement`` can be computed from them."""

    id: str
    title: str
    measurement: Measurement
    series: tuple[Series, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The content of a report. ``saved_at`` is in seconds since the epoch, ``notes`` is Markdown, ``installation`` and
    ``version`` identify the Netmodes that saved the report."""

    title: str
    saved_at: float
    origin: Origin
    experiment: FrozenExperiment | None = None
    measurements: tuple[FrozenRun, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    environment: Environment = field(default_factory=Environment)
    notes: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    installation: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """``report/1``, the exported file, for its JSON Schema; ``frame`` writes it."""

    content: ReportContent
    hash: str
    schema: str = SCHEMA


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(ReportContent)


def canonical(value: object) -> bytes:
    """Canonical JSON of a content or of any value decoded from JSON."""
    return _encoder.encode(value)


def digest_of(content: bytes) -> str:
    """The SHA-256 of canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_content(content: bytes) -> ReportContent:
    """The content from its JSON; msgspec.ValidationError or msgspec.DecodeError if it is malformed."""
    return _decoder.decode(content)


def frame(content: bytes) -> bytes:
    """The bytes of the exported file for canonical content."""
    return b'{"content":%b,"hash":"sha256:%b","schema":"%b"}' % (content, digest_of(content).encode(), SCHEMA.encode())


def experiment_signature(spec: ExperimentSpec) -> str:
    """The signature of an experiment. Experiments that differ only in their title have the same one, and their reports
    make a trend."""
    fields: dict[str, Any] = msgspec.to_builtins(spec)
    fields.pop("title")
    for arm in fields["arms"]:  # options that did not exist when older reports were saved
        for option in ("ipv6", "networks", "machine"):
            if not arm[option]:
                del arm[option]
    return digest_of(canonical(fields))[:16]


def split_evidence(line: str) -> tuple[str, str]:
    """The subject of a line of evidence and what was observed: the columns of a table. The first is empty for a
    sentence."""
    about, colon, observed = line.partition(": ")
    return (about, observed) if colon and observed.strip() else ("", line)


def normalise_tags(texts: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are stored: in lower case, each once, at most 12 of at most 40 characters."""
    tags = (" ".join(text.split()).lower()[:40] for text in texts)
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:12]
