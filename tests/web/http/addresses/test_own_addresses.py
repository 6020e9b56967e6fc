"""Where this process can be opened, read from the kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from django.test import RequestFactory

from dashboard.web.http.addresses import own_addresses
from dashboard.web.http.addresses.own_addresses import join_address, listening_addresses, read_own_network
from tests.support.polling import until


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which this process listens on all addresses."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_the_sockets_of_this_process_are_found() -> None:
    with socket.socket() as listener, socket.socket() as bound:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        bound.bind(("127.0.0.1", 0))
        assert listening_addresses(listener.getsockname()[1]) == ("127.0.0.1",)
        assert listening_addresses(bound.getsockname()[1]) == ()


def test_the_links_of_this_namespace_are_read() -> None:
    # The kernel removes links of an ended host late: one may disappear between the two readings.
    until(lambda: {one.name for one in read_own_network().interfaces} == {name for _, name in socket.if_nameindex()})


def test_participants_join_at_an_address_that_is_listened_on_and_allowed(
    port: int, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setattr(own_addresses, "reachable_addresses", lambda _state: ("192.0.2.2",))
    local = RequestFactory().get("/", SERVER_PORT=str(port), headers={"host": f"127.0.0.1:{port}"})
    assert join_address(local).is_local
    settings.ALLOWED_HOSTS = ["127.0.0.1", "192.0.2.2"]  # type: ignore[attr-defined]
    assert join_address(local).origin == f"http://192.0.2.2:{port}"


def test_a_kernel_that_does_not_answer_leaves_the_requests_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no netlink")

    monkeypatch.setattr(own_addresses, "read_own_network", fail)
    found = join_address(RequestFactory().get("/", headers={"host": "localhost:8000"}))
    assert (found.origin, found.is_local, found.others) == ("http://localhost:8000", True, ())


def test_nothing_is_read_for_an_address_that_others_can_open(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    settings.ALLOWED_HOSTS = ["class.example.org"]  # type: ignore[attr-defined]
    monkeypatch.setattr(own_addresses, "read_own_network", None)
    request = RequestFactory().get("/", headers={"host": "class.example.org"}, secure=True)
    assert join_address(request).origin == "https://class.example.org"
