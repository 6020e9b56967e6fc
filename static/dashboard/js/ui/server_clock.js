// The time of the server: the browser's clock may be wrong.

/**
 * Returns a function that returns the server's time in seconds since the epoch. The page contains the time at which the
 * server rendered it (data-server-time), and the browser knows when it arrived.
 */
export function createServerClock() {
  const renderedAt = Number(document.querySelector("[data-server-time]").dataset.serverTime);
  const [navigation] = performance.getEntriesByType("navigation");
  const difference = renderedAt - (Date.now() - performance.now() + (navigation?.responseStart ?? 0)) / 1000;
  return () => Date.now() / 1000 + difference;
}
