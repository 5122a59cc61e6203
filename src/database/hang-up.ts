import type pg from 'pg';

const GOODBYE_MS = 1_000;

/** Ends a connection, and waits no longer than a moment for the goodbye: where the peer has vanished there is none. */
export async function hangUp(client: pg.Client): Promise<void> {
  const cutOff = setTimeout(() => {
    client.connection.stream.destroy();
  }, GOODBYE_MS);
  await client.end().catch(() => undefined);
  clearTimeout(cutOff);
}
