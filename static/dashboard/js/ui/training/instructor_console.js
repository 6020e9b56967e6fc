// The instructor's pages: after a change the page is fetched and replaced region by region. A region with focused input
// or a form that is being sent is not replaced; in others, input that has not been sent is kept.

import { getPart, postQuietly } from "../../io/http.js";
import { connect } from "../../io/socket.js";
import { announce, keepDetailsOpen, released, setHidden, setText, slot, words } from "../dom.js";
import { createTimers } from "./timer.js";

const FETCH_DELAY_MS = 800;
const MAX_AGE_MS = 15_000;

/** The HTML of a region without what differs on every fetch. */
function comparable(region) {
  const copy = region.cloneNode(true);
  for (const token of copy.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.remove();
  for (const timer of copy.querySelectorAll("[data-ends]")) timer.textContent = "";
  for (const one of copy.querySelectorAll("details.what")) one.removeAttribute("open");
  return copy.innerHTML;
}

/** Names a field: the form's address and the field's name. */
function fieldKey(field) {
  return `${field.form?.action} ${field.name}`;
}

/** Enters input that has not been sent in the region that replaces its own, unless a list no longer has the option. Boxes
 *  are left alone: several have one name, and their values are not input. */
function enterAgain(entered, fresh) {
  for (const field of fresh.querySelectorAll("input:not([type=checkbox], [type=radio]), select, textarea")) {
    const value = entered.get(fieldKey(field));
    if (value === undefined || (field.options && ![...field.options].some((one) => one.value === value))) continue;
    field.value = value;
  }
}

/** Moves the focus after its region was replaced: to the same control, or to the heading if it is gone. */
function focusAgain(focused, fresh) {
  const key = (one) => `${one.tagName} ${one.form?.action ?? one.href ?? one.textContent.trim()} ${one.name ?? ""}`;
  const same = [...fresh.querySelectorAll("a, button, summary")].filter((one) => key(one) === key(focused));
  const heading = fresh.querySelector("h2");
  if (heading) heading.tabIndex = -1;
  (same.find((one) => one.value === focused.value) ?? same[0] ?? heading)?.focus({ preventScroll: true });
}

export function createConsole(main) {
  const asking = () => [...main.querySelectorAll(".asking li[data-participant]")];
  let helped = new Set(asking().map((item) => item.dataset.participant));
  let timer = null;
  let fetching = false;
  let again = false;
  const sending = new WeakSet(); // forms whose response has not arrived
  const entered = new Map(); // input that has not been sent, by the key of its field

  function connection(kind) {
    const badge = slot(main, "connection");
    if (!badge) return;
    badge.dataset.connection = kind;
    setText(slot(badge, "connection-text"), kind === "live" ? words.live : kind === "lost" ? words.session.lost : words.connecting);
  }

  function isInUse(region) {
    const focused = document.activeElement;
    if (region.contains(focused) && focused.matches("input, select, textarea")) return true;
    if ([...region.querySelectorAll("form")].some((form) => sending.has(form))) return true;
    return region.querySelector("details[open]:not(.what)") !== null;
  }

  function replaceRegions(fresh) {
    for (const now of fresh.querySelectorAll("[data-region]")) {
      const old = main.querySelector(`[data-region="${now.dataset.region}"]`);
      if (!old || comparable(old) === comparable(now) || isInUse(old)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
      keepDetailsOpen(old, now);
      enterAgain(entered, now);
      old.replaceWith(now);
      const scroll = now.querySelector(".scroll");
      if (scroll) scroll.scrollLeft = scrolled;
      if (focused) focusAgain(focused, now);
    }
    const added = asking().filter((item) => !helped.has(item.dataset.participant));
    if (added.length > 0) announce(`${words.session.needsHelp} ${added.map((item) => item.querySelector("b").textContent).join(", ")}`);
    helped = new Set(asking().map((item) => item.dataset.participant));
  }

  async function refresh() {
    timer = null;
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      const fresh = await getPart(main.dataset.url);
      await released();
      replaceRegions(fresh);
    } catch {
      later(MAX_AGE_MS);
    } finally {
      fetching = false;
      if (again) later();
      again = false;
    }
  }

  function later(pause = FETCH_DELAY_MS) {
    timer ??= setTimeout(refresh, pause);
  }

  main.addEventListener("input", ({ target }) => {
    entered.set(fieldKey(target), target.value);
    if (target.form) setText(slot(target.form, "saved"), "");
  });
  main.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-act]");
    if (!form) return;
    event.preventDefault();
    if (sending.has(form)) return;
    sending.add(form);
    const refused = slot(main, "refused");
    try {
      await postQuietly(form, event.submitter);
      setHidden(refused, true);
      if (form.dataset.act === "clear") form.reset();
      if (form.dataset.act === "quiet") {
        setText(slot(form, "saved"), words.session.saved);
        announce(words.session.saved);
      }
      for (const field of form.elements) entered.delete(fieldKey(field));
      // The focus may have moved to another form before the response; it stays there.
      const focused = document.activeElement;
      if (focused === document.body || form.contains(focused)) {
        focused.blur();
        event.submitter?.focus();
      }
      clearTimeout(timer);
      refresh();
    } catch (error) {
      setText(refused, error.message);
      setHidden(refused, false);
    } finally {
      sending.delete(form);
    }
  });

  createTimers();
  // Whether a participant is stuck depends on the time, so no message announces it.
  setInterval(() => later(), MAX_AGE_MS);
  connect(main.dataset.session, {
    opened: () => connection("live"),
    message(message) {
      if (message.type === "progress" || message.type === "session") {
        connection("live");
        later();
      }
    },
    lost: () => connection("lost"),
    ended: () => location.reload(),
  });
}

/** On the instructor's view of the comparison, a click on a row points at it. */
export function createPointing(main) {
  const form = main.querySelector("[data-point]");
  if (!form) return;
  const refused = slot(form, "refused");
  main.dataset.pointing = "";
  main.addEventListener("click", async (event) => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, button, summary")) return;
    const pointer = row.dataset.row === main.dataset.pointer ? "" : row.dataset.row;
    try {
      // The form's own row remains empty: its button stops the pointing.
      await postQuietly(form, null, { row: pointer });
    } catch (error) {
      setText(refused, error.message);
      setHidden(refused, false);
      return;
    }
    setHidden(refused, true);
    main.dataset.pointer = pointer;
    (await import("./session.js")).markPointed(main);
  });
}
