"""The model of a report: an experiment, its measurements and its claims, frozen with everything that is needed to show,
check and replay them.

The file is ``{"content": …, "hash": "sha256:…", "schema": "report/1"}`` in canonical JSON: UTF-8, keys sorted by code
point, no white space. The hash is that of the content's canonical bytes, so a reformatted file is still the same
report. Fields may be added and are never changed; unknown fields are kept and hashed.
"""

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
    """What was saved as a report."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"


class ClaimVerdict(StrEnum):
    """The verdict on a claim."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_TESTABLE = "not-testable"

    @property
    def word(self) -> str:
        """The verdict as pages show it: ``confirmed``, ``differs`` or ``not testable``."""
        return {self.HOLDS: "confirmed", self.NOT_TESTABLE: "not testable"}.get(self, str(self))


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One tested claim with its verdict: a part of ``core.claims.run.ExecutedClaim``.

    ``condition`` describes the engines to which the statement applies, empty if it is the usual one. ``engine``
    describes the engine on which the claim ran. Both are empty in reports that earlier versions saved.
    """

    id: str
    statement: str
    source: str
    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""
    condition: str = ""
    engine: str = ""

    @property
    def sentence(self) -> str:
        """The statement, followed by the engines to which it applies. Nothing follows if the claim was not testable: it
        may then have the usual statement although its condition is fulfilled."""
        conditional = self.condition and self.verdict is not ClaimVerdict.NOT_TESTABLE
        return f"{self.statement} This applies {self.condition}." if conditional else self.statement


@dataclass(frozen=True, slots=True)
class FrozenExperiment:
    """An experiment with its journal up to the moment when the report was saved.

    ``shown_seq`` is the number of the journal entry that readers see when they open the report: the last one before the
    experiment was stopped. If the experiment was still running, it is 0, and readers see the newest entry.
    """

    spec: ExperimentSpec
    head: ExperimentHead
    engine: EngineRef
    journal: tuple[Entry, ...]
    shown_seq: int = 0


@dataclass(frozen=True, slots=True)
class FrozenRun:
    """A measurement with every block. ``measurement`` can be computed again from ``series`` and ``blocks``."""

    id: str
    title: str
    measurement: Measurement
    series: tuple[Series, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """The content of a report. ``saved_at`` is in seconds since the epoch; ``notes`` is Markdown. ``installation`` is
    the id of the installation that saved the report, ``version`` its version of Netmodes."""

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
    """The exported file. This class serves only for the JSON Schema of ``report/1``; ``frame`` writes the file."""

    content: ReportContent
    hash: str
    schema: str = SCHEMA


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(ReportContent)


def canonical(value: object) -> bytes:
    """Returns the canonical JSON of a report's content, or of a value that was decoded from JSON."""
    return _encoder.encode(value)


def digest_of(content: bytes) -> str:
    """Returns the SHA-256 of a report's canonical content as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def decode_content(content: bytes) -> ReportContent:
    """Decodes the JSON of a content. Raises msgspec.ValidationError or msgspec.DecodeError if it is malformed."""
    return _decoder.decode(content)


def frame(content: bytes) -> bytes:
    """Returns the bytes of the exported file with this canonical content."""
    return b'{"content":%b,"hash":"sha256:%b","schema":"%b"}' % (content, digest_of(content).encode(), SCHEMA.encode())


def experiment_signature(spec: ExperimentSpec) -> str:
    """Returns a hash of everything in an experiment but its title. Reports with the same signature form a trend."""
    fields: dict[str, Any] = msgspec.to_builtins(spec)
    fields.pop("title")
    for arm in fields["arms"]:  # options that did not exist when older reports were saved
        for option in ("ipv6", "networks", "machine", "netns"):
            if not arm[option]:
                del arm[option]
    return digest_of(canonical(fields))[:16]


def split_evidence(line: str) -> tuple[str, str]:
    """Splits a line of evidence at its first colon into the subject (empty if there is no colon) and what was
    observed."""
    about, colon, observed = line.partition(": ")
    return (about, observed) if colon and observed.strip() else ("", line)


def normalise_tags(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns tags as they are stored: in lower case and without duplicates, at most 12 tags of at most 40 characters
    each."""
    tags = (" ".join(text.split()).lower()[:40] for text in texts)
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:12]
