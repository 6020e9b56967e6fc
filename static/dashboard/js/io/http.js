// Commands are POSTs of a form, with its CSRF token.

export class Refused extends Error {}

async function sentenceOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("application/json")) {
    const answer = await response.json().catch(() => ({}));
    const said = answer.sentence ?? answer.error ?? answer.detail;
    if (typeof said === "string") return said;
  } else if (type.startsWith("text/plain")) {
    const said = (await response.text()).trim();
    if (said) return said.slice(0, 500);
  }
  return `${response.status} ${response.statusText}`.trim();
}

async function post(form, accept, signal) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: accept },
    credentials: "same-origin",
    redirect: "error",
    signal,
  });
  if (!response.ok) throw new Refused(await sentenceOf(response));
  return response;
}

export async function postForJson(form, signal) {
  return (await post(form, "application/json", signal)).json();
}

/** A command whose answer is not shown; what is refused says why. */
export async function postQuietly(form, submitter) {
  const response = await fetch(form.action, {
    method: "POST",
    body: new FormData(form, submitter ?? undefined),
    headers: { "X-Netmodes-Part": "1" },
    credentials: "same-origin",
  });
  if (!response.ok) throw new Refused(await sentenceOf(response));
}

/** Calls `onText` with each piece as it arrives; text that is not UTF-8 is replaced. */
export async function postForText(form, signal, onText) {
  const response = await post(form, "text/plain", signal);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
    if (text) onText(text);
    if (done) return;
  }
}

/** The page that a form answers with, also where it is a refusal; it must hold `selector`. Scripts do not run. */
export async function postForPage(form, signal, extra, selector) {
  const body = new FormData(form);
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  const response = await fetch(form.action, {
    method: "POST",
    body,
    headers: { Accept: "text/html", "X-Netmodes-Part": "1" },
    credentials: "same-origin",
    redirect: "error",
    signal,
  });
  if ((response.headers.get("content-type") ?? "").startsWith("text/html")) {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (page.querySelector(selector)) return page;
  }
  throw new Refused(await sentenceOf(response));
}

async function get(address, accept, more = {}) {
  const response = await fetch(address, { headers: { Accept: accept, ...more }, credentials: "same-origin" });
  if (!response.ok) throw new Refused(await sentenceOf(response));
  return response;
}

export async function getJson(address) {
  return (await get(address, "application/json")).json();
}

/** A page of this site as a document. Its scripts do not run. */
export async function getPage(address) {
  return new DOMParser().parseFromString(await (await get(address, "text/html")).text(), "text/html");
}

/** The page without its frame. */
export async function getPart(address) {
  const response = await get(address, "text/html", { "X-Netmodes-Part": "1" });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
