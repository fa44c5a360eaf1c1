-- From the table `logs_v2` in which SigNoz keeps logs; it has numbers apart from texts, exact up to 2^53.

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.calls_in TO codex_usage.calls AS
SELECT
    attributes_string['codex_usage.call_id'] AS call_id, toUInt64(attributes_number['codex_usage.version']) AS version,
    fromUnixTimestamp64Milli(toInt64(intDiv(timestamp, 1000000)), 'UTC') AS time,
    resources_string['codex_usage.user'] AS user, resources_string['codex_usage.machine'] AS machine,
    attributes_string['gen_ai.provider.name'] AS provider, attributes_string['gen_ai.request.model'] AS model,
    attributes_string['codex_usage.effort'] AS effort, attributes_string['codex_usage.service_tier'] AS service_tier,
    attributes_string['codex_usage.origin'] AS origin, attributes_string['codex_usage.role'] AS role,
    attributes_string['codex_usage.project'] AS project, attributes_string['gen_ai.conversation.id'] AS thread_id,
    attributes_string['codex_usage.turn_id'] AS turn_id,
    toInt64(attributes_number['gen_ai.usage.input_tokens']) AS input_tokens,
    toInt64(attributes_number['gen_ai.usage.cache_read.input_tokens']) AS cached_input_tokens,
    toInt64(attributes_number['gen_ai.usage.cache_creation.input_tokens']) AS cache_write_input_tokens,
    toInt64(attributes_number['gen_ai.usage.output_tokens']) AS output_tokens,
    toInt64(attributes_number['gen_ai.usage.reasoning.output_tokens']) AS reasoning_output_tokens,
    if(mapContains(attributes_number, 'codex_usage.cost_nano_usd'),
        toInt64(attributes_number['codex_usage.cost_nano_usd']), NULL) AS cost_nano_usd,
    attributes_string['codex_usage.cost_confidence'] AS cost_confidence,
    if(mapContains(attributes_number, 'codex_usage.nano_credits'),
        toInt64(attributes_number['codex_usage.nano_credits']), NULL) AS nano_credits,
    if(mapContains(attributes_number, 'codex_usage.duration_ms'),
        toInt64(attributes_number['codex_usage.duration_ms']), NULL) AS duration_ms
FROM signoz_logs.logs_v2 WHERE attributes_string['event.name'] = 'codex_usage.call';

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.turns_in TO codex_usage.turns AS
SELECT
    attributes_string['gen_ai.conversation.id'] AS thread_id, attributes_string['codex_usage.turn_id'] AS turn_id,
    toUInt64(attributes_number['codex_usage.version']) AS version,
    fromUnixTimestamp64Milli(toInt64(intDiv(timestamp, 1000000)), 'UTC') AS time,
    resources_string['codex_usage.user'] AS user, resources_string['codex_usage.machine'] AS machine,
    attributes_string['codex_usage.outcome'] AS outcome,
    if(mapContains(attributes_number, 'codex_usage.duration_ms'),
        toInt64(attributes_number['codex_usage.duration_ms']), NULL) AS duration_ms,
    if(mapContains(attributes_number, 'codex_usage.first_token_ms'),
        toInt64(attributes_number['codex_usage.first_token_ms']), NULL) AS first_token_ms
FROM signoz_logs.logs_v2 WHERE attributes_string['event.name'] = 'codex_usage.turn';

CREATE MATERIALIZED VIEW IF NOT EXISTS codex_usage.tools_in TO codex_usage.tools AS
SELECT
    toDate(attributes_string['codex_usage.day']) AS day,
    resources_string['codex_usage.user'] AS user, resources_string['codex_usage.machine'] AS machine,
    toUInt64(attributes_number['codex_usage.version']) AS version, attributes_string['codex_usage.kind'] AS kind,
    attributes_string['gen_ai.tool.name'] AS tool, attributes_string['codex_usage.family'] AS family,
    toInt64(attributes_number['codex_usage.uses']) AS uses,
    toInt64(attributes_number['codex_usage.known']) AS known,
    toInt64(attributes_number['codex_usage.failed']) AS failed,
    toInt64(attributes_number['codex_usage.took_ms']) AS took_ms
FROM signoz_logs.logs_v2 WHERE attributes_string['event.name'] = 'codex_usage.tools';
