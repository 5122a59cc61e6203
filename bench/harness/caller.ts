import { Agent } from 'node:http';
import got from 'got';
import { answer } from './answer.ts';

/**
 * The ceiling of everything that calls over HTTP: got with nothing around it, so many calls in flight, each next one
 * started where one has ended. What it may leave out, it leaves out: no retries, no redirects, no durability.
 */
export type CallerRequest = { kind: 'call'; url: string; calls: number; inFlight: number };

/** Seconds from the first call to the last answer, and the processor time that they took. */
export type CallerResult = { seconds: number; cpuMs: number };

const client = got.extend({
  method: 'POST',
  retry: { limit: 0 },
  throwHttpErrors: false,
  followRedirect: false,
  decompress: false,
  headers: { 'user-agent': 'bench', 'content-type': 'application/json' },
  body: '{"hello":"world"}',
  agent: { http: new Agent({ keepAlive: true, maxSockets: Infinity }) },
});

answer(async ({ url, calls, inFlight }: CallerRequest) => {
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  let left = calls;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const { statusCode } = await client(url);
      if (statusCode !== 200) throw new Error(`The target answered ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const { user, system } = process.cpuUsage(startedCpu);
  const result: CallerResult = {
    seconds: (performance.now() - startedMs) / 1_000,
    cpuMs: (user + system) / 1_000,
  };
  return result;
});
