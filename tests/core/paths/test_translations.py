"""Finding the rule for a request."""

from __future__ import annotations

from dashboard.core.namespaces.state import Family, FirewallRules, Protocol, Translation
from dashboard.core.paths.translations import covers, find_translation

RULE = Translation(Protocol.TCP, Family.INET, 8080, "172.17.0.2", 80, "", ("127.0.0.0/8",))


def test_a_rule_covers_every_address_except_those_that_it_excludes() -> None:
    assert covers(RULE, "192.0.2.2")
    assert not covers(RULE, "127.0.0.5")
    assert not covers(RULE, "2001:db8::2")


def test_a_rule_for_one_address_covers_only_that() -> None:
    only = Translation(Protocol.TCP, Family.INET, 8080, "172.17.0.2", 80, "192.0.2.2")
    assert covers(only, "192.0.2.2")
    assert not covers(only, "192.0.2.3")


def test_texts_that_are_no_addresses_are_covered_by_no_address() -> None:
    assert not covers(Translation(Protocol.TCP, Family.INET, 1, "x", 1, "<script>"), "192.0.2.2")


def test_the_rule_of_the_port_and_protocol_is_found() -> None:
    assert find_translation([RULE], "tcp", "192.0.2.2", 8080).translation == RULE
    assert find_translation([RULE], "udp", "192.0.2.2", 8080).translation is None
    assert find_translation([RULE], "tcp", "192.0.2.2", 8081).translation is None


def test_a_rule_with_a_condition_is_not_known_to_apply() -> None:
    maybe = Translation(Protocol.TCP, Family.INET, 80, "10.0.0.1", 80, condition="-m owner --uid-owner 0")
    result = find_translation([maybe], "tcp", "192.0.2.2", 80)
    assert result.translation is None
    assert result.unknown == (
        "a nat rule for 192.0.2.2:80 has a condition that Netmodes does not evaluate: -m owner --uid-owner 0"
    )


def test_rules_count_by_family() -> None:
    rules = FirewallRules((RULE,))
    assert (rules.why_unread(Family.INET), rules.isolates("docker0", Family.INET)) == ("", False)
