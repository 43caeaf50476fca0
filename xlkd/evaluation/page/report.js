"use strict";
(() => {
  const table = document.getElementById("languages");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const points = new Map([...document.querySelectorAll(".point")].map((point) => [point.dataset.code, point]));
  const rowOf = new Map(rows.map((row) => [row.dataset.code, row]));

  // Sorting: what is not known comes last, whichever way.
  const valueOf = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim().replace(/^–$/, "");
    return cell.dataset.v === "" ? "" : Number(cell.dataset.v);
  };
  const compare = (first, second, kind) =>
    kind === "text" ? first.localeCompare(second, "en") : first - second;
  const sortBy = (header) => {
    const kind = header.dataset.sort;
    const before = header.getAttribute("aria-sort");
    const first = kind === "text" ? "ascending" : "descending";
    const order = before === null ? first : before === "ascending" ? "descending" : "ascending";
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const column = header.cellIndex;
    const keyed = [...body.rows].map((row) => [valueOf(row, column, kind), row]);
    keyed.sort(([one], [other]) => {
      if (one === "" || other === "") return (one === "") - (other === "");
      return sign * compare(one, other, kind);
    });
    body.append(...keyed.map(([, row]) => row));
  };
  for (const header of headers.filter((cell) => cell.dataset.sort)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(header));
    header.append(button);
  }

  // Filters: of the table, and of the points in the scatter.
  const text = document.getElementById("filter-text");
  const script = document.getElementById("filter-script");
  const resourceClass = document.getElementById("filter-class");
  const shown = document.getElementById("shown");
  const student = headers.findIndex((header) => header.getAttribute("aria-sort"));
  const mean = (chosen, column) => {
    const values = chosen.map((row) => row.cells[column].dataset.v).filter((value) => value !== "");
    if (!values.length) return "";
    const percent = (100 * values.reduce((total, value) => total + Number(value), 0) / values.length).toFixed(1);
    return ` Mean of these, student: ${percent} %.`;
  };
  const filter = () => {
    const wanted = text.value.trim().toLocaleLowerCase("en");
    for (const row of rows) {
      const { code, script: own, class: ownClass } = row.dataset;
      const named = `${row.cells[0].textContent} ${code}`.toLocaleLowerCase("en").includes(wanted);
      row.hidden = !(named && ["", own].includes(script.value) && ["", ownClass].includes(resourceClass.value));
      points.get(code)?.classList.toggle("faint", row.hidden);
    }
    const chosen = rows.filter((row) => !row.hidden);
    shown.textContent = `${chosen.length} of ${rows.length} languages.${mean(chosen, student)}`;
  };
  [text, script, resourceClass].forEach((control) => control.addEventListener("input", filter));
  document.getElementById("filter-none").addEventListener("click", () => {
    [text, script, resourceClass].forEach((control) => { control.value = ""; });
    filter();
  });
  document.querySelector(".filters").hidden = false;
  filter();

  const scroll = table.closest(".scroll");
  const fit = () => scroll.classList.toggle("fits", table.offsetWidth <= scroll.clientWidth);
  new ResizeObserver(fit).observe(scroll);

  // The scatter: a tip for mouse, finger and arrow keys; a click finds the row.
  const figure = document.querySelector(".scatter");
  if (!figure) return;
  const tip = figure.querySelector(".tip");
  const words = new Map();
  for (const [code, point] of points) {
    const title = point.querySelector("title");
    words.set(code, title.textContent);
    point.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const mark = (code, on) => {
    rowOf.get(code).classList.toggle("here", on);
    points.get(code)?.classList.toggle("here", on);
  };
  let current = null;
  const leave = () => {
    if (current !== null) mark(current, false);
    current = null;
    tip.hidden = true;
  };
  const visit = (code) => {
    leave();
    current = code;
    mark(code, true);
    const box = figure.getBoundingClientRect();
    const place = points.get(code).querySelector("circle").getBoundingClientRect();
    tip.textContent = words.get(code);
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(place.left - box.left + 16, box.width - tip.offsetWidth))}px`;
    tip.style.top = `${place.top - box.top - tip.offsetHeight - 8}px`;
  };
  const codeAt = (event) => event.target.closest(".point")?.dataset.code;
  figure.addEventListener("pointerover", (event) => (codeAt(event) ? visit(codeAt(event)) : leave()));
  figure.addEventListener("pointerleave", leave);
  figure.addEventListener("click", (event) => {
    const code = codeAt(event);
    if (code) rowOf.get(code).scrollIntoView({ block: "center" });
  });
  const across = (code) => points.get(code).querySelector("circle").cx.baseVal.value;
  const inOrder = [...points.keys()].sort((one, other) => across(one) - across(other));
  figure.querySelector("svg").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (event.key === "Escape") leave();
    if (!step) return;
    event.preventDefault();
    const next = current === null ? 0 : inOrder.indexOf(current) + step;
    visit(inOrder[(next + inOrder.length) % inOrder.length]);
  });
  body.addEventListener("pointerover", (event) => {
    const code = event.target.closest("tr").dataset.code;
    points.forEach((point, own) => point.classList.toggle("here", own === code));
  });
})();
