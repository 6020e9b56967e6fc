// Whether the server answers. A page that has just heard from it sends a form at once; otherwise it asks first.

const FRESH_MS = 3000;
const SILENT_MS = 5000;

let heardAt = performance.now();
let lost = false;

export function noteAnswer() {
  heardAt = performance.now();
  lost = false;
}

export function noteLoss() {
  lost = true;
}

/** Whether the server answered so recently that it need not be asked again. */
export function isFresh() {
  return !lost && performance.now() - heardAt < FRESH_MS;
}

/** Asks the server, at most `SILENT_MS`. A proxy in front of it answers with an error while it is away. */
export async function serverAnswers() {
  try {
    const { ok } = await fetch("/healthz", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(SILENT_MS) });
    (ok ? noteAnswer : noteLoss)();
    return ok;
  } catch {
    noteLoss();
    return false;
  }
}
