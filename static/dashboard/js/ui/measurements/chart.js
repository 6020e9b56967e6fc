// Charts as SVG: the same elements as templates/measurements/_chart.html.

import { drawCurves, drawTimes } from "../../core/measurements/chart.js";
import { svgElement } from "../dom.js";

function textAt(attributes, text) {
  const element = svgElement("text", attributes);
  element.textContent = text;
  return element;
}

export function drawMark(mark, size, attributes) {
  const spot = svgElement("svg", { class: "dot-mark", width: 1, height: 1, ...attributes });
  spot.append(svgElement("use", { href: `#mark-${mark}`, x: -size / 2, y: -size / 2, width: size, height: size }));
  return spot;
}

function groupOf({ mode, mark, dash }) {
  return svgElement("g", { "data-mode": mode, "data-mark": mark, "data-dash": dash });
}

function drawPlot(view, name) {
  const plot = svgElement("svg", { class: "chart", width: "100%", height: 280, role: "img", "aria-label": name, "data-drawing": "" });
  const area = svgElement("svg", { x: 0, y: 8, width: "100%", height: 240, class: "chart-lines" });
  area.append(...view.up.map((tick) => svgElement("line", { class: "grid", x1: 0, x2: "100%", y1: tick.at, y2: tick.at })));
  const stretched = svgElement("svg", { viewBox: "0 0 1000 1000", width: "100%", height: "100%", preserveAspectRatio: "none" });
  for (const line of view.lines) {
    const group = groupOf(line);
    group.dataset.line = line.key;
    group.dataset.words = line.words;
    if (line.band) group.append(svgElement("polygon", { class: "band", points: line.band }));
    group.append(svgElement("polyline", { class: "line", points: line.points, "vector-effect": "non-scaling-stroke" }));
    stretched.append(group);
  }
  area.append(stretched);
  for (const line of view.lines) {
    const group = groupOf(line);
    group.append(...line.marks.map(([x, y]) => drawMark(line.mark, 10, { x, y })));
    area.append(group);
  }
  view.up.forEach((tick, number) => area.append(textAt({ x: 2, y: tick.at, dy: -3 }, number === view.up.length - 1 && view.unit ? `${tick.text} ${view.unit}` : tick.text)));
  area.append(svgElement("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: "100%", visibility: "hidden" }));
  const last = view.across.length - 1;
  plot.append(area, ...view.across.map((tick, number) => textAt({ x: tick.at, y: 266, class: number === 0 ? "first" : number === last ? "last" : "middle" }, tick.text)));
  return plot;
}

function drawLabels(view) {
  const outer = svgElement("svg", { class: "chart-labels", width: "100%", height: 280, "aria-hidden": "true" });
  const area = svgElement("svg", { y: 8, width: "100%", height: 240, class: "chart-lines" });
  for (const line of view.lines) {
    const group = groupOf(line);
    if (line.end) group.append(svgElement("line", { class: "leader", x1: 0, x2: 12, y1: line.end, y2: line.labelAt }));
    group.append(
      drawMark(line.mark, 10, { x: 20, y: line.labelAt }),
      textAt({ class: "full", x: 30, y: line.labelAt, dy: 4 }, line.words),
      textAt({ class: "brief", x: 30, y: line.labelAt, dy: 4 }, line.short),
    );
    area.append(group);
  }
  outer.append(area);
  return outer;
}

function show(box, view, name) {
  if (view.lines.length === 0) return;
  const chart = document.createElement("div");
  chart.className = "chart-box";
  chart.dataset.reading = "";
  for (const axis of ["x", "y"]) {
    for (const [key, value] of Object.entries(view[axis])) chart.setAttribute(`data-${axis}-${key}`, value);
  }
  chart.append(drawPlot(view, name), drawLabels(view));
  (box.querySelector(".chart-box, [data-drawing]") ?? box.appendChild(document.createElement("div"))).replaceWith(chart);
}

/** lines: [{key, mode, mark, dash, words, short}]. columns(): {x, series: Map}. `shown(key)` and `banded()`: whether it is ticked. */
export function createTimeChart(box, { lines, columns, shown, banded, name }) {
  function redraw() {
    const { x, series } = columns();
    const blank = x.map(() => null);
    const chosen = lines.filter(({ key }) => shown(key)).map((line) => ({ ...line, p50: series.get(line.key)?.p50 ?? blank, p99: series.get(line.key)?.p99 ?? blank }));
    show(box, drawTimes(x, chosen, banded()), name);
  }
  return { redraw };
}

/** curves: [{key, mode, mark, dash, words, short, points: [[us, share]]}]. */
export function drawDistribution(box, curves, name) {
  show(box, drawCurves(curves), name);
}
