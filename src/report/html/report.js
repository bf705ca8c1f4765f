"use strict";
(() => {
  const all = [...document.querySelectorAll("main>details")];
  const list = document.querySelector("main");
  const search = document.getElementById("search");
  const empty = document.querySelector(".empty");
  const order = new Map(all.map((row, n) => [row, n]));
  let filter = "";
  const text = new Map(all.map((row) => [row, (row.dataset.name + " " + row.querySelector("summary").textContent + " " + (row.querySelector(".facts-line,p.dim")?.textContent ?? "")).toLowerCase()]));
  const visible = () => all.filter((row) => !row.hidden);
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of all) {
      row.hidden = (filter && !row.classList.contains(filter)) || words.some((w) => !text.get(row).includes(w));
    }
    empty.hidden = visible().length > 0;
  };
  search.addEventListener("input", apply);
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      filter = button.dataset.filter;
      for (const other of document.querySelectorAll("[data-filter]")) other.setAttribute("aria-pressed", String(other === button));
      apply();
    });
  }
  const number = (row, key) => Number(row.dataset[key] ?? Infinity);
  const sorts = {
    importance: (a, b) => order.get(a) - order.get(b),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true }),
    took: (a, b) => Number(b.dataset.took ?? -1) - Number(a.dataset.took ?? -1),
    start: (a, b) => number(a, "start") - number(b, "start"),
  };
  document.getElementById("sort").addEventListener("change", (e) => {
    all.sort(sorts[e.target.value]);
    list.append(...all);
  });
  const open = (value) => visible().forEach((row) => (row.open = value));
  document.getElementById("open-all").addEventListener("click", () => open(true));
  document.getElementById("close-all").addEventListener("click", () => open(false));
  const show = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
      if (at.hidden) { search.value = ""; document.querySelector('[data-filter=""]').click(); }
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", show);
  document.addEventListener("click", (e) => {
    const link = e.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) show();
  });
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
      }
    });
  }
  let at = -1;
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.target.matches("input,select,textarea")) {
      if (e.key === "Escape") e.target.blur();
      return;
    }
    const rows = visible();
    const go = (n) => {
      at = Math.max(0, Math.min(rows.length - 1, n));
      rows[at]?.querySelector("summary").focus();
      rows[at]?.scrollIntoView({ block: "nearest" });
    };
    if (e.key === "/") { search.focus(); search.scrollIntoView({ block: "center" }); e.preventDefault(); }
    else if (e.key === "j") go(at + 1);
    else if (e.key === "k") go(at - 1);
    else if (e.key === "o" && rows[at]) rows[at].open = !rows[at].open;
    else if (e.key === "e") open(true);
    else if (e.key === "c") open(false);
  });
  // On paper each cause has its evidence once, from the red that stands for it.
  const shown = [...document.querySelectorAll("article.cause>p.dim>a")].map((a) => document.getElementById(a.getAttribute("href").slice(1)));
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = shown.filter((row) => row && !row.open);
    closed.forEach((row) => (row.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((row) => (row.open = false)));
  show();
})();
