// The launch form: further arms are cloned from <template>; the problems are brought into view.

export function createLaunch(main) {
  const form = main.querySelector("[data-launch]");
  if (!form) return;
  const arms = form.querySelector("[data-arms]");
  const template = document.getElementById("template-arm");
  form.querySelector("[data-add-arm]").addEventListener("click", () => {
    const taken = [...arms.querySelectorAll("[data-arm]")].map((arm) => Number(arm.dataset.arm));
    const number = String(Math.max(0, ...taken) + 1);
    const arm = template.content.cloneNode(true).querySelector("[data-arm]");
    arm.dataset.arm = number;
    for (const element of arm.querySelectorAll("*")) {
      for (const attribute of ["id", "name", "for", "aria-describedby"]) {
        const value = element.getAttribute(attribute);
        if (value?.includes("__N__")) element.setAttribute(attribute, value.replaceAll("__N__", number));
      }
    }
    const legend = arm.querySelector("legend");
    legend.textContent = legend.textContent.replace("__N__", number);
    arms.append(arm);
    arm.querySelector("select").focus();
  });
  // An arm that a problem names may stand in a closed fold.
  main.querySelector("#problems")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const field = link && document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    const fold = field.closest("details");
    if (fold) fold.open = true;
    field.focus();
  });
  main.querySelector("#problems")?.focus();
}
