"""Settings of Hypothesis for all tests, and how many examples a property tries."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

#: The examples of a property with ``--all``, and in the gate, where ``.ci/run`` chooses the seed by the commit.
ALL_EXAMPLES, GATE_EXAMPLES = 100, 25


def load_profile(*, is_whole: bool, shrinks: bool) -> None:
    """Loads the settings of all properties. There is no deadline for an example: other processes may hold the cores.
    ``shrinks``: whether an example that fails is made as small as it can be, which may take minutes."""
    left_out = {Phase.explain} if shrinks else {Phase.explain, Phase.shrink}
    settings.register_profile(
        "tests",
        max_examples=ALL_EXAMPLES if is_whole else GATE_EXAMPLES,
        deadline=None,
        phases=[phase for phase in Phase if phase not in left_out],
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    settings.load_profile("tests")


def examples(share: float) -> int:
    """The number of examples of a property that needs more or fewer than others: this share of the usual number."""
    return round(share * settings().max_examples)
