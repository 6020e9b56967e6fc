// "Try it": asks the program over every path and shows what came back.

import { fill, formatClock, formatMicros, visibleText } from "../../core/format.js";
import { postForJson } from "../../io/http.js";
import { cloneTemplate, setHidden, setText, slot, words } from "../dom.js";

function put(li, name, text, box = name) {
  setText(slot(li, name), text);
  setHidden(slot(li, box), !text);
}

function makeAttempt(one) {
  const li = cloneTemplate("template-attempt").querySelector("li");
  li.classList.toggle("bad", Boolean(one.error));
  li.classList.toggle("off", Boolean(one.unavailable));
  setText(slot(li, "title"), one.title);
  const from = one.from ?? one.origin;
  put(li, "from", from ? fill(words.from, { from }) : "");
  put(li, "curl", one.curl ?? "", "command-box");
  setText(slot(li, "of"), one.title);
  const answered = one.status !== null && one.status !== undefined;
  setHidden(slot(li, "answer"), !answered);
  setText(slot(li, "status"), answered ? `${one.status} ${one.reason ?? ""}`.trim() : "");
  setText(slot(li, "time"), formatMicros(one.time_us));
  setText(slot(li, "client"), one.client_seen || "–");
  put(li, "body", visibleText(one.body_start ?? ""));
  put(li, "failure", one.error ?? "");
  put(li, "unavailable", one.unavailable ?? "");
  setText(slot(li, "traced"), one.title);
  setHidden(slot(li, "trace"), !one.key);
  slot(li, "trace").elements.way.value = one.key ?? "";
  return li;
}

export function createTryIt(main) {
  const form = main.querySelector("[data-try]");
  const state = slot(main, "try-state");
  const button = form.querySelector("button");
  let running = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = true;
    button.setAttribute("aria-disabled", "true");
    setText(state, words.trying);
    try {
      const { attempts } = await postForJson(form);
      slot(main, "attempts").replaceChildren(...attempts.map(makeAttempt));
      setText(state, fill(words.tried, { count: attempts.length, time: formatClock(new Date()) }));
    } catch (error) {
      setText(state, fill(words.failed, { reason: error.message }));
    } finally {
      running = false;
      button.removeAttribute("aria-disabled");
    }
  });
}
