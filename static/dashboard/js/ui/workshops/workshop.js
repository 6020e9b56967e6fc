// A step of a workshop: each form returns the updated step, which replaces the changed regions of the page. Until the
// step is done the page checks it automatically.

import { getPart, postForPage } from "../../io/http.js";
import { announce, keepDetailsOpen, released, setHidden, words } from "../dom.js";

const FIRST_CHECK_MS = 300;
const FAST_CHECK_MS = 1000;
const SLOW_CHECK_MS = 5000;
/** Automatic checks without a change after which the page checks less often, and after which it stops until it is used or
 *  visible again. */
const SLOW_AFTER = 120;
const STOP_AFTER = 600;
const MEASURED_MS = 1000;
const REGIONS = ["problem", "predict", "run", "findings", "reveal", "picture", "measure", "status", "next", "steps"];

/** A region's markup without the parts that differ in every response. */
function markupOf(region) {
  const copy = region.cloneNode(true);
  for (const token of copy.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.remove();
  for (const outcome of copy.querySelectorAll("[data-outcome]")) outcome.replaceChildren();
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  for (const button of copy.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  return copy.innerHTML;
}

function region(root, name) {
  return root.querySelector(`[data-region="${name}"]`);
}

export function createWorkshopStep(main) {
  const step = main.querySelector("[data-step]");
  const checkForm = step.querySelector('[data-act="check"]');
  let checking = null;
  let pending = 0;
  let queue = Promise.resolve();
  let timer = 0;
  let unchanged = 0;
  let measuring = 0;

  /** Updates the page; returns whether anything has changed. Outputs of commands are kept. */
  function update(response) {
    const fresh = response.querySelector("[data-step]");
    let changed = false;
    for (const name of REGIONS) {
      const old = region(step, name);
      const updated = region(fresh, name);
      if (!old || !updated || markupOf(old) === markupOf(updated)) continue;
      changed = true;
      const controls = () => [...old.querySelectorAll("button, a[href], input:not([type=hidden])")];
      const focused = old.contains(document.activeElement);
      const place = controls().indexOf(document.activeElement);
      for (const outcome of old.querySelectorAll("[data-outcome]")) {
        const target = updated.querySelector(`[data-outcome="${outcome.dataset.outcome}"]`);
        if (target && target.childElementCount === 0) target.replaceChildren(...outcome.childNodes);
      }
      const unfolded = old.querySelector("details.folded[open]") !== null;
      keepDetailsOpen(old, updated);
      old.replaceChildren(...updated.childNodes);
      if (unfolded) old.querySelector("details.folded")?.setAttribute("open", "");
      if (focused) (controls()[place] ?? old.querySelector('h2[tabindex="-1"], button, a[href]'))?.focus();
    }
    const before = step.dataset.stage;
    step.dataset.stage = fresh.dataset.stage;
    const onCheck = checkForm.contains(document.activeElement);
    setHidden(checkForm, step.dataset.stage !== "run");
    if (before !== step.dataset.stage) {
      if (step.dataset.stage === "run") (step.querySelector("#run-title") ?? checkForm.querySelector("button")).focus();
      if (step.dataset.stage === "done") {
        announce(words.stepDone);
        if (onCheck) step.querySelector("[data-next]")?.focus();
      }
    }
    return changed;
  }

  /** Checks automatically, unless a form was submitted: forms abort a running check and are sent one after another. */
  async function check() {
    if (document.hidden || pending > 0 || step.dataset.stage !== "run" || !checkForm.matches("[data-auto]")) return;
    checking = new AbortController();
    try {
      const fresh = await postForPage(checkForm, checking.signal, { auto: "1" }, "[data-step]");
      await released();
      const changed = update(fresh);
      unchanged = changed ? 0 : unchanged + 1;
      if (step.dataset.stage === "done") reveal(region(step, "reveal")); // on a phone it is below the fold
    } catch (error) {
      if (error.name === "AbortError") return;
      unchanged += 5;
      // A failure that repeats is not announced again.
      if (region(step, "problem").textContent !== error.message) showProblem(error.message);
    }
  }

  /** Fetches the step and replaces what has changed. */
  async function refresh() {
    const fresh = await getPart(location.pathname);
    await released();
    update(fresh);
  }

  /** Replaces what has changed until the measurement of this step has ended. */
  async function followMeasurement() {
    clearTimeout(measuring);
    if (!step.querySelector("[data-measuring]")) return;
    try {
      if (!document.hidden && pending === 0) await refresh();
    } catch {
      // The next request shows whether the server is back.
    }
    if (step.querySelector("[data-measuring]")) measuring = setTimeout(followMeasurement, MEASURED_MS);
    else announce(step.querySelector(".headline")?.textContent ?? "");
  }

  /** Scrolls a result into the part of the window that the bar leaves free. */
  function reveal(element) {
    element?.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  function submit(form) {
    checking?.abort();
    pending += 1;
    const response = queue.then(() => postForPage(form, undefined, {}, "[data-step]")).finally(() => {
      pending -= 1;
    });
    queue = response.catch(() => {});
    return response;
  }

  function showProblem(sentence) {
    const notice = document.createElement("p");
    notice.className = "notice bad";
    notice.setAttribute("role", "alert");
    notice.textContent = sentence;
    region(step, "problem").replaceChildren(notice);
  }

  function scheduleCheck(delay) {
    clearTimeout(timer);
    if (step.dataset.stage === "done" || unchanged > STOP_AFTER || step.querySelector("[data-session-forms]:disabled")) return;
    timer = setTimeout(async () => {
      await check();
      scheduleCheck(unchanged > SLOW_AFTER ? SLOW_CHECK_MS : FAST_CHECK_MS);
    }, delay);
  }

  main.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-act]");
    if (form === null) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    if (button?.getAttribute("aria-disabled") === "true") return;
    button?.setAttribute("aria-disabled", "true");
    unchanged = 0;
    clearTimeout(timer);
    if (form.dataset.act !== "hint") announce(words.asking);
    try {
      const response = await submit(form);
      const outcome = response.querySelector(".outcome:has(*)");
      update(response);
      if (outcome) step.querySelector(`[data-outcome="${outcome.dataset.outcome}"]`)?.replaceChildren(...outcome.childNodes);
      if (form.dataset.act === "check") {
        if (step.dataset.stage !== "done") announce(step.querySelector("#advice")?.textContent ?? "");
        reveal(region(step, step.dataset.stage === "done" ? "reveal" : "findings"));
      } else if (form.dataset.act === "run") {
        const shown = step.querySelector(`[data-outcome="${form.elements.number.value}"]`);
        announce(shown?.textContent.trim().slice(0, 300) ?? "");
        reveal(step.dataset.stage === "done" ? region(step, "reveal") : shown);
      } else if (form.dataset.act === "measure") {
        reveal(region(step, "measure"));
        followMeasurement();
      }
    } catch (error) {
      showProblem(error.message);
    } finally {
      button?.removeAttribute("aria-disabled");
      scheduleCheck(FIRST_CHECK_MS);
    }
  });

  // Sent in a training session when something has changed for all participants.
  main.addEventListener("look-again", () => {
    unchanged = 0;
    if (step.dataset.stage === "run") scheduleCheck(0);
    // In the order of forms, so that an older state never replaces a newer one.
    else queue = queue.then(refresh).catch(() => {});
  });

  const hintForm = step.querySelector('[data-act="hint"]');
  step.addEventListener("toggle", (event) => {
    const number = event.target.dataset?.hint;
    if (!number || !event.target.open || !hintForm) return;
    hintForm.elements.number.value = number;
    hintForm.requestSubmit();
  }, true);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unchanged = 0;
    scheduleCheck(FIRST_CHECK_MS);
  });
  scheduleCheck(FIRST_CHECK_MS);
  followMeasurement();
}

export function createPrinting(main) {
  main.querySelector("[data-print]")?.addEventListener("click", () => print());
}
