// One cell of the comparison; the same markup as templates/comparison/_cell.html.

import { shapeOf } from "../dom.js";

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
  // Most changes are of the text alone: then nothing is made anew.
  const first = td.firstElementChild;
  if (cell.kind === "value" && !cell.note && first !== null && first.className === "value" && td.childElementCount === 1) {
    first.textContent = cell.text;
    return;
  }
  const parts = [];
  if (cell.kind === "absent") {
    const word = document.createElement("em");
    word.className = "absent";
    word.textContent = cell.text;
    parts.push(word);
  } else if (cell.kind === "namespace") {
    const badge = document.createElement("span");
    badge.className = "ns";
    badge.dataset.mode = cell.badge;
    badge.append(shapeOf(cell.badge), cell.text);
    parts.push(badge);
  } else {
    const value = document.createElement("span");
    value.className = "value";
    value.append(cell.text);
    parts.push(value);
  }
  if (cell.note) {
    const note = document.createElement("small");
    note.className = "note";
    note.textContent = cell.note;
    parts.push(" ", note);
  }
  td.replaceChildren(...parts);
}

/** Equal for cells that look the same. */
export function signature(cell) {
  return `${cell.kind}\u0000${cell.badge}\u0000${cell.text}\u0000${cell.note}`;
}
