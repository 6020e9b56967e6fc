"""-p in host mode."""

from __future__ import annotations

from dashboard.core.claims.catalogue.discarded_publish import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="publish-on-host",
    title="-p in host mode",
    expected="-p 8080:80 makes port 80 of the program answer on the machine's port 8080, in every mode.",
    question="docker run -d --network host -p 8080:80 nginx: what becomes of port 8080?",
    choices=(
        "It leads to the program's port 80",
        "docker run refuses it",
        "It is discarded, with a warning that is said once",
        "It is discarded in silence",
    ),
    right=2,
    claim=CLAIM,
    happened="The create answer carried a warning; inspect never shows it, and HostConfig still lists the mapping.",
    why="In host mode the program's port is the machine's port: there is nothing between that could lead from one"
    " to the other.",
    remedy="Configure the program itself for the port you want, or leave host mode.",
    remedy_lines=("docker run -d -p 8080:80 nginx",),
)
