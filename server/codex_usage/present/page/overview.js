// The overview: what was spent, why that changed, what is left of the allowance, what would save most.

const BY = ["model", "project", "provider", "origin"];
/** What can be looked at: of the sums by day, and how it is told. @type {Record<string, [(c: any, k: number) => number, (n: number) => string]>} */
const METRICS = {
  cost: [(c, k) => c.cost[k], (n) => fmt.usd(n)],
  credits: [(c, k) => c.credits[k], (n) => fmt.credits(n)],
  tokens: [(c, k) => c.input[k] + c.output[k], (n) => fmt.tokens(n)],
  calls: [(c, k) => c.calls[k], (n) => fmt.count(n)],
};
const TOP = 6, MANY_DAYS = 60; // rows of short lists; from here on a chart shows the period alone

/** The days of the period that have data, those as many before it (null: all time), and today. */
function span() {
  const [from, to] = daysOf(state.period()), today = daysOf("today")[1], { day } = data.board.cube;
  const begin = day.reduce((/** @type {number} */ a, /** @type {number} */ b) => Math.min(a, b), today);
  const first = Math.max(from, begin - 400), last = Math.min(to, Math.max(today, from)), count = last - first + 1;
  if (from <= -1e6) return { first: begin, last, before: null, begin, today };
  return { first, last, before: /** @type {[number, number]} */ ([first - count, first - 1]), begin, today };
}

/** A metric of some of the sums by day, per bin. @param {Int32Array} rows @param {DayBin[]} bins @param {(c: any, k: number) => number} of */
function perBin(rows, bins, of) {
  const values = new Float64Array(bins.length), place = binOf(bins), { cube } = data.board;
  for (const k of rows) values[place(cube.day[k])] += of(cube, k);
  return values;
}

/** Where a day is among bins. @param {DayBin[]} bins @returns {(day: number) => number} */
function binOf(bins) {
  const first = bins[0].from, places = bins.flatMap((bin, at) => Array(bin.to - bin.from + 1).fill(at));
  return (day) => places[day - first];
}

/** One series for each of the greatest of a kind, and one of the others. @param {Int32Array} rows @param {DayBin[]} bins
 * @param {string} by @param {(c: any, k: number) => number} of @returns {(Series & {value: string|null})[]} */
function seriesBy(rows, bins, by, of) {
  const { cube } = data.board, list = data.board[by + "s"], place = binOf(bins), found = new Map();
  for (const k of rows) {
    const value = pick(list, cube[by][k]), tint = color(by, value), key = tint === OTHERS ? null : value;
    const one = found.get(key) ?? { label: value ?? "–", value, tint, values: new Float64Array(bins.length), sum: 0, of: new Set() };
    found.set(key, one);
    one.of.add(value);
    one.values[place(cube.day[k])] += of(cube, k);
    one.sum += of(cube, k);
  }
  for (const one of found.values()) if (one.of.size > 1) Object.assign(one, { label: t("overview.others", { count: one.of.size }), value: null });
  return [...found.values()].filter((one) => one.sum > 0).sort((a, b) => Number(a.tint === OTHERS) - Number(b.tint === OTHERS) || b.sum - a.sum);
}

/** A text in which some words are nodes. @param {string} key @param {Record<string, any>} vars @param {Record<string, Child>} nodes */
const rich = (key, vars, nodes) => t(key, { ...vars, ...Object.fromEntries(Object.keys(nodes).map((name) => [name, `\0${name}\0`])) })
  .split("\0").map((part, at) => (at % 2 ? nodes[part] : part));

/** How long an answer's span is, in words: days, or hours of one day. @param {Record<string, any>} of */
function spanText(of) {
  const [first, last] = [of.first, of.last].map((text) => Date.parse(text ?? "")), from = of.from ?? of.first, to = of.to ?? of.last;
  if (last - first < 20 * 3_600_000 && String(of.first).includes("T"))
    return t("overview.hours", { day: fmt.date(dayOf(first)), from: clock(first), to: clock(last) });
  if (!from || !to) return t("core.all_time");
  return from === to ? fmt.date(dayNumber(from)) : `${fmt.day(dayNumber(from))} – ${fmt.date(dayNumber(to))}`;
}
const clock = (/** @type {number} */ ms) => moment(ms, { hour: "2-digit", minute: "2-digit" });
const dollars = (/** @type {number} */ usd) => fmt.usd(Math.round(usd * 1e9));

/** What happened, in two sentences. @param {HTMLElement} place @param {any} found an Explanation @param {any} advice Recommendations */
function headline(place, found, advice) {
  if (!found) return place.replaceChildren(el("h1", {}, t("overview.nav")), el("p", {}, data.problem ?? t("overview.no_answer")));
  const { change, drivers, unusual, period } = found, [cause] = drivers, thread = found.contributors.thread?.[0], rise = change.delta > 0;
  const whole = state.period() === "all", when = whole ? null : t("overview.in." + state.period());
  const told = { cost: dollars(change.to), when: when && !when.startsWith("overview.in") ? when : t("overview.in.span", { span: spanText(period) }) };
  const by = el("b", { class: rise ? "up" : "down" }, t(rise ? "overview.more" : "overview.less", { amount: dollars(Math.abs(change.delta)) }));
  const key = Math.abs(change.delta) < 0.005 ? "same" : !unusual ? "calm" : found.per_day ? "spike" : "change";
  const at = thread ? data.usage.threads.id.indexOf(thread.id) : -1;
  place.replaceChildren(el("h1", {}, rich("overview.headline." + key, told, { by })),
    unusual ? el("p", {}, rich(cause.share >= 0.5 ? "overview.most" : "overview.first", { because: cause.because, amount: dollars(cause.delta), share: fmt.percent(cause.share, 0) },
      { driver: el("strong", {}, t("overview.driver." + cause.driver)) }), " ",
      thread ? rich("overview.thread", { amount: dollars(thread.delta) }, { thread: el("strong", {}, at < 0 ? thread.label : link(threadGo(at), threadName(at))) }) : null) : null,
    advice?.saving_usd ? el("p", {}, rich("overview.could", { span: spanText(advice.period) }, { saving: el("strong", {}, dollars(advice.saving_usd)) })) : "");
}

/** A card of one number. @param {string} key @param {string} value @param {string} [sub] @param {string} [kind] up is bad, down is good @param {Node|null} [line] */
const kpi = (key, value, sub = "", kind = "", line = null) => el("div", { class: "card kpi" }, el("dt", {}, t("overview.kpi." + key)),
  el("dd", { class: "value" }, value), el("dd", { class: "delta " + kind }, sub), line ? el("dd", {}, line) : null);

/** @param {ReturnType<typeof span>} days @param {Int32Array} rows of the sums by day */
function kpis({ first, last, before }, rows) {
  const { cube, ytd } = data.board, now = sums(rows, cube), was = before ? sums(data.cubeRows(before), cube) : null, bins = dayBins(first, last);
  const ratio = (/** @type {typeof now} */ of) => (of.input ? of.cached / of.input : 0), all = now.calls && now.unpriced === now.calls;
  const line = (/** @type {(c: any, k: number) => number} */ of, main = false) => spark(perBin(rows, bins, of), main);
  /** A change in words, and whether it is good; `worse` is 1 where more is worse, 0 where it is neither. @param {number} a @param {number} b @param {number} worse @returns {[string, string]} */
  const change = (a, b, worse) => (!b ? ["", ""] : [t("overview.versus", { change: fmt.delta(a / b - 1) }), Math.abs(a / b - 1) < 0.1 || !worse ? "" : a > b ? "up" : "down"]);
  const points = was && was.input ? (ratio(now) - ratio(was)) * 100 : 0, costs = perBin(rows, bins, METRICS.cost[0]), peak = costs.indexOf(Math.max(...costs));
  const partly = now.unpriced ? t("overview.unpriced", { count: now.unpriced }) : "", spans = (/** @type {string} */ word) => sums(data.cubeRows(daysOf(word)), cube);
  const today = spans("today"), week = spans("this_week"), calls = data.usage.calls, threads = new Set(Array.from(data.rows(), (i) => calls.thread[i])).size;
  const cut = data.usage.total > calls.id.length && dayOf(calls.time[calls.time.length - 1]) >= first;
  const vs = (/** @type {"cost"|"credits"|"calls"|"input"|"cached"|"uncached"|"output"} */ key, /** @type {number} */ worse) => change(now[key], was?.[key] ?? 0, worse);
  return el("dl", { class: "kpis" },
    kpi("cost", fmt.usd(all ? null : now.cost), ...(partly ? /** @type {[string, string]} */ ([partly, "up"]) : vs("cost", 1)), line(METRICS.cost[0], true)),
    kpi("credits", fmt.credits(now.credits), ...vs("credits", 1), line(METRICS.credits[0], true)),
    kpi("calls", fmt.count(now.calls), ...vs("calls", 0), line((c, k) => c.calls[k])),
    kpi("uncached", fmt.tokens(now.uncached), ...vs("uncached", 1), line((c, k) => c.input[k] - c.cached[k])),
    kpi("ratio", fmt.percent(ratio(now)), was?.input ? t("overview.points", { points: number(points, { maximumFractionDigits: 1, signDisplay: "exceptZero" }) }) : "",
      Math.abs(points) < 2 ? "" : points < 0 ? "up" : "down", line((c, k) => c.cached[k])),
    kpi("output", fmt.tokens(now.output), ...vs("output", 0), line((c, k) => c.output[k])),
    kpi("input", fmt.tokens(now.input), ...vs("input", 0)),
    kpi("cached", fmt.tokens(now.cached), ...vs("cached", 0)),
    kpi("threads", (cut ? "≥ " : "") + fmt.count(threads), now.turns ? t("overview.turns", { count: now.turns }) : ""),
    kpi("peak", fmt.usd(costs[peak] ?? 0), bins[peak]?.title),
    kpi("today", fmt.usd(today.cost), t("overview.calls", { count: today.calls })),
    kpi("week", fmt.usd(week.cost), t("overview.calls", { count: week.calls })));
}

/** @param {ReturnType<typeof span>} days */
function overTime({ first, last, before, begin, today }) {
  const metric = METRICS[state.get("metric") ?? ""] ? state.get("metric") ?? "" : "cost", by = BY.includes(state.get("by") ?? "") ? state.get("by") ?? "" : "model";
  const [of, show] = METRICS[metric], count = last - first + 1, from = before && count < MANY_DAYS ? Math.max(begin, first - Math.max(count, 14)) : first;
  const bins = dayBins(Math.min(from, first), last), series = seriesBy(data.cubeRows([from, last]), bins, by, of), option = (/** @type {string} */ group) => (/** @type {string} */ value) => ({ value, label: t(`overview.${group}.${value}`) });
  const zoom = (/** @type {DayBin[]} */ among) => (/** @type {number} */ a, /** @type {number} */ b) => state.set({ period: `${dayText(among[a].from)}..${dayText(among[b].to)}` }, { push: true });
  const chosen = (/** @type {DayBin[]} */ among) => /** @type {[number, number]} */ ([among.findIndex((bin) => bin.to >= first), among.findLastIndex((bin) => bin.from <= last)]);
  const all = dayBins(begin, Math.max(today, begin)), title = t(`overview.over.${metric}`);
  const [allRows] = [data.cubeRows([begin, Math.max(today, begin)])], zoomed = state.period() !== "all" && state.period() !== "last_30_days";
  return card(title, t("overview.over_sub", { by: t("overview.by." + by) }), el("div", { class: "controls" }, zoomed ? el("button", { id: "zoom-out", onclick: () => state.set({ period: null }, { push: true }) }, t("overview.zoom_out")) : null,
    segmented(t("overview.metric_label"), Object.keys(METRICS).map(option("metric")), metric, (value) => state.set({ metric: value })),
    segmented(t("overview.by_label"), BY.map(option("by")), by, (value) => state.set({ by: value }))),
  legend(series, (value) => state.set({ [by]: state.get(by) === value ? null : value })),
  bars("over-time", t("overview.chart", { what: title, by: t("overview.by." + by) }), { bins, series, show, chosen: chosen(bins), range: zoom(bins) }),
  all.length > bins.length || all[0].from < bins[0].from ? bars("whole-time", t("overview.whole"), { bins: all, show, bare: true, chosen: chosen(all), range: zoom(all),
    series: [{ label: title, tint: "var(--accent)", values: perBin(allRows, all, of) }] }) : null);
}

/** @param {HTMLElement} place @param {any} found */
function whyChanged(place, found) {
  const drivers = found?.drivers ?? [], told = drivers.filter((/** @type {any} */ one) => Math.abs(one.delta) >= Math.max(0.005, 0.02 * Math.abs(found.change.delta))).slice(0, TOP);
  if (!told.length) return place.replaceChildren(empty(t("overview.steady"), t("overview.steady_hint")));
  const rest = drivers.filter((/** @type {any} */ one) => !told.includes(one)).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.delta, 0);
  const rows = told.map((/** @type {any} */ one) => ({ label: t("overview.driver." + one.driver), delta: one.delta, why: one.because }));
  if (Math.abs(rest) >= 0.005) rows.push({ label: t("overview.rest"), delta: rest, why: null });
  place.replaceChildren(el("p", { class: "sub" }, t("overview.between", { before: spanText(found.baseline), after: spanText(found.period) })),
    bridge({ label: t(found.per_day ? "overview.usual" : "overview.before"), value: found.change.from }, { label: t("overview.now"), value: found.change.to }, rows, dollars));
}

/** @param {HTMLElement} place @param {any} found an Allowance */
function allowanceGauges(place, found) {
  const now = data.meta.live ? Date.now() : Date.parse(data.meta.generated_at);
  if (!found?.windows.length) return place.replaceChildren(empty(t("overview.no_allowance"), t("overview.no_allowance_hint")));
  const weeks = found.weeks.map((/** @type {any} */ one) => one.used_percent).filter((/** @type {any} */ n) => n !== null).slice(0, 6);
  place.replaceChildren(el("p", { class: "sub" }, t("overview.observed", { ago: fmt.ago(Date.parse(found.windows[0].observed_at)), source: found.windows[0].source }),
    found.windows[0].plan_type ? ` · ${t("overview.plan", { plan: found.windows[0].plan_type })}` : ""), ...found.windows.map((/** @type {any} */ one) => {
    const reset = one.resets_at ? Date.parse(one.resets_at) : null, used = one.used_percent / 100, look = one.outlook, soon = look?.percent_at_reset?.[1] / 100;
    const gone = reset && !one.reset_passed ? Math.max(0, Math.min(1, 1 - (reset - now) / (one.window_minutes * 60_000))) : null, each = one.one_percent;
    const time = (/** @type {string} */ text) => fmt.time(Date.parse(text));
    const ends = look?.likely ? t(look.earliest && look.latest ? "overview.ends_between" : "overview.ends", { likely: time(look.likely), earliest: time(look.earliest), latest: time(look.latest) })
      : look?.chance >= 0.05 ? t("overview.chance", { chance: fmt.percent(look.chance, 0) }) : null;
    return el("div", { class: "gauge" + (one.reset_passed ? " past" : "") }, el("div", { class: "row" }, el("h3", {}, t("overview.window." + one.window)), el("strong", {}, t("overview.used", { percent: fmt.percent(used) }))),
      gauge(t("overview.window." + one.window), used, gone, soon > used ? soon : null),
      el("div", { class: "row sub" }, el("span", {}, one.reset_passed ? t("overview.reset_passed") : gone === null ? "" : t("overview.gone", { percent: fmt.percent(gone, 0) })), reset ? el("span", {}, t("overview.resets", { time: fmt.time(reset) })) : null),
      ends ? el("p", { class: look.likely ? "up" : "sub" }, ends) : null, each ? el("p", { class: "sub" }, t("overview.one_percent", { usd: dollars(each.usd), credits: fmt.credits(each.credits * 1e9) })) : null);
  }), weeks.length ? el("p", { class: "sub key" }, t("overview.weeks", { list: weeks.map((/** @type {number} */ n) => fmt.percent(n / 100, 0)).join(" · ") })) : "");
}

/** The first three savings. @param {HTMLElement} place @param {any} advice */
function topSavings(place, advice) {
  const found = (advice?.rows ?? []).slice(0, 3).map(saved);
  place.replaceChildren(found.length ? el("ol", { class: "recs" }, found.map((one) => el("li", {}, el("div", {}, el("p", { class: "save" }, one.save), el("p", { class: "sub" }, one.sub)),
    el("div", {}, el("h3", {}, one.title), el("p", { class: "sub" }, one.why), el("p", {}, one.todo, " ", link(one.go, t("insights.look"))))))) : calm());
}

/** @param {any} found the Explanation, for how each thread changed */
function topThreads(found) {
  const g = threadGroups(data.rows()), { threads, projects } = data.usage, heads = g.heads.sort((a, b) => g.whole.cost[b] - g.whole.cost[a]).slice(0, TOP);
  const changes = new Map((found && !found.per_day ? found.contributors.thread : []).map((/** @type {any} */ one) => [one.id, one.delta])), num = true;
  const columns = ["thread", "strip", "calls", "cache", "below", "cost", ...(changes.size ? ["change"] : [])].map((key, at) => ({ label: t("overview.col." + key), num: at > 1 }));
  return heads.length ? table(columns, heads.map((at) => {
    const { own } = g, change = changes.get(threads.id[at]), none = own.unpriced[at] === own.calls[at];
    return [[link(threadGo(at), threadName(at)), signalChips(attention(g, at).signals), el("div", { class: "sub" }, [pick(projects, threads.project[at]), threads.branch[at]].filter(Boolean).join(" · "))],
      threadStrip(g.rows(at), threadName(at), true), fmt.count(own.calls[at]), own.input[at] ? fmt.percent(own.cached[at] / own.input[at], 0) : "–", g.children[at].length || "–",
      el("strong", {}, fmt.usd(none ? null : g.whole.cost[at])), ...(changes.size ? [change === undefined ? "–" : el("span", { class: change > 0 ? "up" : "down" }, (change > 0 ? "+" : "−") + dollars(Math.abs(change)))] : [])];
  }), { caption: t("overview.threads") }) : empty(t("calls.none"), t("calls.none_hint"));
}

/** A year of days. @param {ReturnType<typeof span>} days */
function year({ today }) {
  const weeks = 53, start = today - ((today + 3) % 7) - (weeks - 1) * 7, { cube, ytd } = data.board, values = /** @type {(number|null)[]} */ (Array(weeks * 7).fill(0)), calls = new Float64Array(weeks * 7);
  for (const k of data.cubeRows([start, today])) [values[cube.day[k] - start], calls[cube.day[k] - start]] = [(values[cube.day[k] - start] ?? 0) + cube.cost[k], calls[cube.day[k] - start] + cube.calls[k]];
  values.fill(null, today - start + 1);
  const month = (/** @type {number} */ c) => moment((start + c * 7) * DAY, { month: "short" }, "UTC"), stat = (/** @type {string} */ key, /** @type {string} */ value) => el("div", {}, el("dt", {}, t("overview.ytd." + key)), el("dd", {}, value));
  return card(t("overview.year"), t("overview.year_sub"), null, el("dl", { class: "stats" }, stat("total", dollars(ytd.total.cost_usd ?? 0)), stat("days", fmt.count(ytd.days)), stat("sessions", fmt.count(ytd.sessions)),
    stat("highest", ytd.highest_day ? `${dollars(ytd.highest_usd ?? 0)} · ${fmt.day(dayNumber(ytd.highest_day))}` : "–")),
  heat("year", t("overview.year_chart"), { columns: weeks, rows: 7, values, start: today - start, columnLabel: (c) => (!c || month(c) !== month(c - 1) ? month(c) : null), rowLabel: (r) => (r % 2 ? null : weekday(r)),
    tell: (i) => ({ title: fmt.date(start + i), rows: [[t("charts.cost"), fmt.usd(values[i] ?? 0)], [t("overview.kpi.calls"), fmt.count(calls[i])]] }), pick: (i) => state.set({ period: dayText(start + i) }, { push: true }) }));
}
/** Monday is 0. @param {number} day */
const weekday = (day) => moment((day + 4) * DAY, { weekday: "short" }, "UTC");

/** Hours of the week. */
function hours() {
  const c = data.usage.calls, values = new Float64Array(168), calls = new Float64Array(168);
  const known = data.once("hours", () => new Map()), clock = data.once("clock", () => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: zone() }));
  for (const i of data.rows()) {
    const quarter = Math.floor(c.time[i] / 900_000);
    let hour = known.get(quarter);
    if (hour === undefined) known.set(quarter, (hour = Number(clock.format(c.time[i])) * 7 + ((dayOf(c.time[i]) + 3) % 7)));
    values[hour] += c.cost[i] ?? 0;
    calls[hour]++;
  }
  return card(t("overview.hours_title"), t("overview.hours_sub"), null, heat("hours", t("overview.hours_chart"), { columns: 24, rows: 7, values, tall: 22, columnLabel: (h) => (h % 3 ? null : String(h).padStart(2, "0")), rowLabel: weekday,
    tell: (i) => ({ title: `${weekday(i % 7)} ${String(Math.floor(i / 7)).padStart(2, "0")}:00`, rows: [[t("charts.cost"), fmt.usd(values[i])], [t("overview.kpi.calls"), fmt.count(calls[i])]] }) }));
}

/** @param {Int32Array} rows of the sums by day */
function daily(rows) {
  const { cube } = data.board, days = new Map();
  for (const k of rows) days.set(cube.day[k], [...(days.get(cube.day[k]) ?? []), k]);
  const told = [...days].sort(([a], [b]) => b - a).map(([day, of]) => ({ day, ...sums(of, cube) })), most = Math.max(1, ...told.map((one) => one.cost));
  const inside = table(["day", "calls", "turns", "input", "cache", "output", "cost", "rank"].map((key, at) => ({ label: t("overview.col." + key), num: at > 0 && at < 7 })),
    told.map((one) => [fmt.date(one.day), fmt.count(one.calls), fmt.count(one.turns), fmt.tokens(one.input), one.input ? fmt.percent(one.cached / one.input, 0) : "–", fmt.tokens(one.output),
      fmt.usd(one.unpriced === one.calls ? null : one.cost), el("span", { class: "track", "aria-hidden": "true" }, el("i", { vars: { wide: one.cost / most } }))]), { caption: t("overview.daily") });
  inside.classList.add("days");
  return card(t("overview.daily"), t("overview.daily_sub", { count: told.length }), null, told.length ? inside : empty(t("calls.none"), t("calls.none_hint")));
}

/** Shares of calls, tokens and sources. @param {Int32Array} rows */
function models(rows) {
  const { cube } = data.board, u = data.usage, all = sums(rows, cube), one = dayBins(0, 0).slice(0, 1);
  const shares = (/** @type {Map<string, number>} */ sums, /** @type {number} */ whole, /** @type {(label: string) => string|undefined} */ tint) =>
    ranks([...sums].sort(([, a], [, b]) => b - a).slice(0, TOP).map(([label, value]) => ({ label, value, text: fmt.percent(value / (whole || 1)), sub: fmt.tokens(value), tint: tint(label) })));
  const by = (/** @type {(k: number) => number} */ of) => { const found = new Map(); for (const k of rows) { const name = pick(data.board.models, cube.model[k]) ?? "–"; found.set(name, (found.get(name) ?? 0) + of(k)); } return found; };
  const sources = new Map(), seen = data.rows();
  for (const i of seen) { const name = u.threads.source[u.calls.thread[i]] ?? "–"; sources.set(name, (sources.get(name) ?? 0) + 1); }
  const part = (/** @type {string} */ key, /** @type {HTMLElement} */ inside) => el("section", {}, el("h3", {}, t("overview." + key)), inside), tint = (/** @type {string} */ label) => color("model", label);
  return card(t("overview.models"), t("overview.models_sub"), null, el("div", { class: "columns" }, part("of_calls", shares(by((k) => cube.calls[k]), all.calls, tint)),
    part("of_tokens", shares(by((k) => cube.input[k] + cube.output[k]), all.input + all.output, tint)), part("of_sources", shares(sources, seen.length, () => undefined))));
}

/** Durations and success of turns. @param {ReturnType<typeof span>} days */
function turns({ first, last }) {
  const all = data.board.turns, inside = all.day.map((/** @type {number} */ _, /** @type {number} */ k) => k).filter((/** @type {number} */ k) => all.day[k] >= first && all.day[k] <= last);
  if (!inside.length) return card(t("overview.turns_title"), null, null, empty(t("overview.no_turns"), t("overview.no_turns_hint")));
  const sum = (/** @type {string} */ key) => inside.reduce((/** @type {number} */ n, /** @type {number} */ k) => n + all[key][k], 0), [count, done, bad] = ["turns", "completed", "failed"].map(sum);
  const from = Math.max(first, all.day[inside[0]]), bins = Array.from({ length: last - from + 1 }, (_, k) => ({ from: from + k, to: from + k, label: fmt.day(from + k), title: fmt.date(from + k) }));
  const series = [["p95_ms", "var(--c3)"], ["median_ms", "var(--c1)"], ["first_token_ms", "var(--c2)"]].map(([key, tint]) => {
    const values = /** @type {(number|null)[]} */ (Array(bins.length).fill(null));
    for (const k of inside) values[all.day[k] - from] = all[key][k];
    return { label: t("overview.time." + key), tint, values };
  });
  const stat = (/** @type {string} */ key, /** @type {number} */ n) => el("div", {}, el("dt", {}, t("overview.turn." + key)), el("dd", {}, fmt.count(n), " ", el("span", { class: "sub" }, fmt.percent(n / count))));
  return card(t("overview.turns_title"), t("overview.turns_sub"), null, el("dl", { class: "stats" }, stat("completed", done), stat("failed", bad), stat("stopped", count - done - bad)),
    lines("turn-times", t("overview.turns_chart"), { bins, series, show: fmt.ms }));
}

/** Kinds of tools and commands with their success. @param {HTMLElement} place @param {any[]} found Diagnostics of overview and commands */
function tools(place, found) {
  const parts = found.flatMap((answer) => answer?.tables ?? []).filter((one) => one.rows.length && one.columns.includes("failure_rate")).map(({ title, columns, rows }) => {
    const at = (/** @type {string} */ name) => columns.indexOf(name), mean = at("mean_ms");
    return el("section", {}, el("h3", {}, worded("table", title)), ranks(rows.slice(0, TOP).map((/** @type {any[]} */ row) => ({ label: String(row[0]).replaceAll("_", " "), value: row[at("uses")], text: fmt.count(row[at("uses")]),
      sub: t("overview.succeeded", { share: fmt.percent(1 - (row[at("failure_rate")] ?? 0), 0) }) + (mean >= 0 && row[mean] !== null ? ` · ${fmt.ms(row[mean])}` : "") }))));
  });
  place.replaceChildren(parts.length ? el("div", { class: "columns" }, parts) : empty(t("overview.no_tools"), t("overview.no_tools_hint")));
}

/** @param {HTMLElement} root */
function renderOverview(root) {
  const days = span(), rows = data.cubeRows([days.first, days.last]), place = () => el("div", {}), [why, left, save, threads, used] = [place(), place(), place(), place(), place()];
  const head = el("section", { class: "answer" }, el("h1", {}, t("overview.nav"))), unfiltered = !data.meta.live && FILTER_WORDS.some((word) => state.get(word)), note = unfiltered ? t("overview.unfiltered") : null;
  threads.append(topThreads(null));
  root.append(head, kpis(days, rows), el("div", { class: "two" }, overTime(days), card(t("overview.why"), note, null, why)),
    el("div", { class: "two" }, card(t("overview.save"), note, link({ view: "insights" }, t("overview.all_savings")), save), card(t("overview.allowance"), null, null, left)),
    card(t("overview.threads"), t("overview.threads_sub"), link({ view: "threads" }, t("overview.all_threads")), threads), year(days),
    el("div", { class: "two even" }, hours(), models(rows)), daily(rows), el("div", { class: "two even" }, turns(days), card(t("overview.tools"), t("overview.tools_sub"), link({ view: "diagnostics" }, t("diagnostics.nav")), used)),
    el("p", { class: "card note sub" }, t("overview.telemetry")));
  const { period, ...others } = state.asked(), section = (/** @type {string} */ name) => (data.meta.live ? data.ask("diagnostics/" + name, { period }) : data.diagnostics?.[name]);
  Promise.all([data.ask("explain", { period, ...others }), data.ask("recommendations", { period, ...others })]).then(([found, advice]) => {
    headline(head, found, advice);
    whyChanged(why, found);
    topSavings(save, advice);
    if (found) threads.replaceChildren(topThreads(found));
  });
  data.ask("allowance", {}).then((found) => allowanceGauges(left, found));
  Promise.all([section("overview"), section("commands")]).then((found) => tools(used, found));
}

views.add({ id: "overview", key: "overview.nav", render: renderOverview });
