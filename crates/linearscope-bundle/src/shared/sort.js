// Tables that a click on a heading sorts: numbers by their keys, the largest first; rows without a key come last either
// way. A heading says how by `data-sort`, a cell may have a key in `data-key`.

const compare = (number, a, b) =>
  number ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });

const sort = (head, descending) => {
  const body = head.closest("table").tBodies[0];
  const keyed = [...body.rows].map(row => {
    const cell = row.cells[head.cellIndex];
    return [cell.dataset.key ?? cell.textContent.trim(), row];
  });
  const number = head.dataset.sort === "number";
  keyed.sort(([a], [b]) => (a === "") - (b === "")
    || (descending ? -1 : 1) * compare(number, a, b));
  body.append(...keyed.map(([, row]) => row));
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
};

/** Make the headings of a table buttons. */
export const sortable = table => {
  for (const head of table.querySelectorAll("th[data-sort]")) {
    if (head.querySelector("button")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      sort(head, sorted ? sorted === "ascending" : head.dataset.sort === "number");
    });
  }
};

/** How somebody has sorted a table: `{ column, descending }`, or null. */
export const order = table => {
  const head = table.querySelector("th[aria-sort]");
  return head && { column: head.cellIndex, descending: head.getAttribute("aria-sort") === "descending" };
};

/** Sort a table by what `order` says of another with the same columns. */
export const sortAs = (table, { column, descending }) => sort(table.tHead.rows[0].cells[column], descending);
