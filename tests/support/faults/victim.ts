import { randomUUID } from 'node:crypto';
import type { ServerProcess } from '../server-process.ts';
import type { World } from '../world.ts';
import { namedSessions } from './sessions.ts';

/** A server that will be killed; its sessions in the database can be told from those of others. */
export type Victim = ServerProcess & {
  /** The name of its sessions. */
  sessions: string;
};

export async function startVictim(world: World, env: Record<string, string>): Promise<Victim> {
  const sessions = `victim-${randomUUID().slice(0, 8)}`;
  const DATABASE_URL = namedSessions(world.connectionString, sessions);
  return { ...(await world.startServer({ ...env, DATABASE_URL })), sessions };
}
