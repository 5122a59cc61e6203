import type { AttemptTimings } from '../domain/request/outgoing-request.ts';

/** Durations as got's timer measured them. NaN and undefined stand for what did not take place. */
type Phases = {
  dns?: number | undefined;
  tcp?: number | undefined;
  tls?: number | undefined;
  firstByte?: number | undefined;
};

export type PhaseTimings = Omit<AttemptTimings, 'totalMs'>;

export const NO_PHASES: PhaseTimings = {
  dnsMs: null,
  connectMs: null,
  tlsMs: null,
  firstByteMs: null,
  downloadMs: null,
};

/**
 * The phases of one call on the wire.
 *
 * @param reusedSocket a connection that was already open has no name lookup, connect or handshake; got repeats those
 *   of its first use, which would count them again
 * @param elapsedMs what the whole call has taken by the monotonic clock
 */
export function readPhases(
  phases: Phases | undefined,
  reusedSocket: boolean,
  downloadMs: number | null,
  elapsedMs: number,
): PhaseTimings {
  const duration = (ms: number | undefined) => credible(ms, elapsedMs);
  return {
    dnsMs: reusedSocket ? null : duration(phases?.dns),
    connectMs: reusedSocket ? null : duration(phases?.tcp),
    tlsMs: reusedSocket ? null : duration(phases?.tls),
    firstByteMs: duration(phases?.firstByte),
    downloadMs: downloadMs === null ? null : roundMs(downloadMs),
  };
}

/** Milliseconds to a hundredth: finer digits are noise in every row. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** The wall clock that got reads counts whole milliseconds. */
const GRAIN_MS = 1;

/**
 * got's timer reads the wall clock, which may be set in the middle of a call. A phase that ends before it begins, or is
 * longer than the call, was measured over such a jump: nobody knows how long it was.
 */
function credible(ms: number | undefined, elapsedMs: number): number | null {
  if (ms === undefined || Number.isNaN(ms)) return null;
  return ms >= 0 && ms <= elapsedMs + GRAIN_MS ? ms : null;
}
