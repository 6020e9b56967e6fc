"""The browser of benchmarks."""

from __future__ import annotations

import pytest

from dashboard.bench import browser
from dashboard.bench.benchmark import BenchmarkError


async def test_without_chromium_a_sentence_states_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "find_program", lambda *_names: None)
    with pytest.raises(BenchmarkError, match="netmodes test installs both"):
        async with browser.chromium():
            pass
