// The timeline: a chart for each host, all of them with one axis of time, one zoom and one cursor.
const Timeline = (() => {
  const boxes = [...document.querySelectorAll("#timeline .chart")];
  if (!boxes.length) return { show() {}, of: () => 0 };
  const { hosts, epoch, duration } = TWIN.timeline, SHORTEST_MS = 20;
  const end = Math.max(duration * 1000, 1);
  const longest = Math.max(...hosts.flatMap((host) => host.lanes.map((name) => laneName(name).length)), 0);
  const view = {
    epoch, from: 0, to: end, at: null, told: boxes[0], onPaper: false,
    isFitted: false, // whether shares are drawn up to their highest value, and not up to the size of the machine
    room: 8 + LETTER * longest, // left of all charts, so that the same times are below each other
    show, zoom, pan, point,
    all: () => show(0, end),
  };

  function draw() {
    for (const each of charts) each.draw();
    enable();
  }

  function enable() {
    document.querySelectorAll("[data-zoom=out], [data-zoom=all]").forEach((button) => (button.disabled = view.from <= 0 && view.to >= end));
  }

  function show(begin, stop) {
    const least = Math.min(SHORTEST_MS, end), long = Math.min(end, Math.max(least, stop - begin));
    view.from = Math.min(Math.max(0, (begin + stop - long) / 2), end - long);
    view.to = view.from + long;
    draw();
  }

  function zoom(by) {
    const { from, to, at } = view, about = at !== null && at >= from && at <= to ? at : (from + to) / 2;
    show(about - (about - from) * by, about + (to - about) * by);
  }

  function pan(by) {
    const { from, to } = view;
    show(from + (to - from) * by, to + (to - from) * by);
  }

  function point(ms, box) { // all charts have the cursor, the one that is pointed at tells of the moment
    Object.assign(view, { at: ms, told: box });
    for (const each of charts) each.point();
  }

  const charts = hosts.map((host, place) => chart(host, boxes[place], view));
  enable();
  const BUTTONS = { in: () => zoom(0.5), out: () => zoom(2), all: view.all, left: () => pan(-0.5), right: () => pan(0.5) };
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => BUTTONS[button.dataset.zoom]()));
  const fit = document.querySelector("[data-fit]");
  fit.addEventListener("click", () => {
    view.isFitted = !view.isFitted;
    fit.setAttribute("aria-pressed", view.isFitted);
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const print = (isPaper) => {
    Object.assign(view, { onPaper: isPaper, at: null });
    document.documentElement.classList.toggle("paper", isPaper); // in its colours, whatever the screen has
    draw();
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  return {
    show(start, stop, place) {
      const room = Math.max((stop - start) * 0.15, 100), box = boxes[place];
      Object.assign(view, { at: (start + stop) / 2, told: box });
      show(start - room, stop + room);
      (box.closest(".host") || box).scrollIntoView({ block: "start" }); // with its heading
      box.focus({ preventScroll: true });
    },
    of: (name) => Math.max(0, hosts.findIndex((host) => host.name === name)), // the place of a host's chart
  };
})();
