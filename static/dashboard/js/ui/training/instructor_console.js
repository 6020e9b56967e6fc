// The instructor's pages: whenever something in the class is new they are asked for anew, and put in place region by
// region. Nothing that somebody is typing in is touched.

import { getPart, postQuietly } from "../../io/http.js";
import { connect } from "../../io/socket.js";
import { announce, keepDetailsOpen, setHidden, setText, slot, words } from "../dom.js";
import { createTimers } from "./timer.js";

const REST_MS = 800;
const AGE_MS = 15_000;

function bare(region) {
  const copy = region.cloneNode(true);
  for (const token of copy.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.remove();
  for (const timer of copy.querySelectorAll("[data-ends]")) timer.textContent = "";
  for (const one of copy.querySelectorAll("details.what")) one.removeAttribute("open");
  return copy.innerHTML;
}

export function createConsole(main) {
  const asked = main.querySelectorAll(".asking li[data-participant]");
  let helped = new Set([...asked].map((one) => one.dataset.participant));
  let timer = null;
  let fetching = false;
  let again = false;

  function connection(kind) {
    const chip = slot(main, "connection");
    if (!chip) return;
    chip.dataset.connection = kind;
    setText(slot(chip, "connection-text"), kind === "live" ? words.live : kind === "lost" ? words.session.lost : words.connecting);
  }

  function isInUse(region) {
    const focused = document.activeElement;
    if (region.contains(focused) && focused.matches("input, select, textarea")) return true;
    return region.querySelector("details[open]:not(.what)") !== null;
  }

  function put(fresh) {
    for (const now of fresh.querySelectorAll("[data-region]")) {
      const old = main.querySelector(`[data-region="${now.dataset.region}"]`);
      if (!old || bare(old) === bare(now) || isInUse(old)) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const place = focused ? [...old.querySelectorAll("a, button, summary")].indexOf(focused) : -1;
      const scrolled = old.querySelector(".scroll")?.scrollLeft ?? 0;
      keepDetailsOpen(old, now);
      old.replaceWith(now);
      const scroll = now.querySelector(".scroll");
      if (scroll) scroll.scrollLeft = scrolled;
      if (place >= 0) now.querySelectorAll("a, button, summary")[place]?.focus();
    }
    const participants = [...main.querySelectorAll(".asking li[data-participant]")];
    const fresher = participants.filter((one) => !helped.has(one.dataset.participant));
    if (fresher.length > 0) announce(`${words.session.needsHelp} ${fresher.map((one) => one.querySelector("b").textContent).join(", ")}`);
    helped = new Set(participants.map((one) => one.dataset.participant));
  }

  async function renew() {
    timer = null;
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      put(await getPart(main.dataset.url));
    } catch {
      later(AGE_MS);
    } finally {
      fetching = false;
      if (again) later();
      again = false;
    }
  }

  function later(pause = REST_MS) {
    timer ??= setTimeout(renew, pause);
  }

  main.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-act]");
    if (!form) return;
    event.preventDefault();
    const refused = slot(main, "refused");
    try {
      await postQuietly(form, event.submitter);
      setHidden(refused, true);
      if (form.dataset.act === "clear") form.reset();
      if (form.dataset.act === "quiet") announce(words.session.kept);
      document.activeElement?.blur?.();
      event.submitter?.focus();
      clearTimeout(timer);
      renew();
    } catch (error) {
      setText(refused, error.message);
      setHidden(refused, false);
    }
  });

  createTimers();
  // Who is stuck changes with time alone.
  setInterval(() => later(), AGE_MS);
  connect(main.dataset.session, {
    opened: () => connection("live"),
    message(message) {
      if (message.type === "class" || message.type === "session") {
        connection("live");
        later();
      }
    },
    lost: () => connection("lost"),
    ended: () => location.reload(),
  });
}

/** On the instructor's own view of the comparison a row that is pressed is pointed at. */
export function createPointing(main) {
  const form = main.querySelector("[data-point]");
  if (!form) return;
  main.dataset.pointing = "";
  main.addEventListener("click", async (event) => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, button, summary")) return;
    const pointer = row.dataset.row === main.dataset.pointer ? "" : row.dataset.row;
    form.elements.row.value = pointer;
    await postQuietly(form);
    main.dataset.pointer = pointer;
    (await import("./session.js")).markPointed(main);
  });
}
