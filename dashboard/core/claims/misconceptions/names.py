"""Misconceptions about names and resolvers."""

from dashboard.core.claims.catalogue import find_claim
from dashboard.core.claims.misconception import Misconception

MISCONCEPTIONS = (
    Misconception(
        id="names-on-bridge",
        title="Names on the default bridge",
        expected="Containers on the same network find each other by name.",
        question="Two containers on the default bridge: does the second find the first by its name?",
        choices=("Yes", "No", "Only if the first one was started earlier"),
        right=1,
        claim=find_claim("names-not-on-bridge"),
        happened="The name was not found.",
        why="Docker's resolver at 127.0.0.11 serves user-defined networks only. The default bridge has the machine's "
        "name servers, which know no containers.",
        remedy="Create a network and use it for both.",
        remedy_lines=(
            "docker network create lab",
            "docker run -d --name web --network lab nginx",
            "docker run -d --network lab nginx",
        ),
    ),
    Misconception(
        id="add-host-hides",
        title="--add-host in host mode hides the hosts file",
        expected="--add-host adds an entry to the existing names.",
        question="The machine's /etc/hosts names a database. With --network host --add-host other:192.0.2.7, does the "
        "container still find it?",
        choices=("Yes, with one more name", "No: only the added name is left", "docker run refuses the option"),
        right=1,
        claim=find_claim("add-host-discards"),
        happened="The container got a new file with the added name; all names of the machine are gone.",
        why="Host mode inherits the machine's file only if nothing is added. With --add-host the Engine writes a new "
        "one.",
        remedy="Add every entry that the program needs, or put the names into DNS.",
        remedy_lines=("docker run -d --network host --add-host other:192.0.2.7 --add-host database:192.0.2.77 nginx",),
    ),
    Misconception(
        id="resolver-follows",
        title="The machine's DNS was changed",
        expected="Host mode uses the host's DNS, so a new name server applies at once.",
        question="The machine's resolv.conf is edited while a container runs in host mode. What does the container "
        "use?",
        choices=("The new name server", "The old one, until the container restarts", "Both"),
        right=1,
        claim=find_claim("resolv-is-a-copy"),
        happened="The container still has the old server.",
        why="The container has a copy of the file, made when it started.",
        remedy="Restart the container after such a change, or run a resolver at a fixed address on the machine.",
        remedy_lines=("docker restart ID",),
    ),
)
