// The chart of a host: panels, and above them its tests and loads as bands.
const LONGEST = 18, LETTER = 6.4; // of a lane's name: how many letters are shown, and how wide one is
const laneName = (name) => (name.length > LONGEST ? name.slice(0, LONGEST - 1) + "…" : name);

// `view` is what all charts share: the time that is seen, the moment that is pointed at, and how to change them.
function chart(data, box, view) {
  const plot = box.querySelector(".plot"), cursor = box.querySelector(".cursor"), readout = box.querySelector(".readout");
  const LANE = 18, GAP = 30, TOP = 8, BOTTOM = 34, FEWEST = 1200, PAPER = 690;
  const HEIGHTS = { CPU: 170 }, HEIGHT = 84;
  const COLOURS = {
    tests: "tests", stress: "stress", rest: "rest", host: "in", memory: "memory", read: "in", written: "out",
    received: "in", sent: "out", "for CPU": "stress", "for memory": "memory", "for disk": "in",
    throttled: "out",
  };
  const DASHES = { written: "dot", sent: "dot", "for memory": "dot", "for disk": "dash" };
  const LOOKS = ["cpu", "memory", "disk", "net"], LOADS = { cpu: "stress", memory: "memory", disk: "in", net: "violet" };

  const tests = TWIN.tests, numbers = [...tests.start.keys()], bands = data.bands;
  const own = tests.on ? numbers.filter((number) => tests.on[number] === data.name) : numbers;
  const all = times(data.all, data.since);
  for (const panel of data.panels) {
    for (const level of panel.levels) {
      level.times = level.t === null ? all : times(level.t, data.since);
      level.values = level.v.map((text, at) => values(text, panel.curves[at].top));
    }
    panel.finest = panel.levels[panel.levels.length - 1];
  }

  const wide = () => (view.onPaper ? PAPER : plot.clientWidth);
  const isNarrow = () => wide() < 680;
  const tallness = (panel) => (HEIGHTS[panel.name] || HEIGHT) * (view.onPaper ? 0.62 : 1);
  const laneNames = data.lanes.map(laneName);
  const rows = data.lanes.length || (data.panels.length ? 0 : 1); // with nothing at all, the axis has a row to stand below
  const margins = () => (isNarrow() ? { l: Math.max(58, view.room), r: 10 } : { l: Math.max(84, view.room), r: 14 });
  const height = () => TOP + rows * LANE + data.panels.reduce((sum, panel) => sum + GAP + tallness(panel), 0) + BOTTOM;

  function levelFor(panel) {
    for (const level of panel.levels) {
      const first = firstAtOrAfter(level.times, view.from), last = firstAtOrAfter(level.times, view.to);
      if (last - first >= FEWEST || level === panel.finest) return [level, first, last];
    }
  }

  function curves() {
    const traces = [];
    data.panels.forEach((panel, number) => {
      const [level, first, last] = levelFor(panel);
      const begin = Math.max(0, first - 1), stop = Math.min(level.times.length, last + 1);
      const x = Array.from(level.times.subarray(begin, stop), (ms) => view.epoch + ms);
      panel.curves.forEach((curve, place) => {
        const tint = colour(COLOURS[curve.name]);
        const y = level.values[place].subarray(begin, stop), yaxis = "y" + (number + 2);
        if (!curve.part && panel.curves.length === 1) {
          traces.push({ type: "scatter", mode: "lines", ...outline(x, y), yaxis, line: { width: 0, simplify: false }, fill: "tozeroy", fillcolor: tint + "40", hoverinfo: "skip", showlegend: false });
        }
        traces.push({
          type: "scatter", mode: "lines", x, y, yaxis,
          line: { color: tint, width: curve.part ? 0 : 1.3, dash: DASHES[curve.name] || "solid", simplify: false },
          ...(curve.part ? { stackgroup: panel.name, fillcolor: tint } : {}),
          hoverinfo: "skip", showlegend: false,
        });
      });
    });
    return traces;
  }

  // What is filled ends where values are missing: a fill by the library goes on to the next value.
  function outline(x, y) {
    const at = [], height = [];
    for (let row = 0; row < x.length; row++) {
      if (Number.isNaN(y[row])) continue;
      if (!row || Number.isNaN(y[row - 1])) { at.push(x[row]); height.push(0); }
      at.push(x[row]);
      height.push(y[row]);
      if (row === x.length - 1 || Number.isNaN(y[row + 1])) { at.push(x[row]); height.push(0); }
    }
    return { x: at, y: height };
  }

  const pixel = () => (view.to - view.from) / width(); // so many milliseconds

  // Rectangles of one look as one outline; those too narrow to be told apart become one.
  function rectangles(which, tint) {
    const a_pixel = pixel(), x = [], y = [];
    const open = new Map();
    const close = (lane, [a, b]) => {
      const left = view.epoch + a, right = view.epoch + Math.max(b, a + 1.5 * a_pixel), below = lane + 0.12, above = lane + 0.88;
      x.push(left, left, right, right, left, null);
      y.push(below, above, above, below, below, null);
    };
    for (const [a, b, lane] of which) {
      if (b < view.from || a > view.to) continue;
      const last = open.get(lane);
      if (last && a - last[1] < a_pixel && (b - a < 3 * a_pixel || last[1] - last[0] < 3 * a_pixel)) { last[1] = Math.max(last[1], b); continue; }
      if (last) close(lane, last);
      open.set(lane, [a, b]);
    }
    open.forEach((last, lane) => close(lane, last));
    return { type: "scatter", mode: "lines", x, y, fill: "toself", fillcolor: tint, line: { color: colour("paper"), width: 1 }, hoverinfo: "skip", showlegend: false };
  }

  const lookOf = (outcome) => (TWIN.bad.includes(outcome) ? "bad" : outcome === "passed" ? "tests" : "rest");
  const byLook = new Map(), bad = [];
  own.forEach((number) => {
    const start = tests.start[number], look = lookOf(TWIN.outcomes[tests.outcome[number]]);
    const rectangle = [start * 1000, (start + tests.duration[number]) * 1000, tests.lane[number], number];
    if (!byLook.has(look)) byLook.set(look, []);
    byLook.get(look).push(rectangle);
    if (look === "bad") bad.push(rectangle);
  });
  const loadLook = (kind) => LOADS[kind] || (kind === "phase" ? "violet" : kind === "gap" ? "bad" : "out");
  const bandsByLook = new Map();
  bands.forEach((band) => {
    const look = loadLook(band.type);
    if (!bandsByLook.has(look)) bandsByLook.set(look, []);
    bandsByLook.get(look).push([band.start * 1000, band.end * 1000, band.lane, band.label]);
  });

  function inkOn(tint) { // what can be read on it
    const [red, green, blue] = [1, 3, 5].map((place) => parseInt(tint.slice(place, place + 2), 16));
    return 0.299 * red + 0.587 * green + 0.114 * blue > 125 ? "#101418" : "#ffffff";
  }

  function marks() {
    const seen = bad.filter(([a, b]) => b >= view.from && a <= view.to);
    const few = seen.length > 400 ? seen.filter((_, place) => place % Math.ceil(seen.length / 400) === 0) : seen;
    return {
      type: "scatter", mode: "markers", x: few.map(([a, b]) => view.epoch + (Math.max(a, view.from) + Math.min(b, view.to)) / 2), y: few.map(() => 0.5),
      marker: { symbol: "triangle-down", size: 8, color: colour("bad") }, hoverinfo: "skip", showlegend: false,
    };
  }

  function labels() {
    const found = [];
    const consider = (a, b, lane, text, look) => {
      const left = Math.max(a, view.from) + 3 * pixel(), room = Math.floor((Math.min(b, view.to) - left) / pixel() / 6.4) - 1;
      if (room >= Math.min(6, text.length) && found.length < 80) found.push([left, lane, text.length > room ? text.slice(0, room - 1) + "…" : text, inkOn(colour(look))]);
    };
    for (const [look, group] of byLook) for (const [a, b, lane, number] of group) {
      if (b >= view.from && a <= view.to) consider(a, b, lane, tests.nodeid[number].slice(tests.nodeid[number].lastIndexOf("::") + 2).replace(/^:+/, ""), look);
    }
    for (const [look, group] of bandsByLook) for (const [a, b, lane, text] of group) if (b >= view.from && a <= view.to) consider(a, b, lane, text, look);
    return {
      type: "scatter", mode: "text", x: found.map(([x]) => view.epoch + x), y: found.map(([, lane]) => lane + 0.5),
      text: found.map(([, , text]) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")), textposition: "middle right",
      textfont: { size: 10.5, color: found.map(([, , , ink]) => ink) }, cliponaxis: true, hoverinfo: "skip", showlegend: false,
    };
  }

  function traces() {
    const order = ["tests", "rest", "bad"].filter((look) => byLook.has(look));
    return [
      ...order.map((look) => rectangles(byLook.get(look), colour(look))),
      ...Array.from(bandsByLook, ([look, which]) => rectangles(which, colour(look))),
      labels(), ...(bad.length ? [marks()] : []), ...curves(),
    ];
  }

  function layout() {
    const total = height(), inner = total - TOP - BOTTOM, ink = colour("ink"), soft = colour("soft"), grid = colour("grid");
    const made = {
      height: total, ...(view.onPaper ? { width: PAPER } : {}), margin: { ...margins(), t: TOP, b: BOTTOM }, hovermode: false, showlegend: false,
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 11.5, color: soft }, annotations: [],
      xaxis: {
        type: "date", range: [view.epoch + view.from, view.epoch + view.to], anchor: data.panels.length ? "y" + (data.panels.length + 1) : "y", gridcolor: grid,
        linecolor: soft, showline: true, ticks: "outside", tickcolor: soft, nticks: isNarrow() ? 4 : 9, zeroline: false,
        tickformatstops: [{ dtickrange: [null, 1000], value: "%H:%M:%S.%2f" }, { dtickrange: [1000, 60000], value: "%H:%M:%S" }, { dtickrange: [60000, 4e7], value: "%H:%M" }, { dtickrange: [4e7, null], value: "%-d %b %Y" }],
      },
      yaxis: {
        domain: [1 - (rows * LANE) / inner, 1], range: [rows, 0], fixedrange: true, showgrid: false,
        zeroline: false, tickvals: data.lanes.map((_, lane) => lane + 0.5), ticktext: laneNames, tickfont: { size: 10.5 }, ticks: "",
      },
    };
    let used = rows * LANE;
    data.panels.forEach((panel, number) => {
      const tall = tallness(panel), above = 1 - (used + GAP) / inner, below = Math.max(0, 1 - (used + GAP + tall) / inner);
      used += GAP + tall;
      made["yaxis" + (number + 2)] = {
        domain: [below, above], range: [0, (!view.isFitted && panel.full) || panel.top], fixedrange: true, gridcolor: grid, zeroline: false, nticks: tall > 100 ? 5 : 3,
        rangemode: "tozero", linecolor: soft, showline: false, tickfont: { size: 10.5 },
      };
      const words = panel.curves.map((curve) => `<span style="color:${colour(COLOURS[curve.name])}">■</span> ${isNarrow() ? curve.name.replace("for ", "") : curve.name}`);
      const unit = isNarrow() ? panel.unit.split(" ")[0] : panel.unit;
      made.annotations.push({
        xref: "paper", yref: "paper", x: 0, y: above, xanchor: "left", yanchor: "bottom", showarrow: false, yshift: 2, xshift: isNarrow() ? 58 - margins().l : 0, align: "left",
        text: `<b>${panel.name}</b> ${unit}` + (panel.curves.length > 1 ? "&nbsp;&nbsp; " + words.join("&nbsp; ") : ""), font: { color: ink, size: 12 },
      });
    });
    return made;
  }

  function draw() {
    Plotly.react(plot, traces(), layout(), { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false });
    box.dataset.from = (view.from / 1000).toFixed(3);
    box.dataset.to = (view.to / 1000).toFixed(3);
    point();
  }

  // the cursor, and what is told of the moment where it stands

  function width() { const { l, r } = margins(); return Math.max(1, wide() - l - r); }
  const place = (ms) => margins().l + ((ms - view.from) / (view.to - view.from)) * width();
  const momentAt = (pixel) => view.from + ((pixel - margins().l) / width()) * (view.to - view.from);

  function running(ms) {
    const slack = pixel(), found = { tests: [], loads: [] };
    for (const number of own) {
      if (found.tests.length >= 40) break;
      const begin = tests.start[number] * 1000, stop = begin + tests.duration[number] * 1000;
      if (begin - slack <= ms && ms <= stop + slack) found.tests.push(number);
    }
    for (const band of bands) if (band.start * 1000 - slack <= ms && ms <= band.end * 1000 + slack) found.loads.push(band);
    return found;
  }

  function point() { // the cursor is in all charts, the words are in the one that is pointed at
    const ms = view.at, isSeen = ms !== null && ms >= view.from - 1 && ms <= view.to + 1;
    cursor.style.display = isSeen ? "block" : "none";
    readout.style.display = isSeen && view.told === box ? "block" : "none";
    if (!isSeen) return;
    const x = place(ms);
    Object.assign(cursor.style, { left: x + "px", top: TOP + "px", height: height() - TOP - BOTTOM + "px" });
    if (view.told !== box) return;
    const list = element("dl", {});
    const add = (name, what) => list.append(element("dt", { textContent: name }), element("dd", {}, what));
    const { tests: now, loads } = running(ms);
    now.slice(0, 4).forEach((number) => {
      const outcome = TWIN.outcomes[tests.outcome[number]];
      add("test", element("span", {}, named(tests.nodeid[number]), ` ${outcome}, ${lasting(tests.duration[number])}`));
    });
    if (now.length > 4) add("", `and ${now.length - 4} more`);
    loads.forEach((band) => add(band.name, band.label + (band.told ? " – " + band.told : "")));
    for (const panel of data.panels) {
      const { times: when, values: what } = panel.finest;
      let row = Math.min(firstAtOrAfter(when, ms), when.length - 1); // a sample tells of the time before it
      if (row < 0 || Math.abs(when[row] - ms) > Math.max(2000, 5 * data.interval)) continue;
      const parts = panel.curves.map((curve, number) => (panel.curves.length > 1 ? curve.name + " " : "") + shown(what[number][row]));
      add(panel.name, parts.join(" · ") + " " + panel.unit.split(" ")[0]);
    }
    const clock = new Date(view.epoch + ms).toISOString().slice(11, 21);
    readout.replaceChildren(element("b", { className: "number", textContent: `${clock} UTC` }), element("span", { className: "soft number", textContent: `  +${(ms / 1000).toFixed(1)} s` }), list);
    if (!isNarrow()) {
      const isRight = x > plot.clientWidth / 2;
      Object.assign(readout.style, { left: isRight ? "auto" : x + 14 + "px", right: isRight ? plot.clientWidth - x + 14 + "px" : "auto", top: TOP + rows * LANE + 24 + "px" });
    }
  }

  const under = (event) => momentAt(event.clientX - plot.getBoundingClientRect().left);
  box.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse") return;
    const ms = under(event);
    view.point(ms >= view.from && ms <= view.to ? ms : null, box);
  });
  box.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && view.point(null, box));
  box.addEventListener("pointerup", (event) => {
    if (event.pointerType !== "mouse") view.point(Math.min(view.to, Math.max(view.from, under(event))), box);
  });
  box.addEventListener("dblclick", () => view.all());
  const step = (by) => view.point(Math.min(view.to, Math.max(view.from, (view.at === null ? (view.from + view.to) / 2 : view.at) + ((view.to - view.from) / width()) * by)), box);
  const KEYS = {
    ArrowLeft: (big) => step(big ? -40 : -4), ArrowRight: (big) => step(big ? 40 : 4),
    "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), Home: () => view.all(), 0: () => view.all(),
    PageUp: () => view.pan(-0.5), PageDown: () => view.pan(0.5), Escape: () => view.point(null, box),
  };
  box.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event.shiftKey);
  });

  draw();
  const parse = (text) => (typeof text === "number" ? text : Date.parse(text.includes(" ") ? text.replace(" ", "T") + "Z" : text)) - view.epoch;
  plot.on("plotly_relayout", (change) => {
    if ("xaxis.range[0]" in change) view.show(parse(change["xaxis.range[0]"]), parse(change["xaxis.range[1]"]));
  });
  let waiting = 0;
  new ResizeObserver(() => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); }).observe(box);
  return { draw, point };
}
