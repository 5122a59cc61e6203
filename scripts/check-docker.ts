// Proves the Dockerfile where there is no Docker: carries out its own instructions in clean folders as an unprivileged
// user, looks at what would be in the image, starts it, asks its health check, and stops it.
//
//   npx tsx scripts/check-docker.ts             with an embedded PostgreSQL
//   CHECK_DATABASE_URL=postgresql://… …         with a server that is there, and a database of its own
//   CHECK_NODE=/path/to/bin/node …              with another Node than this one, such as the image's
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { parseDockerignore } from './check-docker/build-context.ts';
import { parseDockerfile } from './check-docker/dockerfile.ts';
import { asRunner, giveTo, RUNNER } from './check-docker/runner.ts';
import { buildStage } from './check-docker/stage-builder.ts';
import type { BuiltStage } from './check-docker/stage-builder.ts';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 40_000;

const repository = fileURLToPath(new URL('..', import.meta.url));
const node = process.env['CHECK_NODE'] ?? process.execPath;
const log = (text: string): void => {
  console.log(`check-docker: ${text}`);
};

async function main(): Promise<void> {
  const workspace = mkdtempSync(join(tmpdir(), 'check-docker-'));
  try {
    // A new temporary folder is closed to everyone else, and the runner must pass through it.
    chmodSync(workspace, 0o755);
    const baseEnv = makeBaseEnv(workspace);
    const image = buildImage(workspace, baseEnv);
    inspectImage(image);
    await withDatabase(workspace, (databaseUrl) =>
      tryImage(image, { ...baseEnv, DATABASE_URL: databaseUrl }),
    );
    log('the Dockerfile builds an image that starts, is healthy and stops');
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

/** The environment of a fresh container, and beside it only what this machine's network may ask for. */
function makeBaseEnv(workspace: string): Record<string, string> {
  const home = join(workspace, 'home');
  mkdirSync(home);
  giveTo(home, RUNNER, RUNNER);
  const passed = Object.entries(process.env).filter(([name]) =>
    /^(https?_proxy|no_proxy|npm_config_registry|node_extra_ca_certs|ssl_cert_(file|dir))$/i.test(name),
  );
  return {
    ...(Object.fromEntries(passed) as Record<string, string>),
    PATH: [dirname(node), process.env['PATH'] ?? ''].join(delimiter),
    HOME: home,
  };
}

function buildImage(workspace: string, baseEnv: Record<string, string>): BuiltStage {
  const rules = parseDockerignore(readFileSync(join(repository, '.dockerignore'), 'utf8'));
  const stages = parseDockerfile(readFileSync(join(repository, 'Dockerfile'), 'utf8'));
  const built = new Map<string, BuiltStage>();
  for (const stage of stages) {
    log(`stage ${stage.name}, from ${stage.base}`);
    built.set(
      stage.name,
      buildStage(stage, built, { context: { folder: repository, rules }, workspace, baseEnv, log }),
    );
  }
  const image = built.get(stages.at(-1)?.name ?? '');
  if (image === undefined) throw new Error('The Dockerfile has no stage.');
  return image;
}

/** What must be so in the image itself: who runs it, and what is not in it. */
function inspectImage(image: BuiltStage): void {
  const app = join(image.folder, image.workdir);
  expect(image.user === `${RUNNER}:${RUNNER}`, `USER is ${image.user}, not ${RUNNER}:${RUNNER}`);
  expect(
    image.healthcheck[0] === 'node',
    'HEALTHCHECK does not use node, the only program that is sure to be there',
  );

  const manifest = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as Record<
    string,
    object | undefined
  >;
  const unwanted = Object.keys({ ...manifest['devDependencies'], ...manifest['optionalDependencies'] });
  const found = unwanted.filter((name) => existsSync(join(app, 'node_modules', name)));
  // A package that is also needed by one of production's stays, by right.
  const required = found.filter((name) => !isNeededInProduction(name));
  expect(
    required.length === 0,
    `the image has ${required.join(', ')} from devDependencies or optionalDependencies`,
  );
  const extra = readdirSync(app).filter((name) => /^(\.env|\.git|src|tests|docs)$/.test(name));
  expect(extra.length === 0, `the image has ${extra.join(', ')}`);
}

function isNeededInProduction(name: string): boolean {
  type Lock = {
    packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean } | undefined>;
  };
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as Lock;
  const entry = lock.packages[`node_modules/${name}`];
  return entry !== undefined && !entry.dev && !entry.optional && !entry.devOptional;
}

async function withDatabase(workspace: string, use: (databaseUrl: string) => Promise<void>): Promise<void> {
  const given = process.env['CHECK_DATABASE_URL'];
  if (given !== undefined) {
    await use(given);
    return;
  }
  const dataDir = join(workspace, 'database');
  const server = await startEmbeddedPostgres({ dataDir });
  try {
    await use(server.connectionString);
  } finally {
    await server.stop();
  }
}

async function tryImage(image: BuiltStage, baseEnv: Record<string, string>): Promise<void> {
  const cwd = join(image.folder, image.workdir);
  const env = { ...baseEnv, ...Object.fromEntries(image.env), PORT: String(await findFreePort()) };
  const [command = '', ...args] = image.cmd;
  log(`starting ${image.cmd.join(' ')}`);
  const server = spawn(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'], ...asRunner });
  try {
    await untilHealthy(server, image.healthcheck, cwd, env);
    log(`healthy; sending ${image.stopSignal}`);
    server.kill(image.stopSignal as NodeJS.Signals);
    const [code, signal] = (await once(server, 'exit', {
      signal: AbortSignal.timeout(STOP_LIMIT_MS),
    })) as unknown[];
    expect(code === 0, `the server ended with ${String(code ?? signal)} instead of 0`);
  } finally {
    server.kill('SIGKILL');
  }
}

async function untilHealthy(
  server: ChildProcess,
  healthcheck: readonly string[],
  cwd: string,
  env: Record<string, string>,
): Promise<void> {
  const [command = '', ...args] = healthcheck;
  const until = Date.now() + START_LIMIT_MS;
  while (Date.now() < until) {
    expect(
      server.exitCode === null && server.signalCode === null,
      'the server ended while it should be starting',
    );
    const healthy = await promisify(execFile)(command, args, { cwd, env, ...asRunner }).then(
      () => true,
      () => false,
    );
    if (healthy) return;
    await delay(500);
  }
  throw new Error('check-docker: the health check did not succeed in time');
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`check-docker: ${otherwise}`);
}

await main();
