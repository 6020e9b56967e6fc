// The picture of where each container lives. Nodes are kept by id, so that nothing flickers.

import { layOut } from "../core/drawing.js";
import { setHidden, setText, slot, svgElement } from "./page.js";

function makeBox(box) {
  const group = svgElement("g", { class: `box ${box.kind}`, "data-mode": box.mode, "data-id": box.id });
  group.append(svgElement("rect", { x: box.x, y: box.y, width: box.w, height: box.h, rx: box.radius }));
  if (box.shape) {
    group.append(svgElement("use", { href: `#shape-${box.mode}`, x: box.shape[0], y: box.shape[1], width: "12", height: "12" }));
  }
  for (const one of box.texts) {
    const text = svgElement("text", { x: one.x, y: one.y, "text-anchor": one.anchor, class: one.style });
    text.textContent = one.text;
    group.append(text);
  }
  return group;
}

function makeEdge(edge) {
  const group = svgElement("g", { class: `edge ${edge.kind}`, "data-mode": edge.mode, "data-id": edge.id });
  group.append(svgElement("path", { d: edge.path }));
  if (edge.label) {
    const text = svgElement("text", { x: edge.x, y: edge.y, "text-anchor": "middle", class: "soft" });
    text.textContent = edge.label;
    group.append(text);
  }
  return group;
}

function drawLayer(layer, items, make, known) {
  const wanted = items.map((item) => {
    const kept = known.get(item.id);
    if (kept?.item === item) return kept;
    const signature = JSON.stringify(item);
    if (kept?.signature === signature) return { ...kept, item };
    return { item, signature, node: make(item) };
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

/** Marks what the chosen path passes. The nodes are kept, so the class is set on what stands there. */
function drawPath(svg, drawn) {
  for (const one of svg.querySelectorAll("[data-id]")) one.classList.toggle("passed", drawn.passed.has(one.dataset.id));
  svg.querySelector('[data-layer="numbers"]').replaceChildren(...drawn.numbers.map(({ text, x, y }) => {
    const group = svgElement("g", { class: "number" });
    const said = svgElement("text", { x, y, dy: "4", "text-anchor": "middle" });
    said.textContent = text;
    group.append(svgElement("circle", { cx: x, cy: y, r: "9" }), said);
    return group;
  }));
}

export function createPictures(root) {
  const pictures = [...root.querySelectorAll("[data-picture]")].map((svg) => ({
    svg,
    size: svg.dataset.picture,
    layers: ["frames", "edges", "things"].map((name) => [name, svg.querySelector(`[data-layer="${name}"]`), new Map()]),
  }));
  // What the server drew may show a path.
  let pathShown = true;
  return {
    /** `chosen` is the path to show, null for none. */
    draw(model, chosen) {
      for (const { svg, size, layers } of pictures) {
        const drawn = layOut(model[size], chosen);
        if (svg.getAttribute("viewBox") !== drawn.box) svg.setAttribute("viewBox", drawn.box);
        if (svg.getAttribute("aria-label") !== drawn.summary) svg.setAttribute("aria-label", drawn.summary);
        for (const [name, layer, known] of layers) {
          drawLayer(layer, drawn[name], name === "edges" ? makeEdge : makeBox, known);
        }
        if (pathShown || chosen !== null) drawPath(svg, drawn);
      }
      pathShown = chosen !== null;
      setText(slot(root, "summary"), model.wide.summary);
      const empty = model.wide.boxes.length === 0;
      setHidden(slot(root, "pictures"), empty);
      setHidden(slot(root, "picture-words"), empty);
      setHidden(slot(root, "no-picture"), !empty);
    },
  };
}
