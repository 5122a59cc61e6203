import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeyAccess, type KeyAccess } from '../../src/access/key-access.ts';
import { createApiKey, type NewApiKey } from '../../src/commands/access/create-api-key.ts';
import { revokeApiKey } from '../../src/commands/access/revoke-api-key.ts';
import type { Role } from '../../src/domain/access/role.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { Queryable } from '../../src/store/statements/sql.ts';
import { CALLER, valueOf } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { startApiServer } from '../server/api-server.ts';
import type { TestServer } from '../server/test-server.ts';
import { post, sseClient, wsClient } from '../support/graphql-clients.ts';
import { until } from '../support/until.ts';

let api: ApiHarness;
let access: KeyAccess;
let server: TestServer;
let isAway = false;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(() => api.close());
beforeEach(async () => {
  isAway = false;
  await api.pool.query('TRUNCATE api_keys');
  const db: Queryable = {
    query: (statement) =>
      isAway ? Promise.reject(new Error('connection refused')) : api.pool.query(statement),
  };
  access = createKeyAccess({ db, clock: api.clock, onError: () => undefined });
  server = await startApiServer(api, { authenticator: access });
});

const create = async (role: Role = 'ADMIN', name: string = role.toLowerCase()): Promise<NewApiKey> =>
  valueOf(await createApiKey(api.deps, CALLER, { name, role }));
const revoke = async (key: NewApiKey) => {
  valueOf(await revokeApiKey(api.deps, CALLER, { id: encodePublicId('ApiKey', key.id) }));
  await access.runOnce();
};
const bearer = ({ text }: { text: string }) => ({ Authorization: `Bearer ${text}` });
const MADE_UP = `sch_01hw000000e008000000000001_${'0'.repeat(49)}`;
const VIEWER = '{ viewer { name kind roles } }';
/** Its first event comes as soon as it has begun. */
const FOLLOW = 'subscription { systemMetrics(intervalMs: 60000) { __typename } }';

describe('over HTTP', () => {
  it.each<[string, Record<string, string>, string]>([
    ['no key', {}, 'Bearer realm="job-scheduler"'],
    ['a made-up key', bearer({ text: MADE_UP }), 'Bearer realm="job-scheduler", error="invalid_token"'],
    [
      'a password',
      { Authorization: 'Basic YWRhOnNlY3JldA==' },
      'Bearer realm="job-scheduler", error="invalid_token"',
    ],
  ])('%s is 401, and says how to come in', async (_what, headers, challenge) => {
    const answer = await post(server.url, VIEWER, {}, headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(challenge);
    expect(answer.body).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect(answer.body.data).toBeUndefined();
  });

  it('introspection needs a key like everything else', async () => {
    const query = '{ __schema { types { name } } }';
    expect((await post(server.url, query)).status).toBe(401);
    expect((await post(server.url, query, {}, bearer(await create('VIEWER')))).status).toBe(200);
  });

  it('a GET and a broken document are refused before they are read', async () => {
    expect((await fetch(`${server.url}/graphql?query=%7B__typename%7D`)).status).toBe(401);
    expect((await post(server.url, '{ nonsense')).status).toBe(401);
  });

  it('a key says who its holder is, also in the audit log', async () => {
    const key = await create('EDITOR', 'deploy');
    const { body } = await post(server.url, VIEWER, {}, bearer(key));
    expect(body.data).toEqual({
      viewer: { name: 'deploy', kind: 'API_KEY', roles: ['VIEWER', 'OPERATOR', 'EDITOR'] },
    });
    const tag = 'mutation { createTag(input: { name: "by deploy" }) { errors { message } } }';
    expect((await post(server.url, tag, {}, bearer(key))).body.errors).toBeUndefined();
    expect((await api.auditEntries()).at(-1)).toMatchObject({ actor: 'deploy', action: 'TAG_CREATED' });
  });

  it('a role that is not enough is FORBIDDEN, with the role that is', async () => {
    const { status, body } = await post(
      server.url,
      'mutation { createApiKey(input: { name: "mine", role: ADMIN }) { text } }',
      {},
      bearer(await create('EDITOR')),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      data: null,
      errors: [{ path: ['createApiKey'], extensions: { code: 'FORBIDDEN', role: 'ADMIN' } }],
    });
  });

  it('two viewers who ask the same at once read each their own', async () => {
    const keys = await Promise.all((['VIEWER', 'OPERATOR', 'EDITOR'] as const).map((role) => create(role)));
    const asked = keys.flatMap((key) => [key, key, key]);
    const answers = await Promise.all(asked.map((key) => post(server.url, VIEWER, {}, bearer(key))));
    const names = answers.map(({ body }) => (body.data as { viewer: { name: string } }).viewer.name);
    expect(names).toEqual(['viewer', 'operator', 'editor'].flatMap((name) => [name, name, name]));
  });

  it('a key is refused from the moment of its revocation, by its own mutation', async () => {
    const key = await create('ADMIN');
    const query = `mutation { revokeApiKey(input: { id: "${encodePublicId('ApiKey', key.id)}" }) { errors { message } } }`;
    expect((await post(server.url, query, {}, bearer(key))).body.errors).toBeUndefined();
    await access.runOnce();
    expect((await post(server.url, VIEWER, {}, bearer(key))).status).toBe(401);
  });

  it('nobody can tell while the database is away: 503', async () => {
    const key = await create();
    isAway = true;
    const answer = await post(server.url, VIEWER, {}, bearer(key));
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect(answer.body).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] });
  });
});

describe('over a websocket', () => {
  it.each<[string, Record<string, unknown> | undefined, RegExp]>([
    ['no key', undefined, /connectionParams/],
    ['a key that is no text', { Authorization: 7 }, /connectionParams/],
    ['a made-up key', bearer({ text: MADE_UP }), /not valid/],
  ])('%s closes it with 4403', async (_what, params, reason) => {
    const client = wsClient(server.url, params);
    client.subscribe(FOLLOW);
    expect(await client.closed).toMatchObject({
      code: 4403,
      reason: expect.stringMatching(reason) as unknown,
    });
  });

  it('a key in connectionParams lets its viewer in', async () => {
    const client = wsClient(server.url, bearer(await create('VIEWER')));
    expect(await client.subscribe(VIEWER).next()).toMatchObject({ data: { viewer: { name: 'viewer' } } });
    const forbidden = client.subscribe('mutation { createTag(input: { name: "x" }) { errors { message } } }');
    expect(await forbidden.next()).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    await client.close();
  });

  it('is closed with 4403 when its key is revoked, and others stay', async () => {
    const [key, other] = [await create('VIEWER'), await create('VIEWER', 'other')];
    const clients = [wsClient(server.url, bearer(key)), wsClient(server.url, bearer(other))] as const;
    const feeds = clients.map((client) => client.subscribe(FOLLOW));
    await Promise.all(feeds.map((feed) => feed.next()));
    await revoke(key);
    expect(await clients[0].closed).toMatchObject({
      code: 4403,
      reason: expect.stringMatching(/not valid/) as unknown,
    });
    expect(await clients[1].subscribe(VIEWER).next()).toMatchObject({ data: { viewer: { name: 'other' } } });
    await clients[1].close();
  });

  it('runs no operation of a key that has expired, and is closed', async () => {
    const expiresAt = new Date(api.clock.now().getTime() + 60_000);
    const key = valueOf(await createApiKey(api.deps, CALLER, { name: 'short', role: 'VIEWER', expiresAt }));
    const client = wsClient(server.url, bearer(key));
    // It keeps the socket open.
    client.subscribe(FOLLOW);
    expect(await client.subscribe(VIEWER).next()).toMatchObject({ data: { viewer: { name: 'short' } } });
    api.clock.set(expiresAt.toISOString());
    const late = client.subscribe(VIEWER);
    expect(await client.closed).toMatchObject({ code: 4403 });
    expect(late.all.every(({ data }) => !data)).toBe(true);
  });

  it('is closed with 1013 while the database is away: clients come back', async () => {
    const key = await create();
    isAway = true;
    const client = wsClient(server.url, bearer(key));
    client.subscribe(FOLLOW);
    expect(await client.closed).toMatchObject({ code: 1013 });
  });
});

describe('over an event stream', () => {
  it('it ends with an error when the key is revoked', async () => {
    const key = await create('VIEWER');
    const feed = await sseClient(server.url, FOLLOW, {}, {}, bearer(key));
    await feed.next();
    await revoke(key);
    expect(await feed.next()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    await expect(feed.next()).rejects.toThrow('over');
  });

  it('a client without a key gets none', async () => {
    await expect(sseClient(server.url, FOLLOW).then((feed) => feed.next())).rejects.toThrow();
  });
});

describe('the paths beside the API', () => {
  it('/metrics needs a key', async () => {
    const url = `${server.url}/metrics`;
    expect((await fetch(url)).status).toBe(401);
    const answer = await fetch(url, { headers: bearer(await create('VIEWER')) });
    expect([answer.status, (await answer.text()).includes('job_scheduler_')]).toEqual([200, true]);
  });

  it('/health tells those without a key the status alone', async () => {
    const read = async (path: string, headers = {}) =>
      (await (await fetch(`${server.url}${path}`, { headers })).json()) as Record<string, unknown>;
    expect(await read('/health/live')).toEqual({ status: 'UP' });
    expect(await read('/health/ready')).toEqual({ status: 'UP' });
    expect(await read('/health')).toEqual({ status: 'UP', live: true, ready: true });
    const headers = bearer(await create('VIEWER'));
    expect(await read('/health/ready', headers)).toEqual({ status: 'UP', reasons: [] });
    expect(await read('/health', headers)).toMatchObject({ version: '1.2.3', database: { status: 'UP' } });
  });

  it('callbacks need no key, since they have a token of their own', async () => {
    const answer = await fetch(`${server.url}/callbacks/none-of-ours`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(404);
  });
});

it('no log line holds a key, valid or not', async () => {
  const key = await create();
  await post(server.url, VIEWER, {}, bearer(key));
  await post(server.url, VIEWER, {}, bearer({ text: MADE_UP }));
  const client = wsClient(server.url, bearer(key));
  await client.subscribe(VIEWER).next();
  await client.close();
  await until(() => server.logged('Websocket closed').length > 0);
  const log = JSON.stringify(server.log);
  expect(log).not.toContain(key.text.slice(31));
  expect(log).not.toContain(MADE_UP);
});
