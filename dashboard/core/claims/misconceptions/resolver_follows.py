"""The machine's DNS was changed."""

from __future__ import annotations

from dashboard.core.claims.catalogue.resolv_is_a_copy import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="resolver-follows",
    title="The machine's DNS was changed",
    expected="Host mode uses the host's DNS, so a new name server counts at once.",
    question="The machine's resolv.conf is edited while a container runs in host mode. What does the container use?",
    choices=(
        "The new name server",
        "The old one, until it is started again",
        "Both",
    ),
    right=1,
    claim=CLAIM,
    happened="The container still has the old server.",
    why="The container has a copy of the file that was made when it started.",
    remedy="Restart the container after such a change, or let the machine run a resolver of its own at a fixed "
    "address.",
    remedy_lines=("docker restart ID",),
)
