// The websocket of a terminal: the one over which something is sent. It comes back, and goes on where it stopped.

import { retryDelay } from "../core/backoff.js";
import { readOutput } from "../core/terminal/terminal.js";

const FINAL = { 4400: "refused", 4401: "gone", 4403: "gone", 4404: "gone", 4409: "many", 4429: "refused" };

/** `address()` is asked at each try. handlers: opened(), output(frame), said(object), lost(), ended(why). */
export function connectTerminal(address, handlers) {
  const front = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
  let socket = null;
  let timer = null;
  let attempt = 0;

  function open() {
    timer = null;
    const mine = new WebSocket(front + address());
    mine.binaryType = "arraybuffer";
    socket = mine;
    mine.addEventListener("open", () => mine === socket && handlers.opened());
    mine.addEventListener("message", (event) => {
      if (mine !== socket) return;
      attempt = 0;
      if (typeof event.data === "string") handlers.said(JSON.parse(event.data));
      else handlers.output(readOutput(event.data));
    });
    mine.addEventListener("close", (event) => {
      if (mine !== socket) return;
      socket = null;
      const why = FINAL[event.code];
      if (why) {
        handlers.ended(why);
        return;
      }
      handlers.lost();
      timer = setTimeout(open, retryDelay(attempt, Math.random()));
      attempt += 1;
    });
  }

  function now() {
    if (timer === null) return;
    clearTimeout(timer);
    open();
  }

  addEventListener("online", now);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && now());
  open();
  return {
    send(data) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(data);
    },
    say(message) {
      this.send(JSON.stringify(message));
    },
    /** After an end that was final: somebody wants to try it all the same. */
    again() {
      if (socket === null && timer === null) open();
    },
  };
}
