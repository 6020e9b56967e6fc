// Filters the questions while a person types. The server answers the same search without JavaScript.

import { search } from "../../core/claims/search.js";
import { fill } from "../../core/format.js";

const PAUSE_MS = 200;

export function createQuestions(main) {
  const field = main.querySelector("[data-question-search]");
  const questions = [...main.querySelectorAll("[data-question]")];
  const texts = questions.map((question) => question.dataset.question);
  const found = main.querySelector('[data-slot="found"]');
  const none = main.querySelector('[data-slot="no-question"]');
  let timer = 0;

  function filter() {
    const shown = search(field.value, texts);
    questions.forEach((question, index) => { question.hidden = !shown.has(index); });
    found.textContent = shown.size ? fill(found.dataset.some, { found: shown.size, total: questions.length }) : found.dataset.none;
    none.hidden = shown.size > 0;
    // What runs from here returns to the same search.
    for (const hidden of main.querySelectorAll('.questions input[name="q"]')) hidden.value = field.value;
    const address = new URL(location.href);
    if (field.value) address.searchParams.set("q", field.value);
    else address.searchParams.delete("q");
    history.replaceState(null, "", address);
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, PAUSE_MS);
  });
  // Text that was entered before this script ran.
  if (field.value !== field.defaultValue) filter();
  // A form that is submitted during the pause returns to the same search, too.
  main.addEventListener("submit", filter, { capture: true });
}
