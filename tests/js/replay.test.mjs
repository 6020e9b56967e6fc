import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { dirtyBetween, InvalidRecording, MAX_QUIET_S, readRecording, SHOWS, unpackRecording } from "../../static/dashboard/js/core/reports/replay.js";
import { isClean, rowId } from "../../static/dashboard/js/core/experiments/experiment_model.js";

const vectors = JSON.parse(readFileSync(new URL("./track_vectors.json", import.meta.url), "utf8"));
const recording = readRecording(vectors.track);
const last = recording.length - 1;

function assertShows(one, position) {
  const expected = vectors.shown[position];
  const { rows, order, timeline, ...model } = one.at(position);
  assert.deepEqual(timeline, []);
  assert.deepEqual(order, expected.rows.map(rowId));
  assert.deepEqual([...rows.values()], expected.rows);
  const { rows: _rows, item, ...rest } = expected;
  assert.deepEqual(model, rest);
  const line = one.item(position);
  assert.equal(line.text, item?.text ?? "");
  if (item === null) return;
  assert.ok(Math.abs(line.at - item.at) < 0.0011 && Math.abs(line.offset_s - item.offset_s) < 0.0011);
  assert.deepEqual({ ...line, at: 0, offset_s: 0 }, { ...item, at: 0, offset_s: 0 });
}

test("every position equals Python's result, in any order of access", () => {
  for (let position = last; position >= 0; position -= 1) assertShows(recording, position);
  for (const position of [0, last, 4, 1, 7, 2]) assertShows(readRecording(vectors.track), position);
});

test("another version is refused", () => {
  for (const raw of [null, {}, "text", { ...vectors.track, v: 99 }]) assert.throws(() => readRecording(raw), InvalidRecording);
});

test("a recording in a file is base64 of compressed JSON", async () => {
  const packed = deflateSync(JSON.stringify(vectors.track)).toString("base64");
  assert.deepEqual(await unpackRecording(`\n${packed}\n`), vectors.track);
});

test("changes lead from any position to any other", () => {
  for (let from = 0; from <= last; from += 1) {
    for (let to = 0; to <= last; to += 1) {
      const before = recording.at(from);
      const after = recording.at(to);
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

test("changed cells are listed on request", () => {
  const [before, after] = [recording.at(0), recording.at(1)];
  assert.equal(dirtyBetween(before, after).cells.size, 0);
  assert.deepEqual([...dirtyBetween(before, after, { marked: true }).cells], [["listeners/tcp :9000/", new Set(["bridge"])]]);
  assert.equal(dirtyBetween(null, after).everything, true);
});

test("a moved row is removed and inserted again", () => {
  const model = (ids) => ({ ...recording.at(0), order: ids, rows: new Map(ids.map((id) => [id, id])) });
  const dirty = dirtyBetween(model(["a", "b", "c"]), model(["b", "a", "d"]));
  assert.deepEqual([...dirty.removed].sort(), ["a", "b", "c"]);
  assert.deepEqual([...dirty.rows], ["b", "a", "d"]);
});

test("the next change skips positions without a visible change", () => {
  assert.equal(recording.kinds[3], 0);
  assert.equal(recording.kinds[1] & SHOWS.rows, SHOWS.rows);
  assert.equal(recording.kinds[1] & SHOWS.head, 0);
  assert.equal(recording.nextChange(2), 4);
  assert.equal(recording.previousChange(4), 2);
  assert.equal(recording.previousChange(0), 0);
  assert.equal(recording.nextChange(last), last);
});

test("a position is found by its time and by its entry", () => {
  for (let position = 0; position <= last; position += 1) {
    const { at, seq } = recording.item(position);
    assert.equal(recording.positionAt(at), position);
    assert.equal(recording.positionAt(at + 0.05), position);
    assert.equal(recording.positionOf(seq), position);
  }
  assert.equal(recording.positionAt(0), 0);
  assert.equal(recording.positionAt(1e12), last);
  assert.equal(recording.positionOf(0), 0);
});

test("no entry is lost if the clock was set back", () => {
  const back = readRecording({ ...vectors.track, times: vectors.track.times.map((time, place) => (place === 4 ? -100 : time)) });
  const { at } = back.item(3);
  assert.equal(back.positionAt(at), 4);
  assert.equal(back.playTime(4, false), back.playTime(3, false));
  assert.ok(back.playTime(5, false) > back.playTime(4, false));
});

test("playing takes the original time, with gaps of at most a second if idle time is skipped", () => {
  const took = recording.item(last).at - recording.item(0).at;
  assert.ok(took > MAX_QUIET_S * last);
  assert.ok(Math.abs(recording.playTime(last, false) - took) < 0.002);
  assert.ok(recording.playTime(last, true) <= MAX_QUIET_S * last);
  for (const skip of [true, false]) {
    for (let position = 0; position <= last; position += 1) {
      assert.equal(recording.playedTo(recording.playTime(position, skip), skip), position);
    }
    assert.equal(recording.playedTo(1e9, skip), last);
  }
});

test("the current line of the timeline is the last entry with a text", () => {
  assert.deepEqual([...recording.lines], [0, 1, 2, 4, 5, 6, 8]);
  assert.equal(recording.lineAt(3), 2);
  assert.equal(recording.lineAt(last), recording.lines.length - 1);
});

test("an empty recording has no positions and no changes", () => {
  const changes = Object.fromEntries(Object.keys(vectors.track.changes).map((name) => [name, [[], []]]));
  const empty = readRecording({ ...vectors.track, first_at: null, seqs: [], times: [], texts: [], causes: [], abouts: [], changes });
  assert.equal(empty.length, 0);
  assert.equal(empty.nextChange(0), 0);
  assert.equal(empty.lineAt(0), -1);
});

test("sequences stored as differences are read in any order", () => {
  const chain = [[1, 0, 0, 5, 1]];
  const expected = [[5, 6]];
  for (let number = 1; number < 200; number += 1) {
    chain.push([1, number % 3, 1, 1]);
    expected.push([...expected[number - 1].slice(0, number % 3), 6 + number, ...expected[number - 1].slice((number % 3) + 1)]);
  }
  const rows = Array.from({ length: 300 }, (_, n) => ({ ...vectors.track.tables.rows[0], key: `k${n}` }));
  const positions = Array.from({ length: 200 }, (_, n) => (n === 0 ? 0 : 1));
  const long = readRecording({
    ...vectors.track,
    seqs: positions.map(() => 1), times: positions, texts: positions.map(String), causes: positions, abouts: positions,
    tables: { ...vectors.track.tables, rows },
    chains: { ...vectors.track.chains, rows: chain },
    changes: { ...vectors.track.changes, engines: [[], []], identity: [[], []], interfaces: [[], []], routes: [[], []], dns: [[], []], hosts: [[], []], sysctls: [[], []], published: [[], []], listeners: [positions, positions] },
  });
  for (let turn = 0; turn < 600; turn += 1) {
    const position = (turn * 77) % 200;
    assert.deepEqual([...long.at(position).rows.values()].map((row) => Number(row.key.slice(1))), expected[position]);
  }
});
