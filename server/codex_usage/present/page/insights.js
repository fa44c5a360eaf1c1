// The Insights view: what needs attention and why, investigations to begin with, threads by attention.

/** From where on an allowance window needs attention: percent used, chance (0 to 1) to run out before its reset; and a
 * thread: share of what is shown. */
const MUCH_USED = 80, LIKELY_OUT = 0.25, DEAR_SHARE = 0.25;

/** What an investigation may set, so that the next one, or leaving it, clears it. */
const UNSET = { preset: null, sort: null, only: null, confidence: null, credit_confidence: null, sel: null, open: null,
  page: null, thread: null, q: null, record: null };
/** Investigations: view, order and what they narrow the calls to, set together with their caption.
 * @type {Record<string, Record<string, string>>} */
const PRESETS = {
  costly: { view: "threads", sort: "-cost" }, credits: { view: "threads", sort: "-credits" },
  context: { view: "calls", sort: "-context", only: "context" },
  cache: { view: "calls", sort: "-uncached", only: "uncached" },
  gaps: { view: "calls", sort: "-total", confidence: "unpriced" },
  estimated: { view: "calls", sort: "-cost", confidence: "estimated" },
};
const preset = (/** @type {string} */ id) => ({ ...PRESETS[id], preset: id });
const presetWords = (/** @type {string} */ id) => [el("strong", {}, t(`insights.preset.${id}.name`)), " ",
  el("span", { class: "sub" }, t(`insights.preset.${id}.caption`,
    { share: fmt.percent(limits().high_context_percent / 100), tokens: limits().high_uncached_input_tokens }))];

/** Where an element leads: the period and the page's filters stay. @param {Record<string, string|null>} to */
const leadTo = (to) => state.set({ ...UNSET, ...to }, { push: true });
/** The same as a link. @param {Record<string, string|null>} to @param {string} text */
function link(to, text, tabindex = 0) {
  const params = new URLSearchParams(state.params);
  Object.entries({ ...UNSET, ...to }).forEach(([key, value]) => (value ? params.set(key, value) : params.delete(key)));
  const follow = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    leadTo(to);
  };
  return el("a", { href: "?" + params, tabindex: tabindex || null, onclick: follow }, text);
}
/** @param {string} id @param {string} text */
const callLink = (id, text, tabindex = 0) => link({ view: "call", record: id }, text, tabindex);
/** @param {string} id @param {string} text @param {() => void} onclick */
const button = (id, text, onclick) => el("button", { id, type: "button", onclick }, text);

/** A way out when all is of one thread. */
const oneThread = () => state.get("thread")
  && button("any-thread", t("calls.thread_only") + " ✕", () => state.set({ thread: null }));

/** The caption of the investigation in force, with a way out of it. */
function presetCaption() {
  const id = state.get("preset") ?? "";
  return named(PRESETS, id)?.view === state.get("view") ? el("p", { class: "caption" }, presetWords(id), " ",
    button("leave", t("insights.leave"), () => state.set({ preset: null, only: null, confidence: null }))) : null;
}

/** @typedef {{kind: string, title: string, save?: string, sub?: string, why: string, todo?: string, rule: string,
 *   counter?: string|null, go: Record<string, string>}} Attention */

/** Recommendations, the greatest saving first. @param {any} row @returns {Attention} */
function saved({ rule, scope, saving, evidence, ...row }) {
  const { threads, thread_ids: ids } = evidence, [first] = row.counterfactual;
  const credits = saving.credits !== null && t("insights.credits", { credits: fmt.credits(nano(saving.credits)) });
  const where = threads > 1 ? t("insights.threads_count", { count: threads }) : scope.label;
  return {
    kind: "saving",
    title: `${t("insights.rule." + rule)} · ${where}`,
    save: fmt.usd(nano(saving.cost_usd)),
    sub: [credits, fmt.percent(saving.share)].filter(Boolean).join(" · "),
    why: first.toUpperCase() + row.counterfactual.slice(1) + ".",
    todo: row.action, counter: row.counter_evidence,
    rule: t("insights.grounds", { rule, threshold: evidence.threshold, limit: evidence.threshold_value,
      observed: evidence.observed, calls: evidence.calls, confidence: fmt.percent(row.confidence) }),
    go: { view: "threads", open: ids.join(","), ...(threads > 1 ? {} : { thread: ids[0] }) },
  };
}

/** Allowance windows that may run out. @param {any} window @returns {Attention[]} */
function ending({ window, used_percent: used, outlook, resets_at: reset, reset_passed: passed }) {
  const chance = outlook?.chance ?? 0, out = outlook?.likely;
  const time = (/** @type {string} */ at) => fmt.time(Date.parse(at));
  return passed || (used < MUCH_USED && chance < LIKELY_OUT) ? [] : [{
    kind: "allowance", title: t("insights.allowance", { window: windowName(window), used: fmt.percent(used / 100) }),
    why: t(out ? "insights.runs_out" : "insights.chance",
      { chance: fmt.percent(chance), time: out && time(out), reset: reset ? time(reset) : "–" }),
    rule: t("insights.allowance_rule", { used: fmt.percent(MUCH_USED / 100), chance: fmt.percent(LIKELY_OUT) }),
    go: { view: "overview" },
  }];
}

/** Calls without a price, or with a guessed one.
 * @param {PricingCoverage} answer @param {string} kind @returns {Attention[]} */
function gap(answer, kind) {
  const rows = answer.rows.filter((/** @type {any} */ row) => row.confidence === kind && row.calls);
  const name = (/** @type {any} */ row) => [row.model, row.reason].filter(Boolean).join(": ");
  const count = rows.reduce((/** @type {number} */ sum, /** @type {any} */ row) => sum + row.calls, 0);
  return !count ? [] : [{
    kind: "pricing", title: t("insights." + kind, { count }),
    why: rows.slice(0, 3).map(name).join("; "),
    rule: t("insights.pricing_rule", { source: answer.source }),
    go: preset(kind === "unpriced" ? "gaps" : kind),
  }];
}

/** @param {Groups} g @returns {Attention[]} */
const dearThreads = ({ heads, whole, own, total }) => heads
  .filter((at) => whole.cost[at] >= DEAR_SHARE * total && whole.cost[at] >= limits().high_cost_usd * 1e9)
  .map((at) => ({
    kind: "dear", title: t("insights.dear", { thread: threadName(at) }),
    why: t("insights.dear_why",
      { cost: fmt.usd(whole.cost[at]), calls: own.calls[at], share: fmt.percent(whole.cost[at] / total) }),
    rule: t("insights.dear_rule", { share: fmt.percent(DEAR_SHARE), least: fmt.usd(limits().high_cost_usd * 1e9) }),
    go: threadGo(at),
  }));
/** @param {number} at */
const threadGo = (at) => ({ view: "threads", sort: "-attention", open: data.usage.threads.id[at] });

/** @param {Attention} one */
const attentionCard = (one) => el("li", { class: "card attention " + one.kind },
  one.save ? el("p", { class: "save" }, el("strong", {}, one.save), el("span", { class: "sub" }, one.sub)) : null,
  el("h3", {}, one.title), el("p", { dir: "auto" }, one.why),
  one.todo ? el("p", { class: "todo", dir: "auto" }, one.todo) : null,
  el("p", { class: "sub" }, one.rule, one.counter ? ` · ${t("insights.but", { text: one.counter })}` : null),
  el("button", { "aria-label": `${t("insights.look")}: ${one.title}`, onclick: () => leadTo(one.go) },
    t("insights.look")));

const calm = () => empty(t("insights.calm"), t("insights.calm_hint"));

/** @param {HTMLElement} root */
function renderInsights(root) {
  const groups = threadGroups(data.rows()), list = el("ul", { class: "cards" }), said = el("bdi");
  const presets = Object.keys(PRESETS).map((id) => el("li", {},
    el("button", { id: "preset-" + id, onclick: () => leadTo(preset(id)) }, presetWords(id))));
  root.append(el("h1", {}, t("insights.nav")), card(t("insights.attention"), said, null, list),
    card(t("insights.presets"), t("insights.presets_sub"), null, el("ul", { class: "presets" }, presets)),
    card(t("insights.score"), t("insights.score_sub"), null, byAttention(groups)));
  const asked = state.asked(), filtered = !data.meta.live && Object.keys(asked).length > 1;
  const questions = [data.ask("recommendations", asked), data.ask("allowance"), data.ask("pricing-coverage", asked)];
  Promise.all(questions).then(([advice, allowance, prices]) => {
    const cards = [...(allowance?.windows.flatMap(ending) ?? []), ...(advice?.rows.map(saved) ?? []),
      ...dearThreads(groups), ...(prices ? ["unpriced", "estimated"].flatMap((kind) => gap(prices, kind)) : [])];
    const span = advice && [advice.period.first, advice.period.last].filter(Boolean).join(" – ");
    said.textContent = advice ? `${advice.headline} ${span && `(${span})`} ${filtered ? t("insights.held") : ""}` : "";
    list.replaceChildren(...(cards.length ? cards.map(attentionCard) : [el("li", {}, calm())]));
  });
}

/** Threads by their attention score, with what it consists of. @param {Groups} g */
function byAttention(g) {
  const scored = g.heads.map((at) => ({ at, ...attention(g, at) })).filter((one) => one.score > 0);
  const top = scored.sort((a, b) => b.score - a.score || g.whole.cost[b.at] - g.whole.cost[a.at]).slice(0, 10);
  return top.length ? el("ol", { class: "scores" }, top.map(({ at, score, signals }) => el("li", {},
    el("meter", { min: 0, max: 100, value: score, "aria-label": t("insights.score") }), el("strong", {}, String(score)),
    link(threadGo(at), threadName(at)), signalChips(signals), el("span", { class: "n" }, fmt.usd(g.whole.cost[at])))))
    : calm();
}

views.add({ id: "insights", key: "insights.nav", render: renderInsights });
