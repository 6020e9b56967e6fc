"""A program waits for an interface that does not exist."""

from dashboard.core.claims.catalogue.waits_for_eth0 import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="wrong-interface",
    title="The program waits for an interface",
    expected="docker ps shows “Up”, so the program works.",
    question="A program waits for eth0 before it serves. With --network none, what do docker ps and the port show?",
    choices=("Up, and it serves", "Up, and it never serves", "It exits with an error"),
    right=1,
    claim=CLAIM,
    happened="The container runs, and nothing listens: there is loopback and no eth0.",
    why="The interfaces depend on the mode: eth0 in bridge mode, the machine's own in host mode, only lo here. “Up” "
    "means that the process lives.",
    remedy="Do not wait for an interface by name: bind to all addresses, or take the name from the environment, and "
    "give the container a health check.",
    remedy_lines=("docker exec ID ip -brief address",),
)
