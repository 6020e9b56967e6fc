// The launch form: adds arms to the formset, and brings problems into view.

export function createLaunchForm(main) {
  const form = main.querySelector("[data-launch]");
  const arms = form.querySelector("[data-arms]");
  const total = form.elements["arms-TOTAL_FORMS"];
  const template = document.getElementById("template-arm");
  form.querySelector("[data-add-arm]").addEventListener("click", () => {
    const index = Number(total.value);
    const arm = template.content.cloneNode(true).querySelector("[data-arm]");
    for (const element of arm.querySelectorAll("*")) {
      for (const { name, value } of [...element.attributes]) {
        if (value.includes("__prefix__")) element.setAttribute(name, value.replaceAll("__prefix__", index));
      }
    }
    arm.querySelector("[data-number]").textContent = index + 1;
    total.value = index + 1;
    arms.append(arm);
    arm.querySelector("select").focus();
  });
  // The field of a problem may be in closed <details>.
  main.querySelector("#problems")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const field = link && document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    field.focus();
  });
  main.querySelector("#problems, #held-ports, #freed-ports")?.focus();
}
