// Charts: small SVG of our own. Each is one stop of the Tab key; arrows go from mark to mark, which is spoken and
// shown; where a span can be chosen, drag over it, or hold Shift. Each has its numbers as a table, made when asked for.

/** What a mark tells: a title, then names, values, colours.
 * @typedef {{title: string, rows: [string, string, string?][]}} Told
 * @typedef {{label: string, tint: string, values: ArrayLike<number|null>, value?: string|null}} Series
 * Marks and where they are. @typedef {{height: number, parts: Child[], at: (x: number, y: number) => number,
 *   mark: (i: number) => number[]}} Drawing
 * @typedef {{count: number, start?: number, steps?: [number, number], draw: (width: number) => Drawing,
 *   tell: (i: number) => Told, pick?: (i: number) => void, range?: (first: number, last: number) => void}} Plot
 * @typedef {(n: number) => string} Show */

const OTHERS = "var(--c6)"; // the colour of what has none of its own
const clamp = (/** @type {number} */ n, /** @type {number} */ low, /** @type {number} */ high) =>
  Math.max(low, Math.min(high, n));
/** The greatest of a list of any length. @param {Iterable<number|null>} list */
const most = (list, least = 0) => [...list].reduce((/** @type {number} */ high, n) => Math.max(high, n ?? 0), least);
const dot = (/** @type {string|undefined} */ tint) => (tint ? el("i", { class: "dot", vars: { tint } }) : null);

const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
data.on(() => { tip.hidden = true; });

/** @param {Told} told @param {number} x @param {number} y where on the screen */
function showTip({ title, rows }, x, y) {
  tip.replaceChildren(el("strong", {}, title), ...rows.map(([name, value, tint]) =>
    el("p", {}, el("span", {}, dot(tint), name), el("b", {}, value))));
  document.body.append(tip);
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip,
      beside = x + 16 + width > innerWidth - 8 ? x - 16 - width : x + 16;
  fill(tip, { vars: { left: clamp(beside, 8, innerWidth - width - 8) + "px",
    top: clamp(y - height - 10, 8, innerHeight - height - 8) + "px" } }, []);
}

const widths = new Map(); // of charts when they were drawn before: most often they have them again
/** A drawing that fits its width and can be read by pointer and keys. @param {string} id @param {string} name
 * @param {Plot} of */
function plot(id, name, { count, start = count - 1, steps = [1, 0], draw, tell, pick, range }) {
  const lens = svg("rect", { class: "lens", rx: 3, visibility: "hidden" });
  const box = el("div", { id, class: "plot" + (range ? " brush" : ""), role: "slider", tabindex: "0",
    "aria-label": name, "aria-valuemin": 0, "aria-valuemax": count - 1 });
  let now = start, from = -1, pressed = false, width = 0, drawing = /** @type {Drawing|null} */ (null);
  const speak = ({ title, rows } = tell(now)) => fill(box, { "aria-valuenow": now,
    "aria-valuetext": [title, ...rows.map(([label, value]) => `${label} ${value}`)].join(", ") }, []);
  const show = (/** @type {number} */ i, /** @type {PointerEvent|null} */ pointer = null) => {
    if (!drawing) return;
    now = clamp(i, 0, count - 1);
    const place = box.getBoundingClientRect(), [mx, my, wide] = drawing.mark(now);
    const [[x, y, , height], last] = [drawing.mark(now), drawing.mark(from < 0 ? now : from)]
      .sort((a, b) => a[0] - b[0]);
    fill(lens, { x, y, width: last[0] + last[2] - x, height, visibility: "visible" }, []);
    speak();
    showTip(tell(now), pointer?.clientX ?? place.left + mx + wide / 2, pointer?.clientY ?? place.top + my + 12);
  };
  const hide = () => {
    [from, pressed, tip.hidden] = [-1, false, true];
    lens.setAttribute("visibility", "hidden");
  };
  const take = () => {
    const [first, last] = [from, now].sort((a, b) => a - b);
    hide();
    if (range && first >= 0 && first !== last) range(first, last);
    else pick?.(now);
  };
  const on = (/** @type {string} */ kind, /** @type {(event: any, under: number) => void} */ act) =>
    box.addEventListener(kind, (/** @type {any} */ event) => {
      const place = box.getBoundingClientRect();
      act(event, drawing?.at(event.clientX - place.left, event.clientY - place.top) ?? -1);
    });
  on("pointermove", (event, under) => (pressed || under >= 0 ? show(under, event) : hide()));
  on("pointerleave", () => { if (!pressed) hide(); });
  on("pointerdown", (event, under) => {
    if (event.button || under < 0) return;
    show(under, event);
    [pressed, from] = [true, range ? now : -1];
    if (range) box.setPointerCapture(event.pointerId);
  });
  on("pointerup", () => { if (pressed) take(); });
  on("focus", () => { if (!pressed && box.matches(":focus-visible")) show(now); });
  for (const kind of ["blur", "pointercancel"]) on(kind, hide);
  on("keydown", (event) => {
    const [across, down] = [steps[0], steps[1] || -steps[0]],
        moves = /** @type {Record<string, number>} */ ({ ArrowRight: now + across, ArrowLeft: now - across,
          ArrowDown: now + down, ArrowUp: now - down, Home: 0, End: count - 1 });
    if (event.key === "Escape") hide();
    else if (event.key === "Enter" || event.key === " ") take();
    else if (event.key in moves) {
      from = range && event.shiftKey ? (from < 0 ? now : from) : -1;
      show(moves[event.key]);
    } else return;
    event.preventDefault();
  });
  const fit = (/** @type {number} */ room) => {
    if (!room || room === width) return;
    drawing = draw((width = room));
    widths.set(id, width);
    box.replaceChildren(svg("svg", { width, height: drawing.height, "aria-hidden": "true" }, drawing.parts, lens));
  };
  fit(widths.get(id) ?? 0);
  new ResizeObserver(([{ contentRect }]) => fit(Math.floor(contentRect.width))).observe(box);
  speak();
  return box;
}

const openTwins = new Set(); // they stay open when the view is drawn again
/** A chart's numbers as a table, made when it is opened. @param {string} name @param {string[]} heads
 * @param {() => Child[][]} rows */
function twin(name, heads, rows) {
  const box = /** @type {HTMLDetailsElement} */ (el("details", { class: "twin" },
    el("summary", {}, t("charts.table"), el("span", { class: "hidden" }, ": " + name))));
  const opened = () => {
    openTwins[box.open ? "add" : "delete"](name);
    if (box.open && box.children.length < 2)
      box.append(table(heads.map((label, at) => ({ label, num: at > 0 })), rows(), { caption: name }));
  };
  box.open = openTwins.has(name);
  opened();
  box.addEventListener("toggle", opened);
  return box;
}

/** Days as people write them: Oct 24 – Nov 22, 2026. @param {number} from @param {number} to */
const daysText = (from, to) => (from === to ? fmt.date(from)
  : format(Intl.DateTimeFormat, { dateStyle: "medium", timeZone: "UTC" }).formatRange(from * DAY, to * DAY));

/** Some days; texts are made when they are asked for. */
class Bin {
  /** @param {number} from @param {number} [to] @param {boolean} [months] */
  constructor(from, to = from, months = false) { this.from = from, this.to = to, this.months = months; }
  get label() {
    return this.months ? moment(this.from * DAY, { month: "short", year: "numeric" }, "UTC") : fmt.day(this.from);
  }
  get title() { return daysText(this.from, this.to); }
}

/** Days in bins: single days, weeks, or months: about a hundred at most.
 * @param {number} first @param {number} last @returns {Bin[]} */
function dayBins(first, last) {
  const bins = [], count = last - first + 1;
  const end = (/** @type {number} */ day) => {
    const [year, month] = dayText(day).split("-").map(Number);
    return count <= 100 ? day : count <= 700 ? day + 6 - weekday(day) : Date.UTC(year, month, 0) / DAY;
  };
  for (let from = first; from <= last; from = end(from) + 1)
    bins.push(new Bin(from, Math.min(last, end(from)), count > 700));
  return bins;
}

/** A bin for each day. @param {number} first @param {number} last @returns {Bin[]} */
const eachDay = (first, last) => Array.from({ length: last - first + 1 }, (_, k) => new Bin(first + k));

/** Where bins stand, between a scale at the left and labels below. @param {number} width @param {number} height
 * @param {Bin[]} bins @param {number} high @param {Show} show */
function frame(width, height, bins, high, show) {
  const unit = 10 ** Math.floor(Math.log10(high / 4 || 1)),
      gap = unit * ([1, 2, 5].find((k) => k * unit >= high / 4) ?? 10);
  const scale = Array.from({ length: Math.floor(high / gap + 1e-9) + 1 }, (_, k) => k * gap),
      top = 18, floor = height - 24;
  const left = 12 + 6.6 * most(scale.map((n) => show(n).length)), step = (width - left) / bins.length;
  const every = Math.ceil(74 / step), y = (/** @type {number} */ n) => floor - (n / (high || 1)) * (floor - top);
  const back = [scale.map((n) => [svg("line", { class: "rule", x1: left, x2: width, y1: y(n), y2: y(n) }),
    svg("text", { x: left - 8, y: y(n) + 4, "text-anchor": "end" }, show(n))]),
  bins.map((bin, k) => (k % every || left + k * step > width - 40 ? null
    : svg("text", { x: left + k * step + Math.min(step, 14) / 2 - 3, y: floor + 17 }, bin.label)))];
  return { left, top, floor, step, y, back,
    mark: (/** @type {number} */ k) => [left + k * step, top, step, floor - top],
    at: (/** @type {number} */ x) => (x < left - 4 ? -1 : clamp(Math.floor((x - left) / step), 0, bins.length - 1)) };
}

/** A chart over bins, with what its bins tell, and its table. @param {string} id @param {string} name
 * @param {Bin[]} bins @param {Series[]} series @param {Show} show @param {Omit<Plot, "count"|"tell">} of */
function overBins(id, name, bins, series, show, of) {
  const told = (/** @type {number|null} */ n) => (n === null ? "–" : show(n));
  /** @param {number} k @returns {Told} */
  const tell = (k) => ({ title: bins[k].title, rows: series.filter(({ values }) => values[k] || series.length < 2)
    .map(({ label, tint, values }) => [label, told(values[k]), tint]) });
  return el("div", {}, plot(id, name, { ...of, count: bins.length, tell }),
    twin(name, [t("charts.when"), ...series.map((one) => one.label)],
      () => bins.map((bin, k) => [bin.title, ...series.map((one) => told(one.values[k]))])));
}

/** Stacked bars over bins of days; those from `first` to `last` are lit, `axis` tells the scale.
 * @param {string} id @param {string} name
 * @param {{bins: Bin[], series: Series[], show: Show, axis: Show, lit: (bin: Bin) => boolean,
 *   range: (first: number, last: number) => void}} of */
function bars(id, name, { bins, series, show, axis, lit, range }) {
  const totals = bins.map((_, k) => series.reduce((sum, one) => sum + (one.values[k] ?? 0), 0)), high = most(totals);
  const first = bins.findIndex(lit), count = bins.filter(lit).length, peak = totals.indexOf(high);
  const draw = (/** @type {number} */ width) => {
    const height = clamp(width * 0.45, 220, 320), f = frame(width, height, bins, high, axis),
        { left, top, floor, step, y } = f;
    const gap = step > 8 ? Math.min(6, step * 0.24) : step > 3 ? 1 : 0, wide = Math.max(0.75, step - gap);
    const band = count === bins.length ? null : svg("rect", { class: "band", rx: 6,
      x: left + first * step, y: top - 6, width: count * step, height: floor - top + 6 });
    const stacks = bins.map((bin, k) => {
      let below = 0;
      return series.map(({ values, tint: fill }) => {
        const n = values[k] ?? 0, tall = y(below) - y((below += n)), height = Math.max(tall - (tall > 3 ? 1 : 0), 0.75);
        return n > 0 ? svg("rect", { x: left + k * step + gap / 2, y: y(below), width: wide, height,
          rx: Math.min(2, wide / 3), fill, opacity: lit(bin) ? 1 : 0.38 }) : null;
      });
    });
    const above = high ? svg("text", { class: "strong", x: clamp(left + (peak + 0.5) * step, left + 16, width - 18),
      y: y(high) - 5, "text-anchor": "middle" }, show(high)) : null;
    return { ...f, height, parts: [band, f.back, stacks, above] };
  };
  const whole = series.length > 1 ? [{ label: t("charts.total"), tint: "", values: totals }] : [];
  return overBins(id, name, bins, [...series, ...whole], show, { draw, range, pick: (k) => range(k, k) });
}

/** Values over bins of days as lines with their points; null is a gap. @param {string} id @param {string} name
 * @param {{bins: Bin[], series: Series[], show: Show}} of */
function lines(id, name, { bins, series, show }) {
  const draw = (/** @type {number} */ width) => {
    const f = frame(width, 190, bins, most(series.flatMap((one) => Array.from(one.values))), show),
        x = (/** @type {number} */ k) => f.left + (k + 0.5) * f.step;
    const paths = series.map(({ tint, values }) => {
      const places = Array.from(values, (n, k) => (n === null ? null : `${x(k).toFixed(1)},${f.y(n).toFixed(1)}`));
      return [svg("path", { class: "line", stroke: tint,
          d: places.map((one, k) => one && (places[k - 1] ? "L" : "M") + one).join("") }),
        Array.from(values, (n, k) => n !== null
          && svg("circle", { cx: x(k), cy: f.y(n), r: f.step > 9 ? 2.4 : 1.4, fill: tint }))];
    });
    return { ...f, height: 190, parts: [f.back, paths] };
  };
  return el("div", {}, legend(series), overBins(id, name, bins, series, show, { draw }));
}

/** What colours stand for; with `only` each is a button. @param {Series[]} series
 * @param {(value: string) => void} [only] */
const legend = (series, only) => el("ul", { class: "legend" }, series.map(({ label, tint, value }) =>
  el("li", {}, only && value
    ? el("button", { type: "button", title: t("charts.only", { label }), onclick: () => only(value) }, dot(tint), label)
    : [dot(tint), label])));

/** Squares, the darker the more; index = column × rows + row. @param {string} id @param {string} name
 * @param {{across: (string|null)[], down: (string|null)[], values: (number|null)[], tall?: number, start?: number,
 *   tell: (i: number) => Told, pick?: (i: number) => void}} of labels of columns and rows */
function heat(id, name, { across, down, values, tell, pick, tall = 16, start = 0 }) {
  const high = most(values), left = 34, top = 18, rows = down.length;
  /** @param {number} width @returns {Drawing} */
  const draw = (width) => {
    const wide = (width - left) / across.length, deep = clamp(tall, 9, Math.max(9, wide * 1.25)),
        gap = wide > 9 ? 2.5 : 1;
    const mark = (/** @type {number} */ i) => [left + Math.floor(i / rows) * wide, top + (i % rows) * deep, wide, deep];
    /** Squares of one shade are one path, with round corners by its stroke. @type {Record<string, string>} */
    const shades = {}, round = Math.min(4, wide / 3);
    const inset = (gap + round) / 2, square = `h${wide - 2 * inset}v${deep - 2 * inset}h${2 * inset - wide}z`;
    values.forEach((n, i) => {
      const [x, y] = mark(i), shade = n ? (0.18 + 0.82 * Math.sqrt(n / high)).toFixed(1) : "0";
      if (n !== null)
        shades[shade] = `${shades[shade] ?? ""}M${(x + inset).toFixed(1)},${(y + inset).toFixed(1)}${square}`;
    });
    const squares = Object.entries(shades).map(([shade, d]) => svg("path", { class: Number(shade) ? "warm" : "cold", d,
      "stroke-width": round, opacity: Number(shade) || 1 }));
    let free = 0;
    const above = across.map((label, c) => {
      const x = left + c * wide;
      if (!label || x < free || x > width - 24) return null;
      free = x + label.length * 7 + 8;
      return svg("text", { x, y: 11 }, label);
    });
    const beside = down.map((label, r) => label && svg("text", { x: 0, y: top + (r + 0.5) * deep + 4 }, label));
    return { height: top + rows * deep + 2, parts: [above, beside, squares], mark, at: (x, y) => {
      const c = Math.floor((x - left) / wide), r = Math.floor((y - top) / deep), i = c * rows + r;
      return c >= 0 && r >= 0 && r < rows && (values[i] ?? null) !== null ? i : -1;
    } };
  };
  const filled = () => [...values.keys()].filter((i) => values[i]).map(tell);
  return el("div", {}, plot(id, name, { count: values.length, start, steps: [rows, 1], draw, tell, pick }),
    twin(name, [t("charts.when"), t("charts.value")],
      () => filled().map(({ title, rows: told }) => [title, told.map(([, value]) => value).join(" · ")])));
}

/** A small line without a scale. @param {ArrayLike<number>} values @param {boolean} [main] */
function spark(values, main = false) {
  const high = most(Array.from(values), 1e-12), step = 100 / Math.max(1, values.length - 1);
  const d = "M" + Array.from(values, (n, k) => `${(k * step).toFixed(1)},${(25 - (n / high) * 23).toFixed(1)}`)
    .join("L");
  return svg("svg", { class: "spark" + (main ? " main" : ""), viewBox: "0 0 100 26",
      preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d, "vector-effect": "non-scaling-stroke" }));
}

/** A bar of a row, from and as wide as shares of it. @param {number} at @param {number} wide */
const track = (at, wide, tint = "var(--accent)") =>
  el("span", { class: "track", "aria-hidden": "true" }, el("i", { vars: { at, wide, tint } }));

/** How one amount became another, step by step. @param {{label: string, value: number}} before
 * @param {{label: string, value: number}} after @param {{label: string, delta: number, why?: string|null}[]} rows
 * @param {Show} show */
function bridge(before, after, rows, show) {
  const ends = rows.map(({ delta }, k) =>
    [rows.slice(0, k).reduce((sum, one) => sum + one.delta, before.value), delta]);
  const all = [0, before.value, after.value, ...ends.map(([at, delta]) => at + delta)],
      low = Math.min(...all), wide = Math.max(...all) - low || 1;
  const row = (/** @type {string} */ label, /** @type {number} */ from, /** @type {number} */ by,
      /** @type {string} */ tint, /** @type {string} */ text, kind = "", /** @type {Child} */ why = null) =>
    el("li", { class: kind }, el("span", {}, label),
      track((Math.min(from, from + by) - low) / wide, Math.abs(by) / wide, tint), el("span", { class: "n" }, text),
      why ? el("span", { class: "why", dir: "auto" }, why) : null);
  return el("ol", { class: "bridge" }, row(before.label, 0, before.value, OTHERS, show(before.value)),
    rows.map(({ label, delta, why }, k) => (delta > 0
      ? row(label, ends[k][0], delta, "var(--up)", "+" + show(delta), "more", why)
      : row(label, ends[k][0], delta, "var(--down)", "−" + show(-delta), "less", why))),
    row(after.label, 0, after.value, "var(--accent)", show(after.value), "end"));
}

/** Names with bars as long as their share of the greatest.
 * @param {{label: Child, value: number, text: Child, tint?: string, sub?: Child}[]} rows */
function ranks(rows) {
  const high = most(rows.map((row) => row.value), 1e-12);
  return el("ol", { class: "ranks" }, rows.map(({ label, value, text, tint = "var(--accent)", sub }) => el("li", {},
    el("span", { class: "what" }, label, sub ? el("span", { class: "sub" }, sub) : null),
    el("span", { class: "n" }, text), track(0, value / high, tint))));
}

/** A thread call by call: context, its part that was not cached, misses, compactions; in full also cost, models,
 * efforts. @param {ArrayLike<number>} rows oldest first @param {string} name @param {boolean} [mini] a picture alone */
function threadStrip(rows, name, mini = false) {
  const u = data.usage, c = u.calls, { input, cached, flags } = c, n = rows.length,
      at = (/** @type {number} */ k) => rows[k];
  const fresh = (/** @type {number} */ k) => Math.max(0, input[rows[k]] - cached[rows[k]]);
  const missed = (/** @type {number} */ k) => k > 0 && !(flags[rows[k - 1]] & 1) && fresh(k) >= 0.5 * input[rows[k]];
  let high = 1, dear = 1, misses = 0;
  for (let k = 0; k < n; k++, misses += Number(missed(k - 1)))
    [high, dear] = [Math.max(high, input[rows[k]]), Math.max(dear, c.cost[rows[k]] ?? 0)];
  const setting = (/** @type {number} */ k) =>
    [pick(u.models, c.model[at(k)]), pick(u.efforts, c.effort[at(k)])].filter(Boolean).join(" · ");
  /** The calls that stand for all in this many marks: of each mark's the one with most uncached.
   * @param {number} marks */
  const shown = (marks) => Array.from({ length: Math.min(n, marks) }, (_, m) => {
    const per = n / Math.min(n, marks), first = Math.floor(m * per);
    let best = first;
    for (let k = first + 1; k < Math.floor((m + 1) * per); k++) if (fresh(k) > fresh(best)) best = k;
    return best;
  });
  /** All marks of a kind are one path: thousands of elements would take longer than to work them out.
   * @param {number[]} marks @param {number} step @param {number} top @param {number} floor */
  const lane = (marks, step, top, floor) => {
    const width = clamp(step - (step > 2.4 ? 0.8 : 0), 0.6, 14), unit = (floor - top) / high,
        paths = { cached: "", fresh: "", miss: "", cut: "" };
    marks.forEach((k, m) => {
      const x = (m * step).toFixed(1),
          bar = (/** @type {number} */ tokens) =>
            `M${x},${floor}v${(-tokens * unit).toFixed(2)}h${width.toFixed(1)}V${floor}z`;
      paths.cached += bar(c.input[at(k)]);
      paths[missed(k) ? "miss" : "fresh"] += bar(fresh(k));
      if (c.flags[at(k)] & 1) paths.cut += `M${(m * step + width).toFixed(1)},${top}V${floor}`;
    });
    return Object.entries(paths).map(([kind, d]) => svg("path", { class: kind, d: d || null }));
  };
  const said = t("charts.strip", { name, calls: n, most: fmt.tokens(high), missed: misses });
  if (mini) return svg("svg", { class: "strip", viewBox: "0 0 270 30", width: 270, height: 30,
      role: "img", "aria-label": said },
    lane(shown(90), 270 / clamp(n, 30, 90), 1, 30));
  /** @param {number} width @returns {Drawing} */
  const draw = (width) => {
    const marks = shown(Math.max(30, Math.floor(width / 2.2))), step = Math.min(18, width / marks.length);
    const place = (/** @type {number} */ k) => Math.max(0, marks.filter((mark) => mark <= k).length - 1) * step;
    const settings = Array.from(rows, (_, k) => k).filter((k) => !k || setting(k) !== setting(k - 1))
      .map((k, m) => (m ? svg("path", { class: "turn", d: `M${place(k)},8V18` }, svg("title", {}, setting(k)))
        : svg("text", { x: 0, y: 11 }, setting(k))));
    const below = marks.map((k, m) => {
      const height = ((c.cost[at(k)] ?? 0) / dear) * 32, fill = color("model", pick(u.models, c.model[at(k)]));
      return [svg("rect", { x: m * step, y: 111, width: step, height: 3, fill }),
        svg("rect", { class: "cost", x: m * step, y: 150 - height, width: Math.max(0.6, step - 0.8), height })];
    });
    return { height: 152, parts: [settings, lane(marks, step, 18, 108), below], mark: (k) => [place(k), 18, step, 132],
      at: (x) => marks[clamp(Math.floor(x / step), 0, marks.length - 1)] };
  };
  /** @param {number} k @returns {Told} */
  const tell = (k) => ({ title: `${k + 1} / ${n} · ${fmt.time(c.time[at(k)])}`, rows: [
    [t("charts.context"), fmt.tokens(c.input[at(k)])], [t("charts.uncached"), fmt.tokens(fresh(k))],
    [t("charts.output"), fmt.tokens(c.output[at(k)])], [t("charts.cost"), fmt.usd(c.cost[at(k)])],
    [t("charts.setting"), setting(k) || "–"]] });
  return el("div", {}, plot("strip-" + c.id.at(at(0)), said,
      { count: n, draw, tell, pick: (k) => leadTo({ view: "call", record: c.id.at(at(k)) }) }),
    el("p", { class: "sub key" }, t("charts.strip_key")));
}
