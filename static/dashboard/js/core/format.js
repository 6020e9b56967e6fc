// Formats numbers like the template filters; tests/js/vectors.json tests both.

export function formatDuration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

export function formatOffset(seconds) {
  if (seconds < 10) return Math.max(0, seconds).toFixed(3);
  if (seconds < 600) return seconds.toFixed(1);
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

export function formatMicros(value) {
  if (value === null || value === undefined) return "";
  if (value < 1000) return `${value.toFixed(0)} µs`;
  if (value < 1_000_000) return `${(value / 1000).toFixed(1)} ms`;
  return `${(value / 1_000_000).toFixed(2)} s`;
}

export function formatSize(bytes) {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

export function formatClock(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}

const formats = new Map(); // by timeStyle, because creating one takes much longer than formatting

/** Date and time in the language of the page; `timeStyle` is "short" (without seconds) or "medium". */
export function formatMoment(date, timeStyle = "medium") {
  if (!formats.has(timeStyle)) {
    const language = globalThis.document?.documentElement.lang || undefined;
    formats.set(timeStyle, new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle }));
  }
  return formats.get(timeStyle).format(date);
}

/** Replaces `{name}` in a translated sentence. */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function formatPublished(port) {
  const address = port.host_address.includes(":") ? `[${port.host_address}]` : port.host_address;
  const outside = port.host_port ? String(port.host_port) : "*";
  return `${address ? `${address}:` : ""}${outside} → ${port.container_port}/${port.protocol}`;
}

/**
 * Output of a program, safe to display: control characters and characters that change the writing direction are shown
 * as symbols.
 */
export function visibleText(text) {
  return text
    .replace(/\r\n/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (c) => (c === "\u007f" ? "␡" : String.fromCharCode(0x2400 + c.charCodeAt(0))))
    .replace(/[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
