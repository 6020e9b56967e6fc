// Delays of reconnects: exponential, capped, with jitter so that many browsers do not reconnect at the same time.
// `random` is a number in [0, 1).

export const FIRST_MS = 400;
export const MAX_DELAY_MS = 10_000;

export function retryDelay(attempt, random) {
  const full = Math.min(MAX_DELAY_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random);
}

const FINAL = { 4400: "refused", 4401: "signedOut", 4403: "signedOut", 4404: "gone", 4409: "many", 4429: "refused" };

/** The reason if a close code means that reconnecting is useless, else null. */
export function finalReason(code) {
  return FINAL[code] ?? null;
}

// A dead connection is recognised by missing pings; before the first ping there is no conclusion.
export const SILENCE_MS = 45_000;

export function isSilent(lastPingAt, lastMessageAt, now) {
  return lastPingAt !== null && now - lastMessageAt > SILENCE_MS;
}
