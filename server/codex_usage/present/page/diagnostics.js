// The Diagnostics view: where uncached tokens come from, and sections that a live server computes on demand.

const SECTIONS = ["overview", "tool-output", "commands", "git-interactions", "file-reads", "file-modifications",
  "read-productivity", "concentration", "tools", "mcp", "telemetry"];

/** How a column's numbers are told, by its name. @type {[RegExp, (n: number) => string][]} */
const UNITS = [[/_usd$/, (n) => fmt.usd(n * 1e9)], [/_ms$/, (n) => fmt.ms(n)], [/(share|rate)$/, (n) => fmt.percent(n)],
  [/tokens|bytes/, (n) => fmt.tokens(n)], [/./, (n) => fmt.count(n)]];
/** @param {string} column @param {string|number|null} value */
const cellText = (column, value) => value === null ? "–" : typeof value === "string" ? value || "–"
  : UNITS.find(([name]) => name.test(column))?.[1](value) ?? "";

/** The language's word for one of the answer's, else that one. @param {string} group @param {string} word */
function worded(group, word) {
  const key = `diagnostics.${group}.${word}`, said = t(key);
  return said === key ? word : said;
}

/** The name of an answer's column. @param {string} column such as calls, p95_duration_ms */
function columnName(column) {
  const [, part, of = column] = /^p(\d\d)_(.*)$/.exec(column) ?? [];
  return worded("col", of) + (part ? ` P${part}` : "");
}

/** What uncached tokens can be looked at by: labels and the column of their places.
 * @type {Record<string, (u: Usage) => [(string|null)[], number[]]>} */
const SLICES = {
  thread: (u) => [names(), u.calls.thread],
  project: (u) => [u.projects, u.calls.project], model: (u) => [u.models, u.calls.model],
  effort: (u) => [u.efforts, u.calls.effort], origin: (u) => [u.origin_reasons, u.calls.origin],
  compaction: (u) => [["other", "compaction"].map((one) => t("diagnostics.by." + one)),
    u.calls.flags.map((/** @type {number} */ flag) => flag & 1)],
};

/** Rows by a key. @param {Iterable<number>} rows @param {(i: number) => any} keyOf @returns {[any, number[]][]} */
function grouped(rows, keyOf) {
  const groups = new Map();
  for (const i of rows) {
    const key = keyOf(i);
    if (!groups.get(key)?.push(i)) groups.set(key, [i]);
  }
  return [...groups];
}

/** The filtered calls by one slice, the most uncached tokens first. */
function sliced() {
  const asked = state.get("slice") ?? "thread", by = named(SLICES, asked) ? asked : "thread", found = data.rows();
  const [labels, column] = SLICES[by](data.usage), whole = sums(found).uncached || 1;
  const rows = grouped(found, (i) => column[i]).map(([at, those]) => ({ at, ...sums(those) }))
    .sort((a, b) => b.uncached - a.uncached).slice(0, 12).map((one) => [
      (pick(labels, one.at) ?? "–").replaceAll("_", " "), fmt.tokens(one.uncached), share(one.uncached / whole),
      fmt.count(one.calls), fmt.tokens(one.output), fmt.count(one.compactions), costOf(one)]);
  const columns = [by, "uncached", "share", "calls", "output", "compactions", "cost"].map((key, k) =>
    ({ label: t("diagnostics.by." + key), num: k > 0 }));
  const options = Object.keys(SLICES).map((value) => ({ value, label: t("diagnostics.by." + value) }));
  return card(t("diagnostics.uncached"), t("diagnostics.uncached_sub"),
    segmented(t("diagnostics.slice"), options, by, (slice) => state.set({ slice })),
    rows.length ? table(columns, rows, { caption: t("diagnostics.uncached") })
      : empty(t("calls.none"), t("calls.none_hint")));
}

/** A section's answer. @param {Diagnostics} found */
function sectionOf(found) {
  const { period, status, computed_at: computed, not_additive: whole } = found, heard = found.section === "telemetry";
  const tables = found.tables.filter((/** @type {any} */ one) => one.rows.length);
  if (heard && !tables.length) return empty(t("diagnostics.nothing"), t("overview.telemetry"));
  const scope = Object.entries(found.scope).map((pair) => pair.join(" ")).join(", ") || t("diagnostics.no_filter");
  const told = [!heard && computed && t("diagnostics.computed", { time: fmt.time(Date.parse(computed)) }),
    period.first ? `${period.first} – ${period.last}` : t("diagnostics.all_time"), scope,
    !heard && t("diagnostics.logs", { count: found.logs_scanned, pending: found.logs_pending })];
  return el("div", {},
    el("p", { class: "sub" }, chip(worded("status", status), status === "fresh" ? "good" : "warn"), " ",
      told.filter(Boolean).join(" · ")),
    tables.length ? null : empty(t("diagnostics.nothing"), t("diagnostics.nothing_hint")),
    tables.map((/** @type {any} */ one) => tableOf(one)),
    el("p", { class: "sub" }, found.notes.map((/** @type {string} */ note) => [el("bdi", {}, note), " "]), [
      whole.length ? t("diagnostics.not_additive", { columns: whole.map(columnName).join(", ") }) : ""].join(" ")));
}

/** The events that a table rests on, and from when. @param {any} basis */
const basisOf = ({ events, since }) => el("p", { class: "sub" }, t("diagnostics.basis", {
  since: fmt.time(Date.parse(since)),
  events: Object.entries(events).map(([name, n]) => `${fmt.count(Number(n))} ${name}`).join(", ") }));

/** @param {any} one a Table @param {string} level of its heading @param {number} few rows that are shown */
function tableOf({ title, columns, rows, rest, basis }, level = "h4", few = 10) {
  const caption = worded("table", title), left = rest + Math.max(0, rows.length - few);
  const heads = columns.map((/** @type {string} */ column, /** @type {number} */ k) =>
    ({ label: columnName(column), num: rows.some((/** @type {any[]} */ row) => typeof row[k] === "number") }));
  const cells = rows.slice(0, few).map((/** @type {any[]} */ row) => row.map((value, k) => columns[k] === "call_id"
    ? callLink(value, value) : columns[k] === "source" ? worded("source", value) : cellText(columns[k], value)));
  return [el(level, {}, caption), table(heads, cells, { caption }),
    left ? el("p", { class: "sub" }, t("diagnostics.rest", { count: left })) : null, basis ? basisOf(basis) : null];
}

/** What telemetry told: in a live page of the period, model and project, in a file of its last 30 days. */
function askTelemetry() {
  const { period, model, project } = state.asked();
  return data.meta.live ? data.ask("diagnostics/telemetry", { period, model, project, limit: "300" })
    : data.diagnostics?.telemetry;
}

/** @param {HTMLElement} root */
function renderDiagnostics(root) {
  const { live } = data.meta, open = openIds(), out = el("div", { class: "stack" });
  root.append(el("h1", {}, t("diagnostics.nav")), sliced(), out);
  if (!live && !data.diagnostics) {
    out.append(card(t("diagnostics.sections"), null, null, empty(t("diagnostics.file"), t("diagnostics.file_hint"))));
    return;
  }
  const asked = (/** @type {string} */ name, scan = false) =>
    data.ask("diagnostics/" + name, { ...state.asked(), scan: String(scan) });
  const filled = async (/** @type {HTMLElement} */ body, /** @type {string} */ name) => {
    const found = name === "telemetry" ? await askTelemetry() : live ? await asked(name) : data.diagnostics?.[name];
    body.replaceChildren(found ? sectionOf(found)
      : empty(data.problem ?? t("diagnostics.nothing"), t("diagnostics.nothing_hint")));
  };
  const boxes = SECTIONS.map((name) => {
    const body = el("div", { class: "body" }, t("diagnostics.loading")), shown = open.has(name);
    if (shown) filled(body, name);
    const box = el("details", { class: "card", open: shown },
      el("summary", { id: "section-" + name }, el("h3", {}, worded("section", name))), body);
    box.addEventListener("toggle", () => { if (box.hasAttribute("open") !== shown) unfold(name, !shown); });
    return box;
  });
  const all = async () => {
    data.kept.clear();
    await asked(SECTIONS[0], true); // one scan serves all sections
    const open = SECTIONS.join(",");
    if (state.get("open") === open) data.changed();
    else state.set({ open });
    announce(t("diagnostics.done"));
  };
  out.append(el("div", { class: "steps" }, el("h2", {}, t("diagnostics.sections")),
    live ? button("diagnose", t("diagnostics.refresh"), all) : el("span", { class: "sub" }, t("diagnostics.embedded"))),
  ...boxes);
}

views.add({ id: "diagnostics", key: "diagnostics.nav", render: renderDiagnostics });
