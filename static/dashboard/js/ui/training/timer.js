// Counts down all timers of the page.

import { formatLeft } from "../../core/training/session.js";
import { setText } from "../dom.js";
import { createServerClock } from "../server_clock.js";

export function createTimers() {
  const serverTime = createServerClock();

  function tick() {
    const now = serverTime();
    for (const timer of document.querySelectorAll("[data-ends]")) {
      const ends = Number(timer.dataset.ends);
      if (!ends) continue;
      setText(timer, formatLeft(ends, now));
      timer.classList.toggle("over", ends <= now);
    }
  }
  setInterval(tick, 500);
  tick();
}
