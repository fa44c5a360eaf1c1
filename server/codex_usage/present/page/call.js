// One call looked into: what the log says, what follows from it, what is estimated, and the evidence on demand.

/** What compares a call with the one before it in its thread.
 * @type {[string, (l: CallLine) => number|null, (n: number) => string][]} */
const COMPARED = [
  ["cost", (l) => nano(l.cost_usd), (n) => fmt.usd(n, 4)],
  ["input", (l) => l.input_tokens, fmt.tokens], ["uncached", (l) => l.uncached_input_tokens, fmt.tokens],
  ["cached", (l) => l.cached_input_tokens, fmt.tokens], ["output", (l) => l.output_tokens, fmt.tokens],
  ["reasoning", (l) => l.reasoning_output_tokens, fmt.tokens],
  ["context", (l) => l.context_use, (n) => fmt.percent(n)],
];

/** @param {CallLine} line @param {CallLine|null} before */
const deltas = (line, before) => tiles(COMPARED.flatMap(([key, of, show]) => {
  const now = of(line), was = before && of(before);
  if (now === null) return [];
  const change = was === null ? null : now - was;
  const told = change === null ? null : change ? (change > 0 ? "+" : "−") + show(Math.abs(change)) : t("call.same");
  return [[t("calls." + key), show(now), told]];
}));

/** @param {HTMLElement} root */
function renderCall(root) {
  const id = state.get("record") ?? "", c = data.usage.calls, at = c.id.indexOf(id);
  const body = el("div", { class: "stack" });
  const asked = data.meta.live ? data.ask("call", { call: id }) : Promise.resolve(null);
  root.append(el("h1", {}, t("call.title")), body);
  if (at < 0) {
    asked.then((one) => body.append(...(one ? looked(one.call, one.before, one.previous, one.next_call, asked)
      : [empty(t("call.missing"), t(data.meta.live ? "call.missing_live" : "call.missing_file"))])));
    return;
  }
  const rows = Int32Array.from(c.time.keys()).filter((i) => c.thread[i] === c.thread[at]).reverse();
  const place = rows.indexOf(at);
  const [before, after] = [rows[place - 1], rows[place + 1]];
  const idOf = (/** @type {number|undefined} */ i) => (i === undefined ? null : c.id.at(i));
  const line = callLine(at), previous = place ? callLine(before) : null;
  body.append(...looked(line, previous, idOf(before), idOf(after), asked),
    card(t("call.thread", { place: place + 1, count: rows.length }), t("threads.strip_sub"), null,
      threadStrip(rows, threadName(c.thread[at]))));
}

/** The whole of a call. `asked` brings the diagnosis of its cache later, or nothing.
 * @param {CallLine} line @param {CallLine|null} before @param {string|null} previous @param {string|null} next
 * @param {Promise<any>} asked */
function looked(line, before, previous, next, asked) {
  const step = (/** @type {string|null} */ record, /** @type {string} */ key) => el("button",
    { id: "call-" + key, disabled: !record, onclick: () => state.set({ record }, { push: true }) }, t("call." + key));
  const kind = (/** @type {string} */ name, /** @type {HTMLElement} */ inside) => {
    const one = card(t("call." + name), t(`call.${name}_sub`), null, inside);
    one.classList.add("kind", name);
    return one;
  };
  const diagnosis = el("p", { class: "diagnosis" });
  asked.then((found) => {
    const { label, because } = found?.diagnosis ?? {};
    if (label) diagnosis.append(chip(t("call.cache." + label), label === "warm_reuse" ? "good" : "warn"), " ", because);
  });
  return [
    el("div", { class: "steps" }, step(previous, "previous"), step(next, "next"),
      link({ view: "threads", thread: line.thread_id, open: line.thread_id }, t("call.thread_link")),
      link({ view: "calls", thread: line.thread_id }, t("call.all"))),
    diagnosis, before ? el("p", { class: "sub" }, t("call.against")) : "", deltas(line, before),
    el("div", { class: "kinds" }, ["exact", "derived", "estimated"].map((name) => kind(name, factsOf(line, [name])))),
    kind("evidence", evidence(line.call_id)),
  ];
}

/** The evidence that was asked for, so that a newer call somewhere does not take it away. */
let evident = { of: "", node: el("div") };

/** What the log says around a call: read from it, redacted, when asked for. @param {string} id */
function evidence(id) {
  if (!data.meta.live) return empty(t("call.evidence_file"), t("call.evidence_file_hint"));
  if (evident.of === id + lang) return evident.node;
  const out = el("div", { "aria-live": "polite" });
  const [full, tool, history] = [0, 1, 2].map(() =>
    /** @type {HTMLInputElement} */ (el("input", { type: "checkbox" })));
  const load = async () => {
    out.replaceChildren(t("call.loading"));
    const found = await data.ask("context", { call: id, mode: full.checked ? "full" : "quick",
      tool_output: tool.checked ? "1" : "0", compaction_history: history.checked ? "1" : "0" });
    out.replaceChildren(...(found ? entries(found) : [empty(data.problem ?? "", t("call.disabled_hint"))]));
  };
  /** @param {HTMLElement} box @param {string} key */
  const labelled = (box, key) => el("label", {}, box, " ", t("call." + key));
  evident = { of: id + lang, node: el("div", {}, el("div", { class: "steps" }, labelled(full, "full"),
    labelled(tool, "tool_output"), labelled(history, "compaction_history"),
    button("evidence", t("call.load"), load)), out) };
  return evident.node;
}

/** @param {Record<string, any>} found an Evidence */
function entries(found) {
  const seconds = (/** @type {number|null} */ s) => took(s && s * 1000);
  const counts = (/** @type {Record<string, number>} */ of) =>
    Object.entries(of).map(([what, count]) => `${what.replaceAll("_", " ")}: ${fmt.count(count)}`).join(" · ") || null;
  const told = { log: found.log, mode: `${found.mode} · ${found.token_method}`, took: seconds(found.duration_s),
    omitted: counts(found.omitted), redactions: counts(found.redactions),
    warnings: found.warnings.join(" · ") || null };
  const columns = ["group", "tokens"].map((key, k) => ({ label: t("call." + key), num: k > 0 }));
  const groups = Object.entries(/** @type {Record<string, number>} */ (found.groups)).map(([group, count]) =>
    [group.replaceAll("_", " "), fmt.count(count)]);
  const entry = (/** @type {any} */ one) => el("li", {}, el("p", {}, el("strong", {}, one.kind), ` ${one.label ?? ""} `,
    el("span", { class: "sub" }, t("call.entry", { line: one.line, tokens: fmt.tokens(one.tokens),
      turn: seconds(one.since_turn_s), previous: seconds(one.since_previous_s), took: seconds(one.reported_s) }))),
  one.text ? el("pre", { tabindex: "0" }, one.text, one.truncated ? t("call.cut", { chars: one.chars }) : "") : null);
  return [facts(Object.entries(told).map(([key, value]) => [t("call." + key), value])),
    groups.length ? table(columns, groups, { caption: t("call.groups") }) : "",
    el("ol", { class: "entries" }, found.entries.map(entry))];
}

views.add({ id: "call", key: "call.title", hidden: true, render: renderCall });
