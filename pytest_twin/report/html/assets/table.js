// The table of tests: sorted and searched as a whole, built a page at a time.
(() => {
  const table = document.getElementById("tests-table");
  if (!table) return;
  const tests = TWIN.tests, count = tests.nodeid.length, SIZE = 50, SVG = "http://www.w3.org/2000/svg";
  const search = document.getElementById("tests-search"), which = document.getElementById("tests-outcome");
  const phoneSort = document.getElementById("tests-sort"), told = document.getElementById("tests-told");
  const [back, forth] = ["back", "on"].map((name) => document.getElementById("tests-" + name));
  const on = (number) => (tests.on ? tests.on[number] : "");
  const lower = tests.nodeid.map((id, number) => [id, tests.load[number] || "", on(number)].join(" ").toLowerCase());
  const isRepeated = new Set(tests.nodeid.map((id, number) => id + "\n" + on(number))).size < count;
  let order = [...Array(count).keys()], found = order, page = 0, by = "start", isDown = false;

  function sort() {
    const column = by === "outcome" ? tests.outcome.map((place) => TWIN.outcomes[place]) : tests[by];
    const sign = isDown ? -1 : 1;
    order.sort((a, b) => {
      const one = column[a], other = column[b];
      if (one === null || other === null) return (one === null) - (other === null) || a - b; // unknown is last, always
      return (one < other ? -sign : one > other ? sign : 0) || a - b;
    });
    for (const head of table.querySelectorAll("th[data-by]")) {
      head.setAttribute("aria-sort", head.dataset.by === by ? (isDown ? "descending" : "ascending") : "none");
    }
    phoneSort.value = by;
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = which.value;
    found = order.filter((number) => words.every((word) => lower[number].includes(word)) && fits(TWIN.outcomes[tests.outcome[number]], wanted));
    page = 0;
    draw();
  }

  const fits = (outcome, wanted) => wanted === "" || outcome === wanted || (wanted === "bad" && TWIN.bad.includes(outcome));

  function draw() {
    const first = page * SIZE, rows = found.slice(first, first + SIZE);
    table.tBodies[0].replaceChildren(...rows.map(row));
    const all = `${count.toLocaleString("en")} ${isRepeated ? "attempts" : count === 1 ? "test" : "tests"}`;
    const of = found.length < count ? `${found.length.toLocaleString("en")} of ${all}` : all;
    told.textContent = found.length > SIZE ? `${(first + 1).toLocaleString("en")}–${(first + rows.length).toLocaleString("en")} of ${of}` : found.length ? of : "no test fits";
    back.disabled = page === 0;
    forth.disabled = first + SIZE >= found.length;
  }

  function row(number) {
    const outcome = TWIN.outcomes[tests.outcome[number]], detail = tests.detail[number];
    const id = detail === null ? named(tests.nodeid[number]) : element("a", { href: "#" + detail }, named(tests.nodeid[number]));
    const again = tests.attempt[number] > 1 ? element("span", { className: "soft small", textContent: ` attempt ${tests.attempt[number]}` }) : "";
    const zoom = element("button", { type: "button", textContent: "Zoom", title: "Show it in the timeline" });
    zoom.setAttribute("aria-label", "Show in the timeline: " + tests.nodeid[number].slice(-120));
    zoom.addEventListener("click", () => Timeline.show(tests.start[number] * 1000, (tests.start[number] + tests.duration[number]) * 1000, Timeline.of(on(number))));
    const cells = {
      nodeid: [id, again], outcome: [element("span", { className: "badge " + outcome, textContent: outcome })],
      on: [on(number)], worker: [tests.worker[number]], start: ["+" + lasting(tests.start[number])], duration: [lasting(tests.duration[number])],
      cpu: [lasting(tests.cpu[number])], memory: [change(tests.memory[number])], kept: [change(tests.kept[number])], peak: [size(tests.peak[number])], written: [size(tests.written[number])],
      load: [tests.load[number]], budget: [tests.budget[number]], curve: [spark(number)], show: [zoom],
    };
    const made = element("tr", {});
    for (const head of table.tHead.rows[0].cells) {
      const name = head.dataset.column, isNumber = head.classList.contains("number");
      const cell = element("td", { className: `c-${name}` + (isNumber ? " number" : "") }, ...cells[name].filter((each) => each !== null));
      if (!["nodeid", "outcome", "show"].includes(name) && cell.hasChildNodes()) cell.dataset.label = head.textContent.trim();
      made.append(cell);
    }
    return made;
  }

  const size = (mib) => (mib === null ? null : mib === 0 ? "0 B" : mib < 1 ? Math.max(1, mib * 1024).toFixed(0) + " KiB" : mib >= 1024 ? (mib / 1024).toFixed(2) + " GiB" : shown(mib) + " MiB");
  const change = (mib) => (mib === null ? null : mib === 0 ? "0 B" : (mib < 0 ? "−" : "+") + size(Math.abs(mib)));
  const heights = (text) => Array.from(text, (letter) => (letter.charCodeAt(0) - 48) / 61);

  function spark(number) {
    const [own, host] = [tests.own[number], tests.host[number]];
    if (!host) return null;
    const line = (points) => points.map((height, place) => `${((place / (points.length - 1)) * 100).toFixed(1)},${(21 - height * 20).toFixed(1)}`);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 100 22");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "CPU over the test");
    for (const [name, path] of [["f-tests", own && "M0,22L" + line(heights(own)).join("L") + "L100,22Z"], ["s-host", "M" + line(heights(host)).join("L")]]) {
      if (!path) continue;
      const drawn = document.createElementNS(SVG, "path");
      drawn.setAttribute("class", name);
      drawn.setAttribute("d", path);
      svg.append(drawn);
    }
    return svg;
  }

  function sortBy(name) {
    [by, isDown] = [name, by === name ? !isDown : !["nodeid", "outcome", "on", "worker", "start", "load", "budget"].includes(name)];
    sort();
  }
  for (const head of table.querySelectorAll("th[data-by]")) head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.by));
  phoneSort.addEventListener("change", () => sortBy(phoneSort.value));
  search.addEventListener("input", filter);
  which.addEventListener("change", filter);
  back.addEventListener("click", () => { page--; draw(); });
  forth.addEventListener("click", () => { page++; draw(); });
  sort();
  for (const button of document.querySelectorAll("[data-show]")) {
    const [start, stop, place] = button.dataset.show.split(" ").map(Number);
    button.addEventListener("click", () => Timeline.show(start * 1000, stop * 1000, place));
  }
})();
