import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** What can be ended from outside: a stream for as long as its client listens. */
export interface OpenStream {
  end: () => void;
}

export interface PumpOptions {
  /** How long the client may take in nothing before it is disconnected. */
  slowReaderTimeoutMs: number;
  /** Told about the stream while it runs, so that stopping the server can end it. */
  openStreams: Set<OpenStream>;
}

/**
 * Writes a body to its client at the client's pace: the next chunk is read only once the last one was taken in, so what
 * a client does not read stays with its source. When the client goes away, reading or not, the body is cancelled.
 */
export async function pumpBody(
  body: ReadableStream<Uint8Array>,
  response: ServerResponse,
  { slowReaderTimeoutMs, openStreams }: PumpOptions,
): Promise<void> {
  const reader = body.getReader();
  const stop = () => {
    // Cancelling releases a pending read, which ends the loop below. A source that fails to end is not our answer.
    reader.cancel().catch(() => undefined);
  };
  const stream: OpenStream = { end: stop };
  openStreams.add(stream);
  response.once('close', stop);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || response.destroyed) break;
      if (!response.write(value)) await drained(response, slowReaderTimeoutMs);
    }
    response.end();
  } catch {
    // The status is sent already, so a broken connection is the only way left to tell of the failure.
    response.destroy();
  } finally {
    openStreams.delete(stream);
    stop();
  }
}

/** Resolves when the client has read on, or is gone; disconnects one that does neither. */
async function drained(response: ServerResponse, timeoutMs: number): Promise<void> {
  if (response.destroyed) return;
  const done = new AbortController();
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  try {
    await Promise.race([
      once(response, 'drain', { signal: done.signal }),
      once(response, 'close', { signal: done.signal }),
    ]);
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}
