"""--add-host in host mode hides the hosts file."""

from __future__ import annotations

from dashboard.core.claims.catalogue.add_host_discards import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="add-host-hides",
    title="--add-host in host mode hides the hosts file",
    expected="--add-host adds an entry to the names that are there.",
    question="The machine's /etc/hosts names a database. With --network host --add-host other:192.0.2.7, does the "
    "container still find it?",
    choices=(
        "Yes, with one more name",
        "No: only the added name is left",
        "docker run refuses the option",
    ),
    right=1,
    claim=CLAIM,
    happened="The container got a fresh file with the added name; every name of the machine is gone.",
    why="Host mode takes the machine's file over only if nothing is added. With --add-host the Engine writes a "
    "new one.",
    remedy="Add every entry that the program needs, or put the names into DNS.",
    remedy_lines=("docker run -d --network host --add-host other:192.0.2.7 --add-host database:192.0.2.77 nginx",),
)
