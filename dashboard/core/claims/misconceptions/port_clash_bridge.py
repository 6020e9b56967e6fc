"""Two containers on one published port."""

from dashboard.core.claims.catalogue.bridge_conflict_refused import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="port-clash-bridge",
    title="Two containers on one published port",
    expected="It ends as in host mode: the second container starts, then exits.",
    question="The second docker run -d -p 8114:80: what happens?",
    choices=(
        "The Engine refuses to start it, and it stays Created",
        "It starts, then exits",
        "It gets another port",
        "Both answer in turn",
    ),
    right=0,
    claim=CLAIM,
    happened="The Engine refused at start: “port is already allocated”. The container was created before and still "
    "exists.",
    why="The Engine owns published ports: it takes the port on the machine itself before it starts the program.",
    remedy="Remove the container that stayed behind, and publish on another port or let the Engine choose one.",
    remedy_lines=("docker rm ID", "docker run -d -p 80 nginx", "docker port ID"),
)
