import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configReference, loadConfig } from '../src/config/config.ts';

type Service = {
  build?: string;
  image?: string;
  restart: string;
  environment: Record<string, string>;
  healthcheck: { test: string[] };
  volumes: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  stop_grace_period: string;
};
type Compose = { services: { postgres: Service; scheduler: Service }; volumes: Record<string, null> };

const file = fileURLToPath(new URL('../docker-compose.yml', import.meta.url));
const { services, volumes } = parse(readFileSync(file, 'utf8')) as Compose;
const { postgres, scheduler } = services;

/** The value that Compose uses for `${NAME:-default}` when NAME is not set. */
function withDefaults(environment: Record<string, string>): Record<string, string> {
  const entries = Object.entries(environment);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')]),
  );
}

describe('docker-compose.yml', () => {
  it('follows the schema of Compose and the rules of its linter', async () => {
    const linter = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
    const linted = promisify(execFile)(process.execPath, [
      join(linter, 'bin/dclint.cjs'),
      file,
      '--max-warnings',
      '0',
    ]);
    await expect(linted).resolves.toMatchObject({ stdout: expect.not.stringContaining('error') as string });
  });

  it('gives the scheduler an environment that its configuration accepts, without unknown variables', () => {
    const known = configReference().map(({ name }) => name);
    expect(known).toEqual(expect.arrayContaining(Object.keys(scheduler.environment)));
    expect(loadConfig(withDefaults(scheduler.environment))).toMatchObject({
      nodeEnv: 'production',
      databaseUrl: 'postgresql://scheduler_runtime:scheduler@postgres:5432/job_scheduler',
      databaseDirectUrl: undefined,
    });
  });

  it('gives the scheduler access to the database that PostgreSQL creates', () => {
    const { username, password, pathname } = new URL(
      withDefaults(scheduler.environment)['DATABASE_MIGRATION_URL'] ?? '',
    );
    expect(withDefaults(postgres.environment)).toEqual({
      POSTGRES_USER: username,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: pathname.slice(1),
    });
  });

  it('runs the scheduler under a role that does not own the tables, in the same database', () => {
    const { DATABASE_URL, DATABASE_MIGRATION_URL } = withDefaults(scheduler.environment);
    const [runtime, owner] = [new URL(DATABASE_URL ?? ''), new URL(DATABASE_MIGRATION_URL ?? '')];
    expect(runtime.username).not.toBe(owner.username);
    expect([runtime.host, runtime.pathname]).toEqual([owner.host, owner.pathname]);
  });

  it('keeps the database of PostgreSQL 16 in a named volume', () => {
    expect(postgres.image).toBe('postgres:16');
    expect(postgres.volumes).toEqual(['postgres-data:/var/lib/postgresql/data']);
    expect(volumes).toHaveProperty('postgres-data');
  });

  it('starts the scheduler once the database is healthy, and both again after a crash', () => {
    expect(scheduler.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    for (const service of Object.values(services)) {
      expect(service.restart).toBe('unless-stopped');
      expect(service.healthcheck.test[0]).toBe('CMD');
    }
  });

  it('publishes the scheduler to this machine only, and the database not at all', () => {
    expect(scheduler.ports).toEqual(['127.0.0.1:${PORT:-3000}:3000']);
    expect(postgres.ports).toBeUndefined();
  });

  it('waits longer for the scheduler to stop than the scheduler waits for its calls', () => {
    const { shutdownGraceMs } = loadConfig({});
    expect(parseInt(scheduler.stop_grace_period) * 1000).toBeGreaterThanOrEqual(shutdownGraceMs + 10_000);
  });

  it('checks the health of the scheduler with code that works', async () => {
    const [, command, flag, code = ''] = scheduler.healthcheck.test;
    expect([command, flag]).toEqual(['node', '-e']);
    // Nothing listens on the port here. The test only checks that the code itself runs.
    const failed = promisify(execFile)(process.execPath, ['-e', code.replace(':3000', ':1')]);
    await expect(failed).rejects.toMatchObject({ code: 1, stderr: '' });
  });
});
