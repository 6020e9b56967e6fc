"""What an owner and a participant do in a browser while a training session has hosts on all machines.

The machines form a swarm. One experiment has arms on all machines, which reach each other over its overlay network.
Requests are sent over its paths, and latency is measured between two machines. Then the swarm ends. With
NETMODES_TOUR_PICTURES=FOLDER, numbered pictures of the pages are stored in that folder.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.browser import chromium
from dashboard.bench.operations.machines.installation import MachinesInstallation
from dashboard.bench.operations.machines.scene import until
from dashboard.bench.operations.machines.training_class import TrainingClass

PICTURES = "NETMODES_TOUR_PICTURES"
MODES = ("host", "bridge", "overlay")
#: The kind of the paths over the overlay network between machines.
OVERLAY = "from-machine-overlay"
SECONDS = "6"
#: The color schemes of the pictures, and the sizes of the page. The last one is that of the tour.
LOOKS = {"dark": {"width": 390, "height": 844}, "light": {"width": 1440, "height": 900}}
#: Lays out what the browser skips below the window, then returns the height of the page.
DRAWN_HEIGHT = """() => {
    for (const one of document.querySelectorAll("main *")) {
        if (getComputedStyle(one).contentVisibility === "auto") one.style.contentVisibility = "visible";
    }
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
        () => done(document.documentElement.scrollHeight))));
}"""
#: The height of a picture: the table of a phone is higher than Chromium draws.
MAX_HEIGHT = 8_000
#: Playwright's limit for each step of a page, in ms.
PAGE_MS = 60_000
REACH_S, LAUNCH_S = 30.0, 240.0


@dataclass(slots=True)
class BrowserTour:
    """A tour of the pages in a browser. ``done`` has a text for each finished step, with its duration."""

    installation: MachinesInstallation
    session: TrainingClass
    done: list[str] = field(default_factory=list)
    _pictures: Path | None = None
    _number: int = 0
    _refusal: str = ""

    @property
    def names(self) -> list[str]:
        """The names of the machines."""
        return list(self.installation.machines)

    async def walk(self) -> list[str]:
        """Takes all steps and returns ``done``. Raises BenchmarkError or Playwright's error at the first step that
        fails."""
        if folder := os.environ.get(PICTURES):
            self._pictures = Path(folder)
            self._pictures.mkdir(parents=True, exist_ok=True)
        async with chromium() as browser:
            # At this address: a browser that opens 127.0.0.1 is redirected to another name, which has other cookies.
            origin = self.installation.deployment.webs[0].origin
            page = await _page(browser, origin, self.installation.owners[0].cookies)
            person = self.session.people[0]
            participant = await _page(browser, origin, person.cookies)
            await participant.goto(f"{origin}{self.session.step}/")
            await self._picture(participant, "participant")
            await page.goto(f"{origin}/sessions/{self.session.instructor.session}/console/")
            await self._picture(page, "console")
            await self._form_swarm(page, origin)
            experiment = await self._launch(page, origin)
            await self._request(page, origin, experiment)
            await self._measure(page, origin, experiment)
            await self._stop(page, origin, experiment)
            await self._end_swarm(page, origin)
        return self.done

    def _note(self, text: str, began: float) -> None:
        self.done.append(f"{text}: {time.monotonic() - began:.1f} s")

    async def _picture(self, page: Any, name: str) -> None:
        self._number += 1
        if self._pictures is None:
            return
        for scheme, size in LOOKS.items():
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size(size)
            height = await page.evaluate(DRAWN_HEIGHT)
            await page.screenshot(
                path=self._pictures / f"{self._number:02}-{name}-{size['width']}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": size["width"], "height": min(height, MAX_HEIGHT)},
            )

    async def _form_swarm(self, page: Any, origin: str) -> None:
        await page.goto(f"{origin}/machines/")
        await self._picture(page, "machines")
        await page.click('a[href="/machines/swarm/"]')
        await self._picture(page, "swarm-form")
        began = time.monotonic()
        await page.check('input[name="agreed"]')
        await page.click("#form-swarm")
        await page.wait_for_selector("#end-swarm")
        members = await page.get_by_text("manager of this swarm").count()
        if members != len(self.names):
            raise BenchmarkError(f"{members} machines are in the swarm")
        self._note("the machines form a swarm", began)
        await self._picture(page, "swarm")

    async def _launch(self, page: Any, origin: str) -> str:
        """Launches an experiment with an arm of each mode on each machine, and returns its id."""
        await page.goto(f"{origin}/?host=@{self.names[0]}")
        if not await page.is_visible("#mode-overlay"):
            await page.click("details.more > summary")
        for choice in (*(f"mode-{mode}" for mode in MODES), *(f"machine-{name}" for name in self.names)):
            await page.check(f"#{choice}", force=True)
        await self._picture(page, "launch")
        began = time.monotonic()
        await page.click("details.more > p.submit button")
        await page.wait_for_url(re.compile("/experiments/[^/]+/"))
        experiment = str(page.url).split("/experiments/")[1].split("/")[0]

        async def runs() -> bool:
            return len(await self._containers(experiment)) == len(MODES) * len(self.names)

        try:
            await until(runs, "all arms running", deadline_s=LAUNCH_S)
        except BenchmarkError as error:
            columns = (await self._shown(experiment))["columns"]
            states = ", ".join(f"{one['key']} {one['status']} {one['error'] or ''}".strip() for one in columns)
            raise BenchmarkError(f"{error}: {states}") from error
        self._note(f"{len(MODES) * len(self.names)} arms run on {len(self.names)} machines", began)
        await self._picture(page, "experiment")
        await self._reach(experiment)
        return experiment

    async def _api(self, path: str) -> dict[str, Any]:
        answer = await asyncio.to_thread(self.installation.owners[0].ask, "GET", f"/api/{path}")
        shown: dict[str, Any] = json.loads(answer.data)
        return shown

    async def _shown(self, experiment: str) -> dict[str, Any]:
        return await self._api(f"experiments/{experiment}")

    async def _containers(self, experiment: str) -> dict[str, str]:
        """The ids of the experiment's running containers, by arm key."""
        columns = (await self._shown(experiment))["columns"]
        return {
            one["key"]: one["container"]["id"] for one in columns if one["container"] and one["status"] == "running"
        }

    async def _reach(self, experiment: str) -> None:
        """Checks that each arm in overlay mode reaches every arm in overlay mode by name, including itself. Raises
        BenchmarkError if one does not."""
        began, containers = time.monotonic(), await self._containers(experiment)
        keys = {name: "overlay" if number == 0 else f"overlay-{name}" for number, name in enumerate(self.names)}
        for name, key in keys.items():
            for other in keys.values():
                reached = partial(self._answers, name, containers[key], other)
                try:
                    await until(reached, f"{other} answers {key} over the overlay network", deadline_s=REACH_S)
                except BenchmarkError as error:
                    raise BenchmarkError(f"{error}: {self._refusal}") from error
        self._note("each arm in overlay mode reaches all others by name", began)

    async def _answers(self, machine: str, container: str, other: str) -> bool:
        """Whether the arm ``other`` answers a request from this container on this machine."""
        wget = ["docker", "exec", container, "busybox", "wget", "-T", "3", "-qO-", f"http://{other}/"]
        try:
            return "from " in await asyncio.to_thread(self.installation.machines[machine].machine.run, *wget)
        except BenchmarkError as error:
            self._refusal = str(error)
            return False

    async def _request(self, page: Any, origin: str, experiment: str) -> None:
        await page.goto(f"{origin}/experiments/{experiment}/#try")
        began = time.monotonic()
        await page.click("form[data-try] button")
        await page.wait_for_selector("[data-slot=attempts] li.attempt", timeout=PAGE_MS)
        overlay = 2 * len(self.names) * (len(self.names) - 1)  # by address and by name

        async def attempts() -> list[dict[str, Any]]:
            return [one for one in (await self._shown(experiment))["trial"]["attempts"] if one["path"] == OVERLAY]

        async def answered() -> bool:
            return [one["status"] for one in await attempts()] == [HTTPStatus.OK] * overlay

        try:
            await until(answered, f"{overlay} answers between arms over the overlay network", deadline_s=REACH_S)
        except BenchmarkError as error:
            found = [f"{one['title']}: {one['error'] or one['status']}" for one in await attempts()]
            raise BenchmarkError(f"{error}: {', '.join(found)}") from error
        count = await page.locator("[data-slot=attempts] li.attempt").count()
        self._note(f"{count} paths are requested, {overlay} of them over the overlay network", began)
        await self._picture(page, "try")

    async def _measure(self, page: Any, origin: str, experiment: str) -> None:
        """Measures the experiment on the first machine, with the last machine as an additional client. Checks that
        paths over the overlay network are measured, too."""
        await page.goto(f"{origin}/experiments/{experiment}/#measure")
        await page.select_option("#measure-machine", self.names[0])
        await page.check(f"#from-machine-{self.names[-1]}", force=True)
        await page.uncheck("#probe-tcp-rr", force=True)
        await page.check("#probe-http", force=True)
        await page.fill("#measure-seconds", SECONDS)
        await self._picture(page, "measure")
        began = time.monotonic()
        await page.click(".measure-form p.submit button")
        await page.wait_for_url(re.compile("/measurements/[^/]+/"))
        run = str(page.url).split("/measurements/")[1].split("/")[0]

        async def ended() -> bool:
            return (await self._api(f"measurements/{run}"))["run"]["state"] not in {"waiting", "running"}

        await until(ended, "the measurement has ended")
        found = await self._api(f"measurements/{run}")
        between = [one for one in found["measurement"]["series"] if f"@{self.names[-1]}" in one["path"] and one["n"]]
        overlay = [one for one in between if one["path"].startswith(OVERLAY)]
        if found["run"]["state"] != "finished" or not overlay:
            raise BenchmarkError(f"nothing was measured between machines: {found['run']}")
        medians = ", ".join(f"{one['column']} {one['path']} p50 {one['p50_us']:.0f} µs" for one in between)
        self._note(f"measured from {self.names[-1]} to {self.names[0]} ({medians})", began)
        await page.reload()
        await self._picture(page, "measurement")

    async def _stop(self, page: Any, origin: str, experiment: str) -> None:
        owner = self.installation.owners[0]
        began = time.monotonic()
        await asyncio.to_thread(owner.post, f"/experiments/{experiment}/stop/")

        async def is_clean() -> bool:
            head = (await self._shown(experiment))["experiment"]
            return head["phase"] == "stopped" and all(one["ok"] for one in head["proof"])

        await until(is_clean, "stopped, and nothing is left")
        for name in self.names:
            # One manager of the swarm has removed the network; the others learn that a moment later.
            await until(
                partial(self._has_no_network, name, experiment), f"no network is left on {name}", deadline_s=10.0
            )
        self._note("the experiment is stopped, and no network is left", began)
        await page.goto(f"{origin}/experiments/{experiment}/")
        await self._picture(page, "stopped")
        await asyncio.to_thread(owner.remove, experiment)

    async def _has_no_network(self, name: str, experiment: str) -> bool:
        machine = self.installation.machines[name].machine
        names = await asyncio.to_thread(machine.run, "docker", "network", "ls", "--format", "{{.Name}}")
        return f"nm-{experiment}" not in names

    async def _end_swarm(self, page: Any, origin: str) -> None:
        await page.goto(f"{origin}/machines/swarm/")
        began = time.monotonic()
        await page.click("#end-swarm")
        await page.wait_for_selector("#form-swarm")
        self._note("the swarm ends", began)
        for name in self.names:
            info = ("docker", "info", "--format", "{{.Swarm.LocalNodeState}}")
            state = (await asyncio.to_thread(self.installation.machines[name].machine.run, *info)).strip()
            if state != "inactive":
                raise BenchmarkError(f"the engine of {name} is {state} in a swarm")


async def _page(browser: Any, origin: str, cookies: Mapping[str, str]) -> Any:
    """Opens a browser page with these cookies for the server at ``origin``."""
    context = await browser.new_context(viewport=LOOKS["light"])
    await context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
    page = await context.new_page()
    page.set_default_timeout(PAGE_MS)
    return page
