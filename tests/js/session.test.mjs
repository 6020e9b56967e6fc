// What a page of a session does with the messages of its websocket.

import assert from "node:assert/strict";
import { test } from "node:test";

import { followTo, formatLeft, hintsToShow, isOutdated, newestAt, share, spread } from "../../static/dashboard/js/core/training/session.js";

test("a timer shows minutes and seconds, and ends at 0:00", () => {
  const table = [[245, "4:05"], [60, "1:00"], [0.2, "0:01"], [0, "0:00"], [-90, "0:00"], [3661, "1:01:01"]];
  for (const [left, text] of table) assert.equal(formatLeft(1000 + left, 1000), text);
});

test("two hundred pages do not send requests at the same moment", () => {
  assert.equal(spread(1, 0.99) < 50, true);
  assert.equal(spread(200, 0.5), 1500);
  assert.equal(spread(5000, 1), 4000);
});

const at = (step, more = {}) => ({ step, pace: "together", closed: false, locked: false, revealed: [], open_until: 2, ...more });

test("a page follows from the instructor's step to the next one, unless an answer is being entered", () => {
  const table = [
    [at("a"), at("b"), { step: "a" }, "b"],
    [at("a"), at("b"), { step: "a", busy: true }, null],
    [at("a"), at("b"), { step: "z" }, null],
    [at("a"), at("a"), { step: "a" }, null],
    [at("a"), at("b", { pace: "gated" }), { step: "a" }, null],
  ];
  for (const [before, state, page, target] of table) assert.equal(followTo(before, state, page), target);
});

test("the lobby follows to every other step; pages that are neither lobby nor step stay", () => {
  const lobby = { step: "", isLobby: true };
  assert.equal(followTo(at("b"), at("c"), lobby), "c");
  assert.equal(followTo(at("c"), at("b"), lobby), "b");
  assert.equal(followTo(at("b"), at("b"), lobby), null);
  assert.equal(followTo(at("b"), at("c"), { step: "" }), null);
});

test("a delayed move survives other messages and goes to the newest step, unless the instructor returns or changes the pace", () => {
  const table = [
    [at("b"), at("b"), { step: "a" }, "b"],
    [at("b"), at("b", { locked: true }), { step: "a" }, "b"],
    [at("b"), at("c"), { step: "a" }, "c"],
    [at("b"), at("b"), { step: "", isLobby: true }, "b"],
    [at("b"), at("a"), { step: "", isLobby: true }, "a"],
    [at("b"), at("a"), { step: "a" }, null],
    [at("b"), at("b", { pace: "gated" }), { step: "a" }, null],
  ];
  for (const [before, state, page, target] of table) assert.equal(followTo(before, state, { ...page, moving: true }), target);
});

test("a step is fetched again after a change", () => {
  assert.equal(isOutdated(at("a"), at("a"), "a"), false);
  assert.equal(isOutdated(at("a"), at("a", { revealed: ["b"] }), "a"), false);
  for (const more of [{ revealed: ["a"] }, { locked: true }, { closed: true }, { open_until: 3 }]) {
    assert.equal(isOutdated(at("a"), at("a", more), "a"), true);
    assert.equal(isOutdated(at("a"), at("a", more), ""), false);
  }
});

test("a bar's width is its share of 100", () => {
  assert.equal(share(1, 3), 33);
  assert.equal(share(0, 0), 0);
});

const said = (at, more = {}) => ({ at, text: `at ${at}`, from_instructor: true, to_all: false, ...more });

test("hints are shown until they are dismissed, the newest three", () => {
  const messages = [said(1), said(2, { from_instructor: false }), said(3), said(4, { to_all: true }), said(5)];
  assert.deepEqual(hintsToShow(messages, 0).map((hint) => hint.at), [3, 4, 5]);
  assert.deepEqual(hintsToShow(messages, 3).map((hint) => hint.at), [4, 5]);
  assert.deepEqual(hintsToShow(messages, newestAt(messages)), []);
  assert.deepEqual(hintsToShow([], 0), []);
});

test("without messages the time of the newest is 0", () => {
  assert.equal(newestAt([]), 0);
  assert.equal(newestAt([said(3), said(9), said(4)]), 9);
});
