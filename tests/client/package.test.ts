import { execFile } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { makeTempFolder } from '../support/temp-folder.ts';

const runFile = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Runs a script with this Node, and tells what it wrote where it fails. */
async function run(...args: string[]): Promise<string> {
  try {
    return (await runFile(process.execPath, args)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${stdout}${stderr}`, { cause: error });
  }
}

/** What a dashboard might write: it must compile strictly, and run. */
const USER = `
import {
  ListJobsDocument,
  WatchExecutionsDocument,
  type WatchExecutionsSubscription,
} from 'job-scheduler-client/documents';
import { createApolloClient } from 'job-scheduler-client/apollo';
import { followState } from 'job-scheduler-client/live-state';
import { createTransport } from 'job-scheduler-client/transport';
import { createUrqlClient } from 'job-scheduler-client/urql';

declare const process: { stdout: { write: (text: string) => void } };
class NoSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  close = () => undefined;
  addEventListener = () => undefined;
}
const options = { url: 'http://127.0.0.1:1/graphql', webSocket: NoSocket };
const transport = createTransport(options);
const urql = createUrqlClient(options);
const apollo = createApolloClient(options);

export async function names(): Promise<string[]> {
  const variables = { where: { status: ['ACTIVE' as const] } };
  const { data } = await urql.client.query(ListJobsDocument, variables);
  const again = await apollo.client.query({ query: ListJobsDocument, variables });
  return (data ?? again.data)?.jobs.nodes.map(({ name }) => name) ?? [];
}
export const follow = () =>
  followState<WatchExecutionsSubscription, string[]>({
    subscribe: (sink, more) => transport.subscribe({ query: WatchExecutionsDocument, variables: {} }, sink, more),
    load: names,
    onState: () => undefined,
    onEvent: ({ execution }) => execution.job.name,
  });

for (const { close } of [transport, urql.transport, apollo.transport]) close();
apollo.client.stop();
process.stdout.write('It runs');
`;

it('compiles and runs in a project that has nothing else of this one', { timeout: 120_000 }, async () => {
  const folder = await makeTempFolder('client-package');
  onTestFinished(folder.remove);
  const installed = join(folder.path, 'node_modules');
  const own = join(installed, 'job-scheduler-client');
  await mkdir(own, { recursive: true });
  for (const name of [
    'graphql',
    'graphql-ws',
    '@graphql-typed-document-node',
    '@urql',
    '@0no-co',
    'wonka',
    '@apollo',
    'rxjs',
  ])
    await symlink(join(ROOT, 'node_modules', name), join(installed, name));
  await run(TSC, '-p', join(ROOT, 'client/tsconfig.build.json'), '--noCheck', '--outDir', join(own, 'dist'));
  await cp(join(ROOT, 'client/package.json'), join(own, 'package.json'));

  const compilerOptions = {
    strict: true,
    // Those of Apollo Client do not compile strictly.
    skipLibCheck: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
  };
  await writeFile(join(folder.path, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(
    join(folder.path, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['user.ts'] }),
  );
  await writeFile(join(folder.path, 'user.ts'), USER);
  await run(TSC, '-p', folder.path);
  expect(await run(join(folder.path, 'user.js'))).toBe('It runs');
});
