// Counts down all timers of the page.

import { formatLeft } from "../../core/training/session.js";
import { setText } from "../dom.js";

/** The server's time minus the browser's, in seconds: the browser's clock may be wrong. The page contains the time at which
 *  the server rendered it, and the browser knows when it arrived. */
function clockDifference() {
  const renderedAt = Number(document.querySelector("[data-server-time]").dataset.serverTime);
  const [navigation] = performance.getEntriesByType("navigation");
  return renderedAt - (Date.now() - performance.now() + (navigation?.responseStart ?? 0)) / 1000;
}

export function createTimers() {
  const difference = clockDifference();

  function tick() {
    const now = Date.now() / 1000 + difference;
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
