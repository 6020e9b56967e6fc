// Helpers for the DOM. Text is inserted as text, never as markup.

const wordsElement = document.getElementById("words");
export const words = wordsElement ? JSON.parse(wordsElement.textContent) : {};

export function slot(root, name) {
  return root.querySelector(`[data-slot="${name}"]`);
}

/** Whether a click follows a link in this tab, without a key or another button that opens it elsewhere. */
export function isPlainClick(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
}

/** Sets the text only if it differs, so that selections and screen readers are not disturbed. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function setHidden(element, hidden) {
  if (element && element.hidden !== hidden) element.hidden = hidden;
}

/** Sets the text, and hides the element without one. */
export function showText(element, text) {
  setText(element, text);
  setHidden(element, !text);
}

export function cloneTemplate(id) {
  return document.getElementById(id).content.cloneNode(true);
}

const SVG = "http://www.w3.org/2000/svg";

export function svgElement(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function modeIcon(mode) {
  const svg = svgElement("svg", { class: "shape", "aria-hidden": "true" });
  svg.append(svgElement("use", { href: `#shape-${mode}` }));
  return svg;
}

// An element that is replaced between the press and the release of a pointer receives no click. The browser dispatches
// the click in the same task as the release, so the press counts as ended only in the next task.
let pressed = false;
const waiting = [];
addEventListener("pointerdown", (event) => {
  if (event.isPrimary && event.button === 0) pressed = true;
}, true);
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => setTimeout(() => {
    pressed = false;
    for (const resolve of waiting.splice(0)) resolve();
  }), true);
}

/** Resolves when no pointer is pressed. Await it before replacing parts of a page without an action of the user. */
export async function released() {
  if (pressed) await new Promise((resolve) => waiting.push(resolve));
}

/** Announces a sentence to screen readers. They read only a text that changes: the same sentence again gets a space. */
export function announce(sentence) {
  const place = document.getElementById("announcements");
  place.textContent = sentence && place.textContent === sentence ? `${sentence}\u00a0` : sentence;
}

/** Keeps “What is this?” answers open when their region is replaced. */
export function keepDetailsOpen(old, fresh) {
  for (const one of old.querySelectorAll("details.what[open]")) {
    fresh.querySelector(`details.what[data-what="${one.dataset.what}"]`)?.setAttribute("open", "");
  }
}
