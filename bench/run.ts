import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Figure, Part } from './harness/bench.ts';
import { startPostgres } from './harness/postgres.ts';
import { ablation } from './parts/ablation.ts';
import { auth } from './parts/auth.ts';
import { backlog } from './parts/backlog.ts';
import { besideQueries } from './parts/beside-queries.ts';
import { burst } from './parts/burst.ts';
import { dashboards } from './parts/dashboards.ts';
import { fanOut } from './parts/fan-out.ts';
import { followed } from './parts/followed.ts';
import { http } from './parts/http.ts';
import { idle } from './parts/idle.ts';
import { manySockets } from './parts/many-sockets.ts';
import { memory } from './parts/memory.ts';
import { startup } from './parts/startup.ts';
import { nextRun } from './parts/next-run.ts';
import { slowTarget } from './parts/slow-target.ts';
import { steady } from './parts/steady.ts';
import { triggered } from './parts/triggered.ts';
import { writes } from './parts/writes.ts';

/**
 * npm run bench [-- [part …] [--rounds N] [--out FILE]]: measures the parts that are named, otherwise all but `ablation`. Prints
 * a table for people, and one line of JSON for each figure; the same goes to FILE.
 */
const PARTS: readonly Part[] = [
  backlog,
  slowTarget,
  followed,
  steady,
  besideQueries,
  burst,
  idle,
  writes,
  triggered,
  fanOut,
  manySockets,
  http,
  auth,
  dashboards,
  memory,
  nextRun,
  startup,
  ablation,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, out: { type: 'string' } },
});
const unknown = positionals.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0)
  throw new Error(
    `No part is named ${unknown.join(', ')}; there are ${PARTS.map(({ name }) => name).join(', ')}`,
  );

const postgres = await startPostgres();
const figures: (Figure & { part: string })[] = [];
try {
  for (const part of PARTS) {
    if (positionals.length > 0 ? !positionals.includes(part.name) : part.runsOnlyByName) continue;
    const note = (text: string) => process.stderr.write(`${text}\n`);
    const found = await part.run({ postgres, rounds: Number(values.rounds), note });
    for (const figure of found) {
      figures.push({ part: part.name, ...figure });
      process.stdout.write(`${JSON.stringify({ part: part.name, ...figure })}\n`);
    }
  }
} finally {
  await postgres.stop();
}
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(figures, null, 2)}\n`);
process.stderr.write(`\n${table(figures)}\n`);

function table(rows: readonly Figure[]): string {
  const lines = rows.map(({ goal, measure, value, unit, min, max }) => {
    const wanted = min !== undefined ? `≥ ${min}` : max !== undefined ? `≤ ${max}` : '';
    const isMet = (min === undefined || value >= min) && (max === undefined || value <= max);
    return `${String(goal ?? '–').padStart(3)}  ${measure.padEnd(34)} ${value.toPrecision(4).padStart(9)} ${unit.padEnd(18)} ${wanted.padEnd(8)} ${wanted === '' ? '' : isMet ? 'met' : 'missed'}`;
  });
  return lines.join('\n');
}
