// The answer is announced only while the conclusion has no sentence.

import assert from "node:assert/strict";
import { test } from "node:test";

import { hasSentences } from "../../static/dashboard/js/core/experiments/answer_sentences.js";

const answer = { differences: [], trouble: [], same: "" };
const head = { measured: "", measurement: "", tried: "" };

test("each kind of sentence counts", () => {
  assert.equal(hasSentences(answer, head), false);
  for (const some of [{ differences: [{}] }, { trouble: ["x"] }, { same: "x" }]) {
    assert.equal(hasSentences({ ...answer, ...some }, head), true);
  }
  for (const name of ["measured", "measurement", "tried"]) {
    assert.equal(hasSentences(answer, { ...head, [name]: "x" }), true);
  }
});
