import { execFile } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeTempFolder } from '../support/temp-folder.ts';

const runFile = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = fileURLToPath(new URL('app', import.meta.url));

/** Packages that the app installs beside the client, in this project's versions. */
const OWN_VERSIONS = [
  '@apollo/client',
  '@types/react',
  '@types/react-dom',
  '@urql/core',
  '@urql/exchange-graphcache',
  'graphql-ws',
  'react',
  'react-dom',
  'rxjs',
  'typescript',
  'urql',
  'wonka',
];
/** The tests of the client's sources use graphql 16. */
const GRAPHQL = '^17.0.0';

/** The same as in Vite's template for React. */
const COMPILER_OPTIONS = {
  strict: true,
  // The types of Apollo Client do not compile strictly.
  skipLibCheck: true,
  target: 'es2023',
  lib: ['ES2023', 'DOM', 'DOM.Iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  types: [],
  jsx: 'react-jsx',
  noUnusedLocals: true,
  noUnusedParameters: true,
  outDir: 'compiled',
};

export type InstalledApp = {
  path: string;
  /** The installed package. */
  client: string;
  /** Runs a script of the app, or of one of its packages, with this Node, and returns its output. */
  run: (...args: string[]) => Promise<string>;
  remove: () => Promise<void>;
};

/** Packs the client and installs it with npm in an app that contains nothing else of this project. */
export async function installApp(): Promise<InstalledApp> {
  const folder = await makeTempFolder('installed-app');
  const { path } = folder;
  const run = async (command: string, args: string[], cwd: string): Promise<string> => {
    try {
      return (await runFile(command, args, { cwd })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${stdout}${stderr}`, { cause: error });
    }
  };

  await run('npm', ['pack', './client', '--foreground-scripts=false', '--pack-destination', path], ROOT);
  await cp(SOURCES, path, { recursive: true });
  await writeFile(
    join(path, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include: ['*.ts', '*.tsx'] }),
  );
  const versions = await Promise.all(
    OWN_VERSIONS.map(async (name) => [name, await versionOf(name)] as const),
  );
  const dependencies = {
    ...Object.fromEntries(versions),
    graphql: GRAPHQL,
    'job-scheduler-client': 'file:job-scheduler-client-0.1.0.tgz',
  };
  await writeFile(
    join(path, 'package.json'),
    JSON.stringify({ type: 'module', private: true, dependencies }),
  );
  // Install scripts stay off: the tarball contains everything that the client needs.
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], path);
  return {
    path,
    client: join(path, 'node_modules', 'job-scheduler-client'),
    run: (...args) => run(process.execPath, args, path),
    remove: folder.remove,
  };
}

async function versionOf(name: string): Promise<string> {
  const { version } = JSON.parse(
    await readFile(join(ROOT, 'node_modules', name, 'package.json'), 'utf8'),
  ) as {
    version: string;
  };
  return version;
}
