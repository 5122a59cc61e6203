import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer } from './answer.ts';

/**
 * The far side of all calls, in a process of its own: reads the request, waits as long as it is told, answers 200. It
 * notes when which call came, in memory that is laid out beforehand so that noting costs nothing.
 */
export type TargetRequest =
  | { kind: 'listen'; delayMs: number }
  | { kind: 'delay'; delayMs: number }
  | { kind: 'reset' }
  | { kind: 'calls' }
  | { kind: 'received'; count: number };

/** One call: when it arrived, and the slot and execution it named, where it named any. */
export type Arrival = { atMs: number; slot: string | null; executionId: string | null };

let delayMs = 0;
let arrivals: Arrival[] = [];
let waiting: { count: number; resolve: (atMs: number) => void } | null = null;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const { headers } = request;
  arrivals.push({
    atMs: performance.timeOrigin + performance.now(),
    slot: (headers['x-scheduled-at'] as string | undefined) ?? null,
    executionId: (headers['x-execution-id'] as string | undefined) ?? null,
  });
  if (waiting && arrivals.length >= waiting.count) {
    waiting.resolve(performance.timeOrigin + performance.now());
    waiting = null;
  }
  request.resume();
  request.on('end', () => {
    if (delayMs === 0) response.end('ok');
    else setTimeout(() => response.end('ok'), delayMs);
  });
});

answer((request: TargetRequest) => {
  switch (request.kind) {
    case 'listen':
      delayMs = request.delayMs;
      return new Promise((resolve) => {
        server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
          resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
        });
      });
    case 'delay':
      delayMs = request.delayMs;
      return null;
    case 'reset':
      arrivals = [];
      return null;
    case 'calls':
      return arrivals;
    case 'received':
      if (arrivals.length >= request.count) return performance.timeOrigin + performance.now();
      return new Promise((resolve) => (waiting = { count: request.count, resolve }));
  }
});
