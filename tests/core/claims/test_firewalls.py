"""What a firewall claim observes, and its judgement by responses and counters."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, Exchanges, Expected, answers
from dashboard.core.claims.firewalls import FirewallExchange, judge_firewall, observe_firewall
from dashboard.core.claims.testbed import NEIGHBOUR, NotTestableError, Response
from dashboard.core.paths.drops import Drop
from dashboard.core.reports.model import ClaimVerdict

OK = Response(200, client_seen="192.0.2.10", connected=True)
NONE = Response(None, error="No answer.")
RULE = "-A ufw-user-input -p tcp -m tcp --dport 8143 -j DROP"
DROP = Drop(2, f"rule “{RULE}” (table filter)")


class Ufw:
    """A host with a rule of ufw, which counts a packet at each request."""

    def __init__(self, code: int = 0) -> None:
        self.lines: list[str] = []
        self.packets = 5
        self._code = code

    async def start_engine(self, line: str, setup: str = "") -> Ufw:
        self.lines.append(f"{setup} {line}")
        return self

    async def execute(self, _place: object, line: str) -> tuple[int, str]:
        if line == "iptables-save -c":
            return 0, f"*filter\n[{self.packets}:0] {RULE}\n"
        self.lines.append(line)
        return (self._code, "Status: active\n\n8143/tcp DENY\n") if line.startswith("ufw") else (1, "unknown")

    async def request(self, *_: object) -> Response:
        self.packets += 2
        return NONE


async def observed(testbed: Ufw) -> FirewallExchange:
    observe = observe_firewall("dockerd", ("ufw deny 8143/tcp",), "ufw status", Ask(NEIGHBOUR, "192.0.2.2", 8143))
    found = await observe(testbed)  # type: ignore[arg-type]
    assert isinstance(found, FirewallExchange)
    return found


async def test_the_program_runs_on_a_separate_engine_and_only_new_drops_count() -> None:
    testbed = Ufw()
    found = await observed(testbed)
    assert testbed.lines == [" dockerd", "ufw deny 8143/tcp", "ufw status"]
    assert found.drops == (DROP,)
    assert found.status == ("$ ufw status", "Status: active", "8143/tcp DENY")
    assert found.evidence[1] == f"{DROP.rule} dropped 2 packets"


async def test_a_program_that_fails_makes_the_claim_not_testable() -> None:
    with pytest.raises(NotTestableError, match="ufw deny 8143/tcp failed: Status"):
        await observed(Ufw(code=1))


@pytest.mark.parametrize(
    ("response", "drops", "expected", "dropping", "reason"),
    [
        (OK, (), answers(), "", ""),
        (NONE, (DROP,), NO_CONNECTION, "-A ufw-user-input", ""),
        (NONE, (DROP,), answers(), "", "there was no response"),
        (OK, (), NO_CONNECTION, "", "the connection was accepted"),
        (NONE, (DROP,), NO_CONNECTION, "-A DOCKER-USER", "No rule with -A DOCKER-USER dropped a packet."),
    ],
)
def test_the_verdict_on_a_firewall_follows_from_the_response_and_the_dropped_packets(
    response: Response, drops: Sequence[Drop], expected: Expected, dropping: str, reason: str
) -> None:
    run = FirewallExchange(Exchanges(responses=(("GET", response),)), tuple(drops))
    judgement = judge_firewall(expected, dropping)(run)
    assert judgement.verdict is (ClaimVerdict.DIFFERS if reason else ClaimVerdict.HOLDS)
    assert reason in judgement.reason


@pytest.mark.parametrize(("count", "verdict"), [(0, ClaimVerdict.HOLDS), (1, ClaimVerdict.DIFFERS)])
def test_rules_with_a_comment_count(count: int, verdict: ClaimVerdict) -> None:
    run = FirewallExchange(Exchanges(responses=(("GET", OK),), packets=(("iptables -I INPUT", count),)))
    assert judge_firewall(answers(), matched=False)(run).verdict is verdict
