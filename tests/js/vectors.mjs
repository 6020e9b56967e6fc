// The same inputs and outputs with which tests/web/experiments/templates/test_browser_equality.py tests the functions
// of the templates.

import { readFileSync } from "node:fs";

export const vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8"));

export const CORE = "../../static/dashboard/js/core";

export function makeRow(id, cells = { machine: id, host: null }, more = {}) {
  const [section, key = "", field = ""] = id.split("/");
  return { section, key, field, label: key, relation: "differs", why: "", notes: {}, absent: {}, cells, ...more };
}

export function makeSnapshot(ids = ["a/1/", "a/2/"], more = {}) {
  return {
    v: 1,
    type: "snapshot",
    seq: 10,
    experiment: { phase: "running" },
    columns: [{ key: "machine", mode: "machine", title: "this machine" }, { key: "host", mode: "host", title: "host" }],
    rows: ids.map((id) => makeRow(id)),
    wide: {},
    narrow: {},
    timeline: [{ seq: 1, text: "begun" }],
    ...more,
  };
}

export function makePatch(more = {}) {
  return {
    v: 1, type: "patch", base: 10, seq: 11, rows: { set: [], remove: [] },
    experiment: null, columns: null, wide: null, narrow: null, timeline: [],
    ...more,
  };
}
