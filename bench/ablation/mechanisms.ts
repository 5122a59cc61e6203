/** How a mechanism of the product is switched off, and which measures show what it buys. */
export interface Mechanism {
  name: string;
  /** Under `src`. */
  file: string;
  /** What stands in the file exactly once, and what stands there without the mechanism. */
  from: string;
  to: string;
  probes: readonly ProbeName[];
}

export type ProbeName = 'backlog' | 'many' | 'few' | 'fanOut' | 'sockets' | 'followed' | 'http';

/**
 * What the product would not need to be right, but to be fast. Most are switched off by a number of theirs, so that all else
 * stays as it is.
 */
export const MECHANISMS: readonly Mechanism[] = [
  {
    name: 'slot prefetch',
    file: 'engine/planning/planner.ts',
    from: 'const PREFETCH_MS = 400;',
    to: 'const PREFETCH_MS = -2;',
    probes: ['many', 'few'],
  },
  {
    name: 'remembered jobs',
    file: 'engine/planning/remembered-jobs.ts',
    from: 'const REMEMBERED_MS = 2_000;',
    to: 'const REMEMBERED_MS = 0;',
    probes: ['many', 'few'],
  },
  {
    name: 'claiming ahead',
    file: 'engine/running/host-limiter.ts',
    from: 'const AHEAD_MS = 100;',
    to: 'const AHEAD_MS = 0;',
    probes: ['backlog'],
  },
  {
    name: 'joint start',
    file: 'engine/running/joint-start.ts',
    from: 'const BUSY_FROM = 0.9;',
    to: 'const BUSY_FROM = Infinity;',
    probes: ['backlog', 'many'],
  },
  {
    name: 'wait of the first outcome',
    file: 'engine/running/gathering.ts',
    from: 'const NEAR_MS = 20;',
    to: 'const NEAR_MS = 0;',
    probes: ['few'],
  },
  {
    name: 'gathering of outcomes',
    file: 'engine/running/running.ts',
    from: 'const GATHER_MS = 50;',
    to: 'const GATHER_MS = 0;',
    probes: ['backlog', 'many'],
  },
  {
    name: 'longer gathering under pressure',
    file: 'engine/running/gathering.ts',
    from: 'const PRESSED_GATHERS = 5;',
    to: 'const PRESSED_GATHERS = 1;',
    probes: ['backlog', 'many'],
  },
  {
    name: 'bounded memo',
    file: 'domain/values/bounded-memo.ts',
    from: 'return hit;',
    to: ';',
    probes: ['backlog', 'http'],
  },
  {
    name: 'few options for node',
    file: 'http/native-requests.ts',
    from: 'Object.assign(options, { createNativeRequestOptions: () => nativeOptions(options) });',
    to: '',
    probes: ['backlog'],
  },
  {
    name: 'query coalescing',
    file: 'server/http/query-coalescing.ts',
    from: '!== OperationTypeNode.QUERY',
    to: "!== 'none'",
    probes: ['http'],
  },
  {
    name: 'shared results',
    file: 'server/websocket/shared-results.ts',
    from: 'shared.members === 1 ||',
    to: 'shared.members > 0 ||',
    probes: ['fanOut', 'sockets', 'followed'],
  },
  {
    name: 'log chunks',
    file: 'events/log-chunks.ts',
    from: 'const MAX_CHUNKS = 16;',
    to: 'const MAX_CHUNKS = 0;',
    probes: ['followed'],
  },
  {
    name: 'cooperative yield, its rounds',
    file: 'async/cooperative-yield.ts',
    from: 'const LONGEST_ROUND_MS = 8;',
    to: 'const LONGEST_ROUND_MS = 10_000;',
    probes: ['followed', 'sockets'],
  },
  {
    name: 'cooperative yield, its pauses',
    file: 'async/cooperative-yield.ts',
    from: 'const BUSY_SHARE = 0.03;',
    to: 'const BUSY_SHARE = 1;',
    probes: ['followed'],
  },
];
