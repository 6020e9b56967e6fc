import assert from "node:assert/strict";
import test from "node:test";

import {
  addressOf, createOutbox, goesOn, isReport, PASTE_BYTES, readOutput, roleOf, split, TYPED_BYTES, WINDOW_BYTES,
} from "../../static/dashboard/js/core/terminal/terminal.js";

function outbox() {
  const sent = [];
  const box = createOutbox((bytes) => sent.push(bytes));
  box.open();
  return { sent, box };
}
const bytes = (count, value = 120) => new Uint8Array(count).fill(value);
const total = (parts) => parts.reduce((sum, one) => sum + one.length, 0);

test("output carries its offset", () => {
  const buffer = Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 2, 104, 105]).buffer;
  const { offset, data } = readOutput(buffer);
  assert.equal(offset, 2 ** 32 + 2);
  assert.deepEqual([...data], [104, 105]);
});

test("pasted input is sent in pieces, in order, and no faster than the shell reads it", () => {
  const { sent, box } = outbox();
  const pasted = Uint8Array.from({ length: 50_000 }, (_, at) => at % 251);
  assert.equal(box.push(pasted), true);
  assert.ok(sent.every((one) => one.length <= TYPED_BYTES));
  assert.ok(total(sent) <= WINDOW_BYTES + TYPED_BYTES);
  while (total(sent) < pasted.length) {
    const before = total(sent);
    box.took(before);
    assert.ok(total(sent) > before);
    assert.ok(total(sent) - before <= WINDOW_BYTES + TYPED_BYTES);
  }
  assert.deepEqual(Buffer.concat(sent), Buffer.from(pasted));
});

test("too much input is refused as a whole", () => {
  const { sent, box } = outbox();
  assert.equal(box.push(bytes(PASTE_BYTES + 1)), false);
  assert.equal(sent.length, 0);
  assert.equal(box.push(bytes(PASTE_BYTES)), true);
  assert.equal(box.push(bytes(PASTE_BYTES)), false);
});

test("Ctrl-C is sent before queued input, which is dropped", () => {
  const { sent, box } = outbox();
  box.push(bytes(40_000));
  const before = total(sent);
  box.push(bytes(1, 3));
  assert.deepEqual([...sent.at(-1)], [3]);
  box.took(before + 1);
  assert.equal(total(sent), before + 1);
  box.push(bytes(5));
  assert.equal(total(sent), before + 6);
});

test("after a lost connection no old input is sent", () => {
  const { sent, box } = outbox();
  box.push(bytes(40_000));
  box.reset();
  box.open();
  const before = total(sent);
  box.push(bytes(3));
  assert.equal(total(sent), before + 3);
});

test("input waits as a whole until the terminal is live", () => {
  const { sent, box } = outbox();
  box.hold();
  assert.equal(box.push(bytes(20_000)), true);
  assert.equal(box.push(bytes(PASTE_BYTES)), false, "too much is refused while it waits, too");
  box.took(0);
  assert.equal(sent.length, 0);
  box.open();
  box.took(total(sent));
  assert.equal(total(sent), 20_000);
});

test("Ctrl-C while input waits drops that input", () => {
  const { sent, box } = outbox();
  box.hold();
  box.push(bytes(20_000));
  box.push(bytes(1, 3));
  box.open();
  assert.deepEqual(sent.map((one) => [...one]), [[3]]);
});

test("splitting loses no bytes", () => {
  assert.deepEqual(split(bytes(0)), []);
  assert.deepEqual(split(bytes(9), 4).map((one) => one.length), [4, 4, 1]);
});

test("F6 leaves the terminal, Ctrl+V pastes, Ctrl+C copies a selection; all other keys go to the shell", () => {
  const key = (name, more = {}) => ({ key: name, ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, ...more });
  assert.equal(roleOf(key("F6"), false), "after");
  assert.equal(roleOf(key("F6", { shiftKey: true }), false), "before");
  assert.equal(roleOf(key("v", { ctrlKey: true }), false), "browser");
  assert.equal(roleOf(key("C", { ctrlKey: true }), true), "browser");
  assert.equal(roleOf(key("c", { ctrlKey: true }), false), "");
  for (const other of [key("Tab"), key("Escape"), key("F5"), key("F6", { ctrlKey: true }), key("v"), key("v", { altKey: true })]) {
    assert.equal(roleOf(other, true), "");
  }
});

test("reports of the terminal itself are distinguished from typed input", () => {
  for (const one of ["\x1b[24;80R", "\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[0n", "\x1b]11;rgb:0/0/0\x07", "\x1bP1$r0m\x1b\\", "\x1b[?2004;1$y"]) {
    assert.equal(isReport(one), true, JSON.stringify(one));
  }
  for (const one of ["ls", "\r", "\x03", "\x1b", "\x1b[A", "\x1b[1;5C", "\x1bb", "\x1bOP", "\x1b[200~x\x1b[201~", "é"]) {
    assert.equal(isReport(one), false, JSON.stringify(one));
  }
});

test("a window continues only at its own offset and in the same shell", () => {
  assert.equal(goesOn({ run: "a", at: 5 }, { run: "a", start: 5 }), true);
  assert.equal(goesOn({ run: "a", at: 5 }, { run: "a", start: 9 }), false);
  assert.equal(goesOn({ run: "a", at: 5 }, { run: "b", start: 5 }), false);
});

test("the address contains the state of the window", () => {
  const size = { cols: 80, rows: 24 };
  assert.equal(addressOf("/ws/t/", { run: "", at: 0, step: "a b" }, size), "/ws/t/?cols=80&rows=24&step=a+b");
  assert.equal(addressOf("/ws/t/", { run: "ab", at: 7, step: "" }, size), "/ws/t/?cols=80&rows=24&step=&run=ab&from=7");
});
