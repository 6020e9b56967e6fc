"""A network sysctl in host mode."""

from dashboard.core.claims.catalogue.refusals import SYSCTL_REFUSED
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="sysctl-refused",
    title="A network sysctl in host mode",
    expected="--sysctl sets it for this container, as in bridge mode.",
    question="docker run -d --network host --sysctl net.ipv4.ip_forward=1 nginx: what happens?",
    choices=(
        "It is set in the container only",
        "It is set on the machine",
        "It is refused when the container starts",
        "It is ignored",
    ),
    right=2,
    claim=SYSCTL_REFUSED,
    happened="The runtime refused it when the container started; the container stays behind as Created.",
    why="Network sysctls belong to the network namespace. In host mode that is the machine's: the option would change "
    "the machine.",
    remedy="Set it on the machine if you mean the machine; use bridge mode if you mean the container.",
    remedy_lines=("docker run -d --sysctl net.ipv4.ip_forward=1 nginx",),
)
