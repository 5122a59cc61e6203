import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { configReference, loadConfig } from '../src/config/config.ts';
import type { ConfigReferenceEntry } from '../src/config/config.ts';

const file = fileURLToPath(new URL('../.env.example', import.meta.url));
const WIDTH = 100;

const HEAD = `# Everything that can be configured. A line shows what holds when it is left out, or where its text names another default,
# an example. Copy this file to .env, take the # off what you change, and start again; what the environment already
# holds wins over the file.
`;

const COMPOSE = `
# The rest is read by docker-compose.yml alone, which sets DATABASE_URL, HOST and the folders itself, and publishes
# the server on PORT of this machine.

# Password of the PostgreSQL container, letters and digits only. It counts when its volume is made.
# POSTGRES_PASSWORD=scheduler
`;

function section({ name, default: unset, example, allowed, description }: ConfigReferenceEntry): string {
  const note = unset.startsWith('(') ? ` Default: ${unset.slice(1, -1)}.` : '';
  const comment = wrap(`${description}${note} Allowed: ${allowed}.`).map((line) => `# ${line}`);
  return `\n${comment.join('\n')}\n# ${name}=${example}\n`;
}

function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length + 1 > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

describe('.env.example', () => {
  // After a change of the configuration: npx vitest run tests/env-example.test.ts --update
  it('shows the values of the code, for every variable and no other', async () => {
    const expected = HEAD + configReference().map(section).join('') + COMPOSE;
    await expect(expected).toMatchFileSnapshot(file);
  });

  it('changes nothing when all its defaults are uncommented', () => {
    const optional = configReference().filter((entry) => entry.default.startsWith('('));
    const text = readFileSync(file, 'utf8').replace(/^# ([A-Z_]+=)/gm, '$1');
    const env = parseEnv(text);
    for (const { name } of optional) expect(env).toHaveProperty(name);
    const stated = Object.fromEntries(
      Object.entries(env).filter(([name]) => !optional.some((entry) => entry.name === name)),
    );

    expect(loadConfig(stated)).toEqual(loadConfig({}));
    // A published key protects nothing.
    expect(() => loadConfig(env)).toThrow(/^The configuration has a mistake:\n.*ALERT_SIGNING_SECRET.*$/);
    expect(() => loadConfig({ ...env, ALERT_SIGNING_SECRET: '' })).not.toThrow();
  });
});
