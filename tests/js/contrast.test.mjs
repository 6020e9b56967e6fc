import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

const css = readFileSync(new URL("../../static/dashboard/css/base.css", import.meta.url), "utf8");
const tokens = new Map([...css.matchAll(/--([\w-]+): light-dark\((#\w+), (#\w+)\)/g)].map(([, name, light, dark]) => [name, { light, dark }]));

function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const MODES = ["machine", "host", "bridge", "user-bridge", "none", "container", "macvlan", "ipvlan", "overlay", "pasta", "slirp4netns", "private", "ns"];

for (const theme of ["light", "dark"]) {
  test(`every text keeps 4.5:1 in the ${theme} theme`, () => {
    for (const text of [...MODES, "ink", "soft", "good", "warn", "bad"]) {
      for (const ground of ["paper", "card", "sunk", "changed"]) {
        const ratio = contrast(tokens.get(text)[theme], tokens.get(ground)[theme]);
        assert.ok(ratio >= 4.5, `--${text} on --${ground}: ${ratio.toFixed(2)}`);
      }
    }
    for (const text of ["ink", "soft", "bad"]) assert.ok(contrast(tokens.get(text)[theme], tokens.get("bad-paper")[theme]) >= 4.5, text);
    for (const ground of ["card", "sunk"]) assert.ok(contrast(tokens.get("edge")[theme], tokens.get(ground)[theme]) >= 3, "the edge of an input");
  });
}

test("placeholders are opaque, also in Firefox", () => {
  assert.match(css, /::placeholder \{ color: var\(--soft\); opacity: 1; \}/);
});

test("no style has other colors than these, except shadows and what is printed", () => {
  const folder = new URL("../../static/dashboard/css/", import.meta.url);
  for (const name of readdirSync(folder)) {
    const lines = readFileSync(new URL(name, folder), "utf8").replace(/@media print \{[^]*?\n\}/g, "").split("\n");
    for (const line of lines.filter((one) => !/light-dark\(|box-shadow/.test(one))) assert.doesNotMatch(line, /#[\da-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(/i, `${name}: ${line}`);
  }
});

test("every mode has its own colour and its own shape", () => {
  const shapes = readFileSync(new URL("../../templates/diagram/_mode_icons.html", import.meta.url), "utf8");
  const drawn = MODES.map((mode) => new RegExp(`id="shape-${mode}"[^>]*>(.*)</symbol>`).exec(shapes)[1]);
  assert.equal(new Set(drawn).size, MODES.length);
  for (const theme of ["light", "dark"]) assert.equal(new Set(MODES.map((mode) => tokens.get(mode)[theme])).size, MODES.length);
});
