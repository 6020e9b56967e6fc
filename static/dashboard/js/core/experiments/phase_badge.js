// What the badges of the phase and of the engine, and the notice of a stop, show for the head of an experiment.

const NOT_RUNNING = ["refused", "exited", "lost"];

/** The text of the phase, and whether it is marked as a problem: the engine is unavailable, or an arm does not run. */
export function describePhase({ phase, engine_away }, columns, words) {
  const partly = columns.some((column) => NOT_RUNNING.includes(column.status));
  if (phase !== "running" || !(engine_away || partly)) return { text: words.phases[phase] ?? phase, trouble: false };
  return { text: engine_away ? words.runningEngineAway : words.partlyRunning, trouble: true };
}

/**
 * Whether the badge of the server's engine is drawn from this head, which is shown as of the time `at` (null: now). The
 * head of an experiment on another engine, of a machine that has joined or of a private host, says nothing about it
 * (`onServerEngine` is false). That of an ended experiment says nothing about the engine now; it is used only if this page
 * shows the engine as away (`away`), to end that.
 */
export function followsEngine({ phase }, at, away, onServerEngine) {
  return onServerEngine && at === null && (away || (phase !== "stopped" && phase !== "failed"));
}

/**
 * The notice of an experiment that stops while its page is open; empty if it runs, or if the page shows an earlier
 * state. Without a cleanup check the lab has read nothing after the stop: the host is gone, or the server was killed.
 */
export function stopNotice({ phase, as_it_was, proof }) {
  if (phase !== "stopped" || as_it_was) return "";
  return proof?.length ? "afterwards" : "last-recorded";
}
