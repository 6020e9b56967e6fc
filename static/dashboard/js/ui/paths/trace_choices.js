// The paths that can be traced, each with a form that leads to its trace.

import { cloneTemplate, setText, slot } from "../dom.js";

export function createTraceChoices(main) {
  const list = slot(main, "trace-choices");

  function makeChoice(path) {
    const item = cloneTemplate("template-trace-choice").querySelector("li");
    item.querySelector("form").elements.way.value = path.request;
    const modeName = slot(item, "mode-name");
    modeName.dataset.mode = path.mode;
    modeName.querySelector("use").setAttribute("href", `#shape-${path.mode}`);
    setText(slot(item, "title"), path.title);
    setText(slot(item, "target"), path.target);
    setText(slot(item, "traced"), path.title);
    return item;
  }

  return {
    /** Leaves the list alone while it names the same paths, so that the focus stays. */
    draw(paths) {
      const wanted = paths.filter((path) => path.request);
      const shown = [...list.children].map((item) => item.querySelector("form").elements.way.value);
      if (shown.join("\n") === wanted.map((path) => path.request).join("\n")) return;
      list.replaceChildren(...wanted.map(makeChoice));
    },
  };
}
