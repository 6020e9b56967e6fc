"""Uses a deployment that ``docker compose up`` has started, through its pages and its API, and prints the results.

``drive.py LINK [hosts] [slow]``: ``hosts`` runs only the tests that need private hosts; ``slow`` is for emulated
processors. Uses only the standard library, because it runs in the network namespace of the tested machine.
"""

from __future__ import annotations

import json
import select
import sys
import time
import urllib.request
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

LINK = sys.argv[1]
SITE = "{0.scheme}://{0.netloc}".format(urlsplit(LINK))
#: Multiplies all timeouts.
PATIENCE = 8 if "slow" in sys.argv else 1
jar = CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def say(text: str) -> None:
    """Prints a line for the log."""
    sys.stdout.write(f"compose: {text}\n")
    sys.stdout.flush()


def pause(seconds: float) -> None:
    """Waits before the next poll."""
    select.select([], [], [], seconds)


def ask(path: str, body: object = None, within_s: float = 60.0) -> Any:
    """Sends a GET request, or a POST request with JSON. Returns the response, decoded if it is JSON."""
    token = next((cookie.value or "" for cookie in jar if cookie.name == "csrftoken"), "")
    headers = {"Content-Type": "application/json", "X-CSRFToken": token, "Origin": SITE}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SITE + path, data, headers)  # noqa: S310 - our own address
    try:
        with browser.open(request, timeout=within_s * PATIENCE) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers["Content-Type"] else text
    except HTTPError as error:
        sys.exit(f"{path}: {error.code} {error.read().decode()[:500]}")


def wait_for(path: str, goes_on: set[str], within_s: float) -> Any:
    """Polls until the run has ended."""
    end = time.monotonic() + within_s * PATIENCE
    while (found := ask(path))["run"]["state"] in goes_on:
        if time.monotonic() > end:
            sys.exit(f"{path}: not over after {within_s:g} s: {json.dumps(found)[:1500]}")
        pause(0.2)
    return found


def rows_of(items: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """The items that have these values."""
    return [one for one in items if all(one.get(key) == value for key, value in wanted.items())]


def launch() -> str:
    """Launches a comparison and waits until it is read from the kernel and the engine. Returns its id."""
    began = time.monotonic()
    # A server that does not run as root: only a privileged process can read which sockets it holds.
    unprivileged = {"mode": "user-bridge", "user": "1000"}
    wanted = {"image": "nginx", "port": 80, "modes": ["host", "bridge"], "arms": [unprivileged], "publish": ["8080:80"]}
    identity = str(ask("/api/experiments", wanted)["id"])
    found: list[dict[str, Any]] = []
    while not found or found[0]["phase"] not in {"running", "failed"}:
        if time.monotonic() - began > 60 * PATIENCE:
            sys.exit(f"the experiment does not run after {60 * PATIENCE} s: {found}")
        pause(0.1)
        found = rows_of(ask("/api/experiments"), id=identity)
    assert found[0]["phase"] == "running", ask(f"/api/experiments/{identity}")
    comparison = ask(f"/api/experiments/{identity}/comparison")
    machine, host, bridge, own = (comparison["states"][one["key"]] for one in comparison["columns"])
    assert machine["netns"] == host["netns"] != bridge["netns"], comparison["states"]
    for state in (host, bridge, own):
        serving = rows_of(state["listeners"], port=80)
        assert {one["process"] for one in serving} == {"nginx"}, state["listeners"]
        assert all(one["container"] for one in serving), serving
        assert state["resolver"]["nameservers"], state["resolver"]
        assert state["hosts"], state
    assert rows_of(machine["listeners"], process="docker-proxy"), machine["listeners"]
    say(f"a comparison of {len(comparison['rows'])} rows, {time.monotonic() - began:.1f} s after it was asked for")
    return identity


def execute(*ids: str) -> str:
    """Executes claims, which must hold. Returns the engines on which they were executed."""
    run = ask("/api/claims/runs", {"ids": ids})["id"]
    executed = wait_for(f"/api/claims/runs/{run}", {"waiting", "running"}, 120)["claims"]
    assert {one["verdict"] for one in executed} == {"holds"}, executed
    engines = ", ".join(sorted({one["engine"] for one in executed}))
    say(f"claims hold: {', '.join(one['id'] for one in executed)}, on {engines}")
    return engines


def main() -> None:
    """Runs a comparison, requests on every path, a trace, a measurement and claims."""
    browser.open(LINK, timeout=20 * PATIENCE).read()
    say(f"signed in; the first page has {len(ask('/'))} characters")
    if "hosts" in sys.argv:
        assert "private host" in execute("host-takes-port", "resolv-bridge-fallback")
        return
    doctor = ask("/api/doctor")
    missing = {one["mode"]: one["reason"] for one in doctor["modes"] if not one["available"]}
    missing |= {one["name"]: one["detail"] for one in doctor["checks"] if not one["ok"]}
    say(f"doctor misses: {missing or 'nothing'}")

    identity = launch()
    attempts = ask(f"/api/experiments/{identity}/try", {})["attempts"]
    failed = [one for one in attempts if one["error"]]
    answered = rows_of(attempts, status=200)
    assert answered, attempts
    assert not failed, failed
    traces = ask(f"/api/experiments/{identity}/trace", {"way": answered[-1]["key"]})
    say(f"{len(answered)} ways answered; trace: {json.dumps(traces)[:300]}")

    run = ask("/api/measurements", {"experiment": identity, "probe": ["tcp-rr"], "seconds": 4 * PATIENCE})["id"]
    measured = wait_for(f"/api/measurements/{run}", {"waiting", "running"}, 60)
    series = measured["measurement"]["series"]
    assert [one for one in series if one["n"] > 100], measured
    say("measured: " + ", ".join(f"{one['path']} {one['p50_us']} µs" for one in series if one["n"]))

    execute("host-shares-netns", "masquerade", "rm-removes")


if __name__ == "__main__":
    main()
