// One cell of the comparison; the same markup as templates/comparison/_cell.html.

import { modeIcon } from "../dom.js";

const CLASSES = { absent: "absent", namespace: "ns", value: "value" };

function makeElement(name, className, text) {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

export function makeCell(cell) {
  const td = document.createElement("td");
  td.setAttribute("role", "cell");
  td.dataset.column = cell.column;
  td.dataset.mode = cell.mode;
  td.dataset.title = cell.title;
  fillCell(td, cell);
  return td;
}

export function fillCell(td, cell) {
  // Usually only the text changes: then the element is kept.
  const first = td.firstElementChild;
  if (cell.kind === "value" && !cell.note && first !== null && first.className === "value" && td.childElementCount === 1) {
    first.textContent = cell.text;
    return;
  }
  const value = makeElement(cell.kind === "absent" ? "em" : "span", CLASSES[cell.kind], cell.text);
  if (cell.kind === "namespace") {
    value.dataset.mode = cell.owner;
    value.prepend(modeIcon(cell.owner));
  }
  td.replaceChildren(value, ...(cell.note ? [" ", makeElement("small", "note", cell.note)] : []));
}

/** Equal for cells that look the same. */
export function signature(cell) {
  return `${cell.kind}\u0000${cell.owner}\u0000${cell.text}\u0000${cell.note}`;
}
