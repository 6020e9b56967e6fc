// Shows whether the page is live; while it is not, since when, in the badge and above the table.

import { fill, formatClock } from "../../core/format.js";
import { setHidden, setText, slot, words } from "../dom.js";

export function createConnection(main) {
  // Pages of a training session have another badge for the session.
  const badge = main.querySelector(".head [data-connection]");
  const stale = slot(main, "stale");
  let since = null;

  function show(state, text) {
    badge.dataset.connection = state;
    setText(slot(badge, "connection"), text);
    main.classList.toggle("is-stale", state === "lost" || state === "ended");
  }

  return {
    live(phase) {
      since = null;
      const over = phase === "stopped" || phase === "failed";
      show(over ? "stopped" : "live", over ? words.disconnected : words.live);
      setHidden(stale, true);
    },
    lost() {
      since ??= new Date();
      const time = formatClock(since);
      show("lost", fill(words.reconnecting, { time }));
      setText(stale, fill(words.stale, { time }));
      setHidden(stale, false);
    },
    ended(reason) {
      since ??= new Date();
      show("ended", words[reason]);
      setText(stale, fill(words.stale, { time: formatClock(since) }));
      setHidden(stale, false);
    },
  };
}
