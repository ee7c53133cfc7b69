// Tables that stand in the page: a click on a heading sorts the last body of them, as the table of tests is sorted.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells], body = [...table.tBodies].at(-1), rows = [...body.rows];
  const value = (row, place) => {
    const { dataset, textContent } = row.cells[place];
    if (dataset.value === undefined) return textContent;
    return dataset.value === "" ? null : Number(dataset.value);
  };

  function sort(head, place) {
    const before = head.getAttribute("aria-sort");
    const isDown = before === "none" ? head.classList.contains("number") : before === "ascending";
    const sign = isDown ? -1 : 1;
    const order = [...body.rows].sort((a, b) => {
      const one = value(a, place), other = value(b, place);
      if (one === null || other === null) return (one === null) - (other === null); // unknown is last, always
      return one < other ? -sign : one > other ? sign : 0;
    });
    body.append(...order);
    for (const each of heads) each.setAttribute("aria-sort", each === head ? (isDown ? "descending" : "ascending") : "none");
  }

  heads.forEach((head, place) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sort(head, place));
  });
}
