"""grep :80 matches port 8080."""

from dashboard.core.claims.catalogue.grep_80 import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="grep-80",
    title="grep :80",
    expected="If netstat -tulpn | grep :80 prints a line, a program listens on port 80.",
    question="A container is published on port 8080 and nothing listens on port 80. What does grep :80 print?",
    choices=("Nothing", "The line of port 8080", "An error"),
    right=1,
    claim=CLAIM,
    happened="grep found the line of port 8080: “:80” is part of “:8080”.",
    why="grep matches text, not a port. Nor does it show which container the process belongs to.",
    remedy="Ask for the exact port, as root, so that other users' processes are named too.",
    remedy_lines=("ss -Hltnp 'sport = :80'",),
)
