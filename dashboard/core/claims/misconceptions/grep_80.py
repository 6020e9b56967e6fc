"""grep :80."""

from __future__ import annotations

from dashboard.core.claims.catalogue.grep_80 import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="grep-80",
    title="grep :80",
    expected="If netstat -tulpn | grep :80 prints a line, somebody listens on port 80.",
    question="A container is published on port 8080 and nothing listens on port 80. What does grep :80 print?",
    choices=(
        "Nothing",
        "The line of port 8080",
        "An error",
    ),
    right=1,
    claim=CLAIM,
    happened="grep found the line of port 8080: “:80” is a part of “:8080”.",
    why="grep looks for text, not for a port. It also says nothing of which container the process belongs to.",
    remedy="Ask for the port itself, as root, so that processes of others are named too.",
    remedy_lines=("ss -Hltnp 'sport = :80'",),
)
