import type http from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * How much of what a target sends is parsed at once. Node reads 64 KiB, and parses all of it even where the call is ended at
 * its first bytes: 1,600 informational answers cost 20 ms in one piece, and fifty such calls a second.
 */
const MAX_PARSED_BYTES = 4_096;

/** Has the agent's connections hand on what they read in small pieces, none of them once they are destroyed. */
export function withSmallReads<Agent extends http.Agent>(agent: Agent): Agent {
  const createConnection = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = createConnection(options, callback);
    if (socket) splitReads(socket);
    return socket;
  };
  return agent;
}

function splitReads(socket: Duplex): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (!(chunk instanceof Buffer) || chunk.length <= MAX_PARSED_BYTES) return push(chunk, encoding);
    let wantsMore = true;
    for (let start = 0; start < chunk.length && !socket.destroyed; start += MAX_PARSED_BYTES)
      wantsMore = push(chunk.subarray(start, start + MAX_PARSED_BYTES));
    return wantsMore;
  };
}
