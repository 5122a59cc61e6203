import { readFile } from 'node:fs/promises';
import { Kind, parse, print } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LARGEST_CHUNK, BULK_LIMITS } from '../../src/commands/jobs/job-chunks.ts';
import { UPSERT_LIMITS } from '../../src/commands/jobs/upsert-errors.ts';
import { MAX_BLOCKED } from '../../src/domain/job/concurrency.ts';
import { DEFAULT_RETRY_POLICY, RETRY_LIMITS } from '../../src/domain/execution/retry.ts';
import { MAX_STATUS_PATTERNS } from '../../src/domain/request/status-pattern.ts';
import { TAG_LIMITS } from '../../src/domain/job/tag.ts';
import { WHERE_LIMITS } from '../../src/graphql/filters/read-where.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const page = await readFile(new URL('../../docs/jobs.md', import.meta.url), 'utf8');
/** Without the padding of the formatter. */
const text = page.replaceAll(/\s+/g, ' ');
const operations = [...page.matchAll(/```graphql\n([\s\S]*?)```/g)].map(([, source]) => source ?? '');

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});

type Payload = { job?: { id?: string }; errors?: object[] };

describe('docs/jobs.md', () => {
  it('shows operations that have the described results, one after the other', async () => {
    const answers: Record<string, unknown> = {};
    let id = '';
    for (const source of operations) {
      const [operation] = parse(source).definitions;
      const name = operation?.kind === Kind.OPERATION_DEFINITION ? operation.name?.value : undefined;
      const data = await api.query<Record<string, Payload>>(
        print(parse(source)).replaceAll('job_01h455vb4pex5vsknk084sn02q', id),
      );
      for (const payload of Object.values(data)) expect(payload.errors ?? []).toEqual([]);
      id ||= data['createJob']?.job?.id ?? '';
      answers[name ?? ''] = data;
    }
    expect(answers).toMatchObject({
      Create: { createJob: { job: { version: 1, tags: [{ name: 'billing' }, { name: 'prod' }] } } },
      Change: { updateJob: { job: { version: 2, timeoutMs: 60_000 } } },
      Deploy: { upsertJobs: { createdCount: 1, changedCount: 1, unchangedCount: 0 } },
      Tag: {
        addJobTags: { job: { tags: [{}, {}, {}, { name: 'team blue' }] } },
        removeJobTags: { job: { version: 5 } },
      },
      Tags: { tags: { nodes: [{ name: 'billing', jobs: { totalCount: 1 } }, {}, {}, {}] } },
      Find: { jobs: { nodes: [] } },
      Maintenance: { pauseJobs: { matchedCount: 1, changedCount: 1 } },
      Over: { resumeJobs: { matchedCount: 1, changedCount: 1 } },
      Tidy: { deleteJobs: { changedCount: 0 } },
    });
  });

  it('states the actual defaults and limits of a retry policy', () => {
    const { maxRetries, delayMs, jitter } = RETRY_LIMITS;
    const range = ({ min, max }: { min: number; max: number }) =>
      `${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
    const { retryOn, ...policy } = DEFAULT_RETRY_POLICY;
    const rows = [
      `| \`maxRetries\` | ${policy.maxRetries} | ${range(maxRetries)} |`,
      `| \`backoffStrategy\` | \`${policy.backoffStrategy}\` |`,
      `| \`initialDelayMs\` | ${policy.initialDelayMs.toLocaleString('en')} | ${range(delayMs)} |`,
      `| \`maxDelayMs\` | ${policy.maxDelayMs.toLocaleString('en')} | ${range(delayMs)} |`,
      `| \`jitter\` | ${policy.jitter} | ${range(jitter)} |`,
      `| \`retryOn\` | ${retryOn.map((status) => `\`${status}\``).join(' ')} | ${MAX_STATUS_PATTERNS} of`,
      `| \`respectRetryAfter\` | ${policy.respectRetryAfter} |`,
    ];
    for (const row of rows) expect(text).toContain(row);
  });

  it('states the actual limits', () => {
    const limits = [
      `up to ${UPSERT_LIMITS.jobs.toLocaleString('en')} jobs in one call`,
      `1 to ${TAG_LIMITS.name.max} characters. A job may have ${TAG_LIMITS.perJob}.`,
      `as deep as ${WHERE_LIMITS.depth} levels`,
      `${WHERE_LIMITS.size} conditions and ${WHERE_LIMITS.lists.toLocaleString('en')} values in all its lists together, a list ${WHERE_LIMITS.list.toLocaleString('en')} values, a text ${WHERE_LIMITS.text.toLocaleString('en')} characters`,
      `(${BULK_LIMITS.defaultLimit.toLocaleString('en')} where none is given, ${BULK_LIMITS.limit.max.toLocaleString('en')} at most)`,
      `transactions of up to ${LARGEST_CHUNK} jobs`,
      `While ${MAX_BLOCKED.toLocaleString('en')} executions of a job wait as BLOCKED`,
    ];
    for (const limit of limits) expect(text).toContain(limit);
  });
});
