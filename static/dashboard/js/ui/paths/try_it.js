// "Try": requests the service over every path and shows the newest results, also those of another tab.

import { fill, formatMicros, formatMoment, visibleText } from "../../core/format.js";
import { countRequested } from "../../core/paths/attempts.js";
import { postForJson } from "../../io/http.js";
import { cloneTemplate, setHidden, setText, showText, slot, words } from "../dom.js";
import { createServerClock } from "../server_clock.js";

/** Sets the text of a slot; hides `box` if the text is empty. */
function setSlot(li, name, text, box = name) {
  setText(slot(li, name), text);
  setHidden(slot(li, box), !text);
}

/** The client of an attempt, as `name_client` of `dashboard.core.paths.attempts` names it. */
function nameClient(origin, columns) {
  if (origin.startsWith("@")) return `machine ${origin.slice(1)}`;
  return columns.find(({ key }) => key === origin)?.title ?? origin;
}

/** The machine that an attempt reached, as `machine_of` of `dashboard.core.paths.attempts`. */
function machineOf(server, columns) {
  return columns.find(({ key }) => key === server)?.machine ?? "";
}

function makeAttempt(attempt) {
  const li = cloneTemplate("template-attempt").querySelector("li");
  li.classList.toggle("bad", Boolean(attempt.error));
  li.classList.toggle("off", Boolean(attempt.unavailable));
  setText(slot(li, "title"), attempt.title);
  setSlot(li, "from", attempt.from ? fill(words.from, { from: attempt.from }) : "");
  setSlot(li, "curl", attempt.curl ?? "", "command-box");
  setText(slot(li, "of"), attempt.title);
  const status = `${attempt.status ?? ""} ${attempt.reason ?? ""}`.trim();
  setHidden(slot(li, "answer"), !status);
  setText(slot(li, "status"), status);
  setText(slot(li, "time"), formatMicros(attempt.time_us));
  setText(slot(li, "client"), attempt.client_seen || "–");
  setSlot(li, "body", visibleText(attempt.body_start ?? ""));
  setSlot(li, "failure", attempt.error ?? "");
  setSlot(li, "unavailable", attempt.unavailable ?? "");
  setText(slot(li, "traced"), attempt.title);
  setHidden(slot(li, "trace"), !attempt.key);
  slot(li, "trace").elements.way.value = attempt.key ?? "";
  return li;
}

/** The attempts of each machine. */
function makeGroups(attempts) {
  const machines = [...new Set(attempts.map(({ machine }) => machine))];
  return machines.map((machine) => {
    const group = cloneTemplate("template-attempts").querySelector("div");
    showText(slot(group, "machine"), machine);
    slot(group, "machine-attempts").replaceChildren(...attempts.filter((one) => one.machine === machine).map(makeAttempt));
    return group;
  });
}

export function createTryIt(main) {
  const form = main.querySelector("[data-try]");
  const state = slot(main, "try-state");
  const button = form.querySelector("button");
  const serverTime = createServerClock();
  let running = false;

  function show(attempts, at) {
    slot(main, "attempts").replaceChildren(...makeGroups(attempts));
    const when = slot(main, "tried-at");
    setHidden(when, at === null);
    if (at === null) return;
    const time = when.querySelector("time");
    time.dateTime = at.toISOString();
    setText(time, formatMoment(at));
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = true;
    button.setAttribute("aria-disabled", "true");
    setText(state, words.trying);
    try {
      const { attempts } = await postForJson(form);
      show(attempts, new Date(serverTime() * 1000)); // without dataset.at, which has the time of stored results
      setText(state, fill(words.tried, { count: countRequested(attempts) }));
    } catch (error) {
      setText(state, fill(words.failed, { reason: error.message }));
    } finally {
      running = false;
      button.removeAttribute("aria-disabled");
    }
  });

  return {
    /** Shows the stored trial, unless the page shows it or a newer one; a new round has none. */
    draw(trial, columns) {
      if (running || trial === null) return;
      if (trial.number === 0) show([], null);
      else if (trial.at > Number(slot(main, "tried-at").dataset.at)) {
        const named = trial.attempts.map((one) => ({
          ...one, from: nameClient(one.origin, columns), machine: machineOf(one.server, columns),
        }));
        show(named, new Date(trial.at * 1000));
        slot(main, "tried-at").dataset.at = String(trial.at);
      }
    },
  };
}
