"""Each task of a first visit ends with its answer in view. How long they take is printed by tests/browser/tasks.py."""

from __future__ import annotations

import pytest

from tests.browser.server import Server
from tests.browser.tasks import TASKS, VIEWPORT, Task, Walk, perform
from tests.browser.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.usefixtures("forgotten")]


#: Slow tasks: they measure for seconds, export a report, or launch experiments that other tests launch with one click.
SLOW = {"cost_of_localhost", "show_it_to_a_colleague", "why_publish_is_ignored"}


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[pytest.mark.slow] * (task.do.__name__ in SLOW), id=task.do.__name__) for task in TASKS],
)
def test_a_task_ends_with_its_answer_in_view(task: Task, visit: Visit, server: Server) -> None:
    if task.prepared:
        server.launch(modes=list(task.prepared), publish="8080:80")
    visitor = visit(viewport=VIEWPORT)
    visitor.expect(r"Failed to load resource: .* 409 .*/experiments/")
    perform(task, Walk(visitor.open(server.url), measure_s="1"), server)
