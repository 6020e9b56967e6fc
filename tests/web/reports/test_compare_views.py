"""The pages that compare reports: complete without JavaScript, safe, and with every caveat visible."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE
from dashboard.core.reports.model import ClaimVerdict, ReportContent, canonical, experiment_signature, frame
from dashboard.store.reports import saved as saved_reports
from tests.support.reports import AT, make_content, make_run
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1"}
BEFORE = make_content(4, runs=[make_run()], title="before")
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 }}</script>"


def save(content: ReportContent) -> str:
    return saved_reports.import_file(frame(canonical(content)))


def after(**environment: Any) -> ReportContent:
    run = make_run(centers=(20.0, 24.0, 60.0))
    changed = replace(BEFORE.environment, **environment)
    run = replace(run, measurement=replace(run.measurement, environment=changed))
    claims = tuple(replace(one, verdict=ClaimVerdict.DIFFERS) for one in BEFORE.claims)
    return replace(BEFORE, title="after", saved_at=AT + 90_000, measurements=(run,), environment=changed, claims=claims)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def get(owner: Client, path: str, status: int = 200) -> str:
    answer = owner.get(path, **HERE)
    assert answer.status_code == status, path
    page = str(answer.content.decode())
    assert forbidden_in(page) == []
    return page


def compare_url(*identities: str, baseline: str = "") -> str:
    pairs = [f"report={one}" for one in identities] + ([f"baseline={baseline}"] if baseline else [])
    return f"/reports/compare/?{'&'.join(pairs)}"


def test_the_older_report_is_the_baseline_in_any_order_of_selection(owner: Client) -> None:
    old, new = save(BEFORE), save(after())
    page = get(owner, compare_url(new, old, new))
    text = text_of(page)
    assert "3 measurements compared: 3 slower" in text
    assert "0 faster" not in text
    assert "1 claim with different results" in text
    assert "0 facts changed" in text
    assert text.index("A before") < text.index("B after")
    assert DRIFT_SENTENCE in text
    assert len(re.findall(r'<svg class="strip"', page)) == 3
    other = text_of(get(owner, compare_url(old, new, baseline=new)))
    assert "3 measurements compared: 3 faster" in other
    assert other.index("A after") < other.index("B before")


def test_every_verdict_has_a_caveat_if_the_processors_differ(owner: Client) -> None:
    page = get(owner, compare_url(save(BEFORE), save(after(cpu_model="Xeon"))))
    caveats = [text for text in re.findall(r'<small class="remark">(.*?)</small>', page) if "processors differ" in text]
    verdicts = re.findall(
        r'class="word" data-verdict="slower">\s*<svg class="shape sign" aria-hidden="true"><use href="#sign-up"', page
    )
    assert len(caveats) == len(verdicts) == 3
    assert 'data-fact="cpu_model" class="differs"' in page
    assert text_of(page).count("processor") >= 6


def save_with_mtu(content: ReportContent, mtu: int) -> str:
    """Saves the report with another MTU of every interface."""
    return saved_reports.import_file(frame(canonical(content).replace(b'"mtu":1500', b'"mtu":%d' % mtu)))


def test_changes_are_first_and_what_is_the_same_is_folded_with_a_count(owner: Client) -> None:
    page = get(owner, compare_url(save(BEFORE), save_with_mtu(after(kernel="7.0"), 9000)))
    text = text_of(page)
    assert re.search(
        r"Compared with “before”: [1-9]\d* facts? changed; 1 claim with different results; 3 measurements compared",
        text,
    )
    assert "the environments differ in kernel" in text
    headings = ["Changed facts", "Claims", "Latency", "Environment"]
    assert [text.index(f"{one} ?") for one in headings] == sorted(text.index(f"{one} ?") for one in headings)
    assert len(re.findall(r'<details class="same">', page)) == 2
    assert re.search(r"\d+ facts are the same Inodes", text)
    assert re.search(r"\d+ facts are the same or unknown", text)
    heads = re.findall(r'class="report-name"><b class="letter">(\w)</b> (\w+)</th>', page)
    assert set(heads) == {("A", "before"), ("B", "after")}
    assert 'data-title="B after"' in page


def test_parts_without_a_change_come_after_those_with_one(owner: Client) -> None:
    text = text_of(get(owner, compare_url(save(BEFORE), save(after()))))
    assert "0 facts changed" in text
    assert text.index("Latency ?") < text.index("Changed facts ?")


def test_claims_that_one_report_only_has_tested_are_not_said_to_be_unchanged(owner: Client) -> None:
    (dns,) = BEFORE.claims
    other = replace(dns, id="nat", verdict=ClaimVerdict.DIFFERS)
    old = save(BEFORE)
    several = replace(BEFORE, title="several", saved_at=AT + 9, claims=(dns, other))
    text = text_of(get(owner, compare_url(old, save(several))))
    assert "0 claims with different results" in text
    assert "No verdict changed." in text
    assert "1 verdict did not change" in text
    assert "1 claim was tested in one report only" in text
    text = text_of(get(owner, compare_url(old, save(replace(several, title="other", claims=(other,))))))
    assert "no claim was tested in two reports" in text
    assert "No claim was tested in two of these reports." in text
    assert "2 claims were tested in one report only" in text
    for untrue in ("No verdict changed", "did not change", "claims with different results"):
        assert untrue not in text


def test_each_report_has_its_own_statement_of_a_claim(owner: Client) -> None:
    claims = tuple(
        replace(one, statement="No name resolves.", condition="with Podman", engine="Podman 5.4.2 (lab)")
        for one in BEFORE.claims
    )
    old, new = save(BEFORE), save(replace(BEFORE, title="after", saved_at=AT + 9, claims=claims))
    text = text_of(get(owner, compare_url(old, new)))
    assert "1 claim with different results" in text
    assert "confirmed Names resolve." in text
    assert "confirmed No name resolves. This applies with Podman." in text
    report = text_of(get(owner, f"/reports/{new}/"))
    assert "No name resolves. This applies with Podman. dns · docs/modes.md · Podman 5.4.2 (lab)" in report


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_or_too_many_reports_are_refused_with_instructions(owner: Client, count: int) -> None:
    identities = [save(replace(BEFORE, title=str(number))) for number in range(count)]
    page = text_of(get(owner, compare_url(*identities), 400))
    assert f"{count} reports are selected. Select 2 to 8." in page


def test_a_missing_report_is_404(owner: Client) -> None:
    assert "One of these reports does not exist" in text_of(get(owner, compare_url(save(BEFORE), "nobody"), 404))
    get(owner, "/reports/trends/0123456789abcdef/", 404)


def test_texts_of_a_report_are_escaped(owner: Client) -> None:
    environment = replace(BEFORE.environment, kernel=HOSTILE, cpu_model=HOSTILE)
    claims = tuple(replace(one, id=HOSTILE, statement=HOSTILE) for one in BEFORE.claims)
    hostile = replace(BEFORE, title=HOSTILE, environment=environment, claims=claims, saved_at=AT + 9)
    old, new = save(BEFORE), save(hostile)
    for path in (compare_url(old, new), f"/reports/trends/{signature(BEFORE)}/"):
        page = get(owner, path)
        assert "<img" not in page
        assert "&lt;img src=x" in page


def signature(content: ReportContent) -> str:
    assert content.experiment is not None
    return experiment_signature(content.experiment.spec)


def test_a_trend_has_points_marks_and_a_table(owner: Client) -> None:
    save(BEFORE)
    save(replace(after(), title="between", saved_at=AT + 40_000))
    save(after(kernel="7.0"))
    page = get(owner, f"/reports/trends/{signature(BEFORE)}/")
    text = text_of(page)
    assert "3 reports" in text
    assert page.count("<polyline") == 3
    assert page.count('class="moment" x1') == 1
    assert "kernel: 6.18.44 → 7.0" in text
    assert "the claim dns: confirmed → differs" in text
    assert re.search(r"127\.0\.0\.1 → host.*16\.\d \[", text)
    assert "Compare the last two" in text


def test_both_pages_require_sign_in() -> None:
    for path in ("/reports/compare/", "/reports/trends/0123456789abcdef/"):
        assert Client().get(path, **HERE).status_code in {302, 401, 403}
