"""The frozen form of a report: canonical, hashed, unchanged after export and import."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.core.reports.model import (
    ClaimResult,
    ClaimVerdict,
    Origin,
    ReportContent,
    canonical,
    decode_content,
    digest_of,
    experiment_signature,
    frame,
    normalise_tags,
)

RECORDED = Path(__file__).resolve().parents[2] / "recorded"
SPEC = ExperimentSpec("nginx", "nginx", 80, (ArmSpec("host", Mode.HOST), ArmSpec("bridge", Mode.BRIDGE)))
CONTENT = ReportContent(
    "Host or bridge", 1.5, Origin.CLAIMS, claims=(ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS, ("a",)),)
)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_a_content_survives_decoding_and_encoding() -> None:
    content = canonical(CONTENT)
    assert decode_content(content) == CONTENT
    assert canonical(decode_content(content)) == content


def test_a_claim_that_an_earlier_version_saved_has_neither_engine_nor_condition() -> None:
    written = canonical(CONTENT)
    earlier = written.replace(b'"condition":"","engine":"",', b"")
    assert len(earlier) < len(written)
    assert decode_content(earlier) == CONTENT


@given(plain)
def test_canonical_bytes_equal_sorted_compact_json(value: object) -> None:
    written = canonical(value)
    assert canonical(msgspec.json.decode(written)) == written
    assert json.loads(written) == json.loads(json.dumps(value))


def test_formatting_a_file_does_not_change_its_hash() -> None:
    content = canonical(CONTENT)
    laid_out = json.dumps(json.loads(content), indent=2).encode()
    assert canonical(msgspec.json.decode(laid_out)) == content


def test_the_file_is_canonical_and_has_the_hash_of_the_content() -> None:
    content = canonical(CONTENT)
    file = frame(content)
    document = json.loads(file)
    assert document["schema"] == "report/1"
    assert document["hash"] == "sha256:" + hashlib.sha256(content).hexdigest() == f"sha256:{digest_of(content)}"
    assert canonical(document) == file


def test_the_same_experiment_under_another_title_has_the_same_signature() -> None:
    assert experiment_signature(SPEC) == experiment_signature(replace(SPEC, title="once more"))
    assert experiment_signature(SPEC) != experiment_signature(replace(SPEC, port=8080))


def test_a_saved_report_and_a_new_one_of_the_same_experiment_have_the_same_signature() -> None:
    """The recorded report was saved before some options existed; its row has this signature."""
    content = json.loads((RECORDED / "report-0013.json").read_bytes())["content"]
    spec = msgspec.convert(content["experiment"]["spec"], ExperimentSpec)
    assert experiment_signature(spec) == "c04c078990305e7e"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["Lab", " lab ", "two  words"], ("lab", "two words")),
        (["", "  "], ()),
        (["x" * 90], ("x" * 40,)),
        ([str(n) for n in range(20)], tuple(str(n) for n in range(12))),
    ],
)
def test_tags_are_limited_in_number_and_length_and_different(typed: list[str], kept: tuple[str, ...]) -> None:
    assert normalise_tags(typed) == kept
