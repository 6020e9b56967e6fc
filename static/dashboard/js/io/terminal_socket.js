// The websocket of a terminal, which also sends. It reconnects and continues where it stopped.

import { retryDelay } from "../core/backoff.js";
import { readOutput } from "../core/terminal/terminal.js";

const FINAL = { 4400: "refused", 4401: "gone", 4403: "gone", 4404: "gone", 4409: "many", 4429: "refused" };

/** Calls `address()` at each attempt. handlers: opened(), output(frame), message(object), lost(), ended(reason). */
export function connectTerminal(address, handlers) {
  const front = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
  let socket = null;
  let timer = null;
  let attempt = 0;

  function open() {
    timer = null;
    const current = new WebSocket(front + address());
    current.binaryType = "arraybuffer";
    socket = current;
    current.addEventListener("open", () => current === socket && handlers.opened());
    current.addEventListener("message", (event) => {
      if (current !== socket) return;
      attempt = 0;
      if (typeof event.data === "string") handlers.message(JSON.parse(event.data));
      else handlers.output(readOutput(event.data));
    });
    current.addEventListener("close", (event) => {
      if (current !== socket) return;
      socket = null;
      const reason = FINAL[event.code];
      if (reason) {
        handlers.ended(reason);
        return;
      }
      handlers.lost();
      timer = setTimeout(open, retryDelay(attempt, Math.random()));
      attempt += 1;
    });
  }

  function reconnectNow() {
    if (timer === null) return;
    clearTimeout(timer);
    open();
  }

  addEventListener("online", reconnectNow);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && reconnectNow());
  open();
  return {
    send(data) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(data);
    },
    sendJson(message) {
      this.send(JSON.stringify(message));
    },
    /** Reconnects after a final close. */
    reopen() {
      if (socket === null && timer === null) open();
    },
  };
}
