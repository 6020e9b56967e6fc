// The websocket of a terminal, which also sends. It reconnects and continues where it stopped.

import { keepConnected } from "./reconnecting_socket.js";
import { readOutput } from "../core/terminal/terminal.js";

/** Calls `address()` at each attempt. handlers: opened(), output(frame), message(object), lost(), ended(reason).
 *  Returns {send, sendJson, reopen}. */
export function connectTerminal(address, handlers) {
  const socket = keepConnected(address, {
    ...handlers,
    message(data) {
      if (typeof data === "string") handlers.message(JSON.parse(data));
      else handlers.output(readOutput(data));
    },
  });
  return { ...socket, sendJson: (message) => socket.send(JSON.stringify(message)) };
}
