import { beforeEach, describe, expect, it } from 'vitest';
import { createHostThroughput, type HostThroughput } from '../../../src/engine/running/host-throughput.ts';

let nowMs: number;
let hostThroughput: HostThroughput;
beforeEach(() => {
  nowMs = 0;
  hostThroughput = createHostThroughput(100, () => nowMs);
});

function note(host: string, times: number): void {
  for (let n = 0; n < times; n += 1) hostThroughput.note(host);
}

describe('the pace of a host', () => {
  it('is what it ended in its best window, for two seconds at least and four at most', () => {
    note('a', 30);
    nowMs = 1_000;
    note('a', 2);
    expect(hostThroughput.atBest('a')).toBe(30);
    nowMs = 2_000;
    expect(hostThroughput.atBest('a')).toBe(30);
    nowMs = 3_999;
    note('a', 1);
    expect(hostThroughput.atBest('a')).toBe(30);
    nowMs = 4_000;
    expect(hostThroughput.atBest('a')).toBe(1);
    nowMs = 8_000;
    expect(hostThroughput.atBest('a')).toBe(0);
  });

  it('is nothing now where it has stopped to answer', () => {
    note('a', 30);
    expect(hostThroughput.now('a')).toBe(30);
    nowMs = 200;
    expect([hostThroughput.now('a'), hostThroughput.atBest('a')]).toEqual([0, 30]);
  });

  it('is unknown once it is forgotten, until it answers again', () => {
    note('a', 30);
    nowMs = 2_000;
    note('b', 1);
    hostThroughput.forget('a');
    expect([hostThroughput.atBest('a'), hostThroughput.hosts()]).toEqual([0, ['b']]);
    note('a', 2);
    expect(hostThroughput.atBest('a')).toBe(2);
  });

  it('is known of those alone that have answered lately', () => {
    note('a', 1);
    nowMs = 2_500;
    note('b', 1);
    expect(hostThroughput.hosts().sort()).toEqual(['a', 'b']);
    nowMs = 4_500;
    expect(hostThroughput.hosts()).toEqual(['b']);
    expect(hostThroughput.atBest('c')).toBe(0);
  });
});
