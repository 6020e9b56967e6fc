// Hints of the instructor over the page, so that nobody scrolls for them. They stay, also on the next page, until they
// are dismissed; the browser remembers the time of the newest dismissed one.

import { hintsToShow, newestAt } from "../../core/training/session.js";
import { recall, remember } from "../../io/storage.js";
import { cloneTemplate, slot } from "../dom.js";

/** `itemOf` makes the list item of a message. */
export function createToast(bar, itemOf) {
  const toast = slot(bar, "toast");
  const key = `hints:${bar.dataset.session}`;
  let dismissedAt = null;
  let shown = "";

  function dismiss(messages) {
    dismissedAt = newestAt(messages);
    remember(key, dismissedAt);
    shown = "";
    toast.replaceChildren();
  }

  return function show(messages) {
    if (!toast) return;
    if (dismissedAt === null) {
      // Messages from before the first page was opened are only in the list of messages.
      dismissedAt = Number(recall(key) ?? newestAt(messages));
      if (recall(key) === null) remember(key, dismissedAt);
    }
    const hints = hintsToShow(messages, dismissedAt);
    const now = hints.map((hint) => `${hint.at} ${hint.text}`).join("\n");
    if (now === shown) return;
    shown = now;
    if (hints.length === 0) {
      toast.replaceChildren();
      return;
    }
    const content = cloneTemplate("template-toast");
    slot(content, "toast-hints").append(...hints.map(itemOf));
    slot(content, "dismiss").addEventListener("click", () => dismiss(messages));
    toast.replaceChildren(content);
  };
}
