import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { tablesOf } from '../support/table-digests.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');

/** Occurs in no other text. */
const SECRET = 'pl4nted-v4lue';

const READ = /* GraphQL */ `
  query ($id: ID!, $job: ID!) {
    job(id: $job) {
      name
      api
      headers
      body
      auditLog(first: 10) {
        nodes {
          before
          after
        }
      }
    }
    execution(id: $id) {
      status
      errorMessage
      request {
        url
        headers
        body
      }
      attempts {
        errorMessage
      }
      logs(first: 50) {
        nodes {
          message
          metadata
        }
      }
    }
    deadLetters(first: 10) {
      nodes {
        errorMessage
        execution {
          request {
            body
          }
        }
      }
    }
  }
`;

/** The columns that hold the text, as `table.column`. */
async function columnsWith(text: string): Promise<string[]> {
  const found = new Set<string>();
  for (const table of await tablesOf(world.pool)) {
    const { rows } = await world.pool.query<{ name: string }>(
      `SELECT DISTINCT field.key AS name FROM ${table} AS t, jsonb_each(to_jsonb(t)) AS field
       WHERE field.value::text LIKE $1`,
      [`%${text}%`],
    );
    for (const { name } of rows) found.add(`${table}.${name}`);
  }
  return [...found].toSorted();
}

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
}

it('A secret of a job goes to its target, and is not shown, searchable, logged or stored elsewhere', async () => {
  const logs = await makeTempFolder('secrets');
  onTestFinished(() => logs.remove());
  const server = await world.startServer({ LOG_DIR: logs.path, LOG_LEVEL: 'debug' });
  const api = apiClient(server);
  const { target } = world;
  target.script('/work', 500);
  const secrets = {
    api: `${target.url.replace('//', `//ada:${SECRET}@`)}/work?token=${SECRET}&page=1`,
    headers: { 'X-Api-Key': SECRET },
    body: { page: 1, login: { password: SECRET } },
  };
  const retryPolicy = { maxRetries: 1, initialDelayMs: 1 };
  const job = await api.createJob({ ...secrets, name: 'Of secrets', method: 'POST', retryPolicy });
  const id = await api.trigger(job);
  const read = await until(async () => {
    const answer = await api.query<{ execution: { status: string } }>(READ, { id, job: job.id });
    return answer.execution.status === 'FAILED' ? answer : null;
  });
  const [call] = await target.received('/work', 2);
  expect(call?.query).toBe(`?token=${SECRET}&page=1`);
  expect(call?.headers['authorization']).toBe(`Basic ${Buffer.from(`ada:${SECRET}`).toString('base64')}`);
  expect(call?.headers['x-api-key']).toBe(SECRET);
  expect(JSON.parse(call?.body ?? '')).toEqual(secrets.body);

  await api.query(
    `mutation ($input: UpdateJobInput!) { updateJob(input: $input) { job { id } errors { code message } } }`,
    {
      input: {
        id: job.id,
        body: { page: 2, login: { password: '***' } },
        api: `${target.url}/?token=${SECRET}`,
      },
    },
  );
  const again = await api.query(READ, { id, job: job.id });
  for (const answer of [read, again]) {
    expect(JSON.stringify(answer)).toContain('***');
    expect(JSON.stringify(answer)).not.toContain(SECRET);
  }

  type Found = { jobs: { totalCount: number } };
  const count = async (contains: string) =>
    (
      await api.query<Found>(
        `query ($contains: String) { jobs(where: { api: { contains: $contains } }) { totalCount } }`,
        {
          contains,
        },
      )
    ).jobs.totalCount;
  expect(await count('/?token=***')).toBe(1);
  expect(await count(SECRET.slice(0, 2))).toBe(0);

  expect(await columnsWith(SECRET)).toEqual(['jobs.api', 'jobs.body', 'jobs.headers']);
  await server.stop();
  const written = [...(await filesOf(logs.path)), server.output()];
  expect(written.join('\n')).toContain(id);
  expect(written.filter((text) => text.includes(SECRET))).toEqual([]);
});
