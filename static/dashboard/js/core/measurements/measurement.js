// The blocks of a run by round, as a browser receives them while the run goes on. Pure functions. The server computes the
// final figures with intervals and verdicts when the run ends; figures before that are provisional.

export const PROTOCOL_VERSION = 1;

export function median(values) {
  if (values.length === 0) return null;
  const ordered = [...values].sort((one, other) => one - other);
  const half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
}

function counts(block) {
  return !block.error && block.n > 0;
}

/** Blocks by series and round. A block received twice counts once. `columns` are the blocks that the page contains. */
export function createBlocks(columns = null) {
  const begun = new Map(); // round -> seconds
  const series = new Map(); // key -> Map(round -> block)
  if (columns !== null) {
    columns.rounds.forEach((round, place) => begun.set(round, columns.x[place]));
    for (const one of columns.series) {
      const own = new Map();
      columns.rounds.forEach((round, place) => {
        if (one.p50[place] !== null) own.set(round, { round, p50_us: one.p50[place], p99_us: one.p99[place], center_us: null, n: null, error: "" });
      });
      series.set(one.key, own);
    }
  }
  return {
    add(block) {
      begun.set(block.round, Math.min(block.started_s, begun.get(block.round) ?? Infinity));
      if (!series.has(block.series)) series.set(block.series, new Map());
      series.get(block.series).set(block.round, block);
    },
    /** {x, series: Map(key -> {p50, p99})} with null where a round has no valid block. */
    columns() {
      const rounds = [...begun.keys()].sort((one, other) => one - other);
      const values = (own, name) => rounds.map((round) => {
        const block = own.get(round);
        return block !== undefined && (block.n === null || counts(block)) ? block[name] : null;
      });
      const found = new Map();
      for (const [key, own] of series) found.set(key, { p50: values(own, "p50_us"), p99: values(own, "p99_us") });
      return { x: rounds.map((round) => begun.get(round)), series: found };
    },
    /** The provisional figures of a series: {count, failed, n, lowest, middle, highest, tail}; null for unknown ones. */
    progress(key) {
      const own = [...(series.get(key)?.values() ?? [])];
      const good = own.filter((block) => block.n === null || counts(block));
      const middles = good.map((block) => block.p50_us);
      return {
        count: own.length,
        failed: own.length - good.length,
        n: good.reduce((sum, block) => sum + (block.n ?? 0), 0),
        lowest: middles.length ? Math.min(...middles) : null,
        middle: median(middles),
        highest: middles.length ? Math.max(...middles) : null,
        tail: median(good.map((block) => block.p99_us)),
      };
    },
    /** The median of the differences between blocks of the same round; null without such blocks. */
    difference(baseline, other) {
      const mine = series.get(baseline);
      if (mine === undefined || !series.has(other)) return null;
      const found = [];
      for (const [round, block] of series.get(other)) {
        const pair = mine.get(round);
        if (pair !== undefined && counts(block) && counts(pair)) found.push(block.center_us - pair.center_us);
      }
      return median(found);
    },
  };
}

/** Round numbers from at most `low` to at least `high`, the same as in dashboard/core/measurements/axes.py. */
export function chooseTicks(low, high, wanted = 4) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, number) => (first + number) * step);
}

export function formatMicrosPlain(value) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(Math.abs(value) < 1000 ? 1 : 0);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** A difference with its sign; by default with two decimals below 10, one below 1000, otherwise none. */
export function formatSigned(value, digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 1000 ? 1 : 0) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}

/** The axis of differences: {zero, ticks: [{at, text}], at(value)}; positions are percentages. */
export function layOutAxis(values) {
  const known = values.filter((value) => value !== null);
  const ticks = chooseTicks(Math.min(0, ...known), Math.max(0, ...known));
  const width = ticks[ticks.length - 1] - ticks[0];
  const at = (value) => `${(((value - ticks[0]) / width) * 100).toFixed(2)}%`;
  const digits = Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9));
  return { zero: at(0), at, ticks: ticks.map((value) => ({ at: at(value), text: formatSigned(value, digits) })) };
}

/** The effect of a message: `refresh` if the whole page must be fetched, `add` for new blocks. */
export function receive(state, message) {
  if (message === null || typeof message !== "object") return "ignore";
  if (message.type !== "measurement" && message.type !== "blocks") return "ignore";
  if (message.v !== PROTOCOL_VERSION) return "reload";
  return message.run.state !== state ? "refresh" : "add";
}
