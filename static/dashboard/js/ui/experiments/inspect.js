// "Inspect": runs a command inside a column's namespace and streams its output.

import { fill, formatClock, visibleText } from "../../core/format.js";
import { postForText } from "../../io/http.js";
import { setHidden, setText, slot, words } from "../dom.js";

const MAX_OUTPUT = 200_000;

export function createInspect(main, table) {
  const form = main.querySelector("[data-inspect]");
  const command = form.elements.command;
  const name = form.elements.name;
  const cancel = form.querySelector("[data-cancel]");
  const run = form.querySelector("[data-run]");
  const state = slot(main, "inspect-state");
  const output = slot(main, "output");
  let running = null;

  function fit() {
    const needs = command.selectedOptions[0]?.dataset.needsName === "yes";
    setHidden(slot(form, "name-field"), !needs);
    name.required = needs;
  }

  /** Shows the rows with the same facts next to the output. */
  function showBeside(section, column) {
    const all = section ? table.factsOf(section, column) : [];
    // Leave out facts that only other columns have.
    const facts = all.some((fact) => !fact.absent) ? all.filter((fact) => !fact.absent) : all;
    setHidden(slot(main, "beside"), facts.length === 0);
    if (facts.length === 0) return;
    const link = slot(main, "beside-link");
    link.href = `#section-${section}`;
    link.dataset.section = section;
    setText(link, table.titleOf(section) ?? section);
    slot(main, "beside-rows").replaceChildren(...facts.flatMap((fact) => {
      const term = document.createElement("dt");
      term.textContent = fact.label;
      const text = document.createElement("dd");
      text.textContent = fact.text;
      if (fact.absent) text.className = "absent";
      return [term, text];
    }));
  }

  function append(text) {
    // Reading starts at the beginning; follow the output only if it was scrolled to the end.
    const follow = output.scrollTop > 0 && output.scrollHeight - output.scrollTop - output.clientHeight < 30;
    output.append(visibleText(text));
    if (output.textContent.length > MAX_OUTPUT) {
      output.textContent = `${words.cut}\n${output.textContent.slice(-MAX_OUTPUT / 2)}`;
    }
    if (follow) output.scrollTop = output.scrollHeight;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running?.abort();
    const request = new AbortController();
    running = request;
    output.replaceChildren();
    setHidden(slot(main, "inspection"), false);
    setHidden(cancel, false);
    setText(state, words.printing);
    showBeside(command.selectedOptions[0]?.dataset.section, form.elements.column.value);
    try {
      await postForText(form, request.signal, (text) => {
        if (running === request) append(text);
      });
      if (running === request) setText(state, fill(words.finished, { time: formatClock(new Date()) }));
    } catch (error) {
      if (running === request) {
        setText(state, error.name === "AbortError" ? words.cancelled : fill(words.failed, { reason: error.message }));
      }
    } finally {
      if (running === request) {
        running = null;
        if (document.activeElement === cancel) run.focus();
        setHidden(cancel, true);
      }
    }
  });
  cancel.addEventListener("click", () => running?.abort());
  command.addEventListener("change", fit);
  slot(main, "beside-link").addEventListener("click", (event) => {
    event.preventDefault();
    table.reveal(event.currentTarget.dataset.section);
  });
  fit();
}
