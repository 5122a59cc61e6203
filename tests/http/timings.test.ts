import { describe, expect, it } from 'vitest';
import { readPhases } from '../../src/http/timings.ts';

const HOUR_MS = 3_600_000;

describe('readPhases', () => {
  it('says how long each phase of a call took', () => {
    expect(readPhases({ dns: 2, tcp: 1, tls: 8, firstByte: 20 }, false, 1.234, 40)).toEqual({
      dnsMs: 2,
      connectMs: 1,
      tlsMs: 8,
      firstByteMs: 20,
      downloadMs: 1.23,
    });
  });

  it('has no lookup, connect and handshake where the connection was open already', () => {
    expect(readPhases({ dns: 2, tcp: 1, tls: 8, firstByte: 20 }, true, 1, 40)).toMatchObject({
      dnsMs: null,
      connectMs: null,
      tlsMs: null,
      firstByteMs: 20,
    });
  });

  it('does not know a phase in which the wall clock was set', () => {
    expect(readPhases({ firstByte: HOUR_MS + 20 }, true, 1, 40).firstByteMs).toBeNull();
    expect(readPhases({ firstByte: 20 - HOUR_MS }, true, 1, 40).firstByteMs).toBeNull();
  });

  it('takes a phase for known that whole milliseconds of the wall clock make longer than the call', () => {
    expect(readPhases({ firstByte: 3 }, true, null, 2.4).firstByteMs).toBe(3);
  });
});
