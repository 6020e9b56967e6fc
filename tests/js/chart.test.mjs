import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { drawCurves, drawTimes, logTicks, parsePoints, readLine, spreadLabels, stopsOf, valueAt } from "../../static/dashboard/js/core/measurements/chart.js";

const vectors = JSON.parse(readFileSync(new URL("./chart_vectors.json", import.meta.url), "utf8"));

test("lines, labels and axes are where the templates draw them", () => {
  for (const { x, series, banded, lines, across, up } of vectors.times) {
    const view = drawTimes(x, series, banded);
    assert.deepEqual(view.lines.map((line) => [line.key, line.points, line.band, line.end, line.labelAt]), lines);
    assert.deepEqual(view.across.map((tick) => [tick.at, tick.text]), across);
    assert.deepEqual(view.up.map((tick) => [tick.at, tick.text]), up);
  }
  for (const { low, high, expected } of vectors.ticks) assert.deepEqual(logTicks(low, high).map((value) => Number(value.toPrecision(9))), expected);
  for (const { ends, expected } of vectors.spread) assert.deepEqual(spreadLabels(ends), expected);
});

test("a chart is not drawn from one point", () => {
  assert.deepEqual(drawTimes([0.1], [{ key: "a", p50: [20], p99: [30] }], true).lines, []);
  assert.deepEqual(drawTimes([], [], true).lines, []);
  assert.deepEqual(drawCurves([{ key: "a", points: [[20, 1]] }]).lines, []);
});

test("the values that are read are those that were drawn", () => {
  const x = [0.1, 0.4, 0.7];
  const p50 = [18.6, 250, 42.1];
  const view = drawTimes(x, [{ key: "a", p50, p99: [20, 400, 60] }], true);
  const points = parsePoints(view.lines[0].points);
  const stops = stopsOf([{ points }]);
  assert.equal(stops.length, 3);
  stops.forEach((stop, number) => {
    assert.ok(Math.abs(valueAt(view.x, stop / 1000) - x[number]) < 0.001);
    assert.ok(Math.abs(readLine(points, stop, view.y) / p50[number] - 1) < 0.001);
  });
});

test("a position between two points reads the nearest one, and on a distribution the share so far", () => {
  const points = [[0, 1000], [400, 500], [1000, 0]];
  assert.equal(readLine(points, 250, { first: 10, last: 1000, kind: "log" }), 100);
  assert.equal(readLine(points, 999, { first: 0, last: 100, kind: "linear" }), 50);
  assert.equal(readLine([[400, 500]], 100, { first: 0, last: 100, kind: "linear" }), 0);
});

test("a chart of many points is read at about 200 of them at most, including the last", () => {
  const points = Array.from({ length: 1001 }, (_, number) => [number, 0]);
  const stops = stopsOf([{ points }]);
  assert.ok(stops.length <= 201);
  assert.equal(stops.at(-1), 1000);
  assert.deepEqual(stopsOf([]), []);
});
