// What goes over a terminal's websocket, and which keys lead out of it. No page, no clock.

export const TYPED_BYTES = 4096;
export const WINDOW_BYTES = 16 * 1024;
export const PASTE_BYTES = 64 * 1024;
export const INTERRUPT = 3;
const OFFSET_BYTES = 8;

/** A frame of output: where its bytes begin, and the bytes. */
export function readOutput(buffer) {
  const view = new DataView(buffer);
  return { offset: Number(view.getBigUint64(0)), data: new Uint8Array(buffer, OFFSET_BYTES) };
}

/** Bytes in pieces that one message holds. */
export function split(bytes, most = TYPED_BYTES) {
  const found = [];
  for (let at = 0; at < bytes.length; at += most) found.push(bytes.subarray(at, at + most));
  return found;
}

/**
 * What is typed, on its way to the shell: so much is sent as the shell may not have taken yet, the rest waits here.
 * Ctrl-C overtakes what waits, which then is not sent any more. `send(bytes)` sends one message.
 */
export function createOutbox(send) {
  let waiting = [];
  let sent = 0;
  let taken = 0;

  function flow() {
    while (waiting.length > 0 && sent - taken < WINDOW_BYTES) {
      const next = waiting.shift();
      sent += next.length;
      send(next);
    }
  }

  return {
    /** Returns whether there is room for it: what is too much is not begun. */
    push(bytes) {
      if (bytes.length === 1 && bytes[0] === INTERRUPT) {
        waiting = [];
        sent += 1;
        send(bytes);
        return true;
      }
      if (bytes.length + waiting.reduce((sum, one) => sum + one.length, 0) > PASTE_BYTES) return false;
      waiting.push(...split(bytes));
      flow();
      return true;
    },
    took(total) {
      taken = total;
      flow();
    },
    /** A new connection: what was on its way is lost, what waits is not typed into something else. */
    reset() {
      waiting = [];
      sent = 0;
      taken = 0;
    },
  };
}

/**
 * What a key does: "after" and "before" lead out of the terminal (F6, Shift+F6), "browser" is left to the browser (Ctrl+V
 * pastes; Ctrl+C copies while something is marked), "" is the shell's.
 */
export function roleOf(event, isMarked) {
  const plain = !event.altKey && !event.metaKey;
  if (event.key === "F6" && plain && !event.ctrlKey) return event.shiftKey ? "before" : "after";
  const key = (event.key ?? "").toLowerCase();
  if (plain && event.ctrlKey && !event.shiftKey && (key === "v" || (key === "c" && isMarked))) return "browser";
  return "";
}

/** Whether a terminal says this by itself: an answer to a question (cursor, colours, size), not what somebody types. */
export function isReport(text) {
  return /^\x1b(?:\[[?>=]?[\d;]*(?:[Rcnxty]|\$y)|\[[IO]|[P\]])/.test(text);
}

/** Whether what begins at `start` follows what a window has of the shell `run`; else its screen begins anew. */
export function goesOn(known, hello) {
  return known.run === hello.run && known.at === hello.start;
}

/** The address of the websocket with what this window knows. */
export function addressOf(path, known, size) {
  const asked = new URLSearchParams({ cols: size.cols, rows: size.rows, step: known.step });
  if (known.run) {
    asked.set("run", known.run);
    asked.set("from", known.at);
  }
  return `${path}?${asked}`;
}
