import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const SOURCES = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('generated'))
  .map((path) => ({ path: `src/${path.replaceAll('\\', '/')}`, text: readFileSync(`src/${path}`, 'utf8') }));

/** The files in which a text occurs. */
function filesWith(text: RegExp): string[] {
  return SOURCES.filter((source) => text.test(source.text)).map(({ path }) => path);
}

describe('one file alone', () => {
  it.each([
    ['inserts executions', /INSERT INTO job_executions\b/, 'src/store/executions/insert-executions.ts'],
    ['appends events', /INSERT INTO event_log\b/, 'src/store/events/append-events.ts'],
    [
      'makes executions RUNNING',
      /statusAfter\('claim'\)|SET status = 'RUNNING'|(THEN|ELSE) 'RUNNING'/,
      'src/store/executions/running.ts',
    ],
    ['takes the lock of the event log', /lock\(\$\{EVENT_LOG_LOCK\}/, 'src/store/events/append-events.ts'],
  ])('%s', (_, text, path) => {
    expect(filesWith(text)).toEqual([path]);
  });
});
