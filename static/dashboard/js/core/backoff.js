// When to try again: twice as long each time, up to a ceiling, with jitter so that a class of
// thirty does not come back in the same instant. `random` is a number in [0, 1).

export const FIRST_MS = 400;
export const CEILING_MS = 10_000;

export function retryDelay(attempt, random) {
  const full = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random);
}

/** Close codes after which trying again is useless, with the word for why. */
export function finalReason(code) {
  if (code === 4401 || code === 4403) return "signedOut";
  if (code === 4404) return "gone";
  return null;
}

// A connection that died without a word is found by the pings that stopped coming.
// Until the first ping was seen nothing is concluded.
export const SILENCE_MS = 45_000;

export function isSilent(lastPingAt, lastMessageAt, now) {
  return lastPingAt !== null && now - lastMessageAt > SILENCE_MS;
}
