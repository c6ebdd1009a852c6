// Tables sort by the column whose header is clicked: numbers by value, then text by letter.
for (const head of document.querySelectorAll("table thead th")) {
  const sort = () => {
    const body = head.closest("table").tBodies[0];
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => {
      const text = row.cells[head.cellIndex].firstChild?.textContent.trim() ?? "";
      const number = parseFloat(text.replace(/[,\s]/g, ""));
      return Number.isNaN(number) ? text : number;
    };
    const compare = (a, b) =>
      typeof a === "number" && typeof b === "number" ? a - b
        : typeof a === typeof b ? a.localeCompare(b)
          : typeof a === "number" ? -1 : 1;
    const rows = [...body.rows].sort((a, b) => (rising ? 1 : -1) * compare(key(a), key(b)));
    body.append(...rows);
  };
  const button = document.createElement("button");
  button.type = "button";
  button.title = "sort";
  button.append(...head.childNodes);
  button.addEventListener("click", sort);
  head.append(button);
}

// What is folded on the screen is printed too.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
