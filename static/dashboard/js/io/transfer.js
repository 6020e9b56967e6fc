// Uploads and downloads with progress, which an AbortSignal cancels: the server then ends its work.

import { renewToken } from "./csrf.js";
import { Refused, describeStatus, errorText, send } from "./http.js";

/** Sends a form and resolves to its JSON. `onSent` gets the bytes sent and their number. */
export function upload(form, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onSent(event.loaded, event.total);
    });
    request.addEventListener("load", () => {
      if (request.status < 300 && request.response) resolve(request.response);
      else reject(new Refused(request.response?.detail ?? describeStatus(request)));
    });
    request.addEventListener("error", () => reject(new TypeError("network error")));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort());
    renewToken(form);
    request.send(new FormData(form));
  });
}

/** Resolves to the file at an address: its name and its content. `onReceived` gets the bytes received and their
 * number, 0 if that is unknown. */
export async function download(address, signal, onReceived) {
  const response = await send(address, { credentials: "same-origin", signal, headers: { Accept: "text/plain;q=0.5, application/octet-stream" } });
  if (!response.ok) throw new Refused(await errorText(response));
  const total = Number(response.headers.get("content-length") ?? 0);
  const parts = [];
  let received = 0;
  onReceived(received, total);
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    onReceived(received, total);
  }
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "";
  return { name, content: new Blob(parts, { type: response.headers.get("content-type") ?? "" }) };
}
