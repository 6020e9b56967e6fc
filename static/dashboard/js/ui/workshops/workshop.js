// A step of a workshop: what its forms answer is the step as it is then; it is put in place region by region. While
// the step is not done the page asks by itself whether anything has changed.

import { postForPage } from "../../io/http.js";
import { announce, keepDetailsOpen, setHidden, words } from "../dom.js";

const FIRST_MS = 300;
const SOON_MS = 1000;
const LATER_MS = 5000;
/** So many looks without a change, and the page looks less often; so many more, and it stops. */
const PATIENCE = 120;
const LAST = 600;
const REGIONS = ["problem", "predict", "run", "findings", "reveal", "steps"];

/** A region's markup without what differs in every answer. */
function markupOf(region) {
  const copy = region.cloneNode(true);
  for (const token of copy.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.remove();
  for (const outcome of copy.querySelectorAll("[data-outcome]")) outcome.replaceChildren();
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  return copy.innerHTML;
}

function region(root, name) {
  return root.querySelector(`[data-region="${name}"]`);
}

export function createWorkshopStep(main) {
  const step = main.querySelector("[data-step]");
  const card = step.querySelector("[data-check-card]");
  const checkForm = step.querySelector('[data-act="check"]');
  let looking = null;
  let pressed = 0;
  let turn = Promise.resolve();
  let timer = 0;
  let quiet = 0;

  /** Puts the answer in place; returns whether anything has changed. Outputs of buttons stay where they are. */
  function show(answer) {
    const fresh = answer.querySelector("[data-step]");
    let changed = false;
    for (const name of REGIONS) {
      const old = region(step, name);
      const now = region(fresh, name);
      if (!old || !now || markupOf(old) === markupOf(now)) continue;
      changed = true;
      const focused = old.contains(document.activeElement);
      for (const outcome of old.querySelectorAll("[data-outcome]")) {
        const place = now.querySelector(`[data-outcome="${outcome.dataset.outcome}"]`);
        if (place && place.childElementCount === 0) place.replaceChildren(...outcome.childNodes);
      }
      const unfolded = old.querySelector("details.folded[open]") !== null;
      keepDetailsOpen(old, now);
      old.replaceChildren(...now.childNodes);
      if (unfolded) old.querySelector("details.folded")?.setAttribute("open", "");
      if (focused) old.querySelector('h2[tabindex="-1"], a[href]')?.focus();
    }
    const before = step.dataset.stage;
    step.dataset.stage = fresh.dataset.stage;
    setHidden(card, step.dataset.stage === "predict");
    if (before !== step.dataset.stage) {
      if (step.dataset.stage === "run") (step.querySelector("#run-title") ?? checkForm.querySelector("button")).focus();
      if (step.dataset.stage === "done") announce(words.stepDone);
    }
    return changed;
  }

  /** A look gives way to whatever is pressed; what is pressed waits for what was pressed before. */
  async function look() {
    if (document.hidden || pressed > 0 || step.dataset.stage !== "run" || !card.querySelector("[data-auto]")) return;
    looking = new AbortController();
    try {
      const changed = show(await postForPage(checkForm, looking.signal, { auto: "1" }, "[data-step]"));
      quiet = changed ? 0 : quiet + 1;
    } catch (error) {
      if (error.name !== "AbortError") quiet += 5;
    }
  }

  function press(form) {
    looking?.abort();
    pressed += 1;
    const mine = turn.then(() => postForPage(form, undefined, {}, "[data-step]")).finally(() => {
      pressed -= 1;
    });
    turn = mine.catch(() => {});
    return mine;
  }

  function fail(sentence) {
    const notice = document.createElement("p");
    notice.className = "notice bad";
    notice.setAttribute("role", "alert");
    notice.textContent = sentence;
    region(step, "problem").replaceChildren(notice);
  }

  function lookLater(pause) {
    clearTimeout(timer);
    if (step.dataset.stage === "done" || quiet > LAST) return;
    timer = setTimeout(async () => {
      await look();
      lookLater(quiet > PATIENCE ? LATER_MS : SOON_MS);
    }, pause);
  }

  main.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-act]");
    if (form === null) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    if (button?.getAttribute("aria-disabled") === "true") return;
    button?.setAttribute("aria-disabled", "true");
    quiet = 0;
    clearTimeout(timer);
    if (form.dataset.act !== "hint") announce(words.asking);
    try {
      const answer = await press(form);
      const outcome = answer.querySelector(".outcome:has(*)");
      show(answer);
      if (outcome) step.querySelector(`[data-outcome="${outcome.dataset.outcome}"]`)?.replaceChildren(...outcome.childNodes);
      if (form.dataset.act === "check" && step.dataset.stage !== "done") {
        announce(step.querySelector("#advice")?.textContent ?? "");
      } else if (form.dataset.act === "run") {
        announce(step.querySelector(`[data-outcome="${form.elements.number.value}"]`)?.textContent.trim().slice(0, 300) ?? "");
      }
    } catch (error) {
      fail(error.message);
    } finally {
      button?.removeAttribute("aria-disabled");
      lookLater(FIRST_MS);
    }
  });

  // In a class something may have changed for everybody.
  main.addEventListener("look-again", () => {
    quiet = 0;
    lookLater(0);
  });

  const hintForm = step.querySelector('[data-act="hint"]');
  step.addEventListener("toggle", (event) => {
    const number = event.target.dataset?.hint;
    if (!number || !event.target.open || !hintForm) return;
    hintForm.elements.number.value = number;
    hintForm.requestSubmit();
  }, true);

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) lookLater(FIRST_MS);
  });
  lookLater(FIRST_MS);
}

export function createPrinting(main) {
  main.querySelector("[data-print]")?.addEventListener("click", () => print());
}
