import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { configReference } from '../../src/config/config.ts';
import { readApiKey } from '../../src/domain/access/api-key.ts';
import { createEmptyDatabase, createTestDatabase } from '../support/database.ts';
import { post, wsClient } from '../support/graphql-clients.ts';
import { startServerProcess } from '../support/server-process.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/keys.mjs', import.meta.url));
/** The first run of a checkout compiles. */
const LIMIT_MS = 120_000;

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `npm run keys` with these arguments and variables. */
async function keys(env: Record<string, string>, ...args: string[]): Promise<Ran> {
  const unset = Object.fromEntries(configReference().map(({ name }) => [name, '']));
  const child = spawn(process.execPath, [SCRIPT, ...args], { env: { ...process.env, ...unset, ...env } });
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code) => {
      resolve(code ?? -1);
    }),
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

async function tempFolder(): Promise<string> {
  const folder = await makeTempFolder('keys');
  onTestFinished(folder.remove);
  return folder.path;
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
const VIEWER = '{ viewer { name roles } }';
const FOLLOW = 'subscription { systemMetrics(intervalMs: 60000) { __typename } }';

it(
  'creates keys in an embedded database that no server has made yet, and a server takes them',
  { timeout: LIMIT_MS },
  async () => {
    const env = { DATA_DIR: await tempFolder() };
    const created = await keys(env, 'create', '--role', 'admin', '--name', 'root');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const key = created.stdout.trim();
    expect(readApiKey(key)).not.toBeNull();

    const server = await startServerProcess({ ...env, DATABASE_URL: '', AUTH_MODE: 'keys' });
    onTestFinished(async () => {
      await server.stop();
    });
    const { body } = await post(server.url, VIEWER, {}, bearer(key));
    expect(body.data).toMatchObject({ viewer: { name: 'root' } });
    // The server found a key, so it made none.
    expect(server.output()).not.toContain('The first API key');

    // Now the database is open in the server.
    const viewer = (await keys(env, 'create', '--role', 'VIEWER')).stdout.trim();
    const socket = wsClient(server.url, bearer(viewer));
    await socket.subscribe(FOLLOW).next();
    const id = `key_${viewer.slice(4, 30)}`;
    const revokedAtMs = performance.now();
    expect(await keys(env, 'revoke', id)).toEqual({ code: 0, stdout: `${id} is revoked\n`, stderr: '' });
    expect(await socket.closed).toMatchObject({ code: 4403 });
    // Keys are read again every 30 seconds; this was announced.
    expect(performance.now() - revokedAtMs).toBeLessThan(15_000);
  },
);

it('lists, rotates and revokes keys, and writes down who did it', { timeout: LIMIT_MS }, async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const env = { DATABASE_URL: database.connectionString };
  const former = (
    await keys(env, 'create', '--role', 'EDITOR', '--name', 'deploy', '--expires', '2099-01-01T00:00:00Z')
  ).stdout.trim();
  const id = `key_${former.slice(4, 30)}`;
  const rotated = (await keys(env, 'rotate', id, '--grace-ms', '0')).stdout.trim();
  expect(readApiKey(rotated)?.id).toBe(readApiKey(former)?.id);
  expect(rotated).not.toBe(former);
  await keys(env, 'revoke', id);
  const { stdout } = await keys(env, 'list');
  expect(stdout.split('\n')).toEqual([
    expect.stringMatching(/^id +role +state +expires +last used +name$/),
    `${id}  EDITOR  revoked  2099-01-01T00:00:00.000Z  -          deploy`,
    '',
  ]);
  expect(stdout).not.toContain('sch_');

  const server = await startServerProcess({ ...env, AUTH_MODE: 'keys', DATA_DIR: await tempFolder() });
  onTestFinished(async () => {
    await server.stop();
  });
  const admin = (await keys(env, 'create', '--role', 'ADMIN')).stdout.trim();
  const { body } = await post(server.url, '{ auditLog { nodes { actor action } } }', {}, bearer(admin));
  expect(body.data).toEqual({
    auditLog: {
      nodes: ['API_KEY_CREATED', 'API_KEY_REVOKED', 'API_KEY_ROTATED', 'API_KEY_CREATED'].map((action) => ({
        actor: 'command-line',
        action,
      })),
    },
  });
  expect((await post(server.url, VIEWER, {}, bearer(rotated))).status).toBe(401);
});

describe('says what is wrong', () => {
  it.each<[string, string[], RegExp]>([
    ['an unknown command', ['make'], /There is no command "make"/],
    ['no role', ['create'], /--role is missing; allowed: VIEWER, OPERATOR, EDITOR, ADMIN/],
    ['an unknown role', ['create', '--role', 'KING'], /--role is KING/],
    ['no id', ['revoke'], /revoke needs the id of a key/],
    ['an unknown option', ['list', '--all'], /--all/],
    ['an id too many', ['list', 'key_1'], /list takes no "key_1"/],
  ])('about %s, with the usage and without a look at the database', async (_what, args, problem) => {
    const { code, stdout, stderr } = await keys({ DATABASE_URL: 'postgresql://127.0.0.1:1/none' }, ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(problem);
    expect(stderr).toContain('Usage: npm run keys');
    expect(stderr).not.toMatch(/\n +at /);
  });

  it('about a key that is not there, a name and an instant', async () => {
    const database = await createTestDatabase();
    onTestFinished(database.drop);
    const env = { DATABASE_URL: database.connectionString };
    expect(await keys(env, 'revoke', 'key_nobody')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no such key.\n',
    });
    expect(await keys(env, 'create', '--role', 'ADMIN', '--name', 'scheduler')).toMatchObject({
      code: 1,
      stderr: 'name: The audit log uses this name for another actor.\n',
    });
    expect(await keys(env, 'create', '--role', 'ADMIN', '--expires', 'soon')).toMatchObject({ code: 2 });
    expect(await keys(env, 'create', '--role', 'ADMIN', '--expires', '2020-01-01T00:00:00Z')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^expiresAt: Is in the past/) as unknown,
    });
  });

  it('about a database without tables, and one that is not there', async () => {
    const database = await createEmptyDatabase();
    onTestFinished(database.drop);
    const empty = await keys({ DATABASE_URL: database.connectionString }, 'list');
    expect(empty).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^The database has no table for API keys yet/) as unknown,
    });
    const away = await keys({ DATABASE_URL: 'postgresql://u:secret@127.0.0.1:1/none' }, 'list');
    expect(away.code).toBe(1);
    expect(away.stderr).toContain('127.0.0.1:1');
    expect(away.stderr).not.toContain('secret');
  });
});

it('generates a key for BOOTSTRAP_ADMIN_KEY without any database', async () => {
  const { code, stdout } = await keys({ DATABASE_URL: 'postgresql://127.0.0.1:1/none' }, 'generate');
  expect(code).toBe(0);
  expect(readApiKey(stdout.trim())).not.toBeNull();
});
