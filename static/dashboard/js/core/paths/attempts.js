// The results of requests over every path.

/**
 * How many paths were requested. Paths that do not exist are among the attempts with the reason, and so are datagrams to a
 * multicast group. The sentence of `describe_attempts` (dashboard/core/paths/attempts.py) counts the same.
 */
export function countRequested(attempts) {
  return attempts.filter(({ path, unavailable }) => !unavailable && path !== "multicast").length;
}
