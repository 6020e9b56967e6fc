// Lighthouse on a running Chromium. stdin: {modules, port, pages: [{name, url, cookies: [{name, value}]}]}; stdout: for
// each page one line {name, scores: {category: 0…100}, requests, bytes, findings: []} in the order of the pages.

import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const CATEGORIES = ["performance", "accessibility", "best-practices"];

/** One command of the DevTools protocol to the browser itself. */
function command(address, method, params) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    socket.onerror = () => reject(new Error("Chromium does not answer"));
    socket.onopen = () => socket.send(JSON.stringify({ id: 1, method, params }));
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.id !== 1) return;
      socket.close();
      if (answer.error) reject(new Error(answer.error.message));
      else resolve(answer.result);
    };
  });
}

function findings(lhr) {
  return CATEGORIES.flatMap((category) =>
    lhr.categories[category].auditRefs
      .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
      .map(({ id }) => `${id} ${lhr.audits[id].displayValue ?? ""}`.trim()),
  );
}

/** Lighthouse's report. A trace that fails, as on a busy machine, is taken again, at most twice. */
async function visit(lighthouse, url, port) {
  for (let left = 2; ; left -= 1) {
    // Lighthouse empties the cache and the storage of the origin before each run; cookies stay.
    const { lhr } = await lighthouse(url, { port, onlyCategories: CATEGORIES, logLevel: "silent" });
    if (!lhr.runtimeError) return lhr;
    process.stderr.write(`${url}: ${lhr.runtimeError.message}\n`);
    if (left === 0) throw new Error(lhr.runtimeError.code);
  }
}

const request = JSON.parse(await text(process.stdin));
const { default: lighthouse } = await import(pathToFileURL(join(request.modules, "lighthouse/core/index.js")));
const { webSocketDebuggerUrl } = await (await fetch(`http://127.0.0.1:${request.port}/json/version`)).json();
for (const page of request.pages) {
  await command(webSocketDebuggerUrl, "Storage.clearCookies", {});
  const cookies = page.cookies.map((cookie) => ({ ...cookie, url: page.url, httpOnly: true }));
  await command(webSocketDebuggerUrl, "Storage.setCookies", { cookies });
  const lhr = await visit(lighthouse, page.url, request.port);
  const { pathname } = new URL(lhr.finalDisplayedUrl);
  if (pathname !== new URL(page.url).pathname) throw new Error(`${page.name} redirected to ${pathname}`);
  const requests = lhr.audits["network-requests"].details.items.filter(({ url }) => url.startsWith("http"));
  const scores = Object.fromEntries(CATEGORIES.map((name) => [name, Math.round((lhr.categories[name].score ?? 0) * 100)]));
  const bytes = requests.reduce((sum, { transferSize }) => sum + (transferSize ?? 0), 0);
  process.stdout.write(`${JSON.stringify({ name: page.name, scores, requests: requests.length, bytes, findings: findings(lhr) })}\n`);
}
