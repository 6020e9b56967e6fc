// "Inspect": runs a command inside a column's namespace, or in all columns at once, and streams the output.

import { fill, formatClock, visibleText } from "../../core/format.js";
import { postForText } from "../../io/http.js";
import { cloneTemplate, isPlainClick, setHidden, setText, slot, words } from "../dom.js";

const MAX_OUTPUT = 200_000;

export function createInspect(main, table) {
  const form = main.querySelector("[data-inspect]");
  const command = form.elements.command;
  const column = form.elements.column;
  const name = form.elements.name;
  const cancel = form.querySelector("[data-cancel]");
  const run = form.querySelector("[data-run]");
  const state = slot(main, "inspect-state");
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

  function makeOutput(option) {
    const box = cloneTemplate("template-output").firstElementChild;
    const output = slot(box, "output");
    setText(slot(box, "output-title"), option.text);
    output.setAttribute("aria-label", `${output.getAttribute("aria-label")}: ${option.text}`);
    slot(main, "outputs").append(box);
    return output;
  }

  function append(output, text) {
    // Reading starts at the beginning; follow the output only if it was scrolled to the end.
    const follow = output.scrollTop > 0 && output.scrollHeight - output.scrollTop - output.clientHeight < 30;
    output.append(visibleText(text));
    if (output.textContent.length > MAX_OUTPUT) {
      output.textContent = `${words.cut}\n${output.textContent.slice(-MAX_OUTPUT / 2)}`;
    }
    if (follow) output.scrollTop = output.scrollHeight;
  }

  /** A column that refuses the command shows the reason; the others go on. */
  async function runIn(option, request) {
    const output = makeOutput(option);
    const { signal } = request;
    try {
      await postForText(form, signal, (text) => {
        if (running === request) append(output, text);
      }, { column: option.value });
    } catch (error) {
      if (signal.aborted) throw error;
      output.classList.add("bad");
      append(output, fill(words.failed, { reason: error.message }));
      return error;
    }
    return null;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    running?.abort();
    const request = new AbortController();
    running = request;
    const chosen = column.selectedOptions[0];
    const everywhere = chosen.dataset.everyColumn !== undefined;
    const options = everywhere ? [...column.options].filter((option) => option !== chosen) : [chosen];
    slot(main, "outputs").replaceChildren();
    slot(main, "outputs").classList.toggle("many", everywhere);
    setHidden(slot(main, "inspection"), false);
    setHidden(cancel, false);
    setText(state, words.printing);
    showBeside(everywhere ? "" : command.selectedOptions[0]?.dataset.section, chosen.value);
    try {
      const errors = (await Promise.all(options.map((option) => runIn(option, request)))).filter(Boolean);
      if (running !== request) return;
      const failed = errors.length === options.length;
      setText(state, failed ? fill(words.failed, { reason: errors[0].message }) : fill(words.finished, { time: formatClock(new Date()) }));
    } catch {
      if (running === request) setText(state, words.cancelled);
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
    if (!isPlainClick(event)) return;
    event.preventDefault();
    table.reveal(event.currentTarget.dataset.section);
  });
  fit();
}
