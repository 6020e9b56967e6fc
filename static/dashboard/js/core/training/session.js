// Decisions of pages about messages of /ws/sessions/<id>/. Pure.

/** The remaining time of a timer: 4:05, and 0:00 when it is over. */
export function formatLeft(endsAt, now) {
  const left = Math.max(0, Math.ceil(endsAt - now));
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  const seconds = String(left % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** The delay in ms before a page fetches something, so that not all do at the same time. `random` is in [0, 1). */
export function spread(people, random) {
  return Math.round(Math.min(4000, people * 15) * random);
}

/**
 * The step to which a page moves by itself: the instructor's, if it is the lobby or shows the instructor's previous step
 * and no answer is being entered. Null: it stays. A page that is already `moving`, because moves are delayed, moves to the
 * instructor's newest step; it stays if that is its own, or if participants are now self-paced.
 */
export function followTo(before, state, { step, isLobby = false, busy = false, moving = false }) {
  if (state.pace !== "together") return null;
  if (moving) return state.step === step ? null : state.step;
  if (before.step === state.step || busy) return null;
  return isLobby || step === before.step ? state.step : null;
}

/** Whether the page must be fetched again: the state of its step or of the session has changed. */
export function isOutdated(before, state, step) {
  if (!step) return false;
  if (before.closed !== state.closed || before.locked !== state.locked) return true;
  if (before.revealed.includes(step) !== state.revealed.includes(step)) return true;
  return before.open_until !== state.open_until;
}

/** The width of a bar out of 100. */
export function share(count, all) {
  return all > 0 ? Math.round((100 * count) / all) : 0;
}

/** The hints to show until they are dismissed: the instructor's newest three after the time `dismissedAt`, oldest first. */
export function hintsToShow(messages, dismissedAt) {
  return messages.filter((message) => message.from_instructor && message.at > dismissedAt).slice(-3);
}

/** The time of the newest message, 0 without any. */
export function newestAt(messages) {
  return messages.reduce((newest, message) => Math.max(newest, message.at), 0);
}
