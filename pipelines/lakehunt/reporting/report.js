// Search, filters and order of the findings. Their state is the page's #fragment, so that a view can be linked to.
// Without this script the page shows everything, in the order in which it was written.
"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const list = document.getElementById("findings");
  const all = [...list.children];
  const fields = [...form.elements].filter((field) => field.name);
  const buttons = [...document.querySelectorAll("button[data-sort]")];
  const texts = new Map(all.map((one) => [one, one.textContent.toLowerCase()]));
  let sort = "";

  function state() {
    const kept = new URLSearchParams();
    for (const field of fields) if (field.value) kept.set(field.name, field.value);
    if (sort) kept.set("sort", sort);
    return kept;
  }

  function filter() {
    let shown = 0;
    for (const one of all) {
      const fits = fields.every((field) =>
        field.name === "q"
          ? field.value.toLowerCase().split(/\s+/).every((word) => texts.get(one).includes(word))
          : !field.value || one.dataset[field.name] === field.value);
      one.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").textContent = shown === all.length ? shown : `${shown} of ${all.length}`;
  }

  function order() {
    const down = sort.startsWith("-");
    const key = down ? sort.slice(1) : sort;
    for (const button of buttons) {
      const chosen = button.dataset.sort === key;
      button.setAttribute("aria-pressed", chosen);
      button.dataset.down = chosen && down;
    }
    if (!buttons.some((button) => button.dataset.sort === key)) return list.append(...all);
    const value = (one) => one.dataset[key];
    const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
    const sorted = [...all].sort((a, b) => compare(value(a), value(b)) * (down ? -1 : 1));
    list.append(...sorted);
  }

  function read() {
    const fragment = location.hash.slice(1);
    if (fragment.startsWith("f-")) return open(fragment);
    if (!fragment.includes("=")) return;
    const wanted = new URLSearchParams(fragment);
    for (const field of fields) {
      field.value = wanted.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    sort = wanted.get("sort") ?? "";
    filter();
    order();
    document.getElementById("found").scrollIntoView();
  }

  function open(id) {
    const one = document.getElementById(id);
    if (!one) return;
    one.open = true;
    one.scrollIntoView();
  }

  function write() {
    filter();
    order();
    history.replaceState(null, "", `#${state()}`);
  }

  form.addEventListener("input", write);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { sort = ""; write(); }));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const key = button.dataset.sort;
      const first = ["events", "rank", "last"].includes(key) ? `-${key}` : key;
      const other = first === key ? `-${key}` : key;
      sort = sort === first ? other : first;
      write();
    });
  }
  window.addEventListener("hashchange", read);
  document.documentElement.classList.add("scripted");
  filter();
  read();
})();
