import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { chooseTicks, createBlocks, layOutAxis, median, receive, formatMicrosPlain, formatSigned } from "../../static/dashboard/js/core/measurements/measurement.js";

const vectors = JSON.parse(readFileSync(new URL("./measure_vectors.json", import.meta.url), "utf8"));

function makeBlock(series, round, more = {}) {
  return { series, round, started_s: round / 10, center_us: 20, p50_us: 20, p99_us: 40, n: 100, error: "", ...more };
}

test("axes and figures are the same as in the templates", () => {
  for (const { low, high, expected } of vectors.ticks) assert.deepEqual(chooseTicks(low, high).map((one) => Number(one.toPrecision(9))), expected);
  for (const [value, text] of vectors.micros) assert.equal(formatMicrosPlain(value), text);
  for (const [value, text] of vectors.signed) assert.equal(formatSigned(value), text);
  for (const { values, zero, ticks } of vectors.axes) {
    const axis = layOutAxis(values);
    assert.equal(axis.zero, zero);
    assert.deepEqual(axis.ticks.map((tick) => [tick.at, tick.text]), ticks);
  }
});

test("a block received twice counts once", () => {
  const blocks = createBlocks();
  for (const value of [20, 20]) blocks.add(makeBlock("a", 0, { p50_us: value }));
  assert.equal(blocks.progress("a").count, 1);
  assert.equal(blocks.progress("a").n, 100);
});

test("blocks are ordered by round, and a failed block leaves a gap", () => {
  const blocks = createBlocks();
  blocks.add(makeBlock("b", 1, { started_s: 0.3 }));
  blocks.add(makeBlock("a", 0, { started_s: 0.1 }));
  blocks.add(makeBlock("a", 1, { started_s: 0.2, error: "The server closed the connection.", n: 3 }));
  const { x, series } = blocks.columns();
  assert.deepEqual(x, [0.1, 0.2]);
  assert.deepEqual(series.get("a").p50, [20, null]);
  assert.deepEqual(series.get("b").p99, [null, 40]);
  assert.equal(blocks.progress("a").failed, 1);
});

test("the provisional difference is paired by round, over valid blocks", () => {
  const blocks = createBlocks();
  [10, 20, 30].forEach((value, round) => {
    blocks.add(makeBlock("base", round, { center_us: value }));
    blocks.add(makeBlock("other", round, { center_us: value + round + 1 }));
  });
  blocks.add(makeBlock("other", 3, { center_us: 1000 }));
  blocks.add(makeBlock("base", 4, { center_us: 1, error: "reset" }));
  blocks.add(makeBlock("other", 4, { center_us: 900 }));
  assert.equal(blocks.difference("base", "other"), 2);
  assert.equal(blocks.difference("base", "nobody"), null);
  assert.equal(blocks.difference("nobody", "other"), null);
});

test("the page's own blocks are drawn before the first message", () => {
  const blocks = createBlocks({ rounds: [4, 7], x: [0.5, 0.9], series: [{ key: "a", p50: [20, null], p99: [40, null] }] });
  assert.deepEqual(blocks.columns().series.get("a").p50, [20, null]);
  assert.deepEqual(blocks.progress("a"), { count: 1, failed: 0, n: 0, lowest: 20, middle: 20, highest: 20, tail: 40 });
  blocks.add(makeBlock("a", 7, { started_s: 0.91 }));
  assert.deepEqual(blocks.columns().x, [0.5, 0.9]);
});

test("a missing figure is null, not zero", () => {
  assert.equal(median([]), null);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1]), 2.5);
  assert.deepEqual(createBlocks().progress("a"), { count: 0, failed: 0, n: 0, lowest: null, middle: null, highest: null, tail: null });
});

test("a start or end fetches the page again, blocks are added, another version reloads", () => {
  const run = { state: "running" };
  assert.equal(receive("waiting", { v: 1, type: "measurement", run }), "refresh");
  assert.equal(receive("running", { v: 1, type: "measurement", run }), "add");
  assert.equal(receive("running", { v: 1, type: "blocks", run }), "add");
  assert.equal(receive("running", { v: 1, type: "measurement", run: { state: "finished" } }), "refresh");
  assert.equal(receive("running", { v: 2, type: "blocks", run }), "reload");
  for (const other of [null, 7, { v: 1, type: "ping" }]) assert.equal(receive("running", other), "ignore");
});
