import type { ClientRequest, IncomingHttpHeaders, InformationEvent } from 'node:http';
import type { Socket } from 'node:net';
import type { Got, Request, Response } from 'got';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../domain/request/outgoing-request.ts';
import { readBody } from './body-reader.ts';
import { createInformationCount, TooMuchInformationError } from './informational-answers.ts';
import { nextHop } from './redirects.ts';
import type { Hop } from './redirects.ts';
import type { StopSignal } from './stop-signal.ts';
import type { BodyText } from './text-collector.ts';
import { NO_PHASES, readPhases } from './timings.ts';
import type { PhaseTimings } from './timings.ts';

type Result =
  | { kind: 'responded'; status: number; headers: IncomingHttpHeaders; body: BodyText }
  /** `from` is the address of who redirects; null where it is not known any more. */
  | { kind: 'redirected'; to: Hop; from: string | null }
  | { kind: 'failed'; error: unknown; staleConnection: boolean }
  | { kind: 'aborted' };

/** What one call on the wire gave. */
export type Exchange = Result & { phases: PhaseTimings };

/** Says why one exchange is ended from our side. */
export type ExchangeSignal = StopSignal<'timeout' | 'abort'>;

export type ExchangeOptions = {
  /** Ends the call at any point, and with it the socket. */
  signal: ExchangeSignal;
  /** Whether a redirect of this status is followed; otherwise it is the answer. */
  follows: (status: number) => boolean;
};

/**
 * Makes one call on the wire: no redirect, no repeat. Never rejects; when it resolves, the socket is back with its
 * agent or destroyed, and nothing of the call is left.
 *
 * Reading ends as soon as there is more body than is kept, whatever the target goes on to send. The status had
 * arrived by then, so such a call is as good as one with a short body.
 */
export function exchange(client: Got, hop: Hop, options: ExchangeOptions): Promise<Exchange> {
  const { signal } = options;
  return new Promise((resolve) => {
    if (signal.reason !== null) {
      resolve({ kind: 'aborted', phases: NO_PHASES });
      return;
    }
    let request: ClientRequest | null = null;
    let respondedAtMs: number | null = null;
    let stopReading: (() => void) | null = null;
    let ended = false;
    const startedAtMs = performance.now();
    const stream = openStream(client, hop);

    const end = (result: Result) => {
      if (ended) return;
      ended = true;
      signal.listen(null);
      const nowMs = performance.now();
      const downloadMs = respondedAtMs === null ? null : nowMs - respondedAtMs;
      const phases = readPhases(
        stream.timings?.phases,
        request?.reusedSocket ?? false,
        downloadMs,
        nowMs - startedAtMs,
      );
      stopReading?.();
      // After a complete response the socket has gone back to its agent, and this leaves it alone.
      stream.destroy();
      resolve({ phases, ...result });
    };
    const abort = () => {
      end({ kind: 'aborted' });
    };
    const fail = (error: unknown) => {
      const staleConnection =
        request?.reusedSocket === true && respondedAtMs === null && isBrokenConnection(error);
      end({ kind: 'failed', error, staleConnection });
    };

    signal.listen(abort);
    // These stay after the end: what an ended call still has to say must not become an uncaught error.
    stream.on('error', fail);
    stream.on('request', (created: ClientRequest) => {
      request = created;
      created.on('error', fail);
      const isTooMuch = createInformationCount();
      created.on('information', (information: InformationEvent) => {
        if (isTooMuch(information)) fail(new TooMuchInformationError());
      });
    });
    stream.on('upgrade', (_response: unknown, socket: Socket) => {
      // Node no longer owns the socket, so destroying the request would leave it open.
      socket.destroy();
      fail(Object.assign(new Error('Unexpected protocol switch'), { code: 'HPE_UNEXPECTED_UPGRADE' }));
    });
    stream.on('response', ({ statusCode: status, headers }: Response) => {
      if (ended) return;
      respondedAtMs = performance.now();
      const to = options.follows(status)
        ? nextHop(hop, { status, location: headers.location ?? null })
        : null;
      if (to) {
        end({ kind: 'redirected', to, from: request?.socket?.remoteAddress ?? null });
        return;
      }
      stopReading = readBody(stream, headers, MAX_RESPONSE_BODY_CHARACTERS, {
        done: (body) => {
          end({ kind: 'responded', status, headers, body });
        },
        failed: fail,
      });
    });
  });
}

/** got reports a request that it cannot send as an error event, later, like any other failure. */
function openStream(client: Got, hop: Hop): Request {
  const stream = client(hop.url, {
    isStream: true,
    method: hop.method,
    headers: hop.headers,
    ...(hop.body === null ? {} : { body: hop.body }),
  });
  // A stream of got is writable, and without a body given waits for one.
  if (hop.body === null) stream.end();
  return stream;
}

/** Closed by the target, or holding what it sent after the answer before. */
function isBrokenConnection(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === 'ECONNRESET' || code === 'EPIPE' || code.startsWith('HPE_');
}
