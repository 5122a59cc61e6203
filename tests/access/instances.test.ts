import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SECRET_BYTES, writeApiKey } from '../../src/domain/access/api-key.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { post, sseClient, wsClient } from '../support/graphql-clients.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');

const FOLLOW = 'subscription { systemMetrics(intervalMs: 60000) { __typename } }';
const VIEWER = '{ viewer { name } }';
/** The keys are read again every 30 seconds: what comes sooner was announced. */
const ANNOUNCED_MS = 10_000;
const bearer = (text: string) => ({ Authorization: `Bearer ${text}` });

it('a key that is revoked on one instance ends its sockets and streams on every other at once', async () => {
  const admin = writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  const env = { AUTH_MODE: 'keys', BOOTSTRAP_ADMIN_KEY: admin };
  const one = await world.startServer(env);
  const other = await world.startServer(env);

  const created = await post<{ createApiKey: { text: string; apiKey: { id: string } } }>(
    one.url,
    'mutation { createApiKey(input: { name: "grafana", role: VIEWER }) { text apiKey { id } } }',
    {},
    bearer(admin),
  );
  const { text, apiKey } = created.body.data?.createApiKey ?? { text: '', apiKey: { id: '' } };
  const socket = wsClient(other.url, bearer(text));
  const stream = await sseClient(other.url, FOLLOW, {}, {}, bearer(text));
  await Promise.all([socket.subscribe(FOLLOW).next(), stream.next()]);

  const revokedAtMs = performance.now();
  await post(
    one.url,
    `mutation { revokeApiKey(input: { id: "${apiKey.id}" }) { errors { message } } }`,
    {},
    bearer(admin),
  );
  expect(await socket.closed).toMatchObject({ code: 4403 });
  expect(await stream.next()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  expect(performance.now() - revokedAtMs).toBeLessThan(ANNOUNCED_MS);
  for (const server of [one, other]) {
    expect((await post(server.url, VIEWER, {}, bearer(text))).status).toBe(401);
    expect((await post(server.url, VIEWER, {}, bearer(admin))).status).toBe(200);
  }
});

it('a server without keys writes one to a file, and its log says where and never what', async () => {
  const folder = await makeTempFolder('data');
  onTestFinished(folder.remove);
  const server = await world.startServer({ AUTH_MODE: 'keys', DATA_DIR: folder.path });
  const file = join(folder.path, 'first-admin-key');
  const [line] = server.logged('The first API key, with the role ADMIN, is in a file');
  expect(line?.['file']).toBe(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const text = (await readFile(file, 'utf8')).trim();
  const answer = await post(server.url, VIEWER, {}, bearer(text));
  expect(answer.body.data).toEqual({ viewer: { name: 'first admin key' } });
  await until(() => server.logged('Ready').length > 0);
  await server.stop();
  expect(server.output()).not.toContain(text);
});
