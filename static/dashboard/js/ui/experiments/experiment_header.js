// The header of an experiment: title, phase, running time, notices, and the buttons of the phase.

import { fill, formatClock, formatDuration, formatMoment } from "../../core/format.js";
import { followsEngine, stopNotice } from "../../core/experiments/phase_badge.js";
import { setHidden, setText, showText, slot, words } from "../dom.js";
import { createServerClock } from "../server_clock.js";

export function createExperimentHeader(main) {
  const onServerEngine = main.dataset.serverEngine !== undefined;
  const serverTime = createServerClock();
  let head = null;
  let then = null; // the past moment that is shown, or null
  let engineAway = false; // what this page has shown in the badge of the engine

  function tick() {
    if (head === null || head.started_at === null) return;
    const end = head.stopped_at ?? then ?? serverTime();
    setText(main.querySelector("[data-elapsed]"), formatDuration(end - head.started_at));
  }

  function drawProof(checks) {
    const box = slot(main, "proof-box");
    const list = slot(main, "proof");
    list.replaceChildren(...checks.map((check) => {
      const item = document.createElement("li");
      item.className = check.ok ? "yes" : "no";
      const name = document.createElement("b");
      name.textContent = check.name;
      item.append(name, " ", check.detail);
      return item;
    }));
    setHidden(box, checks.length === 0);
  }

  /** Draws the badge of the server's engine in the header of the page; the badge of an engine that has not answered yet
   * has no name and is left alone. */
  function drawEngine(away) {
    engineAway = Boolean(away);
    const badge = document.querySelector('[data-engine]:not([data-engine=""])');
    if (badge === null || away === undefined) return;
    badge.querySelector(".dot").classList.toggle("bad", away);
    const engine = badge.dataset.engine;
    setText(slot(badge, "engine-text"), away ? fill(words.engineAway, { engine }) : engine);
  }

  /** The name may be changed in another tab; a name that is being typed here stays. */
  function drawTitle(title) {
    const heading = slot(main, "experiment-title");
    if (!title || heading.textContent === title) return;
    document.title = document.title.replace(heading.textContent, () => title);
    heading.textContent = title;
    const input = document.getElementById("rename-title");
    if (input === null) return;
    const typed = input.value !== input.defaultValue;
    input.defaultValue = title;
    if (!typed) input.value = title;
  }

  setInterval(tick, 1000);
  return {
    /** `phase` decides which buttons are shown: the current one, also if `next` is a past state, of the time `at`. */
    draw(next, { phase = next.phase, at = null } = {}) {
      head = next;
      then = at;
      drawTitle(head.title);
      main.dataset.phase = phase;
      const badge = slot(main, "phase-badge");
      badge.dataset.phase = head.phase;
      setHidden(slot(badge, "elapsed"), head.started_at === null);
      tick();
      const focused = document.activeElement;
      for (const element of main.querySelectorAll("[data-phases]")) {
        setHidden(element, !element.dataset.phases.split(" ").includes(phase));
      }
      // The button that was pressed is gone: what it has done is beside it.
      if (focused?.closest("[data-phases][hidden]")) badge.focus({ preventScroll: true });
      setHidden(slot(main, "private-host"), !head.private);
      showText(slot(main, "notice"), head.notice);
      const problem = slot(main, "problem");
      setText(slot(problem, "problem-text"), head.problem ?? "");
      const since = head.problem_since ? fill(words.since, { time: formatClock(new Date(head.problem_since * 1000)) }) : "";
      setText(slot(problem, "problem-since"), since);
      setHidden(slot(problem, "start-engine"), !head.startable);
      if (followsEngine(head, at, engineAway, onServerEngine)) drawEngine(head.engine_away);
      setHidden(problem, !head.problem);
      const past = slot(main, "as-it-was");
      if (head.as_it_was) setText(past, fill(words.asItWas, { time: formatMoment(new Date(head.as_it_was * 1000)) }));
      setHidden(past, !head.as_it_was);
      for (const name of ["afterwards", "last-recorded"]) setHidden(slot(main, name), stopNotice(head) !== name);
      drawProof(head.proof ?? []);
    },
  };
}
