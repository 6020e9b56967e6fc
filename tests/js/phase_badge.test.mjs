// What the badges of the phase and of the engine show while the engine is away, and the notice of a stop.

import assert from "node:assert/strict";
import { test } from "node:test";

import { describePhase, followsEngine, stopNotice } from "../../static/dashboard/js/core/experiments/phase_badge.js";

const words = {
  phases: { running: "running", stopping: "stopping" },
  partlyRunning: "partly running",
  runningEngineAway: "running, engine unavailable",
};

test("a running experiment says that its engine is away, or that an arm does not run", () => {
  const table = [
    ["running", false, "running", "running", false],
    ["running", false, "refused", "partly running", true],
    ["running", false, "exited", "partly running", true],
    ["running", false, "lost", "partly running", true],
    ["running", false, "gone", "running", false],
    ["running", true, "running", "running, engine unavailable", true],
    ["running", true, "exited", "running, engine unavailable", true],
    ["stopping", true, "exited", "stopping", false],
    ["other", false, "running", "other", false],
  ];
  for (const [phase, engine_away, status, text, trouble] of table) {
    assert.deepEqual(describePhase({ phase, engine_away }, [{ status: "running" }, { status }], words), { text, trouble });
  }
});

test("the badge of the server's engine follows its experiments that have not ended, as they are now", () => {
  const table = [
    ["running", null, false, true],
    ["stopping", null, false, true],
    ["running", 1000, false, false],
    ["running", 1000, true, false],
    ["stopped", null, false, false],
    ["failed", null, false, false],
    ["stopped", null, true, true],
  ];
  for (const [phase, at, away, follows] of table) {
    assert.equal(followsEngine({ phase }, at, away, true), follows);
    assert.equal(followsEngine({ phase }, at, away, false), false, "of an experiment on another engine");
  }
});

test("the current state is announced only if the lab has read it after the stop", () => {
  const proof = [{ name: "containers", ok: true, detail: "0 of 2 containers left" }];
  const table = [
    ["running", null, [], ""],
    ["stopped", null, proof, "afterwards"],
    ["stopped", null, [], "last-recorded"],
    ["stopped", null, undefined, "last-recorded"],
    ["stopped", 1000, proof, ""],
    ["stopped", 1000, [], ""],
  ];
  for (const [phase, as_it_was, proof, notice] of table) assert.equal(stopNotice({ phase, as_it_was, proof }), notice);
});
