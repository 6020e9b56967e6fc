// Reads the values of a chart: with the pointer over it, or with the arrow keys on a slider below it.

import { parsePoints, readLine, stopsOf, valueAt } from "../../core/measurements/chart.js";
import { formatMicrosPlain } from "../../core/measurements/measurement.js";
import { fill, formatMoment } from "../../core/format.js";
import { svgElement, words } from "../dom.js";

function scaleOf(chart, axis) {
  const { [`${axis}First`]: first, [`${axis}Last`]: last, [`${axis}Kind`]: kind } = chart.dataset;
  return { first: Number(first), last: Number(last), kind };
}

function formatX(value, kind) {
  if (kind === "time") return formatMoment(new Date(value * 1000));
  return kind === "log" ? fill(words.chart.within, { value: formatMicrosPlain(value) }) : fill(words.chart.seconds, { value: value.toFixed(1) });
}

function formatY(value, kind) {
  return kind === "linear" ? `${value.toFixed(1)} %` : `${formatMicrosPlain(value)} µs`;
}

/** The chart in `box` as it is now: the server or a script may have drawn it again. */
function readChart(box) {
  const chart = box.querySelector(".chart-box[data-reading]");
  if (chart === null) return null;
  const lines = [...chart.querySelectorAll("[data-line]")].map((group) => ({
    ...group.dataset,
    points: parsePoints(group.querySelector("polyline").getAttribute("points")),
  }));
  return { chart, lines, x: scaleOf(chart, "x"), y: scaleOf(chart, "y"), stops: stopsOf(lines) };
}

/** Adds the slider to a box with a chart. */
export function createReading(box) {
  const area = document.createElement("div");
  area.className = "reading";
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = "0";
  slider.setAttribute("aria-label", words.chart.read);
  const output = document.createElement("output");
  output.setAttribute("aria-live", "off"); // the slider's own text is announced
  output.textContent = words.chart.hint;
  area.append(slider, output);

  function show() {
    const found = readChart(box);
    if (found === null) return;
    slider.max = String(found.stops.length - 1);
    const stop = found.stops[Math.min(slider.valueAsNumber, found.stops.length - 1)];
    const at = formatX(valueAt(found.x, stop / 1000), found.x.kind);
    const values = found.lines.map((line) => ({ ...line, value: formatY(readLine(line.points, stop, found.y), found.y.kind) }));
    slider.setAttribute("aria-valuetext", `${at}: ${values.map((line) => `${line.words} ${line.value}`).join("; ")}`);
    output.replaceChildren(`${at}: `, ...values.map((line) => {
      const item = document.createElement("span");
      item.className = "read-value";
      item.dataset.mark = line.mark;
      item.dataset.dash = line.dash;
      const icon = svgElement("svg", { class: "shape", "aria-hidden": "true" });
      icon.append(svgElement("use", { href: `#mark-${line.mark}` }));
      const name = document.createElement("span");
      name.className = "path-words";
      name.textContent = `${line.words} `;
      const value = document.createElement("b");
      value.textContent = line.value;
      name.append(value);
      item.append(icon, name);
      return item;
    }));
    const cursor = found.chart.querySelector(".cursor");
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, `${stop / 10}%`);
    cursor.setAttribute("visibility", "visible");
  }

  const first = readChart(box);
  slider.max = String(first === null ? 0 : first.stops.length - 1);
  slider.value = slider.max;
  slider.setAttribute("aria-valuetext", words.chart.hint);
  slider.addEventListener("input", show);
  slider.addEventListener("focus", show);
  box.addEventListener("pointermove", (event) => {
    const plot = event.target.closest?.("svg.chart");
    const found = plot ? readChart(box) : null;
    if (found === null) return;
    const { left, width } = plot.getBoundingClientRect();
    const wanted = ((event.clientX - left) / width) * 1000;
    let nearest = 0;
    found.stops.forEach((stop, number) => {
      if (Math.abs(stop - wanted) < Math.abs(found.stops[nearest] - wanted)) nearest = number;
    });
    slider.max = String(found.stops.length - 1);
    slider.value = String(nearest);
    show();
  });
  box.append(area);
}

/** Adds sliders to all charts of a page. */
export function createReadings(root = document) {
  for (const chart of root.querySelectorAll(".chart-box[data-reading]")) {
    const box = chart.parentElement;
    if (box.querySelector(":scope > .reading") === null) createReading(box);
  }
}
