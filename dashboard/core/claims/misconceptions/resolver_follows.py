"""The machine's DNS changed while a container runs."""

from dashboard.core.claims.catalogue.resolv_is_a_copy import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="resolver-follows",
    title="The machine's DNS was changed",
    expected="Host mode uses the host's DNS, so a new name server applies at once.",
    question="The machine's resolv.conf is edited while a container runs in host mode. What does the container use?",
    choices=("The new name server", "The old one, until it is started again", "Both"),
    right=1,
    claim=CLAIM,
    happened="The container still has the old server.",
    why="The container has a copy of the file, made when it started.",
    remedy="Restart the container after such a change, or run a resolver at a fixed address on the machine.",
    remedy_lines=("docker restart ID",),
)
