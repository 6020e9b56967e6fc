// Counts down all timers of the page.

import { formatLeft } from "../../core/training/session.js";
import { setText } from "../dom.js";

export function createTimers() {
  function tick() {
    for (const timer of document.querySelectorAll("[data-ends]")) {
      const ends = Number(timer.dataset.ends);
      if (!ends) continue;
      setText(timer, formatLeft(ends, Date.now() / 1000));
      timer.classList.toggle("over", ends <= Date.now() / 1000);
    }
  }
  setInterval(tick, 500);
  tick();
}
