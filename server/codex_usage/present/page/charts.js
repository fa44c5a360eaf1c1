// Charts: small SVG of our own. Each is one stop of the Tab key; arrows go from mark to mark, which is spoken and shown;
// where a span can be chosen, drag over it, or hold Shift. Each has its numbers as a table, made when asked for.

const OTHERS = "var(--c6)"; // the colour of what has none of its own
/** A bin: its first and last day. @typedef {{from: number, to: number, label: string, title: string}} DayBin */

/** What a mark tells: a title, then names, values and colours. @typedef {{title: string, rows: [string, string, string?][]}} Told
 * @typedef {{height: number, parts: Child[], at: (x: number, y: number) => number, mark: (i: number) => number[]}} Drawing
 * @typedef {{label: string, tint: string, values: ArrayLike<number|null>}} Series
 * @typedef {{count: number, start?: number, steps?: [number, number], draw: (width: number) => Drawing, tell: (i: number) => Told,
 *   pick?: (i: number) => void, range?: (first: number, last: number) => void}} Plot */

const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
const hideTip = () => { tip.hidden = true; };
data.on(hideTip);

/** @param {Told} told @param {number} x @param {number} y where on the screen */
function showTip({ title, rows }, x, y) {
  tip.replaceChildren(el("strong", {}, title), ...rows.map(([name, value, tint]) =>
    el("p", {}, el("span", {}, tint ? el("i", { class: "dot", vars: { tint } }) : null, name), el("b", {}, value))));
  document.body.append(tip);
  tip.hidden = false;
  const left = x + 16 + tip.offsetWidth > innerWidth - 8 ? Math.max(8, x - 16 - tip.offsetWidth) : x + 16;
  const top = Math.max(8, Math.min(y - tip.offsetHeight - 10, innerHeight - tip.offsetHeight - 8));
  for (const [side, at] of Object.entries({ left, top })) tip.style.setProperty("--" + side, at + "px");
}

/** A drawing that fits its width and can be read by pointer and keys. @param {string} id @param {string} name @param {Plot} of */
function plot(id, name, { count, start = count - 1, steps = [1, 0], draw, tell, pick, range }) {
  const lens = svg("rect", { class: "lens", rx: 3, visibility: "hidden" });
  const box = el("div", { id, class: "plot" + (range ? " brush" : ""), role: "slider", tabindex: "0", "aria-label": name,
    "aria-valuemin": 0, "aria-valuemax": count - 1 });
  let now = start, from = -1, pressed = false, width = 0, drawing = /** @type {Drawing|null} */ (null);
  const speak = () => {
    const { title, rows } = tell(now);
    box.setAttribute("aria-valuenow", String(now));
    box.setAttribute("aria-valuetext", [title, ...rows.map(([label, value]) => `${label} ${value}`)].join(", "));
  };
  const show = (/** @type {number} */ i, /** @type {PointerEvent|null} */ pointer = null) => {
    if (!drawing) return;
    now = Math.max(0, Math.min(count - 1, i));
    const ends = [drawing.mark(now), drawing.mark(from < 0 ? now : from)].sort((a, b) => a[0] - b[0]), [[x, y, , height], last] = ends;
    for (const [key, value] of Object.entries({ x, y, width: last[0] + last[2] - x, height, visibility: "visible" })) lens.setAttribute(key, String(value));
    const place = box.getBoundingClientRect(), [mx, my, mw] = drawing.mark(now);
    speak();
    showTip(tell(now), pointer?.clientX ?? place.left + mx + mw / 2, pointer?.clientY ?? place.top + my + 12);
  };
  const hide = () => {
    from = -1;
    pressed = false;
    lens.setAttribute("visibility", "hidden");
    hideTip();
  };
  const take = () => {
    const span = /** @type {[number, number]} */ ([from, now].sort((a, b) => a - b));
    hide();
    if (range && span[0] >= 0 && span[0] !== span[1]) range(...span);
    else pick?.(now);
  };
  const under = (/** @type {PointerEvent} */ event) => {
    const place = box.getBoundingClientRect();
    return drawing?.at(event.clientX - place.left, event.clientY - place.top) ?? -1;
  };
  const on = (/** @type {string} */ kind, /** @type {(event: any) => void} */ act) => box.addEventListener(kind, act);
  on("pointermove", (event) => (pressed || under(event) >= 0 ? show(under(event), event) : hide()));
  on("pointerleave", () => { if (!pressed) hide(); });
  on("pointerdown", (event) => {
    if (event.button || under(event) < 0) return;
    show(under(event), event);
    pressed = true;
    if (!range) return;
    from = now;
    box.setPointerCapture(event.pointerId);
  });
  on("pointerup", () => { if (pressed) take(); });
  on("pointercancel", hide);
  on("focus", () => { if (!pressed && box.matches(":focus-visible")) show(now); });
  on("blur", hide);
  on("keydown", (event) => {
    const [across, down] = steps;
    const to = { ArrowRight: now + across, ArrowLeft: now - across, ArrowDown: now + (down || -across), ArrowUp: now - (down || -across),
      Home: 0, End: count - 1 }[/** @type {string} */ (event.key)];
    if (event.key === "Escape") hide();
    else if (event.key === "Enter" || event.key === " ") take();
    else if (to === undefined) return;
    else {
      from = range && event.shiftKey ? (from < 0 ? now : from) : -1;
      show(to);
    }
    event.preventDefault();
  });
  new ResizeObserver(([{ contentRect }]) => {
    if (!contentRect.width || Math.floor(contentRect.width) === width) return;
    width = Math.floor(contentRect.width);
    drawing = draw(width);
    box.replaceChildren(svg("svg", { width, height: drawing.height, "aria-hidden": "true" }, drawing.parts, lens));
  }).observe(box);
  speak();
  return box;
}

/** A chart's numbers as a table, made when it is opened. @param {string} name @param {{label: string, num?: boolean}[]} columns @param {() => Child[][]} rows */
function twin(name, columns, rows) {
  const box = /** @type {HTMLDetailsElement} */ (el("details", { class: "twin" }, el("summary", {}, t("charts.table"), el("span", { class: "hidden" }, ": " + name))));
  box.addEventListener("toggle", () => { if (box.open && box.children.length < 2) box.append(table(columns, rows(), { caption: name })); });
  return box;
}

/** Round numbers from 0 to the most. @param {number} most */
function ticks(most) {
  if (!(most > 0)) return [0];
  const raw = most / 4, unit = 10 ** Math.floor(Math.log10(raw)), step = unit * ([1, 2, 5].find((k) => k * unit >= raw) ?? 10);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, k) => k * step);
}

/** Days in bins: single days, weeks from Monday, or months, so that there are at most about a hundred.
 * @param {number} first @param {number} last @returns {DayBin[]} */
function dayBins(first, last) {
  const bins = [], count = last - first + 1;
  const end = (/** @type {number} */ day) => {
    if (count <= 100) return day;
    if (count <= 700) return day + 6 - ((day + 3) % 7);
    const [year, month] = dayText(day).split("-").map(Number);
    return Date.UTC(year, month, 0) / DAY;
  };
  for (let from = first; from <= last; from = end(from) + 1) {
    const to = Math.min(last, end(from)), label = count > 700 ? moment(from * DAY, { month: "short", year: "numeric" }, "UTC") : fmt.day(from);
    bins.push({ from, to, label, title: from === to ? fmt.date(from) : `${fmt.day(from)} – ${fmt.date(to)}` });
  }
  return bins;
}

/** The frame of a chart over bins: lines of the scale, labels below. @param {number} width @param {number} height @param {{label: string}[]} bins
 * @param {number} most @param {(n: number) => string} show */
function frame(width, height, bins, most, show) {
  const lines = ticks(most), left = 12 + 6.6 * Math.max(...lines.map((n) => show(n).length)), top = 18, floor = height - 24, step = (width - left) / bins.length;
  const every = Math.ceil(bins.length / Math.max(1, Math.floor((width - left) / 74))), y = (/** @type {number} */ n) => floor - (n / (most || 1)) * (floor - top);
  const back = [lines.map((n) => [svg("line", { class: "rule", x1: left, x2: width, y1: y(n), y2: y(n) }), svg("text", { x: left - 8, y: y(n) + 4, "text-anchor": "end" }, show(n))]),
    bins.map((bin, k) => (k % every || left + k * step > width - 40 ? null : svg("text", { x: left + k * step + Math.min(step, 14) / 2 - 3, y: floor + 17 }, bin.label)))];
  return { left, top, floor, step, y, back, at: (/** @type {number} */ x) => (x < left - 4 ? -1 : Math.max(0, Math.min(bins.length - 1, Math.floor((x - left) / step)))),
    mark: (/** @type {number} */ k) => [left + k * step, top, step, floor - top] };
}

/** Stacked bars over bins of days. `chosen` bins are lit; `bare` has no scale. @param {string} id @param {string} name
 * @param {{bins: DayBin[], series: Series[], show: (n: number) => string, chosen?: [number, number], bare?: boolean,
 *   range?: (first: number, last: number) => void}} of */
function bars(id, name, { bins, series, show, chosen = [0, bins.length - 1], bare = false, range }) {
  const totals = bins.map((_, k) => series.reduce((sum, one) => sum + (one.values[k] ?? 0), 0)), most = Math.max(...totals), peak = totals.indexOf(most);
  const lit = (/** @type {number} */ k) => k >= chosen[0] && k <= chosen[1], whole = chosen[0] <= 0 && chosen[1] >= bins.length - 1;
  const draw = (/** @type {number} */ width) => {
    const height = bare ? 34 : Math.max(220, Math.min(300, width * 0.45)), f = frame(width, height, bins, most, show);
    if (bare) Object.assign(f, { left: 0, top: 2, floor: height - 2, step: width / bins.length, back: [], y: (/** @type {number} */ n) => height - 2 - (n / (most || 1)) * (height - 6) });
    const gap = f.step > 8 ? Math.min(6, f.step * 0.24) : f.step > 3 ? 1 : 0, wide = Math.max(0.75, f.step - gap);
    const mark = (/** @type {number} */ k) => [f.left + k * f.step, f.top, f.step, f.floor - f.top];
    const band = whole ? null : svg("rect", { class: "band", x: mark(chosen[0])[0], y: f.top - 6, width: (chosen[1] - chosen[0] + 1) * f.step, height: f.floor - f.top + 6, rx: 6 });
    const stacks = bins.map((_, k) => {
      let below = 0;
      return series.map((one) => {
        const n = one.values[k] ?? 0, tall = f.y(below) - f.y(below + n);
        below += n;
        return n > 0 ? svg("rect", { x: f.left + k * f.step + gap / 2, y: f.y(below), width: wide, height: Math.max(tall - (tall > 3 ? 1 : 0), 0.75),
          rx: Math.min(2, wide / 3), fill: one.tint, opacity: lit(k) ? 1 : 0.38 }) : null;
      });
    });
    const top = bare || !(most > 0) ? null : svg("text", { class: "strong", x: Math.max(f.left + 16, Math.min(width - 18, f.left + (peak + 0.5) * f.step)), y: f.y(most) - 5, "text-anchor": "middle" }, show(most));
    return { height, parts: [band, f.back, stacks, top], mark, at: (/** @type {number} */ x) => (x < f.left - 4 ? -1 : Math.max(0, Math.min(bins.length - 1, Math.floor((x - f.left) / f.step)))) };
  };
  const tell = (/** @type {number} */ k) => ({ title: bins[k].title, rows: /** @type {[string, string, string?][]} */ ([...series.filter((one) => one.values[k])
    .map((one) => [one.label, show(one.values[k] ?? 0), one.tint]).reverse(), ...(series.length > 1 || !totals[k] ? [[t("charts.total"), show(totals[k])]] : [])]) });
  const chart = plot(id, name, { count: bins.length, draw, tell, range, pick: range && ((k) => range(k, k)) });
  return bare ? chart : el("div", {}, chart, twin(name, [{ label: t("charts.when") }, ...series.map((one) => ({ label: one.label, num: true })), { label: t("charts.total"), num: true }],
    () => bins.map((bin, k) => [bin.title, ...series.map((one) => show(one.values[k] ?? 0)), show(totals[k])])));
}

/** Values over bins of days as lines with their points; null is a gap. @param {string} id @param {string} name
 * @param {{bins: DayBin[], series: Series[], show: (n: number) => string}} of */
function lines(id, name, { bins, series, show }) {
  const most = Math.max(...series.flatMap((one) => Array.from(one.values, (n) => n ?? 0)));
  const draw = (/** @type {number} */ width) => {
    const height = 190, f = frame(width, height, bins, most, show), x = (/** @type {number} */ k) => f.left + (k + 0.5) * f.step;
    const paths = series.map((one) => {
      let d = "", pen = "M";
      Array.from(one.values).forEach((n, k) => { if (n === null) pen = "M"; else [d, pen] = [`${d}${pen}${x(k).toFixed(1)},${f.y(n).toFixed(1)}`, "L"]; });
      return [svg("path", { class: "line", d, stroke: one.tint }), Array.from(one.values).map((n, k) => (n === null ? null : svg("circle", { cx: x(k), cy: f.y(n), r: f.step > 9 ? 2.4 : 1.4, fill: one.tint })))];
    });
    return { height, parts: [f.back, paths], at: f.at, mark: f.mark };
  };
  const told = (/** @type {number|null} */ n) => (n === null ? "–" : show(n));
  return el("div", {}, legend(series), plot(id, name, { count: bins.length, draw, tell: (k) => ({ title: bins[k].title, rows: series.map((one) => [one.label, told(one.values[k]), one.tint]) }) }),
    twin(name, [{ label: t("charts.when") }, ...series.map((one) => ({ label: one.label, num: true }))], () => bins.map((bin, k) => [bin.title, ...series.map((one) => told(one.values[k]))])));
}

/** What colours stand for; with `pick` each is a button. @param {{label: string, tint: string, value?: string|null}[]} series @param {(value: string) => void} [pick] */
const legend = (series, pick) => el("ul", { class: "legend" }, series.map(({ label, tint, value }) => {
  const inside = [el("i", { class: "dot", vars: { tint } }), label];
  return el("li", {}, pick && value ? el("button", { type: "button", title: t("charts.only", { label }), onclick: () => pick(value) }, inside) : inside);
}));

/** Squares in columns, the darker the more; index = column × rows + row. @param {string} id @param {string} name
 * @param {{columns: number, rows: number, values: ArrayLike<number|null>, columnLabel: (c: number) => string|null, rowLabel: (r: number) => string|null,
 *   tell: (i: number) => Told, pick?: (i: number) => void, tall?: number, start?: number}} of */
function heat(id, name, { columns, rows, values, columnLabel, rowLabel, tell, pick, tall = 16, start = 0 }) {
  const most = Math.max(0, ...Array.from(values, (n) => n ?? 0));
  const draw = (/** @type {number} */ width) => {
    const left = 34, top = 18, wide = (width - left) / columns, high = Math.max(Math.min(tall, wide), 9), gap = wide > 9 ? 2.5 : 1;
    const mark = (/** @type {number} */ i) => [left + Math.floor(i / rows) * wide, top + (i % rows) * high, wide, high];
    const squares = Array.from(values, (n, i) => {
      const [x, y] = mark(i), level = n ? 0.18 + 0.82 * Math.sqrt(n / most) : 1;
      return n === null ? null : svg("rect", { x: x + gap / 2, y: y + gap / 2, width: wide - gap, height: high - gap, rx: Math.min(3, wide / 4), class: n ? "warm" : "cold", "fill-opacity": level.toFixed(2) });
    });
    let free = 0;
    const above = Array.from({ length: columns }, (_, c) => {
      const label = columnLabel(c), x = left + c * wide;
      if (!label || x < free || x > width - 24) return null;
      free = x + label.length * 7 + 8;
      return svg("text", { x, y: 11 }, label);
    });
    const beside = Array.from({ length: rows }, (_, r) => svg("text", { x: 0, y: top + (r + 0.5) * high + 4 }, rowLabel(r) ?? ""));
    const at = (/** @type {number} */ x, /** @type {number} */ y) => {
      const c = Math.floor((x - left) / wide), r = Math.floor((y - top) / high);
      return c < 0 || r < 0 || c >= columns || r >= rows || values[c * rows + r] === null ? -1 : c * rows + r;
    };
    return { height: top + rows * high + 2, parts: [above, beside, squares], at, mark };
  };
  return el("div", {}, plot(id, name, { count: values.length, start, steps: [rows, 1], draw, tell, pick }),
    twin(name, [{ label: t("charts.when") }, { label: t("charts.value"), num: true }],
      () => Array.from(values).flatMap((n, i) => (n ? [[tell(i).title, tell(i).rows.map(([, value]) => value).join(" · ")]] : []))));
}

/** A small line without a scale. @param {ArrayLike<number>} values @param {boolean} [main] */
function spark(values, main = false) {
  const most = Math.max(...Array.from(values), 1e-12), step = 100 / Math.max(1, values.length - 1);
  return svg("svg", { class: "spark" + (main ? " main" : ""), viewBox: "0 0 100 26", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { d: "M" + Array.from(values, (n, k) => `${(k * step).toFixed(1)},${(25 - (n / most) * 23).toFixed(1)}`).join("L"), "vector-effect": "non-scaling-stroke" }));
}

/** How one amount became another: `rows` are the steps between. @param {{label: string, value: number}} before @param {{label: string, value: number}} after
 * @param {{label: string, delta: number, why?: string|null}[]} rows @param {(n: number) => string} show */
function bridge(before, after, rows, show) {
  let at = before.value;
  const ends = rows.map(({ delta }) => [at, (at += delta)]), low = Math.min(0, ...ends.flat()), most = Math.max(before.value, after.value, ...ends.flat()) - low || 1;
  const bar = (/** @type {number} */ a, /** @type {number} */ b, /** @type {string} */ kind) =>
    el("span", { class: "track", "aria-hidden": "true" }, el("i", { class: kind, vars: { at: (Math.min(a, b) - low) / most, wide: Math.abs(b - a) / most } }));
  const row = (/** @type {string} */ label, /** @type {Child} */ track, /** @type {string} */ text, kind = "", /** @type {Child} */ why = null) =>
    el("li", { class: kind }, el("span", {}, label), track, el("span", { class: "n" }, text), why ? el("span", { class: "why" }, why) : null);
  return el("ol", { class: "bridge" }, row(before.label, bar(0, before.value, "was"), show(before.value)),
    rows.map(({ label, delta, why }, k) => row(label, bar(ends[k][0], ends[k][1], delta > 0 ? "up" : "down"), (delta > 0 ? "+" : "−") + show(Math.abs(delta)), delta > 0 ? "more" : "less", why)),
    row(after.label, bar(0, after.value, "is"), show(after.value), "end"));
}

/** How much of a window is used; `gone` is the share of its time that has passed, `soon` what it may come to (shares).
 * @param {string} name @param {number} used @param {number|null} gone @param {number|null} soon */
const gauge = (name, used, gone, soon) =>
  el("div", { class: "meter" + (used >= 0.9 ? " hot" : ""), role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(used * 100), "aria-valuetext": fmt.percent(used) },
    soon ? el("i", { class: "soon", vars: { wide: Math.min(1, soon) } }) : null, el("i", { vars: { wide: Math.min(1, used) } }), gone === null ? null : el("u", { vars: { at: gone } }));

/** Names with bars beside their values, as long as their share of the greatest. @param {{label: Child, value: number, text: Child, tint?: string, sub?: Child}[]} rows */
function ranks(rows) {
  const most = Math.max(...rows.map((row) => row.value), 1e-12);
  return el("ol", { class: "ranks" }, rows.map(({ label, value, text, tint, sub }) => el("li", {}, el("span", { class: "what" }, label, sub ? el("span", { class: "sub" }, sub) : null),
    el("span", { class: "n" }, text), el("span", { class: "track", "aria-hidden": "true" }, el("i", { vars: { wide: value / most, ...(tint ? { tint } : {}) } })))));
}

/** A thread call by call: context, the part of it that was not cached, misses, compactions; in full also cost, models and efforts.
 * @param {ArrayLike<number>} rows oldest first @param {string} name @param {boolean} [mini] without cost, models, pointer and keys */
function threadStrip(rows, name, mini = false) {
  const u = data.usage, c = u.calls, n = rows.length, most = Math.max(1, ...Array.from(rows, (i) => c.input[i])), dear = Math.max(1, ...Array.from(rows, (i) => c.cost[i] ?? 0));
  const setting = (/** @type {number} */ i) => [pick(u.models, c.model[i]), pick(u.efforts, c.effort[i])].filter(Boolean).join(" · ");
  const missed = (/** @type {number} */ k) => k > 0 && !(c.flags[rows[k - 1]] & 1) && c.input[rows[k]] - c.cached[rows[k]] >= 0.5 * c.input[rows[k]];
  /** The calls that stand for n in this many marks: of each mark's the one with most uncached. @param {number} marks */
  const shown = (marks) => Array.from({ length: Math.min(n, marks) }, (_, m, per = n / Math.min(n, marks)) => {
    let best = Math.floor(m * per);
    for (let k = best; k < Math.floor((m + 1) * per); k++) if (c.input[rows[k]] - c.cached[rows[k]] > c.input[rows[best]] - c.cached[rows[best]]) best = k;
    return best;
  });
  const lane = (/** @type {number[]} */ marks, /** @type {number} */ step, /** @type {number} */ top, /** @type {number} */ floor) => marks.map((k, m) => {
    const i = rows[k], tall = (c.input[i] / most) * (floor - top), fresh = (Math.max(0, c.input[i] - c.cached[i]) / most) * (floor - top), wide = Math.max(0.6, Math.min(step - (step > 2.4 ? 0.8 : 0), 14));
    return [svg("rect", { class: "cached", x: m * step, y: floor - tall, width: wide, height: tall }), svg("rect", { class: missed(k) ? "miss" : "fresh", x: m * step, y: floor - tall, width: wide, height: fresh }),
      c.flags[i] & 1 ? svg("path", { class: "cut", d: `M${m * step + wide},${top}V${floor}` }) : null];
  });
  const said = t("charts.strip", { name, calls: n, most: fmt.tokens(most), missed: Array.from(rows, (_, k) => k).filter(missed).length });
  if (mini) {
    const marks = shown(90), step = 270 / Math.max(30, marks.length);
    return svg("svg", { class: "strip", viewBox: "0 0 270 30", width: 270, height: 30, role: "img", "aria-label": said }, lane(marks, step, 1, 30));
  }
  let marks = shown(n), step = 1;
  return el("div", {}, plot("strip-" + (c.id[rows[0]] ?? ""), said, {
    count: n,
    draw: (width) => {
      marks = shown(Math.max(30, Math.floor(width / 2.2)));
      step = Math.min(18, width / marks.length);
      const changes = marks.filter((k) => k === 0 || setting(rows[k]) !== setting(rows[k - 1])), place = (/** @type {number} */ k) => Math.max(0, marks.findIndex((mark) => mark >= k)) * step;
      let free = -1;
      const names = changes.map((k) => { const x = place(k), text = setting(rows[k]); if (x < free || x + text.length * 6 > width) return null; free = x + text.length * 6.4 + 12; return svg("text", { x, y: 11 }, text); });
      return { height: 152, at: (x) => marks[Math.min(marks.length - 1, Math.floor(x / step))] ?? -1, mark: (k) => [place(k), 18, step, 132],
        parts: [names, lane(marks, step, 18, 108), marks.map((k, m) => svg("rect", { x: m * step, y: 111, width: step, height: 3, fill: color("model", pick(u.models, c.model[rows[k]])) })),
          marks.map((k, m) => svg("rect", { class: "cost", x: m * step, y: 150 - ((c.cost[rows[k]] ?? 0) / dear) * 32, width: Math.max(0.6, Math.min(step - (step > 2.4 ? 0.8 : 0), 14)), height: ((c.cost[rows[k]] ?? 0) / dear) * 32 }))] };
    },
    tell: (k) => ({ title: `${k + 1} / ${n} · ${fmt.time(c.time[rows[k]])}`, rows: [[t("charts.context"), fmt.tokens(c.input[rows[k]])], [t("charts.uncached"), fmt.tokens(c.input[rows[k]] - c.cached[rows[k]])],
      [t("charts.output"), fmt.tokens(c.output[rows[k]])], [t("charts.cost"), fmt.usd(c.cost[rows[k]])], [t("charts.setting"), setting(rows[k]) || "–"]] }),
    pick: (k) => state.set({ view: "call", record: c.id[rows[k]] }, { push: true }),
  }), el("p", { class: "sub key" }, t("charts.strip_key")));
}
