"""-p in host mode."""

from dashboard.core.claims.catalogue.discarded_publish import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="publish-on-host",
    title="-p in host mode",
    expected="-p 8080:80 makes the program's port 80 answer on the machine's port 8080, in every mode.",
    question="docker run -d --network host -p 8080:80 nginx: what happens to port 8080?",
    choices=(
        "It leads to the program's port 80",
        "docker run refuses it",
        "It is discarded, with one warning",
        "It is silently discarded",
    ),
    right=2,
    claim=CLAIM,
    happened="The create response had a warning; inspect never shows it, and HostConfig still lists the mapping.",
    why="In host mode the program's port is the machine's port: nothing in between could map one to the other.",
    remedy="Configure the program itself for the port you want, or leave host mode.",
    remedy_lines=("docker run -d -p 8080:80 nginx",),
)
