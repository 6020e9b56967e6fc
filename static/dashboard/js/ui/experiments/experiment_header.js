// What stands above the columns: title, phase, running time, notices, and the buttons that fit the phase.

import { fill, sayClock, sayDuration } from "../../core/format.js";
import { setHidden, setText, slot, words } from "../dom.js";

export function createHead(main) {
  let head = null;
  let then = null; // the moment that is shown, null for now

  function tick() {
    if (head === null || head.started_at === null) return;
    const end = Math.min(head.stopped_at ?? Infinity, then ?? Date.now() / 1000);
    setText(main.querySelector("[data-elapsed]"), sayDuration(end - head.started_at));
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

  setInterval(tick, 1000);
  return {
    /** `phase` decides which buttons there are: that of now, also where `next` is of the past, as it was `at`. */
    draw(next, { phase = next.phase, at = null } = {}) {
      head = next;
      then = at;
      main.dataset.phase = phase;
      setText(slot(main, "experiment-title"), head.title);
      const chip = slot(main, "phase-chip");
      chip.dataset.phase = head.phase;
      setText(slot(chip, "phase"), words.phases[head.phase] ?? head.phase);
      setHidden(slot(chip, "elapsed"), head.started_at === null);
      tick();
      for (const element of main.querySelectorAll("[data-phases]")) {
        setHidden(element, !element.dataset.phases.split(" ").includes(phase));
      }
      setText(slot(main, "notice"), head.notice);
      setHidden(slot(main, "notice"), !head.notice);
      const problem = slot(main, "problem");
      setText(slot(problem, "problem-text"), head.problem ?? "");
      const since = head.problem_since ? fill(words.since, { time: sayClock(new Date(head.problem_since * 1000)) }) : "";
      setText(slot(problem, "problem-since"), since);
      setHidden(problem, !head.problem);
      const past = slot(main, "as-it-was");
      if (head.as_it_was) setText(past, fill(words.asItWas, { time: new Date(head.as_it_was * 1000).toLocaleString() }));
      setHidden(past, !head.as_it_was);
      setHidden(slot(main, "afterwards"), head.phase !== "stopped" || Boolean(head.as_it_was));
      drawProof(head.proof ?? []);
      setText(slot(main, "progress"), head.progress);
      setHidden(slot(main, "progress-box"), !head.progress);
      const bar = main.querySelector("#progress");
      if (head.fraction === null) bar.removeAttribute("value");
      else bar.value = head.fraction;
    },
  };
}
