// All pages of a participant: the bar at the top follows the session. Actions are forms; this only listens.

import { followTo, isOutdated, spread } from "../../core/training/session.js";
import { getPage } from "../../io/http.js";
import { connect } from "../../io/socket.js";
import { drawHistogram } from "../measurements/histogram.js";
import { announce, keepDetailsOpen, released, setHidden, setText, slot, words } from "../dom.js";
import { createTimers } from "./timer.js";
import { createToast } from "./toast.js";

const STEP_PARTS = ["problem", "predict", "run", "reveal", "steps", "status", "next"];

export function createSession(main) {
  const bar = main.querySelector("[data-session]");
  const says = words.session;
  const step = bar.dataset.stepSlug;
  const watched = main.dataset.page === "watched-step";
  const isLobby = main.dataset.page === "lobby";
  // The state of the session in the page's HTML. It may have changed before the first message.
  const rendered = {
    step: bar.dataset.currentStep,
    open_until: Number(bar.dataset.openUntil),
    revealed: bar.dataset.revealed.split(" "),
    locked: slot(bar, "locked")?.hidden === false,
    closed: !slot(bar, "closed").hidden,
  };
  let state = null;
  let own = null;
  let asking = null;
  let moving = null; // the timer of a move to the instructor's step
  let messages = null;
  const showToast = createToast(bar, messageItem);

  function connection(kind) {
    const badge = slot(bar, "connection");
    badge.dataset.connection = kind;
    setText(slot(badge, "connection-text"), kind === "live" ? words.live : kind === "lost" ? says.lost : words.connecting);
  }

  /** Fetches the step and replaces its regions; a step with commands replaces its own. */
  async function fetchStep() {
    if (main.dataset.page === "step") {
      main.dispatchEvent(new CustomEvent("look-again"));
      return;
    }
    const fresh = await getPage(location.pathname);
    await released();
    main.querySelector("[data-step]").dataset.stage = fresh.querySelector("[data-step]")?.dataset.stage ?? "";
    for (const name of STEP_PARTS) {
      const old = main.querySelector(`[data-region="${name}"]`);
      const now = fresh.querySelector(`[data-region="${name}"]`);
      if (!old || !now || old.querySelector("form :checked")) continue;
      keepDetailsOpen(old, now);
      const focused = old.contains(document.activeElement);
      old.replaceChildren(...now.childNodes);
      if (focused) old.querySelector('h2[tabindex="-1"], a[href], summary')?.focus({ preventScroll: true });
    }
  }

  /** Fetches the lobby and replaces its list of participants. */
  async function fetchPeople() {
    const fresh = await getPage(location.pathname);
    main.querySelector("ul.people")?.replaceChildren(...(fresh.querySelector("ul.people")?.childNodes ?? []));
  }

  function delay() {
    return spread(state?.participants ?? 1, Math.random());
  }

  function later(what) {
    clearTimeout(asking);
    asking = setTimeout(() => what().catch(() => {}), delay());
  }

  /** Whether an answer or a question is being entered; it would be lost with the page. */
  function isBusy() {
    const question = bar.querySelector("#help-text");
    const isAsking = question !== null && (question === document.activeElement || question.value.trim() !== "");
    return isAsking || main.querySelector('form:not(.help-form) input[type="radio"]:checked') !== null;
  }

  /** Links to the instructor's step, unless it is the step of this page. */
  function showMoved() {
    const link = slot(bar, "moved-link");
    link.href = slot(bar, "now").href;
    setText(link, `${state.number}. ${state.step_title}`);
    setHidden(slot(bar, "moved"), state.step === step);
  }

  /** Moves to the step that is the instructor's when the delay ends. */
  function moveLater() {
    clearTimeout(asking);
    moving ??= setTimeout(() => {
      moving = null;
      if (isBusy()) showMoved();
      else location.assign(`${bar.dataset.home}steps/${state.step}/`);
    }, delay());
  }

  function stay() {
    clearTimeout(moving);
    moving = null;
  }

  function drawState(next) {
    const last = state;
    const before = last ?? rendered;
    state = next;
    const now = slot(bar, "now");
    if (now) {
      now.href = `${bar.dataset.home}steps/${next.step}/`;
      if (next.step === step) now.setAttribute("aria-current", "step");
      else now.removeAttribute("aria-current");
      setText(slot(bar, "now-title"), `${next.number}. ${next.step_title}`);
      const timer = slot(bar, "timer");
      timer.dataset.ends = next.timer_ends_at;
      setHidden(timer, !next.timer_ends_at);
      setHidden(slot(bar, "locked"), !next.locked);
      setHidden(slot(bar, "mirror"), !next.mirror);
    }
    setHidden(slot(bar, "closed"), !next.closed);
    if (next.closed) close();
    const counts = ["present", "participants"].map((name) => [slot(main, name), String(next[name])]);
    const peopleChanged = counts.some(([place, count]) => place && place.textContent !== count);
    for (const [place, count] of counts) setText(place, count);
    const go = slot(main, "go");
    if (go) go.href = now.href;
    const card = main.querySelector("[data-session-predictions]");
    if (card && next.histogram && next.histogram.step === step) {
      drawHistogram(card.querySelector("[data-histogram]"), next.histogram);
      if (card.hidden) announce(says.revealed);
      setHidden(card, false);
    }
    if (last && last.hint?.at !== next.hint?.at && next.hint && messages) drawMessages([...messages, next.hint]);
    if (last?.mirror === false && next.mirror) announce(says.mirrorShown);
    point(next.pointer);
    const target = followTo(before, next, { step, isLobby, busy: isBusy(), moving: moving !== null });
    if (target === null) stay();
    if (target) moveLater();
    else if (before.step !== next.step && step && next.pace === "together") showMoved();
    else if (!next.closed && isOutdated(before, next, step)) later(fetchStep);
    else if (peopleChanged) later(fetchPeople);
  }

  function point(pointer) {
    const pointed = slot(main, "pointed");
    if (!pointed || main.dataset.pointer === pointer) return;
    main.dataset.pointer = pointer;
    markPointed(main);
  }

  function messageItem(message) {
    const line = document.createElement("li");
    line.className = message.from_instructor ? "theirs" : "mine";
    const who = document.createElement("b");
    who.textContent = !message.from_instructor ? says.you : message.to_all ? says.toAll : says.toYou;
    line.append(who, " ", message.text);
    return line;
  }

  function drawMessages(next) {
    messages = next;
    slot(bar, "messages")?.replaceChildren(...messages.slice(-3).map(messageItem));
    showToast(messages);
  }

  /** The session is closed: forms are disabled and timers stop. */
  function close() {
    for (const forms of main.querySelectorAll("[data-session-forms]")) forms.disabled = true;
    for (const name of ["help", "host-forms", "timer", "locked"]) setHidden(slot(bar, name), true);
  }

  function drawOwn(next) {
    const isEnded = next.closed && !next.admitted && slot(bar, "closed").hidden;
    if (isEnded || (own ? own.admitted : bar.dataset.admitted === "yes") !== next.admitted) {
      location.reload();
      return;
    }
    own = next;
    setText(slot(document, "my-name"), next.name);
    drawMessages(next.messages);
    const hand = slot(bar, "hand-word");
    if (hand) setText(hand, next.hand ? says.handUp : says.askHelp);
    const host = slot(bar, "host");
    if (host && next.host) {
      const was = host.dataset.stage;
      host.dataset.stage = next.host;
      setText(slot(host, "host-word"), says.hosts[next.host] ?? next.host);
      // The place in the queue is only in the page's HTML.
      if (next.host !== "queued" || was !== "queued") setText(slot(host, "host-text"), next.host_text);
      host.querySelector(".dot").classList.toggle("away", next.host !== "ready");
      const start = slot(host, "host-start");
      if (start) setHidden(start, !next.host_can_start);
      const reset = slot(host, "host-reset");
      if (reset) setHidden(reset, next.host !== "ready" && next.host !== "failed");
      if (was !== "ready" && next.host === "ready") {
        announce(says.hostReady);
        if (main.dataset.page === "lab" && !main.querySelector("[data-launch]")) location.reload();
      }
    }
  }

  createTimers();
  if (step && bar.dataset.admitted === "yes" && slot(bar, "closed").hidden) {
    const token = main.querySelector('[name="csrfmiddlewaretoken"]')?.value ?? "";
    fetch(`${bar.dataset.home}steps/${step}/opened/`, { method: "POST", headers: { "X-CSRFToken": token } }).catch(() => {});
  }
  if (watched) createWatched(main);
  connect(bar.dataset.session, {
    opened: () => connection("connecting"),
    message(message) {
      if (message.type === "session") {
        connection("live");
        drawState(message);
      } else if (message.type === "participant") {
        connection("live");
        drawOwn(message);
      }
    },
    lost: () => connection("lost"),
    ended: () => location.reload(),
  });
}

/** Without hosts a prediction is an ordinary form, and a second submit is prevented. A form that the form guard has held
 *  back until the server answered is submitted again. */
function createWatched(main) {
  main.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.getAttribute("aria-disabled") === "true") event.preventDefault();
    else setTimeout(() => event.defaultPrevented || button?.setAttribute("aria-disabled", "true"));
  });
}

/** Highlights the row that the instructor points at, and scrolls to it. */
export function markPointed(main) {
  const pointer = main.dataset.pointer ?? "";
  const pointed = slot(main, "pointed");
  for (const row of main.querySelectorAll("[data-pointed]")) row.removeAttribute("data-pointed");
  setHidden(pointed, !pointer);
  if (!pointer) return;
  const [section, ...rest] = pointer.split("/");
  setText(slot(pointed, "pointed-row"), `${section}: ${rest.join(" ")}`);
  const row = [...main.querySelectorAll("tr[data-row]")].find((one) => one.dataset.row === pointer);
  if (!row) return;
  row.dataset.pointed = "";
  row.scrollIntoView({ block: "center" });
}

/** Keeps the highlight on its row while rows are added and removed. */
export function createPointed(main) {
  const table = main.querySelector("[data-table]");
  const all = main.querySelector("#only-differences");
  if (main.dataset.pointer && all?.checked) {
    const row = [...main.querySelectorAll("tr[data-row]")].find((one) => one.dataset.row === main.dataset.pointer);
    if (!row || row.hidden) all.click();
  }
  new MutationObserver(() => {
    const row = [...table.querySelectorAll("tr[data-row]")].find((one) => one.dataset.row === main.dataset.pointer);
    if (row && row.dataset.pointed === undefined) row.dataset.pointed = "";
  }).observe(table, { childList: true, subtree: true });
  markPointed(main);
}
