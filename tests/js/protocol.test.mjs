import assert from "node:assert/strict";
import test from "node:test";

import { changedCells, isClean, mergeDirty, nothingDirty, receive, rowId } from "../../static/dashboard/js/core/experiments/experiment_model.js";
import { makePatch, makeRow, makeSnapshot, vectors } from "./vectors.mjs";

const begun = () => receive(null, makeSnapshot()).model;
const put = (id, after, row = makeRow(id)) => ({ id, after, row });

test("a snapshot replaces everything and is drawn", () => {
  const { model, effect, dirty } = receive(null, makeSnapshot());
  assert.equal(effect, "draw");
  assert.equal(dirty.everything, true);
  assert.equal(dirty.cells.size, 0);
  assert.deepEqual(model.order, ["a/1/", "a/2/"]);
});

test("a second snapshot highlights what changed during the disconnection", () => {
  const rows = [makeRow("a/1/", { machine: "other", host: null }), makeRow("a/2/")];
  const { dirty } = receive(begun(), makeSnapshot([], { rows, seq: 30 }));
  assert.deepEqual([...dirty.cells], [["a/1/", new Set(["machine"])]]);
});

test("a patch that follows the model is applied", () => {
  const { model, effect, dirty } = receive(begun(), makePatch({ rows: { set: [put("a/3/", "a/1/")], remove: ["a/2/"] } }));
  assert.equal(effect, "draw");
  assert.deepEqual(model.order, ["a/1/", "a/3/"]);
  assert.equal(model.seq, 11);
  assert.deepEqual([...dirty.removed], ["a/2/"]);
  assert.deepEqual([...dirty.rows], ["a/3/"]);
});

test("paths are kept until a patch changes them, and then the diagram is drawn again", () => {
  const first = receive(null, makeSnapshot([], { paths: [{ key: "a" }] })).model;
  const same = receive(first, makePatch());
  assert.deepEqual([same.model.paths, same.dirty.pictures], [[{ key: "a" }], false]);
  const other = receive(first, makePatch({ paths: [] }));
  assert.deepEqual([other.model.paths, other.dirty.pictures], [[], true]);
});

test("the number of omitted entries is that of the newest snapshot", () => {
  assert.equal(begun().omitted, 0);
  const first = receive(null, makeSnapshot([], { omitted: 49 })).model;
  assert.equal(receive(first, makePatch()).model.omitted, 49);
  assert.equal(receive(first, makeSnapshot([], { omitted: 60, seq: 30 })).model.omitted, 60);
});

test("a patch after a gap requests a snapshot and changes nothing", () => {
  const model = begun();
  const result = receive(model, makePatch({ base: 11, seq: 12 }));
  assert.equal(result.effect, "resync");
  assert.equal(result.model, model);
});

test("a patch before any snapshot requests a snapshot", () => {
  assert.equal(receive(null, makePatch()).effect, "resync");
});

test("a patch that is already known is ignored", () => {
  assert.equal(receive(begun(), makePatch({ base: 8, seq: 9 })).effect, "ignore");
  assert.equal(receive(begun(), makePatch({ base: 9, seq: 10 })).effect, "ignore");
});

test("unknown messages are ignored", () => {
  for (const message of [{ v: 1, type: "ping" }, { v: 7, type: "weather" }, null, 5, "text", [], {}]) {
    assert.equal(receive(begun(), message).effect, "ignore");
  }
});

test("another version of the protocol requires a reload", () => {
  assert.equal(receive(begun(), makePatch({ v: 2 })).effect, "reload");
});

test("a model is never changed in place", () => {
  const model = begun();
  const order = [...model.order];
  receive(model, makePatch({ rows: { set: [put("a/9/", "")], remove: ["a/1/"] }, timeline: [{ seq: 2 }] }));
  assert.deepEqual(model.order, order);
  assert.equal(model.rows.size, 2);
  assert.equal(model.timeline.length, 1);
});

test("the timeline grows and never repeats", () => {
  const { model, dirty } = receive(begun(), makePatch({ timeline: [{ seq: 1 }, { seq: 2 }, { seq: 2 }] }));
  assert.deepEqual(model.timeline.map((item) => item.seq), [1, 2, 2]);
  assert.equal(dirty.timeline.length, 2);
});

for (const one of vectors.rows) {
  test(`rows: ${one.name}`, () => {
    const id = (name) => `s/${name}/`;
    const { model } = receive(receive(null, makeSnapshot(one.before.map(id))).model, makePatch({
      rows: { set: one.set.map(([name, after]) => put(id(name), after && id(after))), remove: one.remove.map(id) },
    }));
    assert.deepEqual(model.order, one.after.map(id));
    assert.deepEqual([...model.rows.keys()].sort(), [...model.order].sort());
  });
}

test("only cells that look different count as changed", () => {
  const before = makeRow("a/1/", { machine: "1", host: null }, { absent: { host: "none" }, notes: { machine: "x" } });
  assert.equal(changedCells(before, { ...before }).size, 0);
  assert.deepEqual([...changedCells(before, { ...before, absent: { host: "discarded" } })], ["host"]);
  assert.deepEqual([...changedCells(before, { ...before, notes: {} })], ["machine"]);
  assert.deepEqual([...changedCells(undefined, before)], ["machine"]);
});

test("many patches become one drawing", () => {
  let model = begun();
  let dirty = nothingDirty();
  const steps = [
    makePatch({ rows: { set: [put("a/3/", "a/2/")], remove: [] } }),
    makePatch({ base: 11, seq: 12, rows: { set: [], remove: ["a/3/"] } }),
    makePatch({ base: 12, seq: 13, rows: { set: [put("a/3/", "")], remove: [] } }),
    makePatch({ base: 13, seq: 14, experiment: { phase: "stopped" }, timeline: [{ seq: 5 }] }),
  ];
  for (const step of steps) {
    const result = receive(model, step);
    model = result.model;
    dirty = mergeDirty(dirty, result.dirty);
  }
  assert.deepEqual(model.order, ["a/3/", "a/1/", "a/2/"]);
  assert.deepEqual([...dirty.removed], ["a/3/"]);
  assert.deepEqual([...dirty.rows], ["a/3/"]);
  assert.equal(dirty.head, true);
  assert.equal(dirty.timeline.length, 1);
  assert.equal(isClean(dirty), false);
  assert.equal(isClean(nothingDirty()), true);
});

test("a snapshot replaces earlier patches of the same frame", () => {
  const patch = receive(begun(), makePatch({ rows: { set: [], remove: ["a/1/"] } }));
  const snapshot = receive(patch.model, makeSnapshot(["a/7/"], { seq: 40 }));
  const dirty = mergeDirty(patch.dirty, snapshot.dirty);
  assert.equal(dirty.everything, true);
  assert.equal(dirty.removed.size, 0);
});

test("a row's id is its section, key and field", () => {
  assert.equal(rowId(makeRow("listeners/tcp :80/pid")), "listeners/tcp :80/pid");
});
