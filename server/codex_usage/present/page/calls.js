// The Calls view, and what other views need of single calls: rows as objects, their facts, columns, CSV.

const ROW = 36, SPARE = 8, TALLEST = 12e6; // pixels: a row, rows beyond what is seen, what every browser can scroll
/** From where on something is much: thresholds.json over the built-in numbers. @returns {Record<string, number>} */
const limits = () => data.meta.thresholds;

const share = (/** @type {number|null} */ x) => (x === null ? "–" : fmt.percent(x));
const took = (/** @type {number|null} */ ms) => (ms === null ? "–" : fmt.ms(ms));
/** What stands at an index; -1 is none. @template T @param {T[]} list @param {number} at */
const pick = (list, at) => (at < 0 ? null : list[at]);
/** What calls cost: unknown when none has a price. @param {{calls: number, unpriced: number, cost: number}} all */
const costOf = (all) => fmt.usd(all.calls && all.unpriced === all.calls ? null : all.cost);
/** A thread's name or short id. @param {number} at */
const threadName = (at) => data.usage.threads.name[at] ?? data.usage.threads.id[at].slice(-8);

/** Call i of those loaded, with names and order of `export`. @param {number} i @returns {CallLine} */
function callLine(i) {
  const u = data.usage, c = u.calls, th = u.threads, at = c.thread[i], window = c.window[i];
  const part = (/** @type {number|null} */ n) => (n === null ? null : Math.round(n / 1e3) / 1e6);
  const ratio = (/** @type {number} */ a, /** @type {number|null} */ b) => (b ? Math.round((a / b) * 1e4) / 1e4 : null);
  return {
    call_id: c.id.at(i), timestamp: new Date(c.time[i]).toISOString(), provider: pick(u.providers, th.provider[at]),
    model: pick(u.models, c.model[i]), effort: pick(u.efforts, c.effort[i]), service_tier: pick(u.tiers, c.tier[i]),
    thread_id: th.id[at], turn_id: pick(u.turns, c.turn[i]),
    parent_thread_id: pick(th.id, th.parent[at]), role: th.role[at],
    project: pick(u.projects, c.project[i]), cwd: pick(u.cwds, c.cwd[i]), origin: u.origins[c.origin[i]],
    origin_reason: u.origin_reasons[c.origin[i]], origin_confidence: u.origin_confidences[c.origin[i]],
    input_tokens: c.input[i], cached_input_tokens: c.cached[i],
    uncached_input_tokens: Math.max(0, c.input[i] - c.cached[i]), cache_write_input_tokens: c.cache_write[i],
    output_tokens: c.output[i], reasoning_output_tokens: c.reasoning[i], total_tokens: c.input[i] + c.output[i],
    cache_ratio: ratio(c.cached[i], c.input[i]), context_window: window, context_use: ratio(c.input[i], window),
    duration_ms: c.duration[i], gap_ms: c.gap[i], compaction: (c.flags[i] & 1) > 0, recovered: (c.flags[i] & 2) > 0,
    cost_usd: part(c.cost[i]), cost_confidence: pick(u.confidences, c.confidence[i]),
    cost_reason: u.cost_reasons[c.rate[i]],
    credits: part(c.credits[i]), credit_confidence: pick(u.credit_confidences, c.credit_confidence[i]),
    credit_reason: u.credit_reasons[c.rate[i]],
  };
}

const nano = (/** @type {number|null} */ amount) => (amount === null ? null : Math.round(amount * 1e9));
/** What is told of a call, by how it is known; null is left out.
 * @type {Record<string, Record<string, (l: CallLine) => any>>} */
const FACTS = {
  estimated: {
    cost: (l) => `${fmt.usd(nano(l.cost_usd), 4)} · ${t("calls.confidence." + l.cost_confidence)}`,
    cost_reason: (l) => l.cost_reason,
    credits: (l) => l.credit_confidence
      && `${fmt.credits(nano(l.credits))} · ${t("calls.credit_confidence." + l.credit_confidence)}`,
    credit_reason: (l) => l.credit_reason,
  },
  exact: {
    time: (l) => fmt.time(Date.parse(l.timestamp)), provider: (l) => l.provider, model: (l) => l.model,
    effort: (l) => l.effort, tier: (l) => l.service_tier, input: (l) => fmt.count(l.input_tokens),
    cached: (l) => fmt.count(l.cached_input_tokens), output: (l) => fmt.count(l.output_tokens),
    cache_write: (l) => l.cache_write_input_tokens ? fmt.count(l.cache_write_input_tokens) : null,
    reasoning: (l) => fmt.count(l.reasoning_output_tokens), cwd: (l) => l.cwd, role: (l) => l.role,
    window: (l) => l.context_window && fmt.count(l.context_window), call_id: (l) => l.call_id,
    thread_id: (l) => l.thread_id, turn_id: (l) => l.turn_id, parent: (l) => l.parent_thread_id,
  },
  derived: {
    total: (l) => fmt.count(l.total_tokens), uncached: (l) => fmt.count(l.uncached_input_tokens),
    ratio: (l) => share(l.cache_ratio), context: (l) => share(l.context_use), duration: (l) => took(l.duration_ms),
    gap: (l) => took(l.gap_ms), project: (l) => l.project, compaction: (l) => (l.compaction ? "✓" : null),
    origin: (l) => `${l.origin} · ${l.origin_reason.replaceAll("_", " ")}`,
    recovered: (l) => (l.recovered ? "✓" : null),
  },
};
/** Those that the rail leaves to the call's own view. */
const NOT_IN_RAIL = ["cost_reason", "credit_reason", "provider", "window", "thread_id", "turn_id", "parent", "total"];

/** Terms with their values; what is null is left out. @param {[string, any][]} pairs */
const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined)
  .map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, el("bdi", {}, value)))));

/** @param {CallLine} line @param {string[]} kinds @param {string[]} without */
const factsOf = (line, kinds, without = []) => facts(kinds.flatMap((kind) => Object.entries(FACTS[kind]))
  .filter(([key]) => !without.includes(key)).map(([key, told]) => [t("calls." + key), told(line)]));

/** Names over values, as small cards. @param {[string, string, (string|null)?][]} all */
const tiles = (all) => el("dl", { class: "tiles" }, all.map(([name, value, sub]) =>
  el("div", { class: "card tile" }, el("dt", {}, name), el("dd", {}, value),
    sub ? el("dd", { class: "sub" }, sub) : null)));

/** Rows as `export --format csv` writes them; a text that a spreadsheet would run as a formula is made harmless.
 * @param {Iterable<number>} rows */
function callsCsv(rows) {
  const cell = (/** @type {any} */ value) => {
    if (typeof value !== "string") return value === true ? "True" : value === false ? "False" : (value ?? "");
    const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [Object.keys(callLine(0)).join(",")];
  for (const i of rows) lines.push(Object.values(callLine(i)).map(cell).join(","));
  return lines.join("\n") + "\n";
}

/** Each index's place in the alphabet of its labels. @param {(string|null)[]} list @param {number[]} column */
function alphabet(list, column) {
  const rank = new Float64Array(list.length), compare = new Intl.Collator().compare;
  const order = list.map((_, k) => k).sort((a, b) => compare(list[a] ?? "", list[b] ?? ""));
  order.forEach((k, place) => (rank[k] = place));
  return Float64Array.from(column, (k) => (k < 0 ? -1 : rank[k]));
}

/** A number of each call as a column; none is -1. @param {(c: CallColumns, i: number) => number|null} of */
const each = (of) => (/** @type {CallColumns} */ c) =>
  Float64Array.from({ length: c.time.length }, (_, i) => of(c, i) ?? -1);
/** The place of each call's label in the alphabet. @param {string} list @param {string} name */
const ranked = (list, name) => (/** @type {CallColumns} */ c, /** @type {Usage} */ u) => alphabet(u[list], c[name]);
const names = () => data.usage.threads.id.map((/** @type {string} */ _, /** @type {number} */ at) => threadName(at));
const tokens = (/** @type {string} */ name) => (/** @type {CallLine} */ l) => fmt.tokens(l[name]);
const label = (/** @type {string} */ name) => (/** @type {CallLine} */ l) => l[name] ?? "–";
/** Columns of the table: key, what they sort by, text.
 * @type {[string, (c: CallColumns, u: Usage) => ArrayLike<number>, (line: CallLine, i: number) => string][]} */
const CALL_TABLE = [
  ["time", (c) => c.time, (l) => fmt.time(Date.parse(l.timestamp))],
  ["thread", (c) => alphabet(names(), c.thread), (_, i) => threadName(data.usage.calls.thread[i])],
  ["project", ranked("projects", "project"), label("project")], ["model", ranked("models", "model"), label("model")],
  ["effort", ranked("efforts", "effort"), label("effort")], ["tier", ranked("tiers", "tier"), label("service_tier")],
  ["origin", ranked("origins", "origin"), label("origin")],
  ["total", each((c, i) => c.input[i] + c.output[i]), tokens("total_tokens")],
  ["cached", (c) => c.cached, tokens("cached_input_tokens")],
  ["uncached", each((c, i) => c.input[i] - c.cached[i]), tokens("uncached_input_tokens")],
  ["output", (c) => c.output, tokens("output_tokens")],
  ["reasoning", (c) => c.reasoning, tokens("reasoning_output_tokens")],
  ["context", each((c, i) => c.input[i] / (c.window[i] || Infinity)), (l) => share(l.context_use)],
  ["cost", each((c, i) => c.cost[i]), (l) => fmt.usd(nano(l.cost_usd))],
  ["credits", each((c, i) => c.credits[i]), (l) => fmt.credits(nano(l.credits))],
  ["duration", each((c, i) => c.duration[i]), (l) => took(l.duration_ms)],
  ["gap", each((c, i) => c.gap[i]), (l) => took(l.gap_ms)],
  ["ratio", each((c, i) => (c.input[i] ? c.cached[i] / c.input[i] : null)), (l) => share(l.cache_ratio)],
];

/** Narrower looks at calls that presets take, beside the filters.
 * @type {Record<string, (c: CallColumns, i: number) => boolean>} */
const ONLY = {
  context: (c, i) => c.input[i] >= (limits().high_context_percent / 100) * (c.window[i] || Infinity),
  uncached: (c, i) => c.input[i] - c.cached[i] >= limits().high_uncached_input_tokens,
};

/** Rows in a column's order, such as "-cost"; all calls are put in order once for all filters.
 * @param {Int32Array} rows newest first @param {string} sort */
function sortCalls(rows, sort) {
  const { calls: c } = data.usage, falling = sort.startsWith("-"), key = sort.replace("-", "");
  const column = CALL_TABLE.find(([name]) => name === key);
  if (!column || sort === "-time") return rows;
  const order = data.once("order " + key, () => {
    const values = Float64Array.from(column[1](c, data.usage));
    return Int32Array.from(values.keys()).sort((a, b) => values[a] - values[b] || b - a);
  });
  const wanted = new Uint8Array(order.length), sorted = new Int32Array(rows.length);
  for (const i of rows) wanted[i] = 1;
  for (let k = 0, count = 0; k < order.length; k++) {
    const i = order[falling ? order.length - 1 - k : k];
    if (wanted[i]) sorted[count++] = i;
  }
  return sorted;
}

/** Where the table was scrolled to, so that newer calls don't move it. */
let scrolled = { of: "", top: 0 };

/** The table: a row exists while it is in sight. `look` is told the row under the pointer or the keys.
 * @param {Int32Array} rows @param {string} sort @param {(i: number) => void} look */
function callsTable(rows, sort, look) {
  const tall = Math.min(rows.length * ROW, TALLEST), step = tall / (rows.length || 1), { id } = data.usage.calls;
  const high = () => Math.min(0.7 * innerHeight, 900); // as the style has it: to ask the box would lay out the page
  let first = NaN, top = 0, active = Math.max(0, rows.indexOf(id.indexOf(state.get("sel") ?? "")));
  const head = CALL_TABLE.map(([key]) => {
    const falling = sort === "-" + key, order = falling ? "descending" : sort === key ? "ascending" : null;
    const turn = () => state.set({ sort: falling ? key : "-" + key, sel: null });
    return el("th", { scope: "col", class: "c-" + key, "aria-sort": order },
      button("sort-" + key, t("calls." + key) + (falling ? " ↓" : order ? " ↑" : ""), turn));
  });
  const body = el("tbody", {});
  const told = { role: "grid", tabindex: "0", "aria-rowcount": rows.length + 1, "aria-label": t("calls.table") };
  const table = el("table", { id: "calls", ...told }, el("thead", {}, el("tr", { "aria-rowindex": "1" }, head)), body);
  const box = el("div", { class: "grid" }, table);
  const pad = (/** @type {number} */ height) => el("tr", { "aria-hidden": "true", vars: { tall: height + "px" } });
  const row = (/** @type {number} */ place) => {
    const i = rows[place], line = callLine(i);
    const where = { id: "row-" + place, "aria-rowindex": place + 2, "aria-selected": String(place === active) };
    return el("tr", { ...where, dataset: { place: String(place) } }, CALL_TABLE.map(([key, , text]) =>
      el("td", { class: "c-" + key }, key === "time" ? callLink(id.at(i), text(line, i), -1) : text(line, i))));
  };
  const draw = (again = false) => {
    const seen = Math.ceil(high() / ROW) + 2 * SPARE;
    const near = Math.floor((top / step - SPARE) / 4) * 4; // so that not every pixel makes new rows
    const above = Math.min(near, rows.length - seen);
    const from = Math.max(0, above), count = Math.min(rows.length, Math.max(above, -SPARE) + seen) - from;
    if (above === first && !again) return;
    first = above;
    body.replaceChildren(pad(from * step), ...Array.from({ length: count }, (_, k) => row(from + k)),
      pad(Math.max(0, tall - from * step - count * ROW)));
  };
  const go = (/** @type {number} */ place, still = false) => {
    active = Math.max(0, Math.min(place, rows.length - 1));
    const to = Math.max(active * step - high() + 2 * ROW, Math.min(active * step, top));
    if (!still && to !== top) box.scrollTop = top = to;
    draw(true);
    table.setAttribute("aria-activedescendant", "row-" + active);
    look(rows[active]);
  };
  const choose = (/** @type {number} */ place) => {
    go(place);
    state.params.set("sel", id.at(rows[active])); // nothing else changes: no need to draw the view again
    history.replaceState(null, "", "?" + state.params);
  };
  table.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / ROW) - 2);
    const steps = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page };
    const to = { ...steps, Home: 0, End: rows.length }[event.key];
    if (event.target !== table) return;
    if (event.key === "Enter") leadTo({ view: "call", record: id.at(rows[active]) });
    if (to === undefined) return;
    event.preventDefault();
    choose(to);
  });
  const placeOf = (/** @type {Event} */ event) =>
    Number(/** @type {HTMLElement} */ (event.target).closest("tr")?.dataset.place ?? -1);
  table.addEventListener("pointerover", (event) => { if (placeOf(event) >= 0) look(rows[placeOf(event)]); });
  table.addEventListener("pointerleave", () => look(rows[active]));
  body.addEventListener("click", (event) => { if (placeOf(event) >= 0) choose(placeOf(event)); });
  box.addEventListener("scroll", () => {
    scrolled = { of: String(state.params), top: (top = box.scrollTop) };
    draw();
  }, { passive: true });
  const stays = scrolled.of === String(state.params) && scrolled.top > 0;
  if (stays || active) requestAnimationFrame(() => {
    body.replaceChildren(pad(tall)); // without it there is nothing to scroll
    if (stays) box.scrollTop = top = scrolled.top;
    go(active, stays);
  });
  else go(0);
  return box;
}

/** A choice that narrows by one key of the URL. @param {string} key @param {string[]} options */
const narrowed = (key, options) => el("label", {}, el("span", { class: "sub" }, t("calls.filter." + key)),
  choice("filter-" + key, t("calls.filter." + key), [["", t("calls.any")], ...options.map((one) =>
    /** @type {[string, string]} */ ([one, t(`calls.${key}.${one}`)]))], state.get(key) ?? "",
  (value) => state.set({ [key]: value })));

/** @param {HTMLElement} root */
function renderCalls(root) {
  const only = named(ONLY, state.get("only")), { calls: c } = data.usage, sort = state.get("sort") ?? "-time";
  const found = only ? data.rows().filter((i) => only(c, i)) : data.rows(), rows = sortCalls(found, sort);
  const beside = el("aside", { class: "card rail", "aria-label": t("calls.details") });
  const look = (/** @type {number} */ i) => beside.replaceChildren(el("h2", {}, threadName(c.thread[i])),
    factsOf(callLine(i), ["estimated", "exact", "derived"], NOT_IN_RAIL));
  const save = () => {
    download("calls.csv", callsCsv(rows), "text/csv");
    announce(t("calls.exported", { count: rows.length }));
  };
  const left = data.usage.total - c.time.length, quality = data.board.data_quality, all = sums(found);
  root.append(el("h1", {}, t("calls.nav")), presetCaption() ?? "",
    el("div", { class: "toolbar" },
      el("input", { id: "search", type: "search", value: state.get("q") ?? "", placeholder: t("calls.search"),
        "aria-label": t("calls.search"),
        oninput: (/** @type {any} */ event) => event.isComposing || state.set({ q: event.target.value }),
        oncompositionend: (/** @type {any} */ event) => state.set({ q: event.target.value }) }),
      narrowed("confidence", ["exact", "estimated", "unpriced"]), narrowed("history", ["active"]),
      narrowed("credit_confidence", ["exact", "inferred", "override", "missing"]), oneThread(),
      button("export", t("calls.export"), save), /could not be read/.test(quality) ? chip(quality, "warn") : null),
    tiles([
      [t("calls.count"), fmt.count(all.calls)],
      [t("calls.cost"), costOf(all), all.unpriced ? t("calls.unpriced_some", { count: all.unpriced }) : null],
      [t("calls.credits"), fmt.credits(all.credits)],
      [t("calls.input"), fmt.tokens(all.input),
        t("calls.ratio_of", { ratio: share(all.input ? all.cached / all.input : null) })],
      [t("calls.uncached"), fmt.tokens(all.uncached)],
      [t("calls.output"), fmt.tokens(all.output), t("calls.reasoning_of", { tokens: fmt.tokens(all.reasoning) })],
    ]),
    rows.length
      ? el("div", { class: "split" }, el("div", { class: "card flush" }, callsTable(rows, sort, look)), beside)
      : empty(t("calls.none"), t("calls.none_hint")),
    left > 0 ? el("p", { class: "steps" }, t("calls.left", { count: left }),
      data.meta.live ? button("more-calls", t("calls.more"), () => data.more()) : null) : "");
}

views.add({ id: "calls", key: "calls.nav", render: renderCalls });
