"""Questions as values: complete, proved by claims that exist and can fail, and found by what people type."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.question import Question, search, search_words
from dashboard.core.claims.questions import all_questions, find_question

CLAIMS = {claim.id: claim for claim in all_claims()}
EVERY = pytest.mark.parametrize("question", all_questions(), ids=lambda question: question.id)
#: What people type, and a question that must be among the results.
SEARCHES = {
    "connection refused": "host-localhost",
    "curl: (52) Empty reply from server": "bound-to-loopback",
    "works from here, not from there": "loopback-publish",
    "source is 172.17.0.1": "client-address",
    "Published ports are discarded": "ports-ignored",
    "“Published ports are discarded when using host network mode”": "ports-ignored",
    "ufw": "ufw-bypassed",
    "DOCKER-USER": "rules-in-host-mode",
    "docker ps no ports": "ps-without-ports",
    "host.docker.internal": "host-localhost",
    "desktop": "host-mode-on-desktop",
    "rootless": "rootless-host-mode",
    "mdns": "multicast",
    "mtu": "stalled-transfers",
    "TLS handshake hangs": "stalled-transfers",
    "127.0.0.53": "vpn-names",
    "macvlan": "macvlan-and-its-host",
    "hairpin": "hairpin",
    "docker 28 direct routing": "direct-routing-since-28",
    "network_mode: service": "owner-restarts",
    "default gateway": "two-networks",
    "port range": "port-ranges",
    "docker-proxy": "what-docker-proxy-is-for",
    "Pool overlaps": "subnet-collides",
    "ipv6": "ipv6",
    "no such host": "container-names",
    "host's own IP": "own-lan-address",
    "network_mode: host cannot find the database container": "host-and-bridge",
}
VECTORS = Path(__file__).parents[2] / "js" / "search_vectors.json"


def find(query: str) -> list[str]:
    return [question.id for question in search(query, all_questions(), lambda question: question.text)]


@EVERY
def test_a_question_is_short_and_names_where_it_is_documented_and_asked(question: Question) -> None:
    assert question.title.endswith("?")
    assert len(re.findall(r"\.(?:\s|$)", question.answer)) == 2, "the answer has two sentences"
    assert len(question.symptoms) >= 3
    assert question.documented.url.startswith("https://docs.docker.com/engine/")
    assert question.documented.title
    assert question.asked
    for link in question.issues:
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/issues/\d+", link.url)
        repository, number = re.fullmatch(r"https://github\.com/(.+)/issues/(\d+)", link.url).groups()  # type: ignore[union-attr]
        assert link.title.startswith(f"{repository}#{number}: ")
    assert find_question(question.id) is question


@EVERY
def test_the_claims_of_a_question_exist_and_one_can_fail(question: Question) -> None:
    assert set(question.claims) <= set(CLAIMS)
    assert len(set(question.claims)) == len(question.claims) >= 1
    assert any(CLAIMS[claim].mutation for claim in question.claims)


@EVERY
def test_each_symptom_and_the_title_find_the_question(question: Question) -> None:
    for words in (question.title, *question.symptoms):
        assert question.id in find(words), words


@pytest.mark.parametrize(("query", "expected"), SEARCHES.items())
def test_a_question_is_found_by_words_that_people_type(query: str, expected: str) -> None:
    found = find(query)
    assert expected in found
    assert len(found) < len(all_questions()), "the search distinguishes"


def test_there_are_25_questions_with_unique_ids() -> None:
    ids = [question.id for question in all_questions()]
    assert len(ids) == len(set(ids)) == 25
    assert find_question("no-such") is None


def test_words_lose_quotation_marks_and_punctuation_around_them() -> None:
    assert search_words("“Empty reply” from server, (52)?") == ("empty", "reply", "from", "server", "52")
    assert search_words("127.0.0.1 127.0.0.1. -p") == ("127.0.0.1", "-p")
    assert search_words(" .,; ") == ()


def test_items_with_the_most_words_are_found_in_their_order() -> None:
    texts = ("red and blue", "green", "blue and red and green")
    assert search("", texts, str) == texts
    assert search("RED blue", texts, str) == (texts[0], texts[2])
    assert search("red green", texts, str) == (texts[2],)
    assert search("yellow", texts, str) == ()
    assert search("x" * 10_000, texts, str) == ()


def test_the_page_searches_in_the_same_way_as_the_server() -> None:
    """``tests/js/search.test.mjs`` runs the same vectors."""
    for vector in json.loads(VECTORS.read_text()):
        texts = vector["texts"]
        found = search(vector["query"], range(len(texts)), texts.__getitem__)
        assert list(found) == vector["found"], vector["query"]
