"""The warning of host mode is said once."""

from __future__ import annotations

import json

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, proves

LINE = "docker run -d --network host -p 8080:80 IMAGE sleep 60"
WORDS = "Published ports are discarded"


async def observe(stage: Stage) -> Container:
    """One container in host mode with a port to publish."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """In the create answer, and nowhere in what inspect says."""
    said = any(WORDS in one for one in seen.warnings)
    later = WORDS in json.dumps(dict(seen.inspected), default=str)
    evidence = (f"create answer, Warnings: {list(seen.warnings)}", f"the words stand in docker inspect: {later}")
    if later:
        return differs("docker inspect shows the warning.", *evidence)
    return proves(said, "There was no warning.", *evidence)


CLAIM = Claim(
    id="warning-only-at-create",
    topic=Topic.PUBLISHING,
    statement="The warning about a discarded port is in the create answer only: docker inspect never shows it.",
    source="Docker Engine API, POST /containers/create, Warnings",
    exact="Who starts containers with a tool that drops warnings never learns of it.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker inspect ID | grep -i discarded"),
    counter={"--network host": "--network bridge"},
)
