import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseDockerignore } from '../scripts/check-docker/build-context.ts';
import { expand, parseDockerfile } from '../scripts/check-docker/dockerfile.ts';
import { loadConfig } from '../src/config/config.ts';

function read(file: string): string {
  return readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8');
}

describe('the Dockerfile', () => {
  const stages = parseDockerfile(read('Dockerfile'));
  const image = stages.at(-1);
  const valuesOf = (name: string): unknown[] =>
    image?.instructions.filter((instruction) => instruction.name === name).map(({ value }) => value) ?? [];

  it('builds every stage on the same Node', () => {
    expect(new Set(stages.map(({ base }) => base))).toEqual(new Set(['node:26-trixie-slim']));
  });

  it('runs as user 1001, who owns only the folders for logs and data', () => {
    expect(valuesOf('USER')).toEqual(['1001:1001']);
    const owned = image?.instructions.filter(({ flags }) => flags.has('chown')).map(({ value }) => value);
    expect(owned).toEqual(['/app/logs ./logs', '/app/data ./data']);
  });

  it('starts node itself, which then receives the stop signal', () => {
    expect(valuesOf('CMD')).toEqual([
      ['node', expect.stringMatching(/^--max-semi-space-size=/), 'dist/main.js'],
    ]);
    expect(valuesOf('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('requests the live endpoint for its health', () => {
    expect(valuesOf('HEALTHCHECK')).toEqual([expect.stringMatching(/^CMD \["node", "-e", .*\/health\/live/)]);
  });

  it('sets nothing that the configuration refuses', () => {
    const env = Object.fromEntries(
      valuesOf('ENV').map((text) => String(text).split('=')) as [string, string][],
    );
    expect(loadConfig(env)).toMatchObject({ nodeEnv: 'production', host: '0.0.0.0', port: 3000 });
  });
});

describe('the build context', () => {
  const { ignores, mayKeepWithin } = parseDockerignore(read('.dockerignore'));

  it.each([
    '.env',
    '.env.local',
    '.git/config',
    'node_modules/pg/index.js',
    'data/PG_VERSION',
    'logs/all.log',
    'tests/a.ts',
    'src/generated/a.ts',
    'dist/main.js',
    'scripts/check-docker.ts',
    'scripts/check-docker/copy.ts',
  ])('leaves out %s', (path) => {
    expect(ignores(path)).toBe(true);
  });

  it.each([
    'package.json',
    'package-lock.json',
    '.npmrc',
    'src/main.ts',
    'src/domain/execution/retry.ts',
    'prisma/schema.prisma',
    'prisma/migrations/1/migration.sql',
    'scripts/generate.mjs',
    'tsconfig.build.json',
  ])('holds %s', (path) => {
    expect(ignores(path)).toBe(false);
  });

  it('is entered only where files are kept', () => {
    expect(mayKeepWithin('scripts')).toBe(true);
    expect(mayKeepWithin('data')).toBe(false);
  });
});

describe('parseDockerfile', () => {
  it('joins continued lines, drops comments within them, and reads flags and lists', () => {
    const [stage] = parseDockerfile(
      'ARG TAG=1\nFROM node:${TAG} AS build\nCOPY --from=a --chown=1:1 \\\n # why\n x ./\nCMD ["a", "b"]',
    );
    expect(stage).toMatchObject({
      name: 'build',
      base: 'node:1',
      instructions: [
        {
          name: 'COPY',
          flags: new Map([
            ['from', 'a'],
            ['chown', '1:1'],
          ]),
          value: 'x ./',
          line: 3,
        },
        { name: 'CMD', value: ['a', 'b'], line: 6 },
      ],
    });
  });

  it('refuses input that it could not evaluate', () => {
    expect(() => parseDockerfile('FROM node\nADD https://example.com/x /')).toThrow(
      'line 2: ADD is not known',
    );
  });

  it('expands variables as Docker does, unknown ones to nothing', () => {
    expect(
      expand(
        '$A-${B}-${C}',
        new Map([
          ['A', '1'],
          ['B', '2'],
        ]),
      ),
    ).toBe('1-2-');
  });
});
