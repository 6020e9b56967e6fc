// The diagram of where each container lives. Nodes are kept by id, so that nothing flickers.

import { layOut } from "../../core/diagram/drawing.js";
import { fill } from "../../core/format.js";
import { setHidden, setText, slot, svgElement, words } from "../dom.js";

function setAttributes(element, now, before = {}) {
  for (const name of Object.keys(now)) if (now[name] !== before[name]) element.setAttribute(name, now[name]);
}

const rectOf = (box) => ({ x: box.x, y: box.y, width: box.w, height: box.h, rx: box.radius });
const useOf = (box) => ({ href: `#shape-${box.mode}`, x: box.shape[0], y: box.shape[1], width: "12", height: "12" });
const textOf = ({ x, y, anchor, style }) => ({ x, y, "text-anchor": anchor, class: style });
const labelOf = (edge) => ({ x: edge.x, y: edge.y, "text-anchor": "middle", class: "soft" });

function makeText(attributes, content) {
  const text = svgElement("text", attributes);
  text.textContent = content;
  return text;
}

const box = {
  make(item) {
    const group = svgElement("g", { class: `box ${item.kind}`, "data-mode": item.mode, "data-id": item.id });
    group.append(svgElement("rect", rectOf(item)));
    if (item.shape) group.append(svgElement("use", useOf(item)));
    group.append(...item.texts.map((text) => makeText(textOf(text), text.text)));
    return group;
  },
  /** Whether the node of the old item can show the new one. */
  fits: (before, now) =>
    before.kind === now.kind && before.mode === now.mode && !before.shape === !now.shape && before.texts.length === now.texts.length,
  change(group, before, now) {
    const [rect, ...rest] = group.children;
    setAttributes(rect, rectOf(now), rectOf(before));
    if (now.shape) setAttributes(rest.shift(), useOf(now), useOf(before));
    now.texts.forEach((one, place) => {
      setAttributes(rest[place], textOf(one), textOf(before.texts[place]));
      setText(rest[place], one.text);
    });
  },
};

const edge = {
  make(item) {
    const group = svgElement("g", { class: `edge ${item.kind}`, "data-mode": item.mode, "data-id": item.id });
    group.append(svgElement("path", { d: item.path }));
    if (item.label) group.append(makeText(labelOf(item), item.label));
    return group;
  },
  fits: (before, now) => before.kind === now.kind && before.mode === now.mode && before.label === now.label,
  change(group, before, now) {
    setAttributes(group.firstElementChild, { d: now.path }, { d: before.path });
    if (now.label) setAttributes(group.lastElementChild, labelOf(now), labelOf(before));
  },
};

/** `known` has each item with its node, by id; nodes that the server rendered are replaced. */
function drawLayer(layer, items, kind, known) {
  const wanted = items.map((item) => {
    const kept = known.get(item.id);
    if (kept?.item === item) return kept;
    if (kept === undefined || !kind.fits(kept.item, item)) return { item, node: kind.make(item) };
    kind.change(kept.node, kept.item, item);
    return { item, node: kept.node };
  });
  known.clear();
  wanted.forEach((one, place) => known.set(items[place].id, one));
  const staying = new Set(wanted.map((one) => one.node));
  for (const node of [...layer.children]) if (!staying.has(node)) node.remove();
  let next = layer.firstElementChild;
  for (const { node } of wanted) {
    if (node === next) next = next.nextElementSibling;
    else layer.insertBefore(node, next);
  }
}

/** Marks what the chosen path passes, on the existing nodes. */
function drawPath(svg, drawn) {
  for (const one of svg.querySelectorAll("[data-id]")) one.classList.toggle("passed", drawn.passed.has(one.dataset.id));
  svg.querySelector('[data-layer="numbers"]').replaceChildren(...drawn.numbers.map(({ text, x, y }) => {
    const group = svgElement("g", { class: "number" });
    const circle = svgElement("circle", { cx: x, cy: y, r: "9" });
    group.append(circle, makeText({ x, y, dy: "4", "text-anchor": "middle" }, text));
    return group;
  }));
}

export function createPictures(root) {
  const pictures = [...root.querySelectorAll("[data-picture]")].map((svg) => ({
    svg,
    size: svg.dataset.picture,
    visible: true,
    stale: false,
    passed: true, // the server may have rendered a path
    layers: ["frames", "edges", "things"].map((name) => [name, svg.querySelector(`[data-layer="${name}"]`), new Map()]),
  }));
  let last = null; // [model, chosen]

  function drawOne(picture, model, chosen) {
    const { svg, size, layers } = picture;
    const drawn = layOut(model[size], chosen);
    if (svg.getAttribute("viewBox") !== drawn.box) svg.setAttribute("viewBox", drawn.box);
    if (svg.getAttribute("aria-label") !== drawn.summary) svg.setAttribute("aria-label", drawn.summary);
    for (const [name, layer, known] of layers) drawLayer(layer, drawn[name], name === "edges" ? edge : box, known);
    if (picture.passed || chosen !== null) drawPath(svg, drawn);
    picture.passed = chosen !== null;
    picture.stale = false;
  }

  // Only one size is visible: the other is drawn when it becomes visible.
  const watching = new ResizeObserver((changes) => {
    for (const { target, contentRect } of changes) {
      const picture = pictures.find((one) => one.svg === target);
      picture.visible = contentRect.width > 0;
      if (picture.visible && picture.stale) drawOne(picture, ...last);
    }
  });
  for (const { svg } of pictures) watching.observe(svg);
  addEventListener("beforeprint", () => {
    for (const picture of pictures) if (picture.stale) drawOne(picture, ...last);
  });

  return {
    /** `chosen` is the path to show, null for none. */
    draw(model, chosen) {
      last = [model, chosen];
      for (const picture of pictures) {
        if (picture.visible) drawOne(picture, model, chosen);
        else picture.stale = true;
      }
      setText(slot(root, "summary"), model.wide.summary);
      const empty = model.wide.boxes.length === 0;
      setHidden(slot(root, "pictures"), empty);
      setHidden(slot(root, "picture-words"), empty);
      const reason = model.columns?.[0]?.invisible;
      if (reason) setText(slot(root, "no-picture"), fill(words.noDiagram, { reason }));
      setHidden(slot(root, "no-picture"), !empty);
    },
  };
}
