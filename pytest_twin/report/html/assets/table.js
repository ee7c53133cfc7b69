// The table of tests: sorted and searched as a whole, built a page at a time.
(() => {
  const table = document.getElementById("tests-table");
  if (!table) return;
  const tests = TWIN.tests, count = tests.nodeid.length, SIZE = 50, ON_PAPER = 300, SVG = "http://www.w3.org/2000/svg";
  const search = document.getElementById("tests-search"), which = document.getElementById("tests-outcome");
  const phoneSort = document.getElementById("tests-sort"), told = document.getElementById("tests-told"), rest = document.getElementById("tests-rest");
  const [back, forth] = ["back", "on"].map((name) => document.getElementById("tests-" + name));
  const on = (number) => (tests.on ? tests.on[number] : "");
  const isBad = (number) => TWIN.bad.includes(TWIN.outcomes[tests.outcome[number]]);
  const FIGURES = ["duration", "cpu", "memory", "kept", "waited", "pressure", "throttled", "peak", "written"];

  // A row is a test: all runs of it on one host. It stands for its first failure, or for its first run.
  const runsOf = new Map();
  tests.nodeid.forEach((id, number) => {
    const key = id + "\n" + on(number);
    if (!runsOf.has(key)) runsOf.set(key, []);
    runsOf.get(key).push(number);
  });
  const groups = [...runsOf.values()].map((runs) => {
    const bad = runs.filter(isBad), chosen = bad.length ? bad[0] : runs[0];
    const words = [tests.nodeid[chosen], on(chosen), ...new Set(runs.map((number) => tests.load[number] || ""))];
    return { runs, bad: bad.length, chosen, words: words.join(" ").toLowerCase(), outcomes: new Set(runs.map((number) => TWIN.outcomes[tests.outcome[number]])) };
  });
  const isRepeated = groups.length < count;

  function median(values) {
    const known = values.filter((value) => value !== null).sort((a, b) => a - b);
    return known.length ? (known[(known.length - 1) >> 1] + known[known.length >> 1]) / 2 : null;
  }
  for (const group of groups) {
    for (const name of FIGURES) group[name] = group.runs.length > 1 ? median(group.runs.map((number) => tests[name][number])) : tests[name][group.chosen];
    for (const name of ["nodeid", "worker", "start", "load", "budget"]) group[name] = tests[name][group.chosen];
    if (new Set(group.runs.map((number) => tests.load[number])).size > 1) group.load = "various";
    group.on = on(group.chosen);
    group.outcome = TWIN.outcomes[tests.outcome[group.chosen]];
  }
  const FIRST = "first"; // failures, and then what took the most CPU time
  let order = groups, found = order, page = 0, by = FIRST, isDown = false, isPaper = false; // paper has no pages of the table, but one long one

  function compare(a, b, name, sign) {
    const one = a[name], other = b[name];
    if (one === null || other === null) return (one === null) - (other === null); // unknown is last, always
    return one < other ? -sign : one > other ? sign : 0;
  }

  function sort() {
    const sign = isDown ? -1 : 1;
    order = [...groups].sort((a, b) =>
      (by === FIRST ? (a.bad === 0) - (b.bad === 0) || compare(a, b, "cpu", -1) : compare(a, b, by, sign)) || a.chosen - b.chosen);
    for (const head of table.querySelectorAll("th[data-by]")) {
      head.setAttribute("aria-sort", head.dataset.by === by ? (isDown ? "descending" : "ascending") : "none");
    }
    phoneSort.value = by;
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), wanted = which.value;
    const fits = (group) => wanted === "" || group.outcomes.has(wanted) || (wanted === "bad" && group.bad > 0);
    found = order.filter((group) => words.every((word) => group.words.includes(word)) && fits(group));
    page = 0;
    draw();
  }

  const count_of = (number) => number.toLocaleString("en");

  function draw() {
    const first = isPaper ? 0 : page * SIZE, rows = found.slice(first, first + (isPaper ? ON_PAPER : SIZE));
    table.tBodies[0].replaceChildren(...rows.map(row));
    const all = `${count_of(groups.length)} ${groups.length === 1 ? "test" : "tests"}` + (isRepeated ? ` (${count_of(count)} runs)` : "");
    const of = found.length < groups.length ? `${count_of(found.length)} of ${all}` : all;
    rest.textContent = rows.length < found.length ? `The first ${count_of(rows.length)} of ${of}. All are in tests.csv.` : "";
    told.textContent = found.length > SIZE ? `${count_of(first + 1)}–${count_of(first + rows.length)} of ${of}` : found.length ? of : "no test fits";
    back.disabled = page === 0;
    forth.disabled = first + SIZE >= found.length;
  }

  function row(group) {
    const { chosen, runs } = group, detail = tests.detail[chosen], isMany = runs.length > 1;
    const id = detail === null ? named(group.nodeid) : element("a", { href: "#" + detail }, named(group.nodeid));
    const many = isMany ? element("span", { className: "soft small", textContent: ` ${count_of(runs.length)} runs` + (group.bad ? `, ${count_of(group.bad)} failed` : "") }) : "";
    const zoom = element("button", { type: "button", textContent: "Zoom", title: "Show it in the timeline" });
    zoom.setAttribute("aria-label", "Show in the timeline: " + group.nodeid.slice(-120));
    zoom.addEventListener("click", () => Timeline.show(tests.start[chosen] * 1000, (tests.start[chosen] + tests.duration[chosen]) * 1000, Timeline.of(group.on)));
    const cells = {
      nodeid: [id, many], outcome: [element("span", { className: "badge " + group.outcome, textContent: group.outcome })],
      on: [group.on], worker: [group.worker], start: ["+" + lasting(group.start)], duration: [lasting(group.duration)],
      cpu: [lasting(group.cpu)], memory: [change(group.memory)], kept: [change(group.kept)], peak: [size(group.peak)], written: [size(group.written)],
      waited: [lasting(group.waited)], pressure: [group.pressure === null ? null : group.pressure + " %"], throttled: [lasting(group.throttled)],
      load: [group.load], budget: [group.budget && element("span", { className: "clamp", title: group.budget, textContent: group.budget })], curve: [isMany ? bars(group) : spark(chosen)], show: [zoom],
    };
    const made = element("tr", {});
    for (const head of table.tHead.rows[0].cells) {
      const name = head.dataset.column, isNumber = head.classList.contains("number");
      const cell = element("td", { className: `c-${name}` + (isNumber ? " number" : "") }, ...cells[name].filter((each) => each !== null).map((each) => (isNumber ? each.replaceAll(" ", "\u00a0") : each)));
      if (!["nodeid", "outcome", "show"].includes(name) && cell.hasChildNodes()) cell.dataset.label = isMany && name === "curve" ? "Durations" : head.textContent.trim();
      made.append(cell);
    }
    return made;
  }

  const size = (mib) => (mib === null ? null : mib === 0 ? "0 B" : mib < 1 ? Math.max(1, mib * 1024).toFixed(0) + " KiB" : mib >= 1024 ? (mib / 1024).toFixed(2) + " GiB" : shown(mib) + " MiB");
  const change = (mib) => (mib === null ? null : mib === 0 ? "0 B" : (mib < 0 ? "-" : "+") + size(Math.abs(mib)));
  const heights = (text) => Array.from(text, (letter) => (letter.charCodeAt(0) - 48) / 61);

  function plot(about, paths) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({ class: "spark", viewBox: "0 0 100 22", preserveAspectRatio: "none", role: "img", "aria-label": about })) svg.setAttribute(name, value);
    for (const [name, path] of paths) {
      if (!path) continue;
      const drawn = document.createElementNS(SVG, "path");
      drawn.setAttribute("class", name);
      drawn.setAttribute("d", path);
      svg.append(drawn);
    }
    return svg;
  }

  function spark(number) {
    const [own, host] = [tests.own[number], tests.host[number]];
    if (!host) return null;
    const line = (points) => points.map((height, place) => `${((place / (points.length - 1)) * 100).toFixed(1)},${(21 - height * 20).toFixed(1)}`);
    return plot("CPU over the test", [["f-tests", own && "M0,22L" + line(heights(own)).join("L") + "L100,22Z"], ["s-host", "M" + line(heights(host)).join("L")]]);
  }

  function bars({ runs }) { // the durations of the runs of a test; of very many, the longest of neighbours
    const per = Math.ceil(runs.length / 60), longest = runs.reduce((most, number) => Math.max(most, tests.duration[number]), 1e-9);
    const paths = { "f-tests": "", "f-bad": "" }, wide = 100 / Math.ceil(runs.length / per);
    for (let at = 0; at < runs.length; at += per) {
      const some = runs.slice(at, at + per), tall = (Math.max(...some.map((number) => tests.duration[number])) / longest) * 20 + 1;
      paths[some.some(isBad) ? "f-bad" : "f-tests"] += `M${((at / per) * wide).toFixed(1)},22v-${tall.toFixed(1)}h${(wide * 0.85).toFixed(2)}V22z`;
    }
    return plot(`Durations of its ${runs.length} runs, up to ${lasting(longest)}`, Object.entries(paths));
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
  for (const [moment, to] of [["beforeprint", true], ["afterprint", false]]) addEventListener(moment, () => { isPaper = to; draw(); });
  sort();
  for (const button of document.querySelectorAll("[data-show]")) {
    const [start, stop, place] = button.dataset.show.split(" ").map(Number);
    button.addEventListener("click", () => Timeline.show(start * 1000, stop * 1000, place));
  }
})();
