// Small pieces of the page that all others use. Text enters as text, never as markup.

const wordsElement = document.getElementById("words");
export const words = wordsElement ? JSON.parse(wordsElement.textContent) : {};

export function slot(root, name) {
  return root.querySelector(`[data-slot="${name}"]`);
}

/** Sets text only where it differs, so that selections and screen readers are not disturbed. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export function setHidden(element, hidden) {
  if (element && element.hidden !== hidden) element.hidden = hidden;
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

export function shapeOf(mode) {
  const svg = svgElement("svg", { class: "shape", "aria-hidden": "true" });
  svg.append(svgElement("use", { href: `#shape-${mode}` }));
  return svg;
}

/** Said once to those who listen instead of look. */
export function announce(sentence) {
  setText(document.getElementById("announcements"), sentence);
}

/** An answer to “What is this?” that somebody has unfolded stays so when its region is put in place anew. */
export function keepUnfolded(old, fresh) {
  for (const one of old.querySelectorAll("details.what[open]")) {
    fresh.querySelector(`details.what[data-what="${one.dataset.what}"]`)?.setAttribute("open", "");
  }
}
