// The overview: what was spent, why that changed, what is left of the allowance, what would save most.

/** What can be looked at, of the sums by day; how it is told, and how on a scale.
 * @type {Record<string, [(c: any, k: number) => number, Show, Show?]>} */
const METRICS = {
  cost: [(c, k) => c.cost[k], (n) => fmt.usd(n), (n) => fmt.usd(n, n % 1e9 ? 2 : 0)],
  credits: [(c, k) => c.credits[k], fmt.credits],
  tokens: [(c, k) => c.input[k] + c.output[k], fmt.tokens],
  calls: [(c, k) => c.calls[k], fmt.count],
};
const BY = ["model", "project", "provider", "origin"], TOP = 6; // rows of short lists
const CONTEXT = 14, LONG = 60; // days: at least so many are shown before a period, none before a long one
const LOUD = 0.1, LOUD_POINTS = 2, CENT = 0.005; // from where a change has a colour, and money is worth telling

/** The period's days as far as there are data, as many before it (none: all time), the first with data, today. */
function shownDays() {
  const [from, to] = daysOf(state.period()), [, today] = daysOf("today"), all = from <= -1e6;
  const begin = -most(data.board.cube.day.map((/** @type {number} */ day) => -day), -today);
  const first = all ? begin : Math.max(from, Math.min(to, begin - 400)), last = Math.min(to, Math.max(today, first));
  return { first, last, begin, today,
    before: /** @type {[number, number]|null} */ (all ? null : [2 * first - last - 1, first - 1]) };
}
/** @typedef {ReturnType<typeof shownDays>} Days @typedef {(c: any, k: number) => number} Of */

/** Something of the sums by day, per bin. @param {Iterable<number>} rows @param {Bin[]} bins @param {Of} of */
function perBin(rows, bins, of) {
  const values = new Float64Array(bins.length), { cube } = data.board;
  const places = bins.flatMap((bin, at) => Array(bin.to - bin.from + 1).fill(at));
  for (const k of rows) values[places[cube.day[k] - bins[0].from]] += of(cube, k);
  return values;
}

/** Numbers by name, the greatest first. @param {Iterable<number>} rows @param {(k: number) => string|null} name
 * @param {(k: number) => number} of @returns {[string, number][]} */
function sumBy(rows, name, of) {
  const found = new Map();
  for (const k of rows) found.set(name(k) ?? "–", (found.get(name(k) ?? "–") ?? 0) + of(k));
  return [...found].filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a);
}

/** A series for each of a kind that has its own colour, and one of the others.
 * @param {Int32Array} rows @param {Bin[]} bins @param {string} by @param {Of} of @returns {Series[]} */
function seriesBy(rows, bins, by, of) {
  const { cube, [by + "s"]: list } = data.board, name = (/** @type {number} */ k) => pick(list, cube[by][k]) ?? "–";
  const names = sumBy(rows, name, (k) => of(cube, k)).map(([one]) => one);
  const rest = names.filter((one) => color(by, one) === OTHERS), alone = names.filter((one) => !rest.includes(one));
  return [...alone.map((one) => [one]), ...(rest.length ? [rest] : [])].map((some) => ({
    label: some.length > 1 ? t("overview.others", { count: some.length }) : some[0],
    value: some.length > 1 ? null : some[0],
    tint: color(by, some[0]), values: perBin(rows.filter((k) => some.includes(name(k))), bins, of) }));
}

const dollars = (/** @type {number} */ usd) => fmt.usd(Math.round(usd * 1e9));
const filteredFile = () =>
  !data.meta.live && Object.keys(state.asked()).length > 1; // shows less than its answers tell of
const strong = (/** @type {Child} */ text) => el("strong", {}, text);
/** A text in which some words are nodes. @param {string} key @param {Record<string, any>} vars
 * @param {Record<string, Child>} nodes */
const rich = (key, vars, nodes) =>
  t(key, { ...vars, ...Object.fromEntries(Object.keys(nodes).map((name) => [name, `\0${name}\0`])) })
    .split("\0").map((part, at) => (at % 2 ? nodes[part] : part));

/** An answer's span: days, or hours of one day. @param {any} of */
function spanText({ first, last, from = first, to = last }) {
  if (!from || !to) return t("core.all_time");
  const ends = [first, last].map((text) => Date.parse(text)),
      [start, end] = ends.map((ms) => moment(ms, { timeStyle: "short" }));
  return first.includes("T") && ends[1] - ends[0] < DAY / 2
    ? t("overview.hours", { day: fmt.date(dayOf(ends[0])), from: start, to: end })
    : daysText(dayNumber(from), dayNumber(to));
}

/** What happened, in two sentences. A file explains some spans only: else the cost is told alone.
 * @param {HTMLElement} place @param {any} found an Explanation @param {any} advice Recommendations
 * @param {ReturnType<typeof sums>} now @param {Days} days */
function headline(place, found, advice, now, { first, last }) {
  const word = state.period(), told = data.meta.live || word === "all" || `explain?period=${word}` in data.answers,
      exact = found && told && !filteredFile();
  const { change, drivers: [cause], unusual, per_day: spike, contributors } =
    found ?? { change: { delta: 0 }, drivers: [] };
  const span = exact ? spanText(found.period) : daysText(first, last),
      [thread] = contributors?.thread ?? [], size = Math.abs(change.delta);
  const when = t("overview.in." + (PRESET_PERIODS.includes(word) && word !== "all" ? word : "span"), { span });
  const kind = !exact ? "plain" : size < CENT ? "same" : !unusual ? "calm" : spike ? "spike" : "change";
  const [sign, tone] = change.delta > 0 ? ["more", "up"] : ["less", "down"],
      at = thread ? data.usage.threads.id.indexOf(thread.id) : -1;
  const by = el("b", { class: tone }, t("overview." + sign, { amount: dollars(size) })),
      spent = !exact || !change.to ? costOf(now) : dollars(change.to);
  const why = () => rich(cause.share >= 0.5 ? "overview.most" : "overview.first",
    { amount: dollars(cause.delta), share: fmt.percent(cause.share, 0) },
    { driver: strong(t("overview.driver." + cause.driver)), because: el("bdi", {}, cause.because) });
  const which = () => rich("overview.thread", { amount: dollars(thread.delta) },
    { thread: strong(at < 0 ? thread.label : link(threadGo(at), threadName(at))) });
  place.replaceChildren(el("h1", {}, rich("overview.headline." + kind, { cost: spent, when, span }, { by })),
    kind === "plain" ? el("p", {}, data.problem ?? t("overview.no_answer"))
      : unusual && cause ? el("p", {}, why(), " ", thread ? which() : null) : "",
    advice?.saving_usd ? el("p", {}, rich("overview.could", { span: spanText(advice.period) },
      { saving: strong(dollars(advice.saving_usd)) })) : "");
}
/** Cards of one number each, with its change. @param {Days} days @param {Int32Array} rows of the sums by day */
function kpis({ first, last, before }, rows) {
  const { cube } = data.board, { calls } = data.usage, now = sums(rows, cube), bins = eachDay(first, last);
  const was = sums(before ? data.cubeRows(before) : [], cube),
      ratio = (/** @type {typeof now} */ of) => (of.input ? of.cached / of.input : 0);
  const costs = perBin(rows, bins, METRICS.cost[0]), peak = costs.indexOf(most(costs)),
      points = 100 * (ratio(now) - ratio(was));
  const [today, week] = ["today", "this_week"].map((word) => sums(data.cubeRows(daysOf(word)), cube));
  const threads = threadGroups(data.rows()).own.calls.filter(Boolean).length;
  const cut = data.usage.total > calls.time.length && dayOf(calls.time.at(-1)) >= first ? "≥ " : "";
  /** The change of a sum, and its colour where more is worse. @param {keyof typeof now} key */
  const versus = (key, worse = false) => {
    const by = now[key] / was[key] - 1;
    return was[key] ? [t("overview.versus", { change: fmt.delta(by) }),
      !worse || Math.abs(by) < LOUD ? "" : by > 0 ? "up" : "down"] : ["", ""];
  };
  const told = /** @type {[string, string, string, string, Of?][]} */ ([
    ["cost", costOf(now),
      ...(now.unpriced ? [t("overview.unpriced", { count: now.unpriced }), "up"] : versus("cost", true)),
      METRICS.cost[0]],
    ["credits", fmt.credits(now.credits), ...versus("credits", true), METRICS.credits[0]],
    ["calls", fmt.count(now.calls), ...versus("calls"), METRICS.calls[0]],
    ["uncached", fmt.tokens(now.uncached), ...versus("uncached", true), (c, k) => c.input[k] - c.cached[k]],
    ["ratio", fmt.percent(ratio(now)), ...(was.input ? [t("overview.points",
      { points: number(points, { maximumFractionDigits: 1, signDisplay: "exceptZero" }) }),
      Math.abs(points) < LOUD_POINTS ? "" : points < 0 ? "up" : "down"] : ["", ""]), (c, k) => c.cached[k]],
    ["output", fmt.tokens(now.output), ...versus("output"), (c, k) => c.output[k]],
    ["input", fmt.tokens(now.input), ...versus("input")],
    ["cached", fmt.tokens(now.cached), now.saved > 0 ? t("overview.saved", { usd: fmt.usd(now.saved) }) : "", ""],
    ["threads", cut + fmt.count(threads), t("overview.turns", { count: now.turns }), ""],
    ["peak", fmt.usd(now.unpriced && !costs[peak] ? null : costs[peak]), costs[peak] ? fmt.date(first + peak) : "", ""],
    ...Object.entries({ today, week }).map(([key, of]) => [key, costOf(of),
      t("overview.calls", { count: of.calls }), ""]),
  ]);
  return el("dl", { class: "kpis" }, told.map(([key, value, sub, kind, of], at) => el("div", { class: "card kpi" },
    el("dt", {}, t("overview.kpi." + key)), el("dd", { class: "value" }, value),
    el("dd", { class: "delta " + kind }, sub),
    of ? el("dd", {}, spark(perBin(rows, bins, of), at < 2)) : null)));
}

/** Bars of a metric by a kind, with some days before the period. @param {Days} days */
function overTime({ first, last, before, begin }) {
  const metric = Object.keys(METRICS).find((one) => one === state.get("metric")) ?? "cost";
  const by = BY.find((one) => one === state.get("by")) ?? "model", [of, show, axis = show] = METRICS[metric];
  const some = Math.max(last - first + 1, CONTEXT),
      from = before && some < LONG ? Math.max(begin, first - some) : first;
  const bins = dayBins(Math.min(from, first), last),
      series = seriesBy(data.cubeRows([bins[0].from, last]), bins, by, of);
  const choose = (/** @type {string} */ key, /** @type {string} */ value, /** @type {string[]} */ known) =>
    segmented(t(`overview.${key}_label`),
      known.map((one) => ({ value: one, label: t(`overview.${key}.${one}`) })), value,
      (one) => state.set({ [key]: one }));
  const title = t("overview.over." + metric),
      zoom = (/** @type {string|null} */ period) => state.set({ period }, { push: true });
  return card(title, t("overview.over_sub", { by: t("overview.by." + by) }), el("div", { class: "controls" },
    /^\d/.test(state.period()) ? button("zoom-out", t("overview.zoom_out"), () => zoom(null)) : null,
    choose("metric", metric, Object.keys(METRICS)), choose("by", by, BY)),
  legend(series, (value) => state.set({ [by]: state.get(by) === value ? null : value })),
  bars("over-time", t("overview.chart", { what: title, by: t("overview.by." + by) }), { bins, series, show, axis,
    lit: (bin) => bin.to >= first, range: (a, b) => zoom(`${dayText(bins[a].from)}..${dayText(bins[b].to)}`) }));
}

/** @param {HTMLElement} place @param {any} found an Explanation */
function whyChanged(place, found) {
  const { drivers = [], change = { delta: 0 } } = found ?? {}, least = Math.max(CENT, 0.02 * Math.abs(change.delta));
  const rows = /** @type {any[]} */ (drivers).filter((one) => Math.abs(one.delta) >= least).slice(0, TOP)
    .map((one) => ({ label: t("overview.driver." + one.driver), delta: one.delta, why: one.because }));
  const rest = change.delta - rows.reduce((sum, one) => sum + one.delta, 0);
  if (!rows.length) return place.replaceChildren(empty(t("overview.steady"), t("overview.steady_hint")));
  if (Math.abs(rest) >= CENT) rows.push({ label: t("overview.rest"), delta: rest, why: null });
  place.replaceChildren(el("p", { class: "sub" }, `${spanText(found.baseline)} → ${spanText(found.period)}`),
    bridge({ label: t(found.per_day ? "overview.usual" : "overview.before"), value: change.from },
      { label: t("overview.now"), value: change.to }, rows, dollars));
}

/** @param {string} window such as weekly, 5-hour, 90-minute */
const windowName = (window, [n, unit] = window.split("-")) =>
  unit ? number(Number(n), { style: "unit", unit, unitDisplay: "long" }) : t("overview.window." + window);

/** A window of the allowance. @param {any} one @param {number} now */
function windowGauge(one, now) {
  const { window, limit_id: limit, used_percent: percent, resets_at: reset, reset_passed: past,
    window_minutes: minutes, one_percent: each } = one;
  const { likely, earliest, latest, chance = 0, percent_at_reset: at } = one.outlook ?? {}, used = percent / 100;
  const name = windowName(window) + (limit === "codex" ? "" : ` · ${limit}`);
  const time = (/** @type {string|null} */ text) => (text ? fmt.time(Date.parse(text)) : "–");
  const sub = (/** @type {Child} */ text, kind = "sub") => el("p", { class: kind }, text);
  const gone = reset && minutes && !past ? clamp(1 - (Date.parse(reset) - now) / (minutes * 60_000), 0, 1) : null;
  const spent = past ? t("overview.reset_passed")
    : gone === null ? "" : t("overview.gone", { percent: fmt.percent(gone, 0) });
  return el("div", { class: "gauge" + (past ? " past" : "") },
    el("div", { class: "row" }, el("h3", {}, name), strong(t("overview.used", { percent: fmt.percent(used) }))),
    el("div", { class: "meter" + (used >= 0.9 ? " hot" : ""), role: "meter", "aria-label": name,
      "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuenow": clamp(Math.round(percent), 0, 100), "aria-valuetext": fmt.percent(used) },
    at && !past && at[1] > percent ? el("i", { class: "soon", vars: { wide: Math.min(1, at[1] / 100) } }) : null,
    el("i", { vars: { wide: Math.min(1, used) } }), gone === null ? null : el("u", { vars: { at: gone } })),
    el("div", { class: "row sub" }, el("span", {}, spent), el("span", {}, t("overview.resets", { time: time(reset) }))),
    past ? null
      : likely ? sub(t("overview.ends", { likely: time(likely), earliest: time(earliest), latest: time(latest) }), "up")
      : chance >= 0.05 ? sub(t("overview.chance", { chance: fmt.percent(chance, 0) })) : null,
    each ? sub(t("overview.one_percent", { usd: dollars(each.usd), credits: fmt.credits(each.credits * 1e9) })) : null);
}

/** @param {HTMLElement} place @param {any} found an Allowance */
function allowances(place, found) {
  const [one] = found?.windows ?? [],
      weeks = /** @type {any[]} */ (found?.weeks ?? []).map((week) => week.used_percent)
        .filter((used) => used !== null);
  if (!one) return place.replaceChildren(empty(t("overview.no_allowance"), t("overview.no_allowance_hint")));
  const now = data.meta.live ? Date.now() : Date.parse(data.meta.generated_at),
      list = weeks.slice(0, TOP).map((used) => fmt.percent(used / 100, 0)).join(" · ");
  place.replaceChildren(el("p", { class: "sub" }, t("overview.observed",
      { ago: fmt.ago(Date.parse(one.observed_at)), source: one.source, plan: one.plan_type ?? "–" })),
    ...found.windows.map((/** @type {any} */ window) => windowGauge(window, now)),
    list ? el("p", { class: "sub key" }, t("overview.weeks", { list })) : "");
}

/** The three greatest savings. @param {HTMLElement} place @param {any} advice Recommendations */
function topSavings(place, advice) {
  const found = /** @type {any[]} */ (advice?.rows ?? []).slice(0, 3).map(saved);
  const p = (/** @type {Child} */ text, kind = "sub") => el("p", { class: kind, dir: "auto" }, text);
  place.replaceChildren(found.length ? el("ol", { class: "recs" }, found.map((one) => el("li", {},
    el("div", {}, p(one.save, "save"), p(one.sub)),
    el("div", {}, el("h3", {}, one.title), p(one.why),
      p([one.todo, " ", link(one.go, t("insights.look"))], ""))))) : calm());
}

/** The costliest threads. @param {HTMLElement} place @param {any} found an Explanation, for how each changed */
function topThreads(place, found) {
  const g = threadGroups(data.rows()), { threads, projects } = data.usage, { own, whole } = g;
  const { thread: changed = [] } = found && !found.per_day ? found.contributors : {};
  const deltas = new Map(changed.map((/** @type {any} */ one) => [one.id, one.delta]));
  const columns = ["thread", "strip", "calls", "cache", "below", "cost", ...(deltas.size ? ["change"] : [])];
  const row = (/** @type {number} */ at) => {
    const delta = deltas.get(threads.id[at]),
        where = [pick(projects, threads.project[at]), threads.branch[at]].filter(Boolean).join(" · ");
    const name = [link(threadGo(at), threadName(at)), signalChips(attention(g, at).signals),
      el("div", { class: "sub" }, where)];
    return [name, threadStrip(g.rows(at), threadName(at), true), fmt.count(own.calls[at]),
      own.input[at] ? fmt.percent(own.cached[at] / own.input[at], 0) : "–", g.children[at].length || "–",
      strong(fmt.usd(own.unpriced[at] === own.calls[at] ? null : whole.cost[at])), delta === undefined ? "–"
        : el("span", { class: delta > 0 ? "up" : "down" },
          (delta > 0 ? "+" : "−") + dollars(Math.abs(delta)))].slice(0, columns.length);
  };
  place.replaceChildren(g.heads.length ? table(
    columns.map((key, at) => ({ label: t("overview.col." + key), num: at > 1 })),
    g.heads.sort((a, b) => whole.cost[b] - whole.cost[a]).slice(0, TOP).map(row), { caption: t("overview.threads") })
    : empty(t("calls.none"), t("calls.none_hint")));
}

/** A term with its number. @param {string} key @param {...Child} inside */
const stat = (key, ...inside) => el("div", {}, el("dt", {}, t("overview." + key)), el("dd", {}, inside));
/** @param {string} title @param {number} cost @param {number} calls @returns {Told} */
const costAndCalls = (title, cost, calls) =>
  ({ title, rows: [[t("charts.cost"), fmt.usd(cost)], [t("overview.kpi.calls"), fmt.count(calls)]] });
/** The names of the days of a week, in its order. */
const weekdays = () => Array.from({ length: 7 }, (_, k) =>
  moment((k + 4 + data.meta.week_start) * DAY, { weekday: "short" }, "UTC"));

/** Each day of a year, and the year so far: made once for all periods. @param {Days} days */
const yearCard = ({ today }) => data.once(
  `year ${[lang, today, ...FILTER_WORDS.map((word) => state.get(word))]}`, () => {
  const start = today - weekday(today) - 52 * 7, bins = eachDay(start, start + 53 * 7 - 1), { ytd } = data.board;
  const [costs, calls] = [METRICS.cost, METRICS.calls].map(([of]) => perBin(data.cubeRows([start, today]), bins, of));
  const months = bins.filter((_, k) => k % 7 === 0).map((bin) => moment(bin.from * DAY, { month: "short" }, "UTC"));
  const highest = ytd.highest_day ? `${dollars(ytd.highest_usd ?? 0)} · ${fmt.day(dayNumber(ytd.highest_day))}` : "–";
  return card(t("overview.year"), t("overview.year_sub"), null, el("dl", { class: "stats" },
    stat("ytd.total", dollars(ytd.total.cost_usd ?? 0)), stat("ytd.days", fmt.count(ytd.days)),
    stat("ytd.sessions", fmt.count(ytd.sessions)), stat("ytd.highest", highest)),
  heat("year", t("overview.year_chart"), {
    across: months.map((one, c) => (one === months[c - 1] ? null : one)), start: today - start,
    down: weekdays().map((day, at) => (at % 2 ? null : day)),
    values: Array.from(costs, (n, k) => (start + k > today ? null : n)),
    tell: (k) => costAndCalls(bins[k].title, costs[k], calls[k]),
    pick: (k) => state.set({ period: dayText(start + k) }, { push: true }) }));
});

/** Hours of the week. */
function hoursCard() {
  const c = data.usage.calls, costs = Array(168).fill(0), calls = Array(168).fill(0), rows = data.rows();
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: zone() });
  const known = /** @type {Map<number, number>} */ (data.once("hours", () => new Map())); // by the quarter of an hour
  let quarter = -1, at = -1;
  for (let k = 0; k < rows.length; k++, calls[at]++) {
    const i = rows[k], time = c.time[i], now = Math.floor(time / 900_000);
    if (now !== quarter) known.set(now, (at = known.get((quarter = now))
      ?? Number(clock.format(time)) * 7 + weekday(dayOf(time))));
    costs[at] += c.cost[i] ?? 0;
  }
  const hours = Array.from({ length: 24 }, (_, h) => String(h).padStart(2, "0")), down = weekdays();
  return card(t("overview.hours_title"), t("overview.hours_sub"), null, heat("hours", t("overview.hours_chart"), {
    down, values: costs, across: hours.map((one, h) => (h % 3 ? null : one)), tall: 26,
    tell: (k) => costAndCalls(`${down[k % 7]} ${hours[Math.floor(k / 7)]}:00`, costs[k], calls[k]) }));
}

const DAYS_AT_ONCE = 31;
/** Days with their share of the costliest, the latest first. @param {Int32Array} rows of the sums by day */
function dailyCard(rows) {
  const { cube } = data.board, all = sums(rows, cube);
  const told = grouped(rows, (k) => cube.day[k]).sort(([a], [b]) => b - a)
        .map(([day, of]) => ({ day, ...sums(of, cube) })),
      high = most(told.map((one) => one.cost), 1);
  const columns = ["day", "calls", "turns", "input", "cache", "output", "cost", "rank"]
    .map((key, at) => ({ label: t("overview.col." + key), num: at > 0 && at < 7 }));
  const shown = state.get("days") === "all" ? told : told.slice(0, DAYS_AT_ONCE), left = told.length - shown.length;
  const inside = table(columns, shown.map((one) => [fmt.date(one.day), fmt.count(one.calls), fmt.count(one.turns),
    fmt.tokens(one.input), one.input ? fmt.percent(one.cached / one.input, 0) : "–", fmt.tokens(one.output),
    costOf(one), track(0, one.cost / high)]), { caption: t("overview.daily") });
  inside.classList.add("days");
  return card(t("overview.daily"), told.length ? t("overview.daily_sub",
      { count: told.length, mean: costOf({ ...all, cost: all.cost / told.length }) }) : null, null,
    told.length ? inside : empty(t("calls.none"), t("calls.none_hint")),
    left ? button("more-days", t("threads.more", { count: left }), () => state.set({ days: "all" })) : null);
}

/** Parts with their names, side by side. @param {[string, HTMLElement][]} parts */
const sideBySide = (parts, kind = "") =>
  el("div", { class: "columns " + kind }, parts.map(([name, inside]) => el("section", {}, el("h3", {}, name), inside)));

/** What cost, calls and tokens went to. @param {Int32Array} rows of the sums by day */
function usedCard(rows) {
  const { cube } = data.board, { source } = data.usage.threads, { calls } = threadGroups(data.rows()).own;
  const name = (/** @type {string} */ by) => (/** @type {number} */ k) => pick(data.board[by + "s"], cube[by][k]);
  const shares = (/** @type {[string, number][]} */ found, /** @type {Show} */ show, by = "",
      all = found.reduce((sum, [, n]) => sum + n, 0)) =>
    ranks(found.slice(0, TOP).map(([label, value]) => ({ label: by ? link({ [by]: label }, label) : label, value,
      sub: show(value), text: fmt.percent(value / all), tint: by ? color(by, label) : undefined })));
  const parts = /** @type {[string, string, string][]} */ ([["cost", "project", "cost_by_project"],
    ["cost", "model", "cost_by_model"], ["tokens", "model", "of_tokens"], ["calls", "model", "of_calls"]]);
  return card(t("overview.models"), t("overview.models_sub"), null, sideBySide([
    ...parts.map(([metric, by, key]) => /** @type {[string, HTMLElement]} */ ([t("overview." + key),
      shares(sumBy(rows, name(by), (k) => METRICS[metric][0](cube, k)), METRICS[metric][1], by)])),
    [t("overview.of_sources"),
      shares(sumBy(calls.keys(), (at) => source[at], (at) => calls[at]), fmt.count)]], "many"));
}

const BESIDE = ["model", "project", "effort"];
/** Models, projects or efforts side by side: what a call of each carries and costs.
 * @param {Int32Array} rows of the sums by day */
function comparedCard(rows) {
  const { cube } = data.board, by = BESIDE.find((one) => one === state.get("beside")) ?? BESIDE[0];
  const columns = ["calls", "input_call", "cache", "output_call", "call_cost", "million", "cost"]
    .map((key) => t("overview.col." + key));
  const found = grouped(rows, (k) => cube[by][k])
    .map(([at, of]) => ({ label: pick(data.board[by + "s"], at), ...sums(of, cube) }))
    .sort((a, b) => b.cost - a.cost || b.calls - a.calls).slice(0, 2 * TOP);
  const body = found.map((one) => {
    const { calls, input, output, cost, label } = one, sure = !one.unpriced; // else the mean would be too low
    return [label === null ? "–" : link({ [by]: label }, label), fmt.count(calls),
      fmt.tokens(Math.round(input / calls)), input ? fmt.percent(one.cached / input, 0) : "–",
      fmt.tokens(Math.round(output / calls)), sure ? fmt.usd(cost / calls) : "–",
      sure && input + output ? fmt.usd((cost / (input + output)) * 1e6) : "–", strong(costOf(one))];
  });
  return card(t("overview.beside"), t("overview.beside_sub"),
    segmented(t("overview.beside"), BESIDE.map((value) => ({ value, label: t("core.filter." + value) })), by,
      (beside) => state.set({ beside })),
    body.length ? table([{ label: t("core.filter." + by) }, ...columns.map((label) => ({ label, num: true }))], body,
      { caption: t("overview.beside") })
      : empty(t("calls.none"), t("calls.none_hint")));
}

/** How long turns took and how they ended. @param {Days} days */
function turnsCard({ first, last }) {
  const all = data.board.turns,
      inside = Array.from(all.day, (_, k) => k).filter((k) => all.day[k] >= first && all.day[k] <= last);
  if (!inside.length)
    return card(t("overview.turns_title"), null, null, empty(t("overview.no_turns"), t("overview.no_turns_hint")));
  const [count, completed, failed] = ["turns", "completed", "failed"]
    .map((key) => inside.reduce((sum, k) => sum + all[key][k], 0));
  const bins = eachDay(all.day[inside[0]], last), at = new Map(inside.map((k) => [all.day[k], k]));
  const series = Object.entries({ p95_ms: "var(--c3)", median_ms: "var(--c1)",
    first_token_ms: "var(--c2)" }).map(([key, tint]) =>
    ({ label: t("overview.time." + key), tint, values: bins.map((bin) => all[key][at.get(bin.from) ?? -1] ?? null) }));
  const ends = Object.entries({ completed, failed, stopped: count - completed - failed });
  return card(t("overview.turns_title"), t("overview.turns_sub"), null, el("dl", { class: "stats" },
    ends.map(([key, n]) => stat("turn." + key, fmt.count(n), " ",
      el("span", { class: "sub" }, fmt.percent(n / count))))),
  lines("turn-times", t("overview.turns_chart"), { bins, series, show: fmt.ms }));
}

/** Kinds of tools and commands, with how many succeeded. @param {HTMLElement} place @param {any[]} found Diagnostics */
function toolRanks(place, found) {
  const tables = /** @type {any[]} */ (found.flatMap((answer) => answer?.tables ?? []))
    .filter((one) => one.rows.length && one.columns.includes("failure_rate"));
  const rank = (/** @type {string[]} */ columns) => (/** @type {any[]} */ row) => {
    const { uses, failure_rate: bad = 0, mean_ms: ms } =
      Object.fromEntries(columns.map((name, at) => [name, row[at] ?? undefined]));
    const good = t("overview.succeeded", { share: fmt.percent(1 - bad, 0) });
    return { label: String(row[0]).replaceAll("_", " "), value: uses, text: fmt.count(uses),
      sub: ms ? `${good} · ${fmt.ms(ms)}` : good };
  };
  place.replaceChildren(tables.length ? sideBySide(tables.map(({ title, columns, rows }) =>
      [worded("table", title), ranks(rows.slice(0, TOP).map(rank(columns)))]))
    : empty(t("overview.no_tools"), t("overview.no_tools_hint")));
}

const DECIDERS = { person: "var(--c1)", policy: "var(--c2)", reviewer: "var(--c3)", other: OTHERS };
/** Decisions day by day, the latest first in the table; of a table that is cut the earliest day may not be whole.
 * @param {any} one a Table */
function decisionsOverTime({ title, rows, rest, basis }) {
  const days = /** @type {number[]} */ (rows.map((/** @type {any[]} */ [day]) => dayNumber(day))),
      what = worded("table", title);
  const bins = dayBins(Math.min(days[0], days[days.length - 1] + (rest ? 1 : 0)), days[0]);
  const count = (/** @type {string} */ who, /** @type {Bin} */ { from, to }) =>
    rows.reduce((/** @type {number} */ sum, /** @type {any[]} */ row, /** @type {number} */ k) =>
      sum + (row[1] === who && days[k] >= from && days[k] <= to ? row[3] : 0), 0);
  const series = Object.entries(DECIDERS).map(([who, tint]) => ({ label: worded("source", who), tint,
    values: bins.map((bin) => count(who, bin)) })).filter((one) => most(one.values));
  const range = (/** @type {number} */ a, /** @type {number} */ b) =>
    state.set({ period: `${dayText(bins[a].from)}..${dayText(bins[b].to)}` }, { push: true });
  return [el("h3", {}, what), legend(series), bars("decisions", t("overview.chart", { what, by: columnName("source") }),
    { bins, series, show: fmt.count, axis: fmt.count, lit: () => true, range }), basisOf(basis)];
}

let lastTold = /** @type {any} */ (null); // what telemetry told last stays until it is told anew
/** What only telemetry tells. @param {HTMLElement} place @param {any} found Diagnostics */
function telemetryCard(place, found) {
  const tables = /** @type {any[]} */ ((lastTold = found)?.tables ?? [])
    .filter((one) => one.title !== "slowest responses");
  place.replaceChildren(tables.length ? card(t("overview.telemetry_title"),
    [t("overview.telemetry_sub"), spanText(found.period), ...Object.values(found.scope)].join(" · "),
    link({ view: "diagnostics", open: "telemetry" }, t("diagnostics.nav")), el("div", { class: "columns told" },
      tables.map((one) => el("section", {},
        one.title === "decisions by day" ? decisionsOverTime(one) : tableOf(one, "h3", TOP)))))
    : el("p", { class: "card note sub" }, (!found && data.problem) || t("overview.telemetry")));
}

/** Do something when a place comes near, in a file at once. @param {HTMLElement} place @param {() => void} act */
const whenNear = (place, act) => data.meta.live ? new IntersectionObserver((seen, watch) => {
  if (!seen.some((one) => one.isIntersecting)) return;
  watch.disconnect();
  act();
}, { rootMargin: "600px" }).observe(place) : act();

/** @param {HTMLElement} root */
function renderOverview(root) {
  const days = shownDays(), rows = data.cubeRows([days.first, days.last]),
      [why, left, save, threads, used, last] = Array.from({ length: 6 }, () => el("div", {}));
  const asked = state.asked(), note = filteredFile() ? t("overview.unfiltered") : null,
      head = el("section", { class: "answer" }, el("h1", {}, t("overview.nav")));
  const pair = (kind = "", /** @type {Child[]} */ ...cards) => el("div", { class: "two " + kind }, cards);
  const more = (/** @type {string} */ view, /** @type {string} */ text) => link({ view }, t(text));
  root.append(head, kpis(days, rows), pair("", overTime(days), card(t("overview.why"), note, null, why)),
    pair("", card(t("overview.save"), note, more("insights", "overview.all_savings"), save),
      card(t("overview.allowance"), null, null, left)));
  later.run(() => {
    if (!head.isConnected) return; // another view, or this one anew, was drawn in the meantime
    root.append(usedCard(rows), comparedCard(rows),
      card(t("overview.threads"), t("overview.threads_sub"), more("threads", "overview.all_threads"), threads),
      yearCard(days), dailyCard(rows), pair("even", turnsCard(days), hoursCard()),
      card(t("overview.tools"), t("overview.tools_sub"), more("diagnostics", "diagnostics.nav"), used), last);
    if (lastTold) telemetryCard(last, lastTold);
    whenNear(last, async () => telemetryCard(last, await askTelemetry()));
  });
  Promise.all([data.ask("explain", asked), data.ask("recommendations", asked)]).then(([found, advice]) => {
    headline(head, found, advice, sums(rows, data.board.cube), days);
    whyChanged(why, found);
    topSavings(save, advice);
    later.run(() => topThreads(threads, found));
  });
  data.ask("allowance").then((found) => allowances(left, found));
  const sections = ["overview", "commands"].map((name) =>
    (data.meta.live ? data.ask("diagnostics/" + name, { period: asked.period }) : data.diagnostics?.[name]));
  Promise.all(sections).then((found) => later.run(() => toolRanks(used, found)));
}

views.add({ id: "overview", key: "overview.nav", render: renderOverview });
