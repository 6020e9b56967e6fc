"""A published port also listens on IPv6."""

from dashboard.core.claims.catalogue.published_on_ipv6 import CLAIM
from dashboard.core.claims.misconception import Misconception

MISCONCEPTION = Misconception(
    id="published-on-ipv6",
    title="Published, and open on IPv6",
    expected="The bridge network has IPv4 only, so the port is not published on IPv6.",
    question="docker run -d -p 8108:80 nginx on an IPv4-only bridge: does http://[::1]:8108/ answer?",
    choices=("No: there is no IPv6 in the container", "Yes, through docker-proxy", "Yes, by NAT"),
    right=1,
    claim=CLAIM,
    happened="It answered; the server saw the bridge's gateway as its client, over IPv4.",
    why="docker-proxy listens on [::] as well and connects to the container over IPv4. A firewall written for IPv4 "
    "does not see it.",
    remedy="Name the address to publish on.",
    remedy_lines=("docker run -d -p 0.0.0.0:8108:80 nginx", "docker run -d -p 127.0.0.1:8108:80 nginx"),
)
