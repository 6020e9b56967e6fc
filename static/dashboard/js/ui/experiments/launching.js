// A bar for each arm while an experiment is launched.

import { cloneTemplate, modeIcon, setHidden, setText, slot } from "../dom.js";

function makeArm(arm) {
  const item = cloneTemplate("template-arm-progress").querySelector("li");
  item.dataset.key = arm.key;
  const label = item.querySelector("label");
  label.dataset.mode = arm.mode;
  label.htmlFor = item.querySelector("progress").id = `launch-${arm.key}`;
  item.querySelector("svg").replaceWith(modeIcon(arm.mode));
  setText(slot(item, "title"), arm.title);
  return item;
}

export function createLaunching(main) {
  const box = slot(main, "launching");
  const list = slot(box, "launching-arms");
  return {
    draw(arms = []) {
      setHidden(box, arms.length === 0);
      const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
      if (arms.length !== known.size || arms.some((arm) => !known.has(arm.key))) {
        list.replaceChildren(...arms.map((arm) => known.get(arm.key) ?? makeArm(arm)));
      }
      for (const [place, arm] of arms.entries()) {
        const item = list.children[place];
        setText(slot(item, "text"), arm.text);
        const bar = item.querySelector("progress");
        if (arm.fraction === null) bar.removeAttribute("value");
        else bar.value = arm.fraction;
      }
    },
  };
}
