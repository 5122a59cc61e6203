import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface ClosingSteps {
  /** Asks those who would stay for ever to leave: websockets and event streams. */
  end: () => void;
  /** Resolves when all that belonged to them is over. */
  ended: () => Promise<void>;
  /** Cuts what the HTTP server cannot: connections it has handed on. */
  cut: () => void;
}

const SWEEP_MS = 50;

/**
 * Prepares the closing of a server. Must be called before it listens, since it watches connections from their start.
 *
 * @returns closes the listener at once and each connection as soon as it has nothing left to answer, and resolves when
 * all are closed; what is still open after `timeoutMs` is cut
 */
export function createCloser(http: Server, timeoutMs: number): (steps: ClosingSteps) => Promise<void> {
  const connections = new Set<Socket>();
  http.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });

  function closeIdle(): void {
    http.closeIdleConnections();
    // Browsers open connections in reserve. One that was never used counts as busy for Node, with its headers.
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  }

  return async ({ end, ended, cut }) => {
    if (!http.listening) return;
    const listenerClosed = new Promise<void>((resolve) => {
      http.close(() => {
        resolve();
      });
    });
    end();
    closeIdle();
    // A connection that is kept alive becomes idle only after its answer.
    const sweep = setInterval(closeIdle, SWEEP_MS);
    let limit: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      limit = setTimeout(() => {
        cut();
        http.closeAllConnections();
        resolve();
      }, timeoutMs);
    });
    await Promise.race([listenerClosed.then(ended), timeUp]);
    clearInterval(sweep);
    clearTimeout(limit);
  };
}
