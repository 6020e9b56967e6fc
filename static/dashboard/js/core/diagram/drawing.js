// Positions of the texts and icons in a diagram's boxes; the same as dashboard/web/experiments/picture_presenter.py.

const FRAMES = new Set(["machine", "stack", "host-stack"]);
const LINE = 17;
const NUMBERS_APART = 20;
const BEFORE_END = 12;

function number(value) {
  return String(Number(value.toFixed(2)));
}

function textAt(x, y, text, style, anchor = "start") {
  return { x: number(x), y: number(y), text, style, anchor };
}

const laidOut = new WeakMap(); // Pictures of a replay share boxes and edges.

function once(layOutOne, item) {
  if (!laidOut.has(item)) laidOut.set(item, layOutOne(item));
  return laidOut.get(item);
}

export function layOutBox(box) {
  const { x, y } = box;
  const texts = [];
  let shape = null;
  if (FRAMES.has(box.kind)) {
    shape = [number(x + 16), number(y + 14)];
    texts.push(textAt(x + 35, y + 25, box.title, "strong"));
    box.lines.forEach((line, place) => {
      if (box.kind === "host-stack") texts.push(textAt(x + 16, y + 45 + LINE * place, line, "soft"));
      else texts.push(textAt(x + box.w - 16, y + 25 + LINE * place, line, "soft", "end"));
    });
  } else {
    const lines = box.title ? [[box.title, "strong"]] : [];
    box.lines.forEach((line, place) => lines.push([line, place === 0 && !box.title ? "plain" : "soft"]));
    lines.forEach(([line, style], place) => texts.push(textAt(x + 12, y + 21 + LINE * place, line, style)));
  }
  return {
    id: box.id,
    kind: box.kind,
    mode: box.mode,
    x: number(x),
    y: number(y),
    w: number(box.w),
    h: number(box.h),
    radius: FRAMES.has(box.kind) ? "12" : "7",
    shape,
    texts,
  };
}

function layOutEdge(edge) {
  return {
    id: edge.id,
    kind: edge.kind,
    mode: edge.mode,
    path: edge.path,
    label: edge.label,
    x: number(edge.label_x),
    y: number(edge.label_y),
  };
}

/** Positions of the numbers of a path's hops; a hop that is not drawn has none. */
export function numberHops(boxes, path) {
  const known = new Map(boxes.map((box) => [box.id, box]));
  const numbers = [];
  path.hops.forEach((hop, place) => {
    const box = known.get(hop.spots.find((id) => known.has(id)));
    if (box === undefined) return;
    const [x, y] = hop.cable ? [box.x - BEFORE_END, box.y + box.h / 2] : [box.x, box.y];
    numbers.push({ text: String(place + 1), x: number(x + NUMBERS_APART * hop.shift), y: number(y) });
  });
  return numbers;
}

export function layOut(picture, chosen = null) {
  return {
    passed: new Set(chosen === null ? [] : chosen.hops.flatMap((hop) => hop.ids)),
    numbers: chosen === null ? [] : numberHops(picture.boxes, chosen),
    box: `0 0 ${number(picture.width)} ${number(picture.height)}`,
    summary: picture.summary,
    frames: picture.boxes.filter((box) => box.kind === "machine").map((box) => once(layOutBox, box)),
    edges: picture.edges.map((edge) => once(layOutEdge, edge)),
    things: picture.boxes.filter((box) => box.kind !== "machine").map((box) => once(layOutBox, box)),
  };
}
