// Runs in a copy of a report: opens and clicks what a reader would, and writes down what is seen.
for (const details of document.querySelectorAll("details")) details.open = true;

const figures = [...document.querySelectorAll("figure")].map((figure) => {
  const svg = figure.querySelector("svg");
  const box = svg.getBoundingClientRect();
  return {
    name: figure.id,
    width: box.width,
    height: box.height,
    inside: box.left >= 0 && box.right <= document.documentElement.clientWidth,
    drawn: [...svg.querySelectorAll("path, use, text, image")].filter(
      (part) => part.getBoundingClientRect().width + part.getBoundingClientRect().height > 0,
    ).length,
  };
});

const columns = [];
for (const head of document.querySelectorAll("table thead th")) {
  const rows = () => [...head.closest("table").tBodies[0].rows];
  const texts = () =>
    rows().map((row) => row.cells[head.cellIndex].firstChild?.textContent.trim() ?? "");
  const states = [];
  const read = () => {
    head.querySelector("button").click();
    states.push(head.getAttribute("aria-sort"));
    return texts();
  };
  columns.push({ name: head.textContent, rising: read(), falling: read(), states });
}

const found = document.createElement("pre");
found.id = "probe";
const requests = performance.getEntriesByType("resource").map((entry) => entry.name);
found.textContent = JSON.stringify({ figures, columns, requests });
document.body.append(found);
