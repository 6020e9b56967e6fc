"""Where the Engine says that the namespace lies."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE sleep 60"


async def observe(stage: Stage) -> Container:
    """One container in host mode."""
    return await stage.run(LINE)


def judge(seen: Container) -> Judgement:
    """``SandboxKey`` names the default namespace."""
    key = str(seen.setting("NetworkSettings", "SandboxKey") or "")
    evidence = f"NetworkSettings.SandboxKey: {key or 'empty'}"
    return proves(key.endswith("/netns/default"), "The Engine made a sandbox of its own.", evidence)


CLAIM = Claim(
    id="host-sandbox",
    topic=Topic.ISOLATION,
    statement="In host mode the Engine makes no sandbox: SandboxKey ends in /netns/default.",
    source="Moby, libnetwork/sandbox.go; docker inspect",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network none"},
)
