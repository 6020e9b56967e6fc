// The answers of a session as bars. The same markup as templates/measurements/_histogram.html.

import { share } from "../../core/training/session.js";
import { svgElement, words } from "../dom.js";

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function drawHistogram(root, histogram) {
  const bars = element("ul", "bars");
  for (const choice of histogram.choices) {
    const bar = element("li", "bar");
    if (choice.right === true) bar.dataset.right = "yes";
    const text = element("span", "bar-text", choice.text);
    if (choice.right === true) text.append(" ", element("b", "yes", words.session.true));
    const line = svgElement("svg", { class: "bar-line", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
    line.append(svgElement("rect", { class: "bar-rest", width: 100, height: 4 }));
    line.append(svgElement("rect", { class: "bar-part", width: share(choice.count, histogram.answered), height: 4 }));
    bar.append(text, " ", line, " ", element("b", "bar-count", String(choice.count)));
    bars.append(bar);
  }
  root.replaceChildren(bars);
  if (!histogram.revealed) return;
  const truth = element("p", "verdict");
  if (histogram.truth) truth.append(histogram.read ? words.session.kernelSays : words.session.itIs, " ", element("b", "", histogram.truth));
  else truth.textContent = words.session.noReading;
  root.append(truth);
}
