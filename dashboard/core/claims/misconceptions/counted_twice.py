"""Adding up the traffic of two containers."""

from dashboard.core.claims.catalogue.stats_counted_twice import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="counted-twice",
    title="Adding up the traffic of two containers",
    expected="The traffic of a web server and its sidecar is the sum of what docker stats shows for both.",
    question="The sidecar shares the server's network (--network container:). What do their counters show after one "
    "request?",
    choices=("The server has the bytes, the sidecar zero", "Each has its own bytes", "Both show the same bytes"),
    right=2,
    claim=CLAIM,
    happened="Both report the same counters, byte for byte.",
    why="Counters belong to the interfaces of a network namespace, and the two share one. Host mode goes further: it "
    "has no counters at all.",
    remedy="Add up per network namespace, not per container.",
    remedy_lines=("docker inspect --format '{{.NetworkSettings.SandboxKey}}' ID",),
)
