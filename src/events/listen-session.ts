import pg from 'pg';
import { hangUp } from '../database/hang-up.ts';

export interface ListenOptions {
  channel: string;
  /** A session of its own, so not through a transaction pooler. */
  connectionString: string;
  /** A statement that gives the session its settings. */
  sessionSettings: string;
  /** How often the session is asked for a sign of life: one that has fallen silent looks like one with nothing to say. */
  pingIntervalMs: number;
  /** How long it may take to answer. */
  answerTimeoutMs: number;
  /** Told once notifications arrive; those of the time before are lost. */
  onListening: () => void;
  onNotification: (payload: string) => void;
  onError: (error: unknown) => void;
}

/** Hears the notifications of one channel; a session that is lost is made anew. */
export interface ListenSession {
  start: () => void;
  stop: () => Promise<void>;
}

const RECONNECT_MS = 2_000;

export function createListenSession(options: ListenOptions): ListenSession {
  const { channel, sessionSettings, pingIntervalMs, onListening, onError } = options;
  let client: pg.Client | null = null;
  let reconnect: NodeJS.Timeout | undefined;
  let ping: NodeJS.Timeout | undefined;
  let stopped = false;

  function start(): void {
    listen().catch((error: unknown) => {
      onError(error);
      const failed = client;
      if (!failed) return;
      failed.end().catch(() => undefined);
      startLater(failed);
    });
  }

  async function listen(): Promise<void> {
    const session = newClient(options);
    client = session;
    session.on('end', () => {
      startLater(session);
    });
    await session.connect();
    await session.query(sessionSettings);
    await session.query(`LISTEN ${channel}`);
    pingLater(session);
    onListening();
  }

  function startLater(ended: pg.Client): void {
    if (stopped || client !== ended) return;
    client = null;
    clearTimeout(reconnect);
    reconnect = setTimeout(start, RECONNECT_MS);
    reconnect.unref();
  }

  function pingLater(session: pg.Client): void {
    clearTimeout(ping);
    if (stopped || client !== session) return;
    ping = setTimeout(() => void sendPing(session), pingIntervalMs);
    ping.unref();
  }

  async function sendPing(session: pg.Client): Promise<void> {
    try {
      await session.query('SELECT 1');
      pingLater(session);
    } catch (error) {
      onError(error);
      // With a statement unanswered, it is cut off without a goodbye.
      session.end().catch(() => undefined);
    }
  }

  return {
    start,
    async stop() {
      stopped = true;
      clearTimeout(reconnect);
      clearTimeout(ping);
      if (client) await hangUp(client);
    },
  };
}

function newClient({ connectionString, answerTimeoutMs, onNotification, onError }: ListenOptions): pg.Client {
  const client = new pg.Client({
    connectionString,
    application_name: 'job-scheduler listen',
    keepAlive: true,
    connectionTimeoutMillis: answerTimeoutMs,
    query_timeout: answerTimeoutMs,
  });
  client.on('notification', ({ payload = '' }) => {
    onNotification(payload);
  });
  client.on('error', onError);
  return client;
}
