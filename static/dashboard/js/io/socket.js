// A read-only websocket that reconnects; commands go by POST.

import { noteAnswer, noteLoss } from "./contact.js";
import { keepConnected } from "./reconnecting_socket.js";
import { isSilent } from "../core/backoff.js";

const CHECK_MS = 5000;

/** handlers: opened(), message(object), lost(), ended(reason). Returns {resync, stop}. */
export function connect(path, handlers) {
  let lastMessageAt = 0;
  let lastPingAt = null;
  const socket = keepConnected(() => path, {
    ...handlers,
    message(data) {
      lastMessageAt = performance.now();
      noteAnswer();
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        socket.resync();
        return;
      }
      if (message?.type === "ping") lastPingAt = lastMessageAt;
      handlers.message(message);
    },
    lost() {
      lastPingAt = null;
      noteLoss();
      handlers.lost();
    },
  });
  setInterval(() => {
    if (isSilent(lastPingAt, lastMessageAt, performance.now())) socket.resync();
  }, CHECK_MS);
  return socket;
}
