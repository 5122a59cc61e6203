import { randomUUID } from 'node:crypto';
import { isLeafType, getNamedType, isObjectType, isRequiredArgument, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { createAnswerLimit } from '../../src/server/limits/answer-limit.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;
const at = new Date('2025-01-01T00:00:00.000Z');
const { bytesOf } = createAnswerLimit(schema);

/** A text of the characters with the longest JSON form: six bytes each. */
const controls = (characters: number) => '\u0001'.repeat(characters);
const url = `https://a/${'ü'.repeat(2_038)}`;
const headers = (count: number, bytes: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `x-header-${index + 10}`,
      '"'.repeat(Math.floor(bytes / count) - 11),
    ]),
  );

beforeAll(async () => {
  api = await createApiHarness();
  await seed();
}, 60_000);
afterAll(() => api.close());

/** All scalars and enums of a type that need no argument. */
function leaves(name: string): string {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Error(name);
  return Object.values(type.getFields())
    .filter((field) => isLeafType(getNamedType(field.type)) && !field.args.some(isRequiredArgument))
    .map((field) => field.name)
    .join(' ');
}

describe('No answer is longer than its estimate before execution', () => {
  it.each([
    [
      'a job',
      `{ jobs(first: 1) { totalCount edges { cursor } pageInfo { ${leaves('PageInfo')} } nodes { ${leaves('Job')} retryPolicy { ${leaves('RetryPolicy')} } } } }`,
    ],
    [
      'jobs by name',
      '{ jobs(first: 1, orderBy: [{ field: NAME, direction: ASC }]) { edges { cursor } pageInfo { startCursor endCursor } } }',
    ],
    ['the tags of a job', `{ jobs(first: 1) { nodes { tags { ${leaves('Tag')} } } } }`],
    [
      'alerts',
      `{ jobs(first: 1) { nodes { alerts { ${leaves('JobAlert')} deliveries(first: 1) { nodes { ${leaves('AlertDelivery')} } } } } } }`,
    ],
    ['an execution', `{ executions(first: 1) { edges { cursor } nodes { ${leaves('Execution')} } } }`],
    ['its request', `{ executions(first: 1) { nodes { request { ${leaves('HttpRequest')} } } } }`],
    [
      'its attempts',
      `{ executions(first: 1) { nodes { attempts { ${leaves('ExecutionAttempt')} timings { totalMs } } } } }`,
    ],
    [
      'its log',
      `{ executions(first: 1) { nodes { logs(first: 1) { nodes { ${leaves('ExecutionLog')} } edges { cursor } } } } }`,
    ],
    ['its dead letter', `{ executions(first: 1) { nodes { deadLetter { ${leaves('DeadLetter')} } } } }`],
    [
      'the same under many names',
      `{ executions(first: 1) { nodes { ${Array.from({ length: 100 }, (_, n) => `a${n}: responseBody`).join(' ')} } } }`,
    ],
  ])('%s', async (_what, query) => {
    const document = parse(query);
    expect(validate(schema, document)).toEqual([]);
    const { data, errors } = await api.execute(query);
    expect(errors).toEqual([]);
    expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThanOrEqual(bytesOf({ document }));
  });
});

/** A job and an execution whose texts and JSON have the maximum length. */
async function seed(): Promise<void> {
  const { pool } = api;
  const job = await insertJob(pool, {
    name: controls(200),
    key: 'k'.repeat(200),
    description: controls(5_000),
    api: url,
    headers: headers(50, 16_384),
    body: JSON.stringify(controls(43_690)),
    status: 'PAUSED',
    paused_at: at,
    pause_reason: controls(1_000),
    schedule: `0 0 ${Array.from({ length: 24 }, (_, hour) => hour).join(',')} * * *`,
  });
  for (let n = 0; n < 10; n += 1) {
    const tag = randomUUID();
    await insertRow(pool, 'job_tags', { id: tag, name: `${n}${controls(63)}`, created_at: at });
    await insertRow(pool, 'job_tag_associations', { job_id: job, tag_id: tag });
  }
  const alert = randomUUID();
  await insertRow(pool, 'job_alerts', {
    id: alert,
    job_id: job,
    channel: 'WEBHOOK',
    target: url,
    events: ['FAILED'],
    created_at: at,
    updated_at: at,
  });
  const message = controls(2_000);
  await insertRow(pool, 'job_alert_deliveries', {
    id: randomUUID(),
    alert_id: alert,
    event: 'FAILED',
    created_at: at,
    due_at: at,
    available_at: at,
    last_error: controls(500),
    payload: { job: { name: controls(200), key: 'k'.repeat(200) }, execution: { errorMessage: message } },
  });
  const execution = await insertExecution(pool, job, 'FAILED', {
    at,
    error_message: message,
    response_body: controls(5_000),
    cancel_requested_at: at,
    cancel_reason: controls(1_000),
    request: {
      method: 'POST',
      url,
      headers: headers(50, 16_384),
      body: JSON.stringify('"'.repeat(131_071)),
    },
  });
  await insertRow(pool, 'job_execution_attempts', {
    execution_id: execution,
    number: 1,
    started_at: at,
    finished_at: at,
    duration_ms: 5,
    instance_id: 'an-instance',
    error_message: message,
    response_headers: headers(64, 8_192),
    response_body: controls(5_000),
  });
  await insertRow(pool, 'job_execution_logs', {
    execution_id: execution,
    position: 1,
    at,
    level: 'INFO',
    message: `${message} Final: all retries are used up.`,
    metadata: { method: 'OPTIONS', url },
  });
}
