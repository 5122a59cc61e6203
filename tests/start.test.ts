import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
const SHIPPED = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'prisma/schema.prisma'];

let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'a project '));
  const scripts = ['start', 'run-compiled', 'compile'].map((name) => `scripts/${name}.mjs`);
  for (const file of [...SHIPPED, ...scripts]) {
    cpSync(join(repository, file), join(project, file));
  }
  write('package.json', '{ "type": "module" }');
  write('scripts/generate.mjs', '');
  write('src/word.ts', `export const word: string = 'first';`);
  write(
    'src/main.ts',
    `import { word } from './word.ts';\nconsole.log(word, process.env['COLOR'], process.pid);`,
  );
  symlinkSync(join(repository, 'node_modules'), join(project, 'node_modules'));
});

afterEach(() => {
  rmSync(project, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  mkdirSync(join(project, file, '..'), { recursive: true });
  writeFileSync(join(project, file), text);
}

function start(env: NodeJS.ProcessEnv = {}): Promise<{ code: number; out: string; pid: number | undefined }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(project, 'scripts/start.mjs')],
      { cwd: tmpdir(), env: { PATH: process.env['PATH'], ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr, pid: child.pid });
      },
    );
  });
}

describe('npm start', () => {
  it('compiles when something has changed, and only then', async () => {
    expect((await start()).out).toMatch(/^first /);
    const compiled = statSync(join(project, 'dist')).ino;
    expect((await start()).out).toMatch(/^first /);
    expect(statSync(join(project, 'dist')).ino).toBe(compiled);

    write('src/word.ts', `export const word: string = 'second';`);
    expect((await start()).out).toMatch(/^second /);
  });

  it('becomes the server itself, so that signals reach it', async () => {
    const { out, pid } = await start();
    expect(out.trim()).toMatch(new RegExp(` ${String(pid)}$`));
  });

  it('reads .env, and lets the environment win', async () => {
    write('.env', 'COLOR=green\n');
    expect((await start()).out).toMatch(/^first green /);
    expect((await start({ COLOR: 'red' })).out).toMatch(/^first red /);
  });

  it('starts what is built where the compiler is not installed', async () => {
    await start();
    unlinkSync(join(project, 'node_modules'));
    write('src/word.ts', `export const word: string = 'second';`);
    expect((await start()).out).toMatch(/^first /);
  });

  it('says what to do where nothing is built and nothing is installed', async () => {
    unlinkSync(join(project, 'node_modules'));
    expect(await start()).toMatchObject({
      code: 1,
      out: 'Nothing is built and the compiler is not installed. Run "npm ci" first.\n',
    });
  });

  it('shows what the compiler says and fails, and leaves no folder behind', async () => {
    write('src/main.ts', 'const = ;');
    const { code, out } = await start();
    expect(code).toBe(1);
    expect(out).toContain('main.ts(1,');
    expect(() => statSync(join(project, 'dist'))).toThrow('ENOENT');
  });

  it('of two at once in one checkout both start', async () => {
    const both = await Promise.all([start(), start()]);
    expect(both.map(({ out }) => out.split(' ')[0])).toEqual(['first', 'first']);
  });
});
