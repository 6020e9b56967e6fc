// Charts drawn by uPlot, if it is installed: blocks over time with their bands, and distributions.
// Without it the page keeps the charts that the server rendered.

import { isRoundTick, joinCurves, logRange } from "../../core/measurements/measurement.js";

const HEIGHT = 300;
const DASHES = { dnat: [7, 4], proxy: [2, 3], between: [9, 3, 2, 3] };
const POINTS_UP_TO = 120;

export function hasLibrary() {
  return typeof globalThis.uPlot === "function";
}

/** The current value of a CSS variable, because a canvas cannot use variables. */
function colourOf(mode, name = "--mode") {
  const probe = document.createElement("span");
  probe.dataset.mode = mode;
  probe.className = "colour-probe";
  document.getElementById("main").append(probe);
  probe.style.color = `var(${name})`;
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function faint(colour, share) {
  const parts = /^rgba?\(([^)]+)\)$/.exec(colour);
  if (parts === null) return colour;
  const [r, g, b] = parts[1].split(/[,\s]+/);
  return `rgba(${r}, ${g}, ${b}, ${share})`;
}

/** The mode's marker as a path of 12 by 12 units around the origin. */
function markOf(mode) {
  const symbol = document.getElementById(`shape-${mode}`);
  const drawn = symbol?.firstElementChild;
  const mark = new Path2D();
  if (drawn?.hasAttribute("d")) mark.addPath(new Path2D(drawn.getAttribute("d")), new DOMMatrix([1, 0, 0, 1, -6, -6]));
  else mark.arc(0, 0, 5, 0, 2 * Math.PI);
  return mark;
}

/** Draws points in the shape of their mode. */
function drawMarks(mode, size) {
  const mark = markOf(mode);
  return (u, number, first, last, filtered) => {
    const fill = new Path2D();
    const scale = (size * devicePixelRatio) / 12;
    const y = u.series[number].scale;
    const draw = (place) => {
      const value = u.data[number][place];
      if (value === null || value === undefined) return;
      fill.addPath(mark, new DOMMatrix([scale, 0, 0, scale, u.valToPos(u.data[0][place], "x", true), u.valToPos(value, y, true)]));
    };
    if (filtered) filtered.forEach(draw);
    else for (let place = first; place <= last; place += 1) draw(place);
    return { stroke: null, fill, clip: null, flags: 3 };
  };
}

function axes(texts) {
  const ink = colourOf("machine", "--soft");
  const line = { stroke: colourOf("machine", "--line"), width: 1 };
  const font = "12px ui-monospace, monospace";
  const common = { stroke: ink, grid: line, ticks: line, font, labelFont: font, labelSize: 18 };
  return texts.map(({ log, ...one }) => ({ ...common, ...(log ? { ...ROUND, grid: { ...line, ...ROUND }, ticks: { ...line, ...ROUND } } : {}), ...one }));
}

const LOG = { distr: 3, log: 10, range: (u, low, high) => logRange(low, high) };
const ROUND = { filter: (u, splits) => splits.map((value) => (isRoundTick(value) ? value : null)) };
const formatTicks = (u, values) => values.map((value) => (value === null ? "" : String(Number(value.toPrecision(6)))));

function plot(box, options, data) {
  const chart = new globalThis.uPlot({
    width: Math.max(240, box.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: true, y: false }, points: { show: false } },
    ...options,
  }, data, box);
  chart.root.setAttribute("role", "img");
  return chart;
}

/** Redraws the chart after a change of its width or of the theme. Returns {redraw, destroy}. */
function keepFitting(box, make) {
  let chart = null;
  function redraw() {
    chart?.destroy();
    chart = make();
  }
  const sizes = new ResizeObserver(() => {
    if (chart !== null && box.clientWidth > 0) chart.setSize({ width: Math.max(240, box.clientWidth), height: HEIGHT });
  });
  const themes = new MutationObserver(redraw);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  sizes.observe(box);
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  scheme.addEventListener("change", redraw);
  redraw();
  return {
    get chart() {
      return chart;
    },
    redraw,
    destroy() {
      sizes.disconnect();
      themes.disconnect();
      scheme.removeEventListener("change", redraw);
      chart?.destroy();
    },
  };
}

/** lines: [{key, label, mode, dash}]. columns(): {x, series: Map}. `shown(key)` and `banded()`: whether it is ticked. */
export function createTimeChart(box, { lines, columns, shown, banded, said, name }) {
  function data() {
    const { x, series } = columns();
    const blank = x.map(() => null);
    const rows = [x];
    for (const { key } of lines) {
      const own = series.get(key);
      rows.push(own?.p50 ?? blank, banded() ? own?.p99 ?? blank : blank);
    }
    return rows;
  }

  function make() {
    box.replaceChildren();
    const series = [{ label: said.seconds }];
    const bands = [];
    lines.forEach(({ key, label, mode, dash }, place) => {
      const colour = colourOf(mode);
      const few = (u) => u.data[0].length <= POINTS_UP_TO;
      series.push(
        { label, stroke: colour, width: 1.8, dash: DASHES[dash], spanGaps: true, show: shown(key), points: { show: few, fill: colour, paths: drawMarks(mode, 7) } },
        { label: `${label} p99`, stroke: faint(colour, 0.25), width: 1, spanGaps: true, show: shown(key), points: { show: false } },
      );
      bands.push({ series: [2 * place + 2, 2 * place + 1], fill: faint(colour, 0.1) });
    });
    const chart = plot(box, {
      series,
      bands: banded() ? bands : [],
      scales: { x: { time: false }, y: LOG },
      axes: axes([{ label: said.seconds }, { label: said.micros, size: 58, log: true, values: formatTicks }]),
    }, data());
    chart.root.setAttribute("aria-label", name);
    return chart;
  }

  const kept = keepFitting(box, make);
  return {
    update: () => kept.chart.setData(data()),
    toggle(key, show) {
      const place = lines.findIndex((line) => line.key === key);
      if (place >= 0) for (const number of [2 * place + 1, 2 * place + 2]) kept.chart.setSeries(number, { show });
    },
    redraw: kept.redraw,
    destroy: kept.destroy,
  };
}

/** curves: [{label, mode, dash, points: [[us, share]]}]. */
export function createDistributionChart(box, { curves, said, name }) {
  const { x, y } = joinCurves(curves.map((one) => one.points));
  return keepFitting(box, () => {
    box.replaceChildren();
    const chart = plot(box, {
      series: [{ label: said.micros }, ...curves.map(({ label, mode, dash }) => ({ label, stroke: colourOf(mode), width: 1.8, dash: DASHES[dash], spanGaps: true, points: { show: false } }))],
      scales: { x: { time: false, ...LOG }, y: { range: [0, 1] } },
      axes: axes([{ label: said.micros, log: true, values: formatTicks }, { label: said.share, size: 58 }]),
    }, [x, ...y]);
    chart.root.setAttribute("aria-label", name);
    return chart;
  });
}
