import http from 'node:http';
import https from 'node:https';
import { withSmallReads } from './small-reads.ts';

/**
 * How long an unused connection is kept. Shorter than the five seconds after which common servers close one, because
 * a request that meets a server in the act of closing is lost, and may not be sent again if it is a POST.
 */
const IDLE_SOCKET_MS = 1_000;

/** Unused connections kept for each host and port. */
const MAX_IDLE_SOCKETS_PER_HOST = 64;

/**
 * When a name has several addresses, the time given to each before the next is tried. Node's 250 ms gives up on
 * targets that are merely far away.
 */
const NEXT_ADDRESS_AFTER_MS = 500;

export type Agents = { http: http.Agent; https: https.Agent };

/** The connections of one sender. */
export type Connections = {
  agents: Agents;
  /** Of connections that carry one call each. With no agent at all node would make one that knows none of our options. */
  singleUseAgents: Agents;
  /** Sockets open at this moment, in use or kept. */
  openCount: () => number;
  /** Closes all of them, those in use as well. */
  close: () => void;
};

/**
 * Makes agents of our own, so that nothing else in the process shares, exhausts or configures them.
 *
 * Connections in use are not bounded here: the engine bounds the calls. A bound in the agent would make a call
 * to a busy host wait unseen, with its timeout running, for a socket that hanging calls hold.
 */
export function createConnections(): Connections {
  const options: https.AgentOptions & { autoSelectFamilyAttemptTimeout: number } = {
    keepAlive: true,
    maxFreeSockets: MAX_IDLE_SOCKETS_PER_HOST,
    // Only ends sockets that are not in use; on others node tells the request, which has its own timer.
    timeout: IDLE_SOCKET_MS,
    // The least recently used connections then grow old and close.
    scheduling: 'lifo',
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
  };
  const agents = createAgents(options);
  const singleUseAgents = createAgents({ ...options, keepAlive: false });
  const all = [agents, singleUseAgents].flatMap((pair) => [pair.http, pair.https]);
  return {
    agents,
    singleUseAgents,
    openCount: () => all.reduce((count, agent) => count + countSockets(agent), 0),
    close() {
      for (const agent of all) agent.destroy();
    },
  };
}

function createAgents(options: https.AgentOptions): Agents {
  return { http: withSmallReads(new http.Agent(options)), https: withSmallReads(new https.Agent(options)) };
}

function countSockets({ sockets, freeSockets }: http.Agent): number {
  return [...Object.values(sockets), ...Object.values(freeSockets)].reduce(
    (count, ofHost) => count + (ofHost?.length ?? 0),
    0,
  );
}
