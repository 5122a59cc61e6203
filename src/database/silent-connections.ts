import type pg from 'pg';

/** What pg says where a statement has had no answer within `query_timeout`; the error has no code of its own. */
const NO_ANSWER = 'Query read timeout';

/**
 * Whether a statement was given up because nothing came back: neither an answer nor, as its time at the server is over
 * before, the server's refusal. Its connection leads nowhere; whether the statement was carried out is not known.
 */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Error && error.message === NO_ANSWER;
}

/**
 * Closes, with a connection that has fallen silent, all those that rest since before: whatever took the peer away without
 * a word has most likely taken it from them too, and each would else cost its next user the same wait.
 */
export function closeSilentConnections(pool: pg.Pool): void {
  const takenAtMs = new Map<pg.PoolClient, number>();
  /** When those that nobody uses have last answered. */
  const answeredAtMs = new Map<pg.PoolClient, number>();

  pool.on('acquire', (client) => {
    answeredAtMs.delete(client);
    takenAtMs.set(client, performance.now());
  });
  pool.on('release', (error: unknown, client) => {
    const askedMs = takenAtMs.get(client) ?? 0;
    takenAtMs.delete(client);
    if (isUnanswered(error)) closeThoseBefore(askedMs);
    else if (!error) answeredAtMs.set(client, performance.now());
  });
  pool.on('remove', (client) => {
    answeredAtMs.delete(client);
  });

  function closeThoseBefore(askedMs: number): void {
    for (const [client, answeredMs] of answeredAtMs) {
      if (answeredMs >= askedMs) continue;
      answeredAtMs.delete(client);
      // The pool hears of it as of any other loss, and at once: it might hand the connection out in this very turn.
      client.emit('error', new Error('Closed: another connection has fallen silent.'));
      // Its goodbye would wait for an answer too.
      client.connection.stream.destroy();
    }
  }
}
