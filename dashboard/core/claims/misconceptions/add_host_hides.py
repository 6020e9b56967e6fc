"""--add-host in host mode replaces the hosts file."""

from dashboard.core.claims.catalogue.add_host_discards import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="add-host-hides",
    title="--add-host in host mode hides the hosts file",
    expected="--add-host adds an entry to the existing names.",
    question="The machine's /etc/hosts names a database. With --network host --add-host other:192.0.2.7, does the "
    "container still find it?",
    choices=("Yes, with one more name", "No: only the added name is left", "docker run refuses the option"),
    right=1,
    claim=CLAIM,
    happened="The container got a new file with the added name; all names of the machine are gone.",
    why="Host mode inherits the machine's file only if nothing is added. With --add-host the Engine writes a new one.",
    remedy="Add every entry that the program needs, or put the names into DNS.",
    remedy_lines=("docker run -d --network host --add-host other:192.0.2.7 --add-host database:192.0.2.77 nginx",),
)
