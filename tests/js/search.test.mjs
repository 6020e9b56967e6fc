import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { search, searchWords } from "../../static/dashboard/js/core/claims/search.js";

const vectors = JSON.parse(readFileSync(new URL("./search_vectors.json", import.meta.url), "utf8"));

for (const { query, texts, found } of vectors) {
  test(`“${query}” finds what the server finds`, () => assert.deepEqual([...search(query, texts)], found));
}

test("words lose quotation marks and punctuation around them", () => {
  assert.deepEqual(searchWords("“Empty reply” from server, (52)?"), ["empty", "reply", "from", "server", "52"]);
  assert.deepEqual(searchWords(" .,; "), []);
});
