// What every view stands on: elements, words, numbers, the state in the URL, the data and their filters.
// All scripts are one program: what is declared here is known in the others.

/** @typedef {Record<string, any>} Usage @typedef {Record<string, any>} Board @typedef {Record<string, any>} CallColumns
 * @typedef {Record<string, any>} CallLine @typedef {Record<string, any>} Recommendations
 * @typedef {Record<string, any>} Allowance
 * @typedef {Record<string, any>} PricingCoverage @typedef {Record<string, any>} Diagnostics
 * @typedef {{label: string, value: string}} Option
 * @typedef {{id: string, key: string, hidden?: boolean, render: (root: HTMLElement) => void}} View
 * @typedef {string|number|Node|null|undefined|false|any[]} Child */

const DAY = 86_400_000, SVG = "http://www.w3.org/2000/svg";
const PRESET_PERIODS = ["today", "yesterday", "last_7_days", "last_30_days",
  "this_week", "this_month", "this_year", "all"];
const FILTER_WORDS = ["provider", "model", "effort", "tier", "project", "origin", "confidence"];

/** @param {Element} node @param {Record<string, any>} attrs @param {Child[]} children */
function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(/** @type {HTMLElement} */ (node).dataset, value);
    else if (name === "vars") for (const [key, one] of Object.entries(value))
      /** @type {HTMLElement} */ (node).style.setProperty("--" + key, String(one));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  put(node, children);
  return node;
}
/** @param {Element} node @param {Child[]} children */
function put(node, children) {
  for (const child of children)
    if (Array.isArray(child)) put(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(/** @type {any} */ (child));
}

/** An element; children are texts, nodes or lists of them, never HTML.
 * @param {string} tag @param {Record<string, any>} [attrs] @param {...Child} children @returns {HTMLElement} */
const el = (tag, attrs = {}, ...children) =>
  /** @type {HTMLElement} */ (fill(document.createElement(tag), attrs, children));

/** @param {string} tag @param {Record<string, any>} [attrs] @param {...Child} children @returns {SVGElement} */
const svg = (tag, attrs = {}, ...children) =>
  /** @type {SVGElement} */ (fill(document.createElementNS(SVG, tag), attrs, children));

/** What a table has of its own by a name that anyone can put into the URL.
 * @template T @param {Record<string, T>} table @param {string|null} name */
const named = (table, name) => (name !== null && Object.hasOwn(table, name) ? table[name] : undefined);

let words = /** @type {Record<string, any>} */ ({}); // of the page's language
let lang = document.documentElement.lang || "en";

/** A text in the page's language, else its key; {name} is filled in; before a | is what is said of one.
 * @param {string} key @param {Record<string, any>} [vars] */
function t(key, vars = {}) {
  const text = key.split(".").reduce((/** @type {any} */ at, part) => at?.[part], words);
  if (typeof text !== "string") return key;
  const [one, many = one] = text.split("|"), n = vars.count ?? vars.calls ?? vars.files;
  const form = many !== one && format(Intl.PluralRules, {}).select(n) === "one" ? one : many;
  return form.replace(/\{(\w+)\}/g, (_, name) =>
    (typeof vars[name] === "number" ? fmt.count(vars[name]) : String(vars[name] ?? "")));
}

/** @type {Map<string, object>} */
const formats = new Map();
/** A formatter of the page's language, made once. @param {any} kind @param {any} options */
function format(kind, options) {
  const key = lang + kind.name + JSON.stringify(options), known = formats.get(key);
  if (known) return /** @type {any} */ (known);
  const made = new kind(lang === "ar" ? "ar-u-nu-latn" : lang, options);
  formats.set(key, made);
  return made;
}
/** @param {number} n @param {Intl.NumberFormatOptions} [options] */
const number = (n, options = {}) => format(Intl.NumberFormat, options).format(n);
/** @param {number} ms @param {Intl.DateTimeFormatOptions} options @param {string} [timeZone] */
const moment = (ms, options, timeZone = zone()) => format(Intl.DateTimeFormat, { ...options, timeZone }).format(ms);

/** What signs and units would be parted from among words from right to left. @param {string} text */
const isolate = (text) => (lang === "ar" ? `\u2066${text.replaceAll("\u200f", "")}\u2069` : text);
/** Numbers and times as people read them; money is in nano-dollars and nano-credits. */
const fmt = {
  /** @param {number|null} nano @param {number} [places] */
  usd(nano, places) {
    if (nano === null || nano === undefined) return t("core.unpriced");
    const value = nano / 1e9, size = Math.abs(value),
        digits = places ?? (size >= 1000 ? 0 : size >= 0.1 || !size ? 2 : 4);
    const text = number(value, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol",
      minimumFractionDigits: Math.min(digits, 2), maximumFractionDigits: digits });
    return isolate(text);
  },
  /** @param {number|null} nano */
  credits: (nano) => (nano === null || nano === undefined ? "–"
    : number(nano / 1e9, { maximumFractionDigits: Math.abs(nano) >= 1e11 ? 0 : 2 })),
  tokens: (/** @type {number} */ n) => (Math.abs(n) < 1000 ? number(n)
    : number(n, { notation: "compact", maximumFractionDigits: 1 })),
  count: (/** @type {number} */ n) => number(n),
  percent: (/** @type {number} */ x, digits = 1) => number(x, { style: "percent", maximumFractionDigits: digits }),
  ms: (/** @type {number} */ n) => isolate(n < 1000 ? `${number(Math.round(n))} ms`
    : n < 120_000 ? `${number(n / 1000, { maximumFractionDigits: 1 })} s`
    : n < 7_200_000 ? `${number(Math.round(n / 60_000))} min`
    : `${number(n / 3_600_000, { maximumFractionDigits: 1 })} h`),
  time: (/** @type {number} */ ms) =>
    moment(ms, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }),
  day: (/** @type {number} */ day) => moment(day * DAY, { month: "short", day: "numeric" }, "UTC"),
  date: (/** @type {number} */ day) =>
    moment(day * DAY, { weekday: "short", year: "numeric", month: "short", day: "numeric" }, "UTC"),
  /** @param {number} ms */
  ago(ms) {
    const minutes = Math.round((ms - Date.now()) / 60_000),
        [n, unit] = Math.abs(minutes) < 120 ? [minutes, "minute"]
          : Math.abs(minutes) < 2880 ? [minutes / 60, "hour"] : [minutes / 1440, "day"];
    return format(Intl.RelativeTimeFormat, { numeric: "auto" }).format(Math.round(Number(n)), unit);
  },
  /** A change by its share, such as +12 %. @param {number|null} x */
  delta: (x) => (x === null || !Number.isFinite(x) ? ""
    : number(x, { style: "percent", maximumFractionDigits: Math.abs(x) < 0.1 ? 1 : 0, signDisplay: "exceptZero" })),
};

/** The zone of days: that of the data, if this browser knows it. */
function zone() {
  const name = data.board?.zone ?? data.meta.zone;
  if (zone.asked !== name) {
    zone.asked = name;
    try { new Intl.DateTimeFormat("en", { timeZone: name }); zone.known = name; } catch { zone.known = "UTC"; }
  }
  return zone.known;
}
zone.asked = zone.known = "UTC";

/** The local day of a moment, as a number of days since 1970. Days begin at a quarter of an hour, which is looked
 * for once in each day of UTC: to ask the browser for every moment would take longer than all the rest.
 * @param {number} ms */
function dayOf(ms) {
  const start = Math.floor(ms / DAY) * DAY;
  let known = dayOf.known.get(start);
  if (!known) {
    const local = (dayOf.format ??= new Intl.DateTimeFormat("en-CA", { timeZone: zone() }));
    const at = (/** @type {number} */ quarter) => dayNumber(local.format(start + quarter * 900_000)), first = at(0);
    let low = 0, high = 96;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      at(middle) === first ? (low = middle) : (high = middle);
    }
    dayOf.known.set(start, (known = [start + high * 900_000, first, at(95)]));
  }
  return ms < known[0] ? known[1] : known[2];
}
/** By the start of a day of UTC: when the local day changes in it, the days before and after.
 * @type {Map<number, [number, number, number]>} */
dayOf.known = new Map();
/** @type {Intl.DateTimeFormat|null} */
dayOf.format = null;
/** @param {string} text such as 2026-11-14 @returns {number} */
const dayNumber = (text) => Date.parse(text + "T00:00:00Z") / DAY;
const dayText = (/** @type {number} */ day) => new Date(day * DAY).toISOString().slice(0, 10);

/** The place of a day in its week: 0 is the day that weeks begin on. @param {number} day */
const weekday = (day) => (day + 10 - data.meta.week_start) % 7; // day 0 was a Thursday, 0 of week_start is Monday
/** The first and last day of a period as the commands take it (a word, a month, a day, A..B); null when it is none.
 * @param {string} text @returns {[number, number]|null} */
function spanOf(text) {
  const now = dayOf(data.meta.live ? Date.now() : Date.parse(data.meta.generated_at)),
      week = now - weekday(now), date = dayText(now);
  const month = (/** @type {string} */ some) => dayNumber(some.slice(0, 7) + "-01"),
      before = dayText(month(date) - 1), count = /^(?:last_)?(\d{1,4})_?d(?:ays?)?$/.exec(text);
  const words = new Map([["today", [now, now]], ["yesterday", [now - 1, now - 1]],
    ["this_week", [week, now]], ["last_week", [week - 7, week - 1]], ["this_month", [month(date), now]],
    ["last_month", [month(before), month(date) - 1]],
    ["this_year", [dayNumber(date.slice(0, 4) + "-01-01"), now]], ["all", [-1e6, 1e6]]]);
  if (words.has(text)) return /** @type {[number, number]} */ (words.get(text));
  if (count) return Number(count[1]) ? [now - Number(count[1]) + 1, now] : null;
  const day = (/** @type {string} */ one, /** @type {number} */ open) =>
    (!one ? open : /^\d{4}-\d\d-\d\d$/.test(one) ? dayNumber(one) : NaN);
  if (/^\d{4}-\d\d$/.test(text)) return [month(text), month(dayText(month(text) + 31)) - 1];
  const [from, to] = text.includes("..") ? text.split("..") : [text, text],
      span = [day(from, -1e6), day(to, 1e6)].sort((a, b) => a - b);
  return span.some(Number.isNaN) || text === ".." || !text ? null : /** @type {[number, number]} */ (span);
}
/** The same of a period that is one. @param {string} text */
const daysOf = (text) => /** @type {[number, number]} */ (spanOf(text));

/** Everything that is looked at, in the URL, so that a link shows the same. */
const state = {
  params: new URLSearchParams(location.search),
  /** @param {string} key */
  get(key) { return this.params.get(key); },
  /** @param {Record<string, string|null|undefined>} changes @param {{push?: boolean}} [how] */
  set(changes, { push = false } = {}) {
    const next = new URLSearchParams(this.params);
    for (const [key, value] of Object.entries(changes))
      value === null || value === undefined || value === "" ? next.delete(key) : next.set(key, value);
    if (String(next) === String(this.params)) return;
    const moved = next.get("view") !== this.params.get("view");
    this.params = next;
    history[push || moved ? "pushState" : "replaceState"](null, "", String(next) ? "?" + next : location.pathname);
    data.changed(moved);
  },
  period() {
    const asked = this.get("period");
    return asked && spanOf(asked) ? asked : "last_30_days";
  },
  /** What a question is asked with: the period and those filters that it takes. */
  asked() {
    const told = /** @type {Record<string, string>} */ ({ period: this.period() });
    for (const word of ["provider", "model", "effort", "project", "origin", "confidence"])
      if (this.get(word)) told[word] = /** @type {string} */ (this.get(word));
    return told;
  },
};

/** @type {View[]} */
const registered = [];
const views = { add: (/** @type {View} */ view) => registered.push(view), all: registered };

const data = {
  meta: /** @type {Record<string, any>} */ ({}),
  board: /** @type {any} */ (null),
  usage: /** @type {any} */ (null),
  answers: /** @type {Record<string, any>} */ ({}),
  diagnostics: /** @type {Record<string, any>|null} */ (null),
  token: "",
  problem: /** @type {string|null} */ (null),
  listeners: /** @type {((moved: boolean) => void)[]} */ ([]),
  kept: new Map(),
  on(/** @type {(moved: boolean) => void} */ listener) { this.listeners.push(listener); },
  changed(moved = false) { for (const listener of this.listeners) listener(moved); },

  /** Take what the page holds, or what its server tells. @param {Record<string, any>} told */
  take(told) {
    Object.assign(this, { meta: told.meta ?? this.meta, board: told.board ?? this.board,
      usage: told.usage ?? this.usage });
    if (told.answers) this.answers = told.answers;
    if ("diagnostics" in told) this.diagnostics = told.diagnostics;
    this.kept.clear();
    dayOf.known.clear();
    dayOf.format = null;
  },
  /** @param {string} path @param {RequestInit} [how] */
  async fetch(path, how = {}) {
    const answer = await fetch(path, { ...how, headers: { "X-Codex-Usage-Token": this.token } }),
        told = await answer.json().catch(() => ({ error: t("core.failed") }));
    if (!answer.ok) throw new Error(told.error ?? String(answer.status));
    return told;
  },
  /** The answer to a question; from a file the nearest one it holds, null when it has none.
   * In `problem` is what went wrong. @param {string} question @param {Record<string, string|undefined>} [params]
   * @returns {Promise<any>} */
  async ask(question, params = {}) {
    const pairs = Object.entries(params).filter(([, value]) => value).sort();
    if (!this.meta.live) {
      const key = (/** @type {any[]} */ some) =>
        `${question}?${some.map(([name, value]) => `${name}=${value}`).join("&")}`;
      const whole = this.answers[key(pairs)], near = this.answers[key(pairs.filter(([name]) => name === "period"))];
      // what a file could not take into account, so that nobody takes one span for another
      const lacks = whole ? [] : pairs.map(([name]) => name).filter((name) => !near || name !== "period"),
          found = whole ?? near ?? this.answers[question + "?"];
      return found ? { ...found, lacks } : null;
    }
    const path = `/api/${question}?${new URLSearchParams(/** @type {any} */ (pairs))}`;
    if (!this.kept.has(path)) this.kept.set(path, this.fetch(path));
    try {
      const told = await this.kept.get(path);
      this.problem = null;
      return told;
    } catch (error) {
      this.kept.delete(path);
      this.problem = error instanceof Error ? error.message : String(error);
      announce(this.problem);
      return null;
    }
  },
  /** Everything anew from the server. @param {boolean} read look for new logs first */
  async refresh(read = false) {
    if (read) await this.fetch("/api/refresh", { method: "POST" });
    const [board, usage] = await Promise.all([this.fetch("/api/board"),
      this.fetch(`/api/usage?limit=${Math.max(10_000, this.usage?.calls.time.length ?? 0)}`)]);
    this.take({ board, usage });
    this.changed();
  },
  /** More calls of a live server: the next older ones. */
  async more() {
    const more = await this.fetch(`/api/usage?limit=100000&cursor=${this.usage.calls.time.length}`), had = this.usage;
    const join = (/** @type {any[]} */ list, /** @type {any[]} */ added) => {
      const at = new Map(list.map((one, k) => [one, k]));
      return added.map((one) => at.get(one) ?? list.push(one) - 1);
    };
    const placed = /** @type {Record<string, number[]>} */ ({});
    for (const [name, list] of Object.entries({ model: "models", effort: "efforts", tier: "tiers",
        project: "projects", cwd: "cwds", turn: "turns" }))
      placed[name] = join(had[list], more[list]);
    const at = new Map(had.threads.id.map((/** @type {string} */ id, /** @type {number} */ k) => [id, k])),
        to = (/** @type {string} */ name, /** @type {number} */ k) => (k < 0 ? -1 : placed[name][k]);
    had.projects.forEach((/** @type {string} */ one, /** @type {number} */ k) =>
      (had.tags[k] ??= more.tags[more.projects.indexOf(one)] ?? []));
    const fresh = more.threads.id.map((/** @type {string} */ id, /** @type {number} */ k) => [id, k])
      .filter((/** @type {[string, number]} */ [id]) => !at.has(id));
    for (const [id] of fresh) at.set(id, at.size);
    placed.thread = more.threads.id.map((/** @type {string} */ id) => at.get(id));
    for (const [, k] of fresh) for (const [name, list] of Object.entries(had.threads)) {
      const value = more.threads[name][k];
      /** @type {any[]} */ (list).push(name === "parent" ? to("thread", value)
        : name in placed ? to(name, value) : value);
    }
    for (const [name, list] of Object.entries(more.calls))
      had.calls[name] = had.calls[name].concat(
        name in placed ? /** @type {number[]} */ (list).map((k) => to(name, k)) : list);
    this.usage = { ...had, calls: { ...had.calls }, cost_reasons: more.cost_reasons,
      credit_reasons: more.credit_reasons };
    this.kept.clear();
    this.changed();
  },

  /** What is worked out of the data, once for each state that it depends on.
   * @template T @param {string} key @param {() => T} make @returns {T} */
  once(key, make) {
    if (this.kept.size > 200) this.kept.clear();
    if (!this.kept.has(key)) this.kept.set(key, make());
    return this.kept.get(key);
  },
  /** For each filter in force, which places of its list pass. @param {Record<string, any>} of */
  wanted(of) {
    const found = /** @type {[string, Uint8Array][]} */ ([]);
    for (const word of FILTER_WORDS) {
      const value = state.get(word);
      if (!value) continue;
      const list = of[word === "confidence" ? "confidences" : word + "s"], pass = new Uint8Array(list.length + 1);
      list.forEach((/** @type {string} */ one, /** @type {number} */ k) => (pass[k + 1] = one === value ? 1 : 0));
      if (value === "–") pass[0] = 1;
      found.push([word, pass]);
    }
    return found;
  },
  /** Rows of the sums by day that pass the filters, of a span of days. @param {[number, number]} [days] */
  cubeRows(days = daysOf(state.period())) {
    return this.once(`cube ${days} ${state.params}`, () => {
      const { cube } = this.board, filters = this.wanted(this.board), rows = [];
      for (let k = 0; k < cube.day.length; k++)
        if (cube.day[k] >= days[0] && cube.day[k] <= days[1]
          && filters.every(([word, pass]) => pass[cube[word][k] + 1])) rows.push(k);
      return Int32Array.from(rows);
    });
  },
  /** Calls that pass the filters, newest first. @returns {Int32Array} */
  rows() {
    const keys = ["period", "thread", "q", "credit_confidence", "history", ...FILTER_WORDS];
    return this.once("rows " + keys.map((key) => state.get(key) ?? "").join("\0"), () => {
      const u = this.usage, c = u.calls, th = u.threads, [first, last] = daysOf(state.period()),
          filters = this.wanted(u);
      const credit = state.get("credit_confidence"), sure = credit ? u.credit_confidences.indexOf(credit) : -2,
          active = state.get("history") === "active";
      const only = state.get("thread"), threads = new Uint8Array(th.id.length).fill(1),
          query = (state.get("q") ?? "").trim().toLowerCase();
      const spoken = filters.filter(([word]) => word !== "provider"),
          provider = filters.find(([word]) => word === "provider")?.[1];
      for (let k = 0; k < threads.length; k++) {
        if (only && !above(k).some((at) => th.id[at] === only || th.id[at].endsWith(only) || th.name[at] === only))
          threads[k] = 0;
        if (active && th.archived[k]) threads[k] = 0;
        if (provider && !provider[th.provider[k] + 1]) threads[k] = 0;
      }
      const found = query ? this.searched(query) : null, rows = new Int32Array(c.time.length), end = this.since(first);
      let count = 0;
      for (let i = this.since(last + 1); i < end; i++) {
        if (!threads[c.thread[i]] || (sure > -2 && c.credit_confidence[i] !== sure) || (found && !found(i))) continue;
        let pass = 1;
        for (const [word, places] of spoken) pass &= places[c[word][i] + 1];
        if (pass) rows[count++] = i;
      }
      return rows.slice(0, count);
    });
  },
  /** How many calls there are since a day: they stand newest first. @param {number} day */
  since(day) {
    let { time } = this.usage.calls, low = 0, high = time.length;
    for (let middle = high >> 1; low < high; middle = (low + high) >> 1)
      dayOf(time[middle]) < day ? (high = middle) : (low = middle + 1);
    return low;
  },
  /** Does a call match a search: thread, folder, model, ids, role, project, tag, branch?
   * @param {string} query @returns {(i: number) => boolean} */
  searched(query) {
    const u = this.usage, c = u.calls, th = u.threads,
        has = (/** @type {any} */ text) => typeof text === "string" && text.toLowerCase().includes(query);
    const places = (/** @type {any[]} */ list) => list.map((one) => (Array.isArray(one) ? one.some(has) : has(one)));
    const models = places(u.models), projects = places(u.projects), tags = places(u.tags),
        cwds = places(u.cwds), turns = places(u.turns);
    const threads = th.id.map((/** @type {string} */ id, /** @type {number} */ k) =>
      [id, th.name[k], th.role[k], th.agent[k], th.branch[k]].some(has) || cwds[th.cwd[k]]);
    return (i) => threads[c.thread[i]] || models[c.model[i]] || projects[c.project[i]] || tags[c.project[i]]
      || cwds[c.cwd[i]] || has(c.id.at(i)) || turns[c.turn[i]];
  },
};

/** Calls of a file: ids, equally long, that are cut out of their text when asked for, and columns one
 * after the other, each at a multiple of eight; upper case: -1 is none.
 * @param {{ids: string, count: number, kinds: Record<string, string>}} columns
 * @param {ArrayBuffer} numbers @returns {CallColumns} */
function unpack({ ids, count, kinds }, numbers) {
  const types = /** @type {Record<string, any>} */ ({ b: Int8Array, h: Int16Array, i: Int32Array, d: Float64Array });
  const wide = ids.indexOf(" ") + 1 || ids.length + 1;
  const calls = /** @type {CallColumns} */ ({ id: {
    at: (/** @type {number} */ i) => ids.substr(i * wide, wide - 1),
    indexOf: (/** @type {string} */ id) =>
      (id.length === wide - 1 && !id.includes(" ") ? ids.indexOf(id) / wide : -1) } });
  let at = 0;
  for (const [name, kind] of Object.entries(kinds)) {
    const values = new types[kind.toLowerCase()](numbers, at, count);
    if (kind in types) calls[name] = values;
    else Object.defineProperty(calls, name, { configurable: true, enumerable: true, get() { // when asked for
      const value = Array.from(values, (one) => (one < 0 ? null : one));
      Object.defineProperty(calls, name, { value, writable: true, enumerable: true, configurable: true });
      return value;
    } });
    at += Math.ceil(values.byteLength / 8) * 8;
  }
  return calls;
}

/** A thread and those above it: who began it, who began that. @param {number} at @returns {number[]} */
const above = (at, left = 9) => (at < 0 || !left ? [] : [at, ...above(data.usage.threads.parent[at], left - 1)]);

/** Sums over some calls (or, `of` the cube, over its rows). @param {ArrayLike<number>} rows
 * @param {Record<string, any>} [of] */
function sums(rows, of = data.usage.calls) {
  const all = { calls: 0, turns: 0, input: 0, cached: 0, uncached: 0, output: 0, reasoning: 0, cost: 0, credits: 0,
    unpriced: 0, estimated: 0, compactions: 0, saved: 0 };
  const cube = "calls" in of, unpriced = 2, estimated = 1; // places in board.confidences
  for (let k = 0; k < rows.length; k++) {
    const i = rows[k], n = cube ? of.calls[i] : 1;
    all.calls += n;
    all.turns += cube ? of.turns[i] : 0;
    all.input += of.input[i];
    all.cached += of.cached[i];
    all.output += of.output[i];
    all.reasoning += of.reasoning[i];
    all.cost += of.cost[i] ?? 0;
    all.credits += of.credits[i] ?? 0;
    all.unpriced += of.confidence[i] === unpriced ? n : 0;
    all.estimated += of.confidence[i] === estimated ? n : 0;
    all.compactions += cube ? of.compactions[i] : of.flags[i] & 1;
    all.saved += cube ? of.saved[i] : 0;
  }
  all.uncached = all.input - all.cached;
  return all;
}

/** The variable of a label's colour, the same in every view: the greatest five have their own.
 * @param {string} kind such as "model" @param {string|null} label */
function color(kind, label) {
  const order = data.once("colors " + kind, () => {
    const cube = data.board.cube, list = data.board[kind + "s"] ?? [], cost = new Float64Array(list.length);
    for (let k = 0; k < cube.day.length; k++)
      if (cube[kind]?.[k] >= 0) cost[cube[kind][k]] += cube.cost[k] + cube.input[k] / 1e6;
    return Array.from(cost.keys()).sort((a, b) => cost[b] - cost[a]).map((k) => list[k]);
  });
  const place = label === null ? -1 : order.indexOf(label);
  return place < 0 || place > 4 ? "var(--c6)" : `var(--c${place + 1})`;
}

/** @param {string|Node} title @param {Child} sub @param {Child} actions @param {...Child} body */
const card = (title, sub, actions, ...body) =>
  el("section", { class: "card" }, el("div", { class: "head" },
    el("div", {}, el("h2", {}, title), sub ? el("div", { class: "sub" }, sub) : null), actions), ...body);

/** A choice of one of few. @param {string} label @param {Option[]} options @param {string} value
 * @param {(value: string) => void} onpick */
const segmented = (label, options, value, onpick) =>
  el("div", { class: "seg", role: "group", "aria-label": label }, options.map((one) =>
    el("button", { type: "button", id: `pick ${label} ${one.value}`.replaceAll(" ", "-"),
      "aria-pressed": String(one.value === value), onclick: () => onpick(one.value) }, one.label)));

/** What stands where nothing is, and what to do about it. @param {string} title @param {Child} hint */
const empty = (title, hint) =>
  el("div", { class: "empty" }, el("p", { class: "what" }, title), hint ? el("p", { class: "sub" }, hint) : null);

/** @param {string} text @param {string} [kind] good, warn or bad */
const chip = (text, kind = "") => el("span", { class: "chip " + kind }, text);

/** A small table. @param {{label: string, num?: boolean}[]} columns @param {Child[][]} rows
 * @param {{caption?: string}} [options] */
const table = (columns, rows, { caption } = {}) =>
  el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption ?? columns[0]?.label },
    el("table", {}, caption ? el("caption", { class: "hidden" }, caption) : null,
      el("thead", {}, el("tr", {}, columns.map((one) =>
        el("th", { scope: "col", class: one.num ? "n" : null }, one.label)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, at) =>
        el("td", { class: columns[at]?.num ? "n" : null }, cell)))))));

/** What is below the first screen is made when that stands there for the first time; later on nothing waits. */
const later = {
  waiting: /** @type {(() => void)[]|null} */ ([]),
  run(/** @type {() => void} */ act) { this.waiting ? this.waiting.push(act) : act(); },
  begin() { const acts = this.waiting ?? []; this.waiting = null; for (const act of acts) act(); },
};

/** @param {string} name @param {string} text @param {string} type */
function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type })), link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Tell those who listen instead of looking. @param {string} text */
function announce(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}
