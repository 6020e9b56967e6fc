// Requests of pages. Commands are POSTs of a form, with its CSRF token.

import { noteAnswer, serverAnswers } from "./contact.js";
import { renewToken } from "./csrf.js";

export class Refused extends Error {}

/** `fetch`; if the server does not answer, an error with the sentence that the page has for that. */
export async function send(address, options) {
  try {
    const response = await fetch(address, options);
    noteAnswer();
    return response;
  } catch (error) {
    if (error.name === "AbortError" || (await serverAnswers())) throw error;
    throw new Refused(document.getElementById("server-away").textContent.trim());
  }
}

/** A failed request whose response gives no reason: what the user can do about the status, or the status. */
export function describeStatus({ status, statusText }) {
  const { signedOut, otherVersion } = JSON.parse(document.getElementById("words").textContent);
  if (status === 401) return signedOut;
  return status === 403 ? otherVersion : `${status} ${statusText}`.trim();
}

/** The reason in the response to a failed request. */
export async function errorText(response) {
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("application/json")) {
    const answer = await response.json().catch(() => ({}));
    const detail = answer.sentence ?? answer.error ?? answer.detail;
    if (typeof detail === "string") return detail;
  } else if (type.startsWith("text/plain")) {
    const text = (await response.text()).trim();
    if (text) return text.slice(0, 500);
  }
  return describeStatus(response);
}

function bodyOf(form, extra, submitter) {
  renewToken(form);
  const body = new FormData(form, submitter);
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  return body;
}

function sendForm(form, headers, signal, extra) {
  const body = bodyOf(form, extra);
  return send(form.action, { method: "POST", body, headers, credentials: "same-origin", redirect: "error", signal });
}

async function post(form, accept, signal, extra = {}) {
  const response = await sendForm(form, { Accept: accept }, signal, extra);
  if (!response.ok) throw new Refused(await errorText(response));
  return response;
}

export async function postForJson(form, signal) {
  return (await post(form, "application/json", signal)).json();
}

/** A command whose response is not shown; a refusal throws its reason. `extra` replaces fields of the form. */
export async function postQuietly(form, submitter, extra = {}) {
  const response = await send(form.action, {
    method: "POST",
    body: bodyOf(form, extra, submitter ?? undefined),
    headers: { "X-Netmodes-Part": "1" },
    credentials: "same-origin",
  });
  if (!response.ok) throw new Refused(await errorText(response));
}

/** Calls `onText` with each chunk as it arrives; bytes that are not UTF-8 are replaced. `extra` replaces fields of the form. */
export async function postForText(form, signal, onText, extra = {}) {
  const response = await post(form, "text/plain", signal, extra);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
    if (text) onText(text);
    if (done) return;
  }
}

/** The page in the response, also of a refusal, if it contains `selector`. Its scripts do not run. */
export async function postForPage(form, signal, extra, selector) {
  const response = await sendForm(form, { Accept: "text/html", "X-Netmodes-Part": "1" }, signal, extra);
  if ((response.headers.get("content-type") ?? "").startsWith("text/html")) {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (page.querySelector(selector)) return page;
  }
  throw new Refused(await errorText(response));
}

async function get(address, accept, headers = {}) {
  const response = await send(address, { headers: { Accept: accept, ...headers }, credentials: "same-origin" });
  if (!response.ok) throw new Refused(await errorText(response));
  return response;
}

export async function getJson(address) {
  return (await get(address, "application/json")).json();
}

/** A page as a document. Its scripts do not run. */
export async function getPage(address) {
  return new DOMParser().parseFromString(await (await get(address, "text/html")).text(), "text/html");
}

/** The main part of a page. */
export async function getPart(address) {
  const response = await get(address, "text/html", { "X-Netmodes-Part": "1" });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
