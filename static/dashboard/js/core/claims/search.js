// The search for questions; dashboard/core/claims/question.py does the same on the server.

const AROUND = /^["'“”`,;:!?()[\]]+|["'“”`,;:!?()[\]]+$/g;

/** The words of a query in lower case, each once, without quotation marks and punctuation around them. */
export function searchWords(query) {
  const words = query.toLowerCase().split(/\s+/).map((word) => word.replace(AROUND, "").replace(/\.+$/, ""));
  return [...new Set(words.filter(Boolean))];
}

/** The indexes of the texts with the most words of the query; all for an empty query, none if no text has any. */
export function search(query, texts) {
  const words = searchWords(query);
  if (words.length === 0) return new Set(texts.keys());
  const counts = texts.map((text) => words.filter((word) => text.includes(word)).length);
  const best = Math.max(0, ...counts);
  return new Set([...texts.keys()].filter((index) => best > 0 && counts[index] === best));
}
