import assert from "node:assert/strict";
import test from "node:test";

import { histogramOf, readSessionTrack } from "../../static/dashboard/js/core/training/session_track.js";
import { InvalidRecording } from "../../static/dashboard/js/core/reports/replay.js";

/** 700 entries, two slots; every third says something; a quiet minute in the middle. */
const LENGTH = 700;
const raw = {
  v: 1,
  kind: "class",
  first_at: 1000,
  truncated: false,
  people: ["Ada"],
  steps: [{ title: "A", question: "?", choices: ["no", "yes"] }],
  times: Array.from({ length: LENGTH }, (_, n) => (n === 0 ? 0 : n === 350 ? 60_000 : 100)),
  texts: Array.from({ length: LENGTH }, (_, n) => (n % 3 === 0 ? `said ${n}` : "")),
  patches: Array.from({ length: LENGTH }, (_, n) => (n % 2 ? [["p0", [true, n]]] : [["c0.0", ["run", n]]])),
  mirrors: [],
};
const track = readSessionTrack(raw);

test("slots hold the last value set before a position, in any order of access", () => {
  for (const position of [699, 0, 511, 512, 1, 513, 255, 256, 257, 698, 2]) {
    const { slots } = track.at(position);
    const even = position % 2 ? position - 1 : position;
    const odd = position % 2 ? position : position - 1;
    assert.deepEqual(slots.get("c0.0"), ["run", even], String(position));
    assert.deepEqual(slots.get("p0"), odd < 0 ? undefined : [true, odd], String(position));
  }
});

test("the next change is an entry with a text", () => {
  assert.equal(track.nextChange(0), 3);
  assert.equal(track.nextChange(1), 3);
  assert.equal(track.previousChange(3), 0);
  assert.equal(track.previousChange(5), 3);
  assert.equal(track.nextChange(699), 699);
  assert.equal(track.lineAt(5), 1);
});

test("times and positions convert both ways, and idle time is skipped", () => {
  assert.equal(track.positionAt(1000.35), 3);
  assert.equal(track.positionAt(0), 0);
  assert.equal(track.positionOf(track.item(42).seq), 42);
  assert.ok(track.playTime(699, false) > 129 && track.playTime(699, true) < 71);
  assert.equal(track.playedTo(track.playTime(400, true), true), 400);
});

test("another kind or version is not read", () => {
  for (const one of [null, {}, { ...raw, v: 2 }, { ...raw, kind: "x" }]) assert.throws(() => readSessionTrack(one), InvalidRecording);
});

test("answers are drawn with all known facts", () => {
  const answers = { step: 0, counts: [2, 1], answered: 3, revealed: false, known: false, right: null, truth: "", read: false };
  assert.deepEqual(histogramOf(answers, raw.steps[0]).choices.map((one) => one.right), [null, null]);
  const shown = histogramOf({ ...answers, revealed: true, known: true, right: 1, truth: "yes", read: true }, raw.steps[0]);
  assert.deepEqual(shown.choices, [{ text: "no", count: 2, right: false }, { text: "yes", count: 1, right: true }]);
  assert.deepEqual([shown.question, shown.answered, shown.truth], ["?", 3, "yes"]);
});
