// The Threads view: sums, signals and life of each thread, subagents and reviews below the thread that led to them.

/** @typedef {ReturnType<typeof threadGroups>} Groups */

/** Sums per thread over some calls; `heads` are threads below no other, `whole` sums hold those below too, and
 * `rows(at)` are a thread's calls, oldest first. @param {ArrayLike<number>} found newest first */
function threadGroups(found) {
  const last = data.once("groups", () => ({ of: /** @type {any} */ (null), groups: /** @type {any} */ (null) }));
  if (last.of !== found) Object.assign(last, { of: found, groups: groupsOf(found) });
  return /** @type {ReturnType<typeof groupsOf>} */ (last.groups);
}
/** @param {ArrayLike<number>} found */
function groupsOf(found) {
  const { threads, calls: c } = data.usage, n = threads.id.length, zeros = () => new Float64Array(n);
  const own = { calls: zeros(), input: zeros(), cached: zeros(), output: zeros(), cost: zeros(), credits: zeros(),
    unpriced: zeros(), compactions: zeros() };
  const summed = /** @type {const} */ (["input", "cached", "output", "cost", "credits"]);
  const latest = zeros(), peak = zeros(), most = zeros(), next = new Int32Array(n + 1);
  for (let k = 0; k < found.length; k++) next[c.thread[found[k]] + 1]++;
  for (let at = 0; at < n; at++) next[at + 1] += next[at];
  const start = next.slice(), sorted = new Int32Array(found.length);
  for (let k = found.length - 1; k >= 0; k--) {
    const i = found[k], at = c.thread[i];
    sorted[next[at]++] = i;
    own.calls[at]++;
    own.unpriced[at] += Number(c.cost[i] === null);
    own.compactions[at] += c.flags[i] & 1;
    latest[at] = Math.max(latest[at], c.time[i]);
    peak[at] = Math.max(peak[at], c.input[i] / (c.window[i] || Infinity));
    most[at] = Math.max(most[at], c.reasoning[i]);
  }
  for (const name of summed) {
    const sum = own[name], column = c[name];
    for (let at = 0; at < n; at++) for (let k = start[at]; k < start[at + 1]; k++) sum[at] += column[sorted[k]] ?? 0;
  }
  const [heads, ...children] = Array.from({ length: n + 1 }, () => /** @type {number[]} */ ([]));
  const whole = { cost: own.cost.slice(), credits: own.credits.slice(), latest: latest.slice() };
  for (let at = 0; at < n; at++) {
    if (!own.calls[at]) continue;
    const parent = threads.parent[at];
    (parent >= 0 && parent !== at && own.calls[parent] ? children[parent] : heads).push(at);
    for (let up = parent, left = 9; up >= 0 && own.calls[up] && left; up = threads.parent[up], left--) {
      whole.cost[up] += own.cost[at];
      whole.credits[up] += own.credits[at];
      whole.latest[up] = Math.max(whole.latest[up], latest[at]);
    }
  }
  const total = own.cost.reduce((sum, cost) => sum + cost, 0);
  const rows = (/** @type {number} */ at) => sorted.subarray(start[at], start[at + 1]);
  return { own, latest, peak, most, children, heads, whole, total, rows };
}

/** What draws attention to a thread: the most points, and how strong it is (0 to 1).
 * @type {[string, number, (g: Groups, at: number) => number][]} */
const SIGNALS = [
  ["costly", 40, (g, at) => (g.total && g.heads.length > 1 ? g.whole.cost[at] / g.total : 0)],
  ["cache", 25, ({ own }, at) => {
    const ratio = own.cached[at] / own.input[at], missed = own.input[at] - own.cached[at];
    return own.calls[at] > 2 && missed >= limits().high_uncached_input_tokens && ratio < limits().low_cache_ratio
      ? 1 - ratio / 2 : 0;
  }],
  ["context", 15, (g, at) => (g.peak[at] >= limits().high_context_percent / 100 ? Math.min(1, g.peak[at]) : 0)],
  ["reasoning", 10, ({ most }, at, { high_reasoning_tokens: much } = limits()) =>
    (most[at] >= much ? 1 - much / 2 / most[at] : 0)],
  ["compacted", 5, ({ own }, at) => Math.min(1, own.compactions[at] / 2)],
  ["unpriced", 5, ({ own }, at) => own.unpriced[at] / own.calls[at]],
];

/** A thread's attention score, 0 to 100, and the signals that it consists of. @param {Groups} g @param {number} at */
function attention(g, at) {
  const all = SIGNALS.map(([id, most, of]) => ({ id, points: most * of(g, at) }));
  const signals = all.filter((one) => one.points >= 2);
  return { score: Math.round(signals.reduce((sum, one) => sum + one.points, 0)), signals };
}

/** @param {{id: string}[]} signals */
const signalChips = (signals) => el("span", { class: "chips" },
  signals.map(({ id }) => chip(t("threads.signal." + id), id === "compacted" ? "" : "warn")));

// As the session answer tells a thread's story: answers/story.py says why these.
const EXPENSIVE_TIMES = 3, EXPENSIVE_SHARE = 0.1, JUMP_TOKENS = 10_000;
const TREND_CALLS = 9, CACHE_CHANGE = 0.1, CONTEXT_TIMES = 1.5;

/** What stands out in a thread's life, each with the call where. @param {ArrayLike<number>} rows oldest first */
function lifecycle(rows) {
  const { id: ids, turn: turnOf, input, cached, cost, flags } = data.usage.calls, third = Math.floor(rows.length / 3);
  const turns = /** @type {Map<string, {at: number, cost: number}>} */ (new Map());
  const found = /** @type {{id: string, at: number, vars: Record<string, string>}[]} */ ([]);
  let jump = 0, jumped = 0, compactions = 0, taken = 0;
  for (let k = 0; k < rows.length; k++) {
    const i = rows[k], before = rows[k - 1], key = turnOf[i], rise = k ? input[i] - input[before] : 0;
    const turn = turns.get(key ?? "") ?? { at: i, cost: 0 };
    turn.cost += cost[i] ?? 0;
    if (key !== null) turns.set(key, turn);
    if (rise > jump) [jump, jumped] = [rise, k];
    if (k && flags[before] & 1) [compactions, taken] = [compactions + 1, taken - rise];
  }
  const costs = [...turns.values()].map((turn) => turn.cost).sort((a, b) => a - b), half = (costs.length - 1) / 2;
  const usual = costs.length ? (costs[Math.floor(half)] + costs[Math.ceil(half)]) / 2 : 0;
  const least = EXPENSIVE_SHARE * costs.reduce((sum, each) => sum + each, 0);
  const dear = [...turns.values()].find((turn) => turn.cost > EXPENSIVE_TIMES * usual && turn.cost >= least);
  /** @param {string} id @param {number} at @param {string} from @param {string} to */
  const say = (id, at, from, to) => void found.push({ id, at, vars: { from, to } });
  if (dear) say("expensive", dear.at, fmt.usd(usual), fmt.usd(dear.cost));
  const to = input[rows[jumped]];
  if (jump >= JUMP_TOKENS) say("jump", rows[jumped], fmt.tokens(to - jump), fmt.tokens(to));
  if (rows.length >= TREND_CALLS) {
    const last = rows.length - third, [was, now] = [0, last].map((from) => {
      const part = Array.from({ length: third }, (_, k) => rows[from + k]);
      const [sent, hit] = [input, cached].map((column) => part.reduce((sum, i) => sum + column[i], 0));
      return { mean: sent / third, ratio: sent ? hit / sent : 0 };
    });
    if (Math.abs(now.ratio - was.ratio) >= CACHE_CHANGE)
      say("cache", rows[last], fmt.percent(was.ratio), fmt.percent(now.ratio));
    if (Math.max(was.mean, now.mean) >= CONTEXT_TIMES * Math.min(was.mean, now.mean))
      say("context", rows[last], fmt.tokens(was.mean), fmt.tokens(now.mean));
  }
  if (compactions) say("compactions", rows[0], fmt.count(compactions), fmt.tokens(Math.max(0, taken)));
  return found;
}

/** How threads can be ordered. @type {Record<string, (g: Groups, at: number) => number>} */
const THREAD_ORDERS = {
  cost: (g, at) => g.whole.cost[at], credits: (g, at) => g.whole.credits[at],
  latest: (g, at) => g.whole.latest[at], calls: (g, at) => g.own.calls[at],
  tokens: ({ own }, at) => own.input[at] + own.output[at],
  cache: ({ own }, at) => own.input[at] - own.cached[at],
  attention: (g, at) => attention(g, at).score,
};
const AT_ONCE = 25;

/** @param {HTMLElement} root */
function renderThreads(root) {
  const g = threadGroups(data.rows()), ids = data.usage.threads.id, open = openIds();
  const by = (state.get("sort") ?? "-cost").replace("-", ""), order = named(THREAD_ORDERS, by) ?? THREAD_ORDERS.cost;
  const heads = g.heads.map((at) => ({ at, value: order(g, at) }))
    .sort((a, b) => b.value - a.value || g.latest[b.at] - g.latest[a.at]).map(({ at }) => at);
  const count = AT_ONCE * Math.max(1, Math.floor(Number(state.get("page"))) || 1), left = heads.length - count;
  /** @param {number} at @param {number} depth @returns {HTMLElement[]} */
  const rows = (at, depth) => [threadRow(g, at, depth, open.has(ids[at])), ...(open.has(ids[at]) ? [
    el("tr", { class: "detail" }, el("td", { colspan: 8 }, threadDetail(g.rows(at), at))),
    ...g.children[at].flatMap((child) => rows(child, depth + 1))] : [])];
  const head = ["thread", "strip", "calls", "tokens", "cache", "credits", "cost", "latest"].map((key) =>
    el("th", { scope: "col", class: "c-" + key }, t("threads.col." + key)));
  const orders = Object.keys(THREAD_ORDERS).map((key) => ({ value: key, label: t("threads.by." + key) }));
  const title = t("threads.count", { count: heads.length, all: g.own.calls.filter(Boolean).length });
  root.append(el("h1", {}, t("threads.nav")), presetCaption() ?? "", oneThread() ?? "",
    card(title, t("threads.sub"),
      segmented(t("threads.order"), orders, by, (key) => state.set({ sort: "-" + key, page: null })),
      heads.length ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("threads.nav") },
        el("table", { class: "threads" }, el("thead", {}, el("tr", {}, head)),
          el("tbody", {}, heads.slice(0, count).flatMap((at) => rows(at, 0)))))
        : empty(t("calls.none"), t("calls.none_hint")),
      left > 0 ? button("more-threads", t("threads.more", { count: left }),
        () => state.set({ page: String(count / AT_ONCE + 1) })) : null));
}

/** What is unfolded in the view, as the URL has it. */
const openIds = () => new Set((state.get("open") ?? "").split(",").filter(Boolean));
/** Unfolds or folds. @param {string} id @param {boolean} on */
function unfold(id, on) {
  const open = openIds();
  open[on ? "add" : "delete"](id);
  state.set({ open: [...open].join(",") || null });
}

/** @param {Groups} g @param {number} at @param {number} depth @param {boolean} open */
function threadRow(g, at, depth, open) {
  const { threads, projects } = data.usage, { own, whole } = g, below = g.children[at].length, role = threads.role[at];
  const where = [pick(projects, threads.project[at]), threads.branch[at], threads.agent[at],
    below ? t("threads.below", { count: below }) : null].filter(Boolean).join(" · ");
  const n = (/** @type {any[]} */ ...inside) => el("td", { class: "n" }, ...inside);
  const name = threadName(at), id = threads.id[at], toggle = () => unfold(id, !open);
  return el("tr", { class: "thread depth-" + Math.min(depth, 3) },
    el("td", {},
      el("button", { id: "thread-" + id, class: "expand", "aria-expanded": String(open), onclick: toggle }, name),
      role === "user" ? null : chip(role, ""), threads.archived[at] ? chip(t("threads.archived"), "") : null,
      signalChips(attention(g, at).signals), el("div", { class: "sub" }, where)),
    el("td", { class: "c-strip" }, threadStrip(g.rows(at), name, true)),
    n(fmt.count(own.calls[at])), n(fmt.tokens(own.input[at] + own.output[at])),
    n(share(own.input[at] ? own.cached[at] / own.input[at] : null)), n(fmt.credits(own.credits[at])),
    n(el("strong", {}, costOf({ calls: own.calls[at], unpriced: own.unpriced[at], cost: own.cost[at] })),
      whole.cost[at] > own.cost[at]
        ? el("div", { class: "sub" }, t("threads.with_below", { cost: fmt.usd(whole.cost[at]) })) : null),
    n(fmt.time(g.latest[at])));
}

/** A thread in place: its strip, what stands out, its models, its dearest calls.
 * @param {Int32Array} rows @param {number} at */
function threadDetail(rows, at) {
  const { calls: c, models, efforts } = data.usage, story = lifecycle(rows);
  const mix = grouped(rows, (i) => [pick(models, c.model[i]), pick(efforts, c.effort[i])].filter(Boolean).join(" · "))
    .map(([key, those]) => ({ key, ...sums(those) })).sort((a, b) => b.calls - a.calls);
  const dear = Array.from(rows).sort((a, b) => (c.cost[b] ?? -1) - (c.cost[a] ?? -1)).slice(0, 5);
  /** @param {string} key @param {Child} inside */
  const part = (key, inside) => el("section", {}, el("h3", {}, t("threads." + key)), inside);
  /** @param {string} key @param {string[]} heads @param {Child[][]} cells */
  const rowsOf = (key, heads, cells) => part(key, table(
    heads.map((head, k) => ({ label: t("calls." + head), num: k > 0 })), cells, { caption: t("threads." + key) }));
  const say = (/** @type {{id: string, at: number, vars: Record<string, string>}} */ one) =>
    el("li", {}, t("threads.life." + one.id, one.vars), " ", callLink(c.id.at(one.at), t("threads.see")));
  return el("div", { class: "life" }, threadStrip(rows, threadName(at)),
    el("div", { class: "columns" },
      part("story", story.length ? el("ul", {}, story.map(say)) : el("p", { class: "sub" }, t("threads.quiet"))),
      rowsOf("mix", ["model", "count", "cost"],
        mix.map((one) => [one.key || "–", fmt.count(one.calls), costOf(one)])),
      rowsOf("dear", ["time", "uncached", "cost"], dear.map((i) =>
        [callLink(c.id.at(i), fmt.time(c.time[i])), fmt.tokens(c.input[i] - c.cached[i]), fmt.usd(c.cost[i])]))),
    el("p", { class: "steps" }, link({ view: "calls", thread: data.usage.threads.id[at] }, t("call.all"))));
}

views.add({ id: "threads", key: "threads.nav", render: renderThreads });
