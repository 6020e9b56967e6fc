// What the badges of the phase and of the engine show for the head of an experiment.

/** The text of the phase, and whether it is marked as a problem: the engine is unavailable, or an arm does not run
 * (`partly`). */
export function describePhase({ phase, engine_away }, partly, words) {
  if (phase !== "running" || !(engine_away || partly)) return { text: words.phases[phase] ?? phase, trouble: false };
  return { text: engine_away ? words.runningEngineAway : words.partlyRunning, trouble: true };
}

/**
 * Whether the engine's badge is drawn from this head, which is shown as of the time `at` (null: now). The head of an
 * ended experiment says nothing about the engine now; it is used only if this page shows the engine as away (`away`),
 * to end that.
 */
export function followsEngine({ phase }, at, away) {
  return at === null && (away || (phase !== "stopped" && phase !== "failed"));
}
