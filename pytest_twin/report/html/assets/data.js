// What stands in the page as data: decoded once.
const TWIN = JSON.parse(document.getElementById("twin-data").textContent);
const MISSING = 65535; // of 16 bits; the highest value of a curve is the one below

function bytes(text) {
  const raw = atob(text), found = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) found[at] = raw.charCodeAt(at);
  return found.buffer;
}

function times(text, since) { // milliseconds since the run began
  return Float64Array.from(new Uint32Array(bytes(text)), (ms) => since + ms);
}

function values(text, top) {
  const steps = new Uint16Array(bytes(text)), found = new Float32Array(steps.length), scale = top / (MISSING - 1);
  for (let at = 0; at < steps.length; at++) found[at] = steps[at] === MISSING ? NaN : steps[at] * scale;
  return found;
}

function firstAtOrAfter(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function lasting(seconds) {
  if (seconds === null) return "";
  if (seconds < 0.00005) return "0 s";
  if (seconds < 0.9995) return (seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0) + " ms";
  if (seconds < 59.95) return seconds.toFixed(seconds < 9.995 ? 2 : 1) + " s";
  const whole = Math.round(seconds), pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return (hours ? hours + ":" + pad(minutes) : minutes) + ":" + pad(whole % 60) + (hours ? " h" : " min");
}

function shown(value) {
  if (value === null || Number.isNaN(value)) return "–";
  return value >= 99.95 || value === 0 ? value.toFixed(0) : value >= 9.95 ? value.toFixed(1) : value.toFixed(2);
}

// A test's id in two parts: of the file one looks for, the name comes first to the eye.
function named(id) {
  const at = id.indexOf("::");
  const file = element("span", { className: "file", textContent: at < 0 ? "" : id.slice(0, at) });
  const pieces = (at < 0 ? id : id.slice(at + 2)).split(/(?<=_)/); // a long name breaks between its words
  const name = element("b", { className: "clamp" }, ...pieces.flatMap((piece) => [piece, element("wbr", {})]));
  return element("span", { className: "id two", title: id.slice(0, 1000) }, at < 0 ? null : file, name);
}
