"""Container names on the default bridge."""

from dashboard.core.claims.catalogue.names_not_on_bridge import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="names-on-bridge",
    title="Names on the default bridge",
    expected="Containers on the same network find each other by name.",
    question="Two containers on the default bridge: does the second find the first by its name?",
    choices=("Yes", "No", "Only if the first one was started earlier"),
    right=1,
    claim=CLAIM,
    happened="The name was not found.",
    why="Docker's resolver at 127.0.0.11 serves user-defined networks only. The default bridge has the machine's name "
    "servers, which know no containers.",
    remedy="Create a network and use it for both.",
    remedy_lines=(
        "docker network create lab",
        "docker run -d --name web --network lab nginx",
        "docker run -d --network lab nginx",
    ),
)
