import assert from "node:assert/strict";
import test from "node:test";

import { MAX_DELAY_MS, finalReason, FIRST_MS, isSilent, retryDelay, SILENCE_MS } from "../../static/dashboard/js/core/backoff.js";
import { listCells, namespaceInode } from "../../static/dashboard/js/core/comparison/cells.js";
import { layOut, layOutBox, numberHops } from "../../static/dashboard/js/core/diagram/drawing.js";
import { makeSearchText, parseQuery, selectRows, totals } from "../../static/dashboard/js/core/comparison/filter.js";
import { fill, formatClock, formatDuration, formatMicros, formatMoment, formatOffset, formatPublished, formatSize, visibleText } from "../../static/dashboard/js/core/format.js";
import { countRequested } from "../../static/dashboard/js/core/paths/attempts.js";
import { makeRow, vectors } from "./vectors.mjs";

const SAID = { duration: formatDuration, offset: formatOffset, micros: formatMicros, size: formatSize, published: formatPublished, inode: namespaceInode };
for (const [name, say] of Object.entries(SAID)) {
  test(`${name} is formatted as in the templates`, () => {
    for (const [value, expected] of vectors[name]) assert.equal(say(value), expected);
  });
}

test("cells are the same as in the templates", () => {
  for (const { row, columns, expected } of vectors.cells) assert.deepEqual(listCells(row, columns), expected);
});

test("boxes are laid out as in the templates", () => {
  for (const { box, expected } of vectors.boxes) assert.deepEqual(layOutBox(box), expected);
});

test("edges are drawn over the machine's frame and behind everything else", () => {
  const boxes = vectors.boxes.map((one) => one.box);
  const edges = [{ id: "e", kind: "veth", mode: "bridge", path: "M0 0", label: "veth", label_x: 1.006, label_y: 2 }];
  const drawn = layOut({ width: 1400, height: 300.25, boxes, edges, summary: "words" });
  assert.equal(drawn.box, "0 0 1400 300.25");
  assert.deepEqual(drawn.frames.map((box) => box.kind), ["machine"]);
  assert.deepEqual(drawn.things.map((box) => box.kind), ["host-stack", "interface"]);
  assert.deepEqual(drawn.edges, [{ id: "e", kind: "veth", mode: "bridge", path: "M0 0", label: "veth", x: "1.01", y: "2" }]);
});

test("the numbers of a path have the same positions as in the templates", () => {
  for (const { boxes, path, expected } of vectors.numbers) {
    const hops = path.hops.map((hop) => ({ cable: false, shift: 0, ...hop }));
    assert.deepEqual(numberHops(boxes, { hops }), expected);
    const drawn = layOut({ width: 1, height: 1, boxes: [], edges: [], summary: "" }, { hops });
    assert.deepEqual([...drawn.passed], ["m:stack", "veth", "b:if:2"]);
  }
});

test("each part of a clock has two digits", () => {
  assert.equal(formatClock(new Date(2026, 0, 2, 3, 4, 5)), "03:04:05");
});

test("a moment has one format on all pages, with or without seconds", () => {
  const moment = new Date(2026, 0, 2, 3, 4, 5);
  globalThis.document = { documentElement: { lang: "en-GB" } };
  try {
    assert.equal(formatMoment(moment), "2 Jan 2026, 03:04:05");
    assert.equal(formatMoment(moment, "short"), "2 Jan 2026, 03:04");
  } finally {
    delete globalThis.document;
  }
});

test("a sentence is filled in, and unknown names are kept", () => {
  assert.equal(fill("{count} of {all}", { count: 3 }), "3 of {all}");
  assert.equal(fill("{count}", { count: "{count}" }), "{count}");
});

test("output of a program cannot control the page or mislead its reader", () => {
  assert.equal(visibleText("\u001b[31mred\u0007"), "␛[31mred␇");
  assert.equal(visibleText("a\r\nb\tc"), "a\nb\tc");
  assert.equal(visibleText("\u202Eevil\u2066"), "⟨U+202E⟩evil⟨U+2066⟩");
  assert.equal(visibleText("\u007f\u009b"), "␡⟨U+009B⟩");
  assert.equal(visibleText("plain ≠ ◐ ü 漢"), "plain ≠ ◐ ü 漢");
});

test("paths that do not exist, and datagrams, are not counted as requested", () => {
  const attempts = [
    { path: "loopback", status: 200, error: "", unavailable: "" },
    { path: "bridge", status: null, error: "refused the connection", unavailable: "" },
    { path: "published-dnat", status: null, error: "", unavailable: "the Engine discarded -p" },
    { path: "multicast", status: null, error: "", unavailable: "" },
    { path: "multicast", status: null, error: "", unavailable: "no IPv4 default route" },
  ];
  assert.equal(countRequested(attempts), 2);
  assert.equal(countRequested([]), 0);
});

test("the delay of retries doubles up to a maximum, with jitter", () => {
  assert.equal(retryDelay(0, 0), FIRST_MS / 2);
  assert.equal(retryDelay(1, 0), FIRST_MS);
  for (const attempt of [0, 1, 5, 20, 10_000]) {
    const low = retryDelay(attempt, 0);
    const high = retryDelay(attempt, 0.999999);
    assert.ok(low > 0 && high > low && high <= MAX_DELAY_MS);
  }
});

test("some close codes are final", () => {
  const reasons = { 4400: "refused", 4401: "signedOut", 4403: "signedOut", 4404: "gone", 4409: "many", 4429: "refused" };
  for (const [code, reason] of Object.entries(reasons)) assert.equal(finalReason(Number(code)), reason);
  for (const code of [1000, 1001, 1006, 1011, 1012, 1013, 4000]) assert.equal(finalReason(code), null);
});

test("a silent connection is dead only if pings are expected", () => {
  assert.equal(isSilent(null, 0, SILENCE_MS * 10), false);
  assert.equal(isSilent(5, 5, 5 + SILENCE_MS), false);
  assert.equal(isSilent(5, 5, 6 + SILENCE_MS), true);
});

function makeRows(count, more = {}) {
  return Array.from({ length: count }, (_, n) => ({ id: `s/${n}`, section: "s", relation: "differs", why: "", searchText: () => `row ${n} nginx`, ...more }));
}

test("“differences only” hides equal rows and counts them", () => {
  const rows = [...makeRows(3), ...makeRows(2, { relation: "same" }).map((row) => ({ ...row, id: `x${row.id}` })), { ...makeRows(1)[0], id: "o", relation: "only" }];
  const { shown, sections } = selectRows(rows);
  assert.equal(shown.size, 4);
  assert.deepEqual(totals(sections), { differ: 4, same: 2, matching: 4 });
  assert.equal(selectRows(rows, { onlyDifferences: false }).shown.size, 6);
});

test("a search needs every word, in any order and case", () => {
  const rows = makeRows(20);
  assert.deepEqual([...selectRows(rows, { words: parseQuery("  NGINX   19 ") }).shown], ["s/19"]);
  assert.equal(selectRows(rows, { words: parseQuery("apache") }).shown.size, 0);
  assert.equal(selectRows(rows, { words: parseQuery("") }).shown.size, 20);
});

test("a search finds rows that are hidden as the same or as details", () => {
  const rows = makeRows(4).map((row, n) => ({ ...row, relation: n === 1 ? "same" : "differs", detail: n === 3 }));
  assert.deepEqual([...selectRows(rows).shown], ["s/0", "s/2"]);
  assert.deepEqual([...selectRows(rows, { words: ["nginx"] }).shown], ["s/0", "s/1", "s/2", "s/3"]);
  assert.deepEqual(totals(selectRows(rows, { words: ["nginx"] }).sections), { differ: 3, same: 1, matching: 4 });
});

test("details are counted, and shown once their section shows details", () => {
  const rows = makeRows(44).map((row, n) => ({ ...row, detail: n > 41 }));
  const { shown, sections } = selectRows(rows);
  assert.equal(shown.size, 40);
  assert.equal(sections.get("s").folded, 2);
  assert.equal(sections.get("s").details, 2);
  assert.equal(selectRows(rows, { detailed: new Set(["s"]) }).shown.size, 42);
});

test("a section of more than forty rows is folded until it is opened", () => {
  const rows = makeRows(100);
  const { shown, sections } = selectRows(rows);
  assert.equal(shown.size, 40);
  assert.equal(sections.get("s").folded, 60);
  assert.equal(selectRows(rows, { expanded: new Set(["s"]) }).shown.size, 100);
  assert.equal(selectRows(rows, { words: ["99"] }).shown.size, 1);
});

test("a reason is shown again only after a row with another reason", () => {
  const rows = makeRows(4).map((row, n) => ({ ...row, why: ["one", "one", "two", ""][n] }));
  assert.deepEqual([...selectRows(rows).again], ["s/1"]);
});

test("a search covers all texts of the row", () => {
  const row = makeRow("dns/resolver/", { machine: "127.0.0.53", host: null }, { label: "Name Servers", why: "Because", absent: { host: "Discarded" }, notes: { machine: "Copied" } });
  const text = makeSearchText(row, [{ key: "machine" }, { key: "host" }]);
  for (const word of ["name servers", "because", "discarded", "copied", "127.0.0.53", "dns"]) assert.ok(text.includes(word), word);
});
