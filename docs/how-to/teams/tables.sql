-- Tables of a team's usage, made from what `codex-usage push` sends. Each record may arrive several times and late:
-- a row is known by its key, and of several with one key the highest version holds.

CREATE DATABASE IF NOT EXISTS codex_usage;

CREATE TABLE IF NOT EXISTS codex_usage.calls
(
    call_id String, version UInt64, time DateTime64(3, 'UTC'),
    user LowCardinality(String), machine LowCardinality(String),
    provider LowCardinality(String), model LowCardinality(String), effort LowCardinality(String),
    service_tier LowCardinality(String), origin LowCardinality(String), role LowCardinality(String),
    project LowCardinality(String), thread_id String, turn_id String,
    input_tokens Int64, cached_input_tokens Int64, cache_write_input_tokens Int64,
    output_tokens Int64, reasoning_output_tokens Int64,
    cost_nano_usd Nullable(Int64), cost_confidence LowCardinality(String), nano_credits Nullable(Int64),
    duration_ms Nullable(Int64)
)
ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(time) ORDER BY (toDate(time), call_id);

CREATE TABLE IF NOT EXISTS codex_usage.turns
(
    thread_id String, turn_id String, version UInt64, time DateTime64(3, 'UTC'),
    user LowCardinality(String), machine LowCardinality(String),
    outcome LowCardinality(String), duration_ms Nullable(Int64), first_token_ms Nullable(Int64)
)
ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(time) ORDER BY (toDate(time), thread_id, turn_id);

CREATE TABLE IF NOT EXISTS codex_usage.tools
(
    day Date, user LowCardinality(String), machine LowCardinality(String), version UInt64,
    kind LowCardinality(String), tool LowCardinality(String), family LowCardinality(String),
    uses Int64, known Int64, failed Int64, took_ms Int64
)
ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(day) ORDER BY (day, user, machine, kind, tool, family);

-- What dashboards read: each row once, whatever arrived, summed by day. It is made anew every five minutes from the
-- merged rows, so that duplicates and late rows end in the right sums; a table that adds up as rows come in would not.
CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.days
REFRESH EVERY 5 MINUTE
ENGINE = MergeTree ORDER BY (day, user, machine)
AS SELECT
    toDate(time) AS day, user, machine, provider, model, effort, origin, role, project,
    count() AS calls, uniqExact(thread_id) AS threads,
    sum(c.input_tokens) AS input_tokens, sum(c.cached_input_tokens) AS cached_input_tokens,
    sum(c.output_tokens) AS output_tokens, sum(c.reasoning_output_tokens) AS reasoning_output_tokens,
    sum(coalesce(c.cost_nano_usd, 0)) AS cost_nano_usd, countIf(c.cost_nano_usd IS NULL) AS unpriced_calls,
    sum(coalesce(c.nano_credits, 0)) AS nano_credits
FROM codex_usage.calls AS c FINAL
GROUP BY ALL;
