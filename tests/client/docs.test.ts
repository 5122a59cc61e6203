import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLIENT = join(ROOT, 'client');
const PAGES = ['client/README.md', 'docs/persisted-operations.md'];

/** The assumed surroundings of an example in the page. */
const AROUND = `
import type { ApolloClient } from '@apollo/client';
import type { Client } from '@urql/core';
import type { ExecutionWhere } from 'job-scheduler-client/documents';
import type { Transport } from 'job-scheduler-client/transport';

declare global {
  const session: { token: string };
  const client: Client;
  const urqlClient: Client;
  const apolloClient: ApolloClient;
  const transport: Transport;
  const where: ExecutionWhere;
  const table: { replace: (rows: readonly object[]) => void; put: (row: object) => void };
  function showProblem(error: Error): void;
  function showExecution(execution: object): void;
  function showItem(result: object): void;
  function readEverythingAnew(): void;
  function readTheList(): Promise<void>;
}
`;

/** The examples of a page, as files next to the client's sources. */
async function examplesOf(page: string): Promise<[string, string][]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  return [...text.matchAll(/```(tsx?)\n([\s\S]*?)```/g)].map(([, kind, source], index) => [
    join(CLIENT, `${page.replaceAll(/\W/g, '-')}-${index + 1}.${kind ?? ''}`),
    `${source ?? ''}export {};\n`,
  ]);
}

/** Compiles files that are not on disk as strictly as the client itself. */
function problemsOf(files: ReadonlyMap<string, string>): string[] {
  const config = ts.readConfigFile(join(CLIENT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const options: ts.CompilerOptions = {
    ...ts.parseJsonConfigFileContent(config.config, ts.sys, CLIENT).options,
    // An example starts code that its reader completes.
    noUnusedLocals: false,
    noUnusedParameters: false,
    jsx: ts.JsxEmit.ReactJSX,
    paths: {
      'job-scheduler-client/documents': [join(CLIENT, 'src/generated/graphql.ts')],
      'job-scheduler-client/react': [join(CLIENT, 'src/react/hooks.ts')],
      'job-scheduler-client/*': [join(CLIENT, 'src/*.ts')],
    },
  };
  const host = ts.createCompilerHost(options);
  const onDisk = { fileExists: host.fileExists.bind(host), readFile: host.readFile.bind(host) };
  host.fileExists = (path) => files.has(path) || onDisk.fileExists(path);
  host.readFile = (path) => files.get(path) ?? onDisk.readFile(path);
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file === undefined ? '' : `${file.getLineAndCharacterOfPosition(start).line + 1}`;
    return `${file?.fileName ?? ''}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

it('examples of the client in the documentation compile without changes', { timeout: 120_000 }, async () => {
  const examples = (await Promise.all(PAGES.map(examplesOf))).flat();
  expect(examples.length).toBeGreaterThan(PAGES.length);
  expect(problemsOf(new Map([[join(CLIENT, 'around.ts'), AROUND], ...examples]))).toEqual([]);
});
