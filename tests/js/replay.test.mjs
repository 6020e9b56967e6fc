import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { dirtyBetween, NotATrack, QUIET_S, readTrack, SHOWS, unpackTrack } from "../../static/dashboard/js/core/reports/replay.js";
import { isClean, rowId } from "../../static/dashboard/js/core/experiments/experiment_model.js";

const vectors = JSON.parse(readFileSync(new URL("./track_vectors.json", import.meta.url), "utf8"));
const track = readTrack(vectors.track);
const last = track.length - 1;

function assertShows(one, position) {
  const expected = vectors.shown[position];
  const { rows, order, timeline, ...model } = one.at(position);
  assert.deepEqual(timeline, []);
  assert.deepEqual(order, expected.rows.map(rowId));
  assert.deepEqual([...rows.values()], expected.rows);
  const { rows: _rows, item, ...rest } = expected;
  assert.deepEqual(model, rest);
  const said = one.item(position);
  assert.equal(said.text, item?.text ?? "");
  if (item === null) return;
  assert.ok(Math.abs(said.at - item.at) < 0.0011 && Math.abs(said.offset_s - item.offset_s) < 0.0011);
  assert.deepEqual({ ...said, at: 0, offset_s: 0 }, { ...item, at: 0, offset_s: 0 });
}

test("every position shows what Python computes for it, in whatever order one asks", () => {
  for (let position = last; position >= 0; position -= 1) assertShows(track, position);
  for (const position of [0, last, 4, 1, 7, 2]) assertShows(readTrack(vectors.track), position);
});

test("another version is not read", () => {
  for (const raw of [null, {}, "text", { ...vectors.track, v: 99 }]) assert.throws(() => readTrack(raw), NotATrack);
});

test("a track in a file is base64 of deflated JSON", async () => {
  const packed = deflateSync(JSON.stringify(vectors.track)).toString("base64");
  assert.deepEqual(await unpackTrack(`\n${packed}\n`), vectors.track);
});

test("what changed leads from any position to any other", () => {
  for (let from = 0; from <= last; from += 1) {
    for (let to = 0; to <= last; to += 1) {
      const before = track.at(from);
      const after = track.at(to);
      const dirty = dirtyBetween(before, after);
      assert.equal(isClean(dirty), JSON.stringify(vectors.shown[from].rows) === JSON.stringify(vectors.shown[to].rows)
        && !dirty.columns && !dirty.pictures);
      const order = before.order.filter((id) => !dirty.removed.has(id));
      after.order.forEach((id, place) => {
        if (dirty.rows.has(id) && !order.includes(id)) order.splice(place === 0 ? 0 : order.indexOf(after.order[place - 1]) + 1, 0, id);
      });
      assert.deepEqual(order, after.order);
      for (const [id, row] of after.rows) if (!dirty.rows.has(id)) assert.equal(before.rows.get(id), row);
    }
  }
});

test("marks are for who is to see what changed", () => {
  const [before, after] = [track.at(0), track.at(1)];
  assert.equal(dirtyBetween(before, after).cells.size, 0);
  assert.deepEqual([...dirtyBetween(before, after, { marked: true }).cells], [["listeners/tcp :9000/", new Set(["bridge"])]]);
  assert.equal(dirtyBetween(null, after).everything, true);
});

test("a row that changed its place is taken out and set anew", () => {
  const model = (ids) => ({ ...track.at(0), order: ids, rows: new Map(ids.map((id) => [id, id])) });
  const dirty = dirtyBetween(model(["a", "b", "c"]), model(["b", "a", "d"]));
  assert.deepEqual([...dirty.removed].sort(), ["a", "b", "c"]);
  assert.deepEqual([...dirty.rows], ["b", "a", "d"]);
});

test("what is not to be seen is passed over on the way to the next change", () => {
  assert.equal(track.kinds[3], 0);
  assert.equal(track.kinds[1] & SHOWS.rows, SHOWS.rows);
  assert.equal(track.kinds[1] & SHOWS.head, 0);
  assert.equal(track.nextChange(2), 4);
  assert.equal(track.previousChange(4), 2);
  assert.equal(track.previousChange(0), 0);
  assert.equal(track.nextChange(last), last);
});

test("a moment is found by its time, and by its number", () => {
  for (let position = 0; position <= last; position += 1) {
    const { at, seq } = track.item(position);
    assert.equal(track.positionAt(at), position);
    assert.equal(track.positionAt(at + 0.05), position);
    assert.equal(track.positionOf(seq), position);
  }
  assert.equal(track.positionAt(0), 0);
  assert.equal(track.positionAt(1e12), last);
  assert.equal(track.positionOf(0), 0);
});

test("a clock that was set back loses no entry", () => {
  const back = readTrack({ ...vectors.track, times: vectors.track.times.map((time, place) => (place === 4 ? -100 : time)) });
  const { at } = back.item(3);
  assert.equal(back.positionAt(at), 4);
  assert.equal(back.playTime(4, false), back.playTime(3, false));
  assert.ok(back.playTime(5, false) > back.playTime(4, false));
});

test("playing takes as long as it took, and quiet time at most a second", () => {
  const took = track.item(last).at - track.item(0).at;
  assert.ok(took > QUIET_S * last);
  assert.ok(Math.abs(track.playTime(last, false) - took) < 0.002);
  assert.ok(track.playTime(last, true) <= QUIET_S * last);
  for (const skip of [true, false]) {
    for (let position = 0; position <= last; position += 1) {
      assert.equal(track.playedTo(track.playTime(position, skip), skip), position);
    }
    assert.equal(track.playedTo(1e9, skip), last);
  }
});

test("the line of the timeline is the last one that said something", () => {
  assert.deepEqual([...track.told], [0, 1, 2, 4, 5, 6, 8]);
  assert.equal(track.toldAt(3), 2);
  assert.equal(track.toldAt(last), track.told.length - 1);
});

test("nothing has no positions and no change", () => {
  const changes = Object.fromEntries(Object.keys(vectors.track.changes).map((name) => [name, [[], []]]));
  const empty = readTrack({ ...vectors.track, first_at: null, seqs: [], times: [], texts: [], causes: [], abouts: [], changes });
  assert.equal(empty.length, 0);
  assert.equal(empty.nextChange(0), 0);
  assert.equal(empty.toldAt(0), -1);
});

test("sequences that hang on one another are found from anywhere", () => {
  const chain = [[1, 0, 0, 5, 1]];
  const expected = [[5, 6]];
  for (let number = 1; number < 200; number += 1) {
    chain.push([1, number % 3, 1, 1]);
    expected.push([...expected[number - 1].slice(0, number % 3), 6 + number, ...expected[number - 1].slice((number % 3) + 1)]);
  }
  const rows = Array.from({ length: 300 }, (_, n) => ({ ...vectors.track.tables.rows[0], key: `k${n}` }));
  const positions = Array.from({ length: 200 }, (_, n) => (n === 0 ? 0 : 1));
  const long = readTrack({
    ...vectors.track,
    seqs: positions.map(() => 1), times: positions, texts: positions.map(String), causes: positions, abouts: positions,
    tables: { ...vectors.track.tables, rows },
    chains: { ...vectors.track.chains, rows: chain },
    changes: { ...vectors.track.changes, identity: [[], []], interfaces: [[], []], routes: [[], []], dns: [[], []], hosts: [[], []], sysctls: [[], []], published: [[], []], listeners: [positions, positions] },
  });
  for (let turn = 0; turn < 600; turn += 1) {
    const position = (turn * 77) % 200;
    assert.deepEqual([...long.at(position).rows.values()].map((row) => Number(row.key.slice(1))), expected[position]);
  }
});
