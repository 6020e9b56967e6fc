// Follows a run of claims, the machines, or the LANs: fetches the page again and replaces the parts with a new stamp. Opened
// details stay open. While the page cannot be fetched, a notice shows since when.

import { fill, formatClock } from "../../core/format.js";
import { getPage } from "../../io/http.js";
import { createLocalTimes } from "../site_header.js";
import { announce, released, showText, words } from "../dom.js";

const POLL_MS = 900;
const RETRY_MS = 3000;

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  for (const details of fresh.querySelectorAll("details")) {
    const same = details.id ? old.querySelector(`#${CSS.escape(details.id)}`) : old.querySelector("details");
    details.open = same?.open ?? false;
  }
  old.replaceWith(fresh);
  if (!focused) return;
  const target = fresh.querySelector(focused.id ? `#${CSS.escape(focused.id)}` : "summary, button, a");
  (target ?? document.getElementById("main")).focus({ preventScroll: true });
}

function update(main, page) {
  for (const fresh of page.querySelectorAll("[data-part]")) {
    const old = main.querySelector(`[data-part="${CSS.escape(fresh.dataset.part)}"]`);
    if (old && old.dataset.stamp !== fresh.dataset.stamp) replace(old, document.adoptNode(fresh));
  }
}

export function createClaims(main) {
  if (main.dataset.live !== "yes") return;
  const stale = document.createElement("p");
  stale.className = "notice stale";
  stale.setAttribute("role", "status");
  stale.hidden = true;
  main.prepend(stale);
  const poll = async () => {
    let page;
    try {
      page = await getPage(main.dataset.liveUrl ?? location.href);
    } catch {
      const time = formatClock(new Date());
      await released();
      if (stale.hidden) showText(stale, fill(words.stale, { time }));
      setTimeout(poll, RETRY_MS);
      return;
    }
    const current = page.getElementById("main");
    await released();
    showText(stale, "");
    update(main, current);
    createLocalTimes();
    if (current.dataset.live === "yes") {
      setTimeout(poll, document.visibilityState === "visible" ? POLL_MS : RETRY_MS);
      return;
    }
    main.dataset.live = "no";
    for (const button of main.querySelectorAll("button[disabled]")) {
      button.disabled = false;
      button.removeAttribute("aria-disabled");
    }
    announce(main.querySelector('[data-part="progress"] .notice')?.textContent.trim() ?? main.dataset.over);
  };
  setTimeout(poll, POLL_MS);
}
