import { Agent } from 'node:http';
import { Cron } from 'croner';
import got from 'got';
import { answer } from './answer.ts';

/**
 * What a scheduler in memory needs for the same work: croner, one job for each of ours, each calling with got. Nothing is
 * stored, so nothing survives; what a durable scheduler adds to its lateness is what durability costs.
 */
export type CronerRequest = { kind: 'start'; url: string; jobs: number } | { kind: 'stop' };

const client = got.extend({
  method: 'POST',
  retry: { limit: 0 },
  throwHttpErrors: false,
  followRedirect: false,
  decompress: false,
  body: '{"hello":"world"}',
  agent: { http: new Agent({ keepAlive: true, maxSockets: Infinity }) },
});

let jobs: Cron[] = [];

answer((request: CronerRequest) => {
  if (request.kind === 'stop') {
    for (const job of jobs) job.stop();
    jobs = [];
    return;
  }
  jobs = Array.from(
    { length: request.jobs },
    () =>
      new Cron('* * * * * *', async () => {
        const slot = new Date(Math.floor(Date.now() / 1_000) * 1_000).toISOString();
        await client(request.url, { headers: { 'x-scheduled-at': slot } });
      }),
  );
});
