import { Cron } from 'croner';
import { median, type Figure, type Part } from '../harness/bench.ts';
import { nextSlot } from '../../src/domain/schedule/schedule-slots.ts';
import { ruleFor } from '../../tests/domain/schedule/schedule-support.ts';

/** What people write, in zones with and without clock changes, the odd ones included. */
const SCHEDULES = [
  '* * * * * *',
  '*/10 * * * * *',
  '0 */5 * * * *',
  '0 0 * * * *',
  '30 2 * * *',
  '0 9-17 * * MON-FRI',
  '0 0 1 * *',
  '0 0 L * *',
  '0 8 * * MON#1',
  '0 0 1 1 *',
];
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Havana',
  'Asia/Kolkata',
];
/** A leap day, and a fifth Monday in February, for which one may have to look 40 years ahead. */
const RAREST = ['0 0 0 29 2 *', '0 0 0 * 2 MON#5'];
const INSTANTS = 200;

/** What one next run costs, with zones and clock changes right: every job that is due asks for one. */
export const nextRun: Part = {
  name: 'next-run',
  run({ rounds, note }) {
    const ours: number[] = [];
    const peers: number[] = [];
    const rarest: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const instants = randomInstants(INSTANTS);
      const mean = meanOf(SCHEDULES, instants, nextOf);
      const peer = meanOf(SCHEDULES, instants, (pattern, timezone) => {
        const cron = new Cron(pattern, { timezone, paused: true });
        return (after) => cron.nextRun(after);
      });
      const slowest = Math.max(...RAREST.map((pattern) => meanOf([pattern], instants.slice(0, 20), nextOf)));
      if (round === 0) continue;
      note(
        `next run ${round}: ${mean.toFixed(4)} ms, croner ${peer.toFixed(4)} ms; rarest ${slowest.toFixed(2)} ms`,
      );
      ours.push(mean);
      peers.push(peer);
      rarest.push(slowest);
    }
    const figures: Figure[] = [
      { goal: null, measure: 'next run, on average', value: median(ours), unit: 'ms', max: 0.2 },
      { goal: null, measure: 'next run, the rarest', value: median(rarest), unit: 'ms', max: 20 },
      { goal: null, measure: "croner's, on average", value: median(peers), unit: 'ms' },
    ];
    return Promise.resolve(figures);
  },
};

type Next = (pattern: string, timezone: string) => (after: Date) => Date | null;

function meanOf(patterns: readonly string[], instants: readonly Date[], next: Next): number {
  let calls = 0;
  let ms = 0;
  for (const pattern of patterns) {
    for (const zone of ZONES) {
      const find = next(pattern, zone);
      const startMs = performance.now();
      for (const instant of instants) find(instant);
      ms += performance.now() - startMs;
      calls += instants.length;
    }
  }
  return ms / calls;
}

function nextOf(pattern: string, timezone: string): (after: Date) => Date | null {
  const rule = ruleFor(pattern, timezone);
  return (after) => nextSlot(rule, after);
}

function randomInstants(count: number): Date[] {
  const from = Date.UTC(2025, 0, 1);
  const until = Date.UTC(2035, 0, 1);
  return Array.from({ length: count }, () => new Date(from + Math.floor(Math.random() * (until - from))));
}
