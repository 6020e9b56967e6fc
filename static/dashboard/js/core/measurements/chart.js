// Charts as values: what dashboard/core/measurements/charts.py computes for the templates, for the blocks of a run that
// goes on and for distributions; and the values of a chart at a position. Pure functions.

import { chooseTicks } from "./measurement.js";

const HEIGHT_PX = 240;
const LABEL_PX = 18;
const MAX_POINTS = 400;
const MARKS = 6;
const MAX_STOPS = 200;
/** Bounds of a logarithmic axis, as in dashboard/core/measurements/axes.py. */
const MOST = 1e12;
const LEAST = 1e-12;

export function place(value) {
  return `${(value * 100).toFixed(2)}%`;
}

/** 1, 2 and 5 times powers of ten around lowest to highest; fewer where there are many decades. */
export function logTicks(lowest, highest) {
  const [low, high] = [lowest, highest].map((value) => Math.min(Math.max(value, LEAST), MOST));
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const factors = last - first <= 2 ? [1, 2, 5] : last - first <= 3 ? [1, 3] : [1];
  const found = [];
  for (let power = first; power <= last; power += 1) for (const factor of factors) found.push(factor * 10 ** power);
  const start = Math.max(0, found.findLastIndex((value) => value <= low));
  const end = found.findIndex((value) => value >= high);
  return found.slice(start, Math.max(end < 0 ? found.length - 1 : end, start + 1) + 1);
}

/** Positions of labels for lines that end at `ends`, apart from each other and within `height`. */
export function spreadLabels(ends, height = HEIGHT_PX, gap = LABEL_PX) {
  const ranked = ends.map((_, number) => number).sort((one, other) => ends[one] - ends[other] || one - other);
  const placed = [];
  for (const number of ranked) placed.push(Math.max(ends[number], placed.length ? placed.at(-1) + gap : 0));
  let limit = height;
  for (let rank = placed.length - 1; rank >= 0; rank -= 1) {
    placed[rank] = Math.max(0, Math.min(placed[rank], limit));
    limit = placed[rank] - gap;
  }
  return ends.map((_, number) => placed[ranked.indexOf(number)]);
}

function finish(drawn, leaders) {
  const ends = drawn.map(({ spots }) => (leaders ? spots.at(-1)[1] / 1000 : 0));
  const at = spreadLabels(ends.map((end) => end * HEIGHT_PX));
  const text = (spots) => spots.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return drawn.map(({ spots, tail, line }, number) => {
    const step = Math.max(1, Math.floor(spots.length / MARKS));
    const first = Math.floor((number * step) / drawn.length) % step;
    return {
      ...line,
      points: text(spots),
      band: tail === null ? "" : text([...spots, ...tail.toReversed()]),
      marks: spots.filter((_, which) => which >= first && (which - first) % step === 0).map(([x, y]) => [place(x / 1000), place(y / 1000)]),
      end: leaders ? place(ends[number]) : "",
      labelAt: place(at[number] / HEIGHT_PX),
    };
  });
}

const EMPTY = { lines: [], across: [], up: [], unit: "" };

/** Medians over time. series: [{key, p50, p99, …}] with null where a round has no valid block. */
export function drawTimes(x, series, banded) {
  const drawn = series.map((line) => {
    const known = x.map((at, number) => [at, line.p50[number], line.p99[number]]).filter(([, p50, p99]) => p50 > 0 && p99 !== null && p99 !== undefined);
    const step = Math.max(1, Math.ceil(known.length / MAX_POINTS));
    return { line, known: known.filter((_, number) => number % step === 0) };
  }).filter(({ known }) => known.length > 0);
  if (!drawn.some(({ known }) => known.length > 1)) return EMPTY;
  const values = drawn.flatMap(({ known }) => known.flatMap(([, p50, p99]) => (banded ? [p50, Math.max(p50, p99)] : [p50])));
  const up = logTicks(Math.min(...values), Math.max(...values));
  const bottom = Math.log10(up[0]);
  const height = Math.log10(up.at(-1)) - bottom;
  const ticks = chooseTicks(0, x.at(-1), 6);
  const width = ticks.at(-1) || 1;
  const spot = (at, value) => [(at / width) * 1000, 1000 - ((Math.log10(value) - bottom) / height) * 1000];
  const lines = drawn.map(({ line, known }) => ({
    line,
    spots: known.map(([at, p50]) => spot(at, p50)),
    tail: banded && known.length > 1 ? known.map(([at, p50, p99]) => spot(at, Math.max(p50, p99))) : null,
  }));
  return {
    lines: finish(lines, true),
    across: ticks.map((value) => ({ at: place(value / width), text: value.toFixed(ticks[1] >= 1 ? 0 : 1) })),
    up: up.map((value) => ({ at: place(1 - (Math.log10(value) - bottom) / height), text: String(Number(value.toPrecision(6))) })),
    unit: "µs",
    x: { first: 0, last: width, kind: "linear" },
    y: { first: up[0], last: up.at(-1), kind: "log" },
  };
}

/** Shares of requests by maximum time. curves: [{key, points: [[us, share]], …}]. */
export function drawCurves(curves) {
  const drawn = curves.map((line) => ({ line, known: line.points.filter(([us]) => us > 0) })).filter(({ known }) => known.length > 1);
  if (drawn.length === 0) return EMPTY;
  const ticks = logTicks(Math.min(...drawn.map(({ known }) => known[0][0])), Math.max(...drawn.map(({ known }) => known.at(-1)[0])));
  const left = Math.log10(ticks[0]);
  const width = Math.log10(ticks.at(-1)) - left;
  const across = (us) => (Math.log10(us) - left) / width;
  return {
    lines: finish(drawn.map(({ line, known }) => ({ line, spots: known.map(([us, share]) => [across(us) * 1000, 1000 - share * 1000]), tail: null })), false),
    across: ticks.map((value) => ({ at: place(across(value)), text: String(Number(value.toPrecision(6))) })),
    up: [0, 0.25, 0.5, 0.75, 1].map((share) => ({ at: place(1 - share), text: `${share * 100} %` })),
    unit: "",
    x: { first: ticks[0], last: ticks.at(-1), kind: "log" },
    y: { first: 0, last: 100, kind: "linear" },
  };
}

/** The value at a share of an axis {first, last, kind}. */
export function valueAt({ first, last, kind }, share) {
  return kind === "log" ? first * (last / first) ** share : first + (last - first) * share;
}

export function parsePoints(text) {
  return text.split(" ").map((point) => point.split(",").map(Number));
}

/** The positions (0 to 1000) at which a chart is read: those of its points, at most 200. */
export function stopsOf(lines) {
  const all = [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((one, other) => one - other);
  const step = Math.ceil(all.length / MAX_STOPS) || 1;
  return all.filter((_, number) => number % step === 0 || number === all.length - 1);
}

/** The value of a line at a position: of the nearest point, or on a curve of shares of the last point before it. */
export function readLine(points, stop, y) {
  const shares = y.kind === "linear";
  let chosen = null;
  for (const point of points) {
    if (shares ? point[0] <= stop : chosen === null || Math.abs(point[0] - stop) <= Math.abs(chosen[0] - stop)) chosen = point;
  }
  return chosen === null ? y.first : valueAt(y, 1 - chosen[1] / 1000);
}
