-- From the table `otel_logs` that the ClickHouse exporter of the OpenTelemetry Collector writes (database `otel` here).

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.calls_in TO codex_usage.calls AS
SELECT
    LogAttributes['codex_usage.call_id'] AS call_id, toUInt64(LogAttributes['codex_usage.version']) AS version,
    toDateTime64(Timestamp, 3, 'UTC') AS time,
    ResourceAttributes['codex_usage.user'] AS user, ResourceAttributes['codex_usage.machine'] AS machine,
    LogAttributes['gen_ai.provider.name'] AS provider, LogAttributes['gen_ai.request.model'] AS model,
    LogAttributes['codex_usage.effort'] AS effort, LogAttributes['codex_usage.service_tier'] AS service_tier,
    LogAttributes['codex_usage.origin'] AS origin, LogAttributes['codex_usage.role'] AS role,
    LogAttributes['codex_usage.project'] AS project, LogAttributes['gen_ai.conversation.id'] AS thread_id,
    LogAttributes['codex_usage.turn_id'] AS turn_id,
    toInt64OrZero(LogAttributes['gen_ai.usage.input_tokens']) AS input_tokens,
    toInt64OrZero(LogAttributes['gen_ai.usage.cache_read.input_tokens']) AS cached_input_tokens,
    toInt64OrZero(LogAttributes['gen_ai.usage.cache_creation.input_tokens']) AS cache_write_input_tokens,
    toInt64OrZero(LogAttributes['gen_ai.usage.output_tokens']) AS output_tokens,
    toInt64OrZero(LogAttributes['gen_ai.usage.reasoning.output_tokens']) AS reasoning_output_tokens,
    toInt64OrNull(LogAttributes['codex_usage.cost_nano_usd']) AS cost_nano_usd,
    LogAttributes['codex_usage.cost_confidence'] AS cost_confidence,
    toInt64OrNull(LogAttributes['codex_usage.nano_credits']) AS nano_credits,
    toInt64OrNull(LogAttributes['codex_usage.duration_ms']) AS duration_ms
FROM otel.otel_logs WHERE LogAttributes['event.name'] = 'codex_usage.call';

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.turns_in TO codex_usage.turns AS
SELECT
    LogAttributes['gen_ai.conversation.id'] AS thread_id, LogAttributes['codex_usage.turn_id'] AS turn_id,
    toUInt64(LogAttributes['codex_usage.version']) AS version, toDateTime64(Timestamp, 3, 'UTC') AS time,
    ResourceAttributes['codex_usage.user'] AS user, ResourceAttributes['codex_usage.machine'] AS machine,
    LogAttributes['codex_usage.outcome'] AS outcome,
    toInt64OrNull(LogAttributes['codex_usage.duration_ms']) AS duration_ms,
    toInt64OrNull(LogAttributes['codex_usage.first_token_ms']) AS first_token_ms
FROM otel.otel_logs WHERE LogAttributes['event.name'] = 'codex_usage.turn';

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.tools_in TO codex_usage.tools AS
SELECT
    toDate(LogAttributes['codex_usage.day']) AS day,
    ResourceAttributes['codex_usage.user'] AS user, ResourceAttributes['codex_usage.machine'] AS machine,
    toUInt64(LogAttributes['codex_usage.version']) AS version, LogAttributes['codex_usage.kind'] AS kind,
    LogAttributes['gen_ai.tool.name'] AS tool, LogAttributes['codex_usage.family'] AS family,
    toInt64OrZero(LogAttributes['codex_usage.uses']) AS uses,
    toInt64OrZero(LogAttributes['codex_usage.known']) AS known,
    toInt64OrZero(LogAttributes['codex_usage.failed']) AS failed,
    toInt64OrZero(LogAttributes['codex_usage.took_ms']) AS took_ms
FROM otel.otel_logs WHERE LogAttributes['event.name'] = 'codex_usage.tools';
