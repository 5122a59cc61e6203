import { describe, expect, it } from 'vitest';
import type { JobInput } from '../../../src/domain/job/job-definition.ts';
import { draftNewJob } from '../../../src/domain/job/job-input.ts';
import { checkJobDefinition } from '../../../src/domain/job/job-validation.ts';

const VALID: JobInput = { name: 'Report', api: 'https://example.test/report', schedule: '0 * * * * *' };

/** All messages by their path. */
function issuesOf(input: JobInput): Record<string, string> {
  const { draft, issues } = draftNewJob({ ...VALID, ...input });
  const check = checkJobDefinition(draft);
  if (check.ok) return Object.fromEntries(issues.map(({ path, message }) => [path.join('.'), message]));
  const found = [...issues, ...check.issues].map(({ path, message }) => [path.join('.'), message]);
  if (check.scheduleIssue) found.push(['schedule', check.scheduleIssue.message]);
  return Object.fromEntries(found) as Record<string, string>;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('checkJobDefinition', () => {
  it('accepts every field at its limit', () => {
    expect(
      issuesOf({
        name: '🕰'.repeat(200),
        key: 'a'.repeat(200),
        description: 'd'.repeat(5_000),
        timezone: 'europe/berlin',
        jitterMs: 3_600_000,
        timeoutMs: 3_600_000,
        misfireGraceMs: 604_800_000,
        priority: -1_000,
        body: 'b'.repeat(262_142),
        retryPolicy: { maxRetries: 100, initialDelayMs: 2_147_483_647, maxDelayMs: 2_147_483_647, jitter: 1 },
      }),
    ).toEqual({});
  });

  it.each([2 ** 53 - 1, -(2 ** 53 - 1), 0.1, 1e21, 1.5e300])('accepts the number %d in a body', (number) => {
    expect(issuesOf({ body: { number } })).toEqual({});
  });

  it('normalizes the spelling of the zone', () => {
    const check = checkJobDefinition(draftNewJob({ ...VALID, timezone: 'europe/berlin' }).draft);
    expect(check.ok && check.definition.timezone).toBe('Europe/Berlin');
  });

  it.each<[string, JobInput, string, RegExp]>([
    ['an empty name', { name: '' }, 'name', /1 to 200/],
    ['a name of white space', { name: ' \t' }, 'name', /white space/],
    ['a name of 201 characters', { name: 'n'.repeat(201) }, 'name', /200/],
    ['a name of ten million characters', { name: 'n'.repeat(10_000_000) }, 'name', /200/],
    ['a name with NUL', { name: 'a\0b' }, 'name', /NUL/],
    ['a name with half a surrogate pair', { name: 'a\ud800' }, 'name', /surrogate/],
    ['an empty key', { key: '' }, 'key', /1 to 200/],
    ['a key with a space', { key: 'a b' }, 'key', /letters/],
    ['a description of 5,001 characters', { description: 'd'.repeat(5_001) }, 'description', /5000/],
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 'timezone', /IANA/],
    ['an offset as zone', { timezone: 'UTC+2' }, 'timezone', /IANA/],
    ['a cron of 1 field', { schedule: '*' }, 'schedule', /1 field/],
    ['a cron of 2 fields', { schedule: '* *' }, 'schedule', /2 fields/],
    ['a cron of 3 fields', { schedule: '* * *' }, 'schedule', /3 fields/],
    ['a cron of 4 fields', { schedule: '* * * *' }, 'schedule', /4 fields/],
    ['an empty schedule', { schedule: '' }, 'schedule', /empty/],
    ['the 30th of February', { schedule: '0 0 0 30 2 *' }, 'schedule', /day of month/],
    ['a schedule of 257 characters', { schedule: '*'.repeat(257) }, 'schedule', /256/],
    ['a schedule and a runAt', { runAt: new Date(0) }, 'runAt', /not both/],
    ['a window that ends before it begins', { startAt: new Date(2), endAt: new Date(1) }, 'endAt', /later/],
    ['an instant that is none', { startAt: new Date(Number.NaN) }, 'startAt', /1970 to 9999/],
    ['a URL that is not http', { api: 'ftp://example.test' }, 'api', /http/],
    ['a URL without a host', { api: 'http://' }, 'api', /host/],
    ['a URL of 2,049 characters', { api: `http://example.test/${'p'.repeat(2_029)}` }, 'api', /2048/],
    ['headers that are a list', { headers: ['Accept'] }, 'headers', /object/],
    ['a header whose name is none', { headers: { 'a b': 'c' } }, 'headers.a b', /name/],
    ['a header whose value is no text', { headers: { Accept: 1 } }, 'headers.Accept', /text/],
    ['a header with a line break', { headers: { Accept: 'a\r\nb: c' } }, 'headers.Accept', /character/],
    [
      'headers of more than 16 KB',
      { headers: Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`h${n}`, 'v'.repeat(4_000)])) },
      'headers',
      /16384/,
    ],
    ['a masked secret', { headers: { Authorization: '***' } }, 'headers.Authorization', /not shown/],
    ['a body of more than 256 KB', { body: 'b'.repeat(262_143) }, 'body', /262144/],
    ['a body that nests 65 levels', { body: nested(65) }, 'body', /64 levels/],
    ['a body that nests 100,000 levels', { body: nested(100_000) }, 'body', /64 levels/],
    ['a body that HEAD would have to send', { method: 'HEAD', body: {} }, 'body', /HEAD request/],
    ['a body with a number that is rounded', { body: [{ id: 2 ** 53 }] }, 'body', /9007199254740991/],
    ['a body with a negative one', { body: -(10 ** 20) }, 'body', /as text/],
    ['a body with NUL', { body: { a: ['\0'] } }, 'body', /NUL/],
    ['a body with NUL in a name', { body: { '\0': 1 } }, 'body', /NUL/],
    ['a timeout of 0', { timeoutMs: 0 }, 'timeoutMs', /1 to 3600000/],
    ['a negative timeout', { timeoutMs: -1 }, 'timeoutMs', /1 to 3600000/],
    ['a timeout of 2^31', { timeoutMs: 2 ** 31 }, 'timeoutMs', /1 to 3600000/],
    ['a timeout that is no number', { timeoutMs: Number.NaN }, 'timeoutMs', /1 to 3600000/],
    ['a negative jitterMs', { jitterMs: -1 }, 'jitterMs', /0 to 3600000/],
    ['a misfireGraceMs of 2^31', { misfireGraceMs: 2 ** 31 }, 'misfireGraceMs', /0 to 604800000/],
    ['a priority of 1,001', { priority: 1_001 }, 'priority', /-1000 to 1000/],
    ['no success status', { successStatuses: [] }, 'successStatuses', /At least one/],
    ['a success status that is none', { successStatuses: ['200', '9xx'] }, 'successStatuses.1', /status/],
    ['too many retries', { retryPolicy: { maxRetries: 101 } }, 'retryPolicy.maxRetries', /0 to 100/],
    [
      'a delay of 2^31',
      { retryPolicy: { initialDelayMs: 2 ** 31 } },
      'retryPolicy.initialDelayMs',
      /1 to 2147483647/,
    ],
    ['a negative delay', { retryPolicy: { maxDelayMs: -5 } }, 'retryPolicy.maxDelayMs', /1 to 2147483647/],
    ['a jitter that is no number', { retryPolicy: { jitter: Number.NaN } }, 'retryPolicy.jitter', /0 to 1/],
  ])('refuses %s, naming field and limit', (_what, input, path, message) => {
    const issues = issuesOf(input);
    expect(issues[path]).toMatch(message);
    expect(Object.keys(issues)).toEqual([path]);
    expect(issues[path]?.length).toBeLessThan(500);
  });
});
