"""A report: one experiment, its measurements and claims, frozen with all that is needed to show, check and replay it.

The file is ``{"content": …, "hash": "sha256:…", "schema": "report/1"}`` in canonical JSON: UTF-8, keys sorted by code
point, no white space. The hash is that of the content's canonical bytes, so that a file that was only laid out anew is
still the same report. Fields are added to, never changed: ones that this version does not know are kept and hashed.
"""

from __future__ import annotations

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
    """What a report was saved from."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


class ClaimVerdict(StrEnum):
    """How a claim came out."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_TESTABLE = "not-testable"


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One claim as it was executed: a line of ``claims/1``."""

    id: str
    statement: str
    source: str
    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FrozenExperiment:
    """An experiment up to its newest entry. ``shown_seq`` is the last entry before it was stopped, 0 while it runs:
    what a reader sees first."""

    spec: ExperimentSpec
    head: ExperimentHead
    engine: EngineRef
    journal: tuple[Entry, ...]
    shown_seq: int = 0


@dataclass(frozen=True, slots=True)
class FrozenRun:
    """A measurement with every block, from which ``measurement`` can be computed again."""

    id: str
    title: str
    measurement: Measurement
    series: tuple[Series, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What is frozen. ``saved_at`` in seconds since the epoch; ``notes`` is Markdown as it was typed;
    ``installation`` and ``version`` say which Netmodes saved it."""

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
    """``report/1``, as it is exported: for the schema; ``frame`` writes it."""

    content: ReportContent
    hash: str
    schema: str = SCHEMA


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(ReportContent)


def canonical(value: object) -> bytes:
    """Canonical JSON of a content, or of anything decoded from JSON."""
    return _encoder.encode(value)


def digest_of(content: bytes) -> str:
    """SHA-256 of canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_content(content: bytes) -> ReportContent:
    """The content back from its JSON; msgspec.ValidationError or msgspec.DecodeError if it is malformed."""
    return _decoder.decode(content)


def frame(content: bytes) -> bytes:
    """The file around canonical content: what is exported."""
    return b'{"content":%b,"hash":"sha256:%b","schema":"%b"}' % (content, digest_of(content).encode(), SCHEMA.encode())


def signature_of(spec: ExperimentSpec) -> str:
    """Names experiments that ask for the same, whatever their title: repeated ones make a trend."""
    said: dict[str, Any] = msgspec.to_builtins(spec)
    said.pop("title")
    return digest_of(canonical(said))[:16]


def clean_tags(texts: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: words in lower case, each once, at most 12 of 40 characters."""
    words = (" ".join(text.split()).lower()[:40] for text in texts)
    return tuple(dict.fromkeys(word for word in words if word))[:12]
