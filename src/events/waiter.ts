/** Where one subscriber sleeps until there is news, or until it is closed. */
export interface Waiter {
  isClosed: () => boolean;
  /** Resolves with the next `notify` or `close`; at once when closed. One at a time. */
  wait: () => Promise<void>;
  /** The same, for a callback. */
  whenNotified: (run: () => void) => void;
  notify: () => void;
  close: () => void;
}

export function createWaiter(onClose: () => void): Waiter {
  let resume: (() => void) | null = null;
  let closed = false;

  function notify(): void {
    const waiting = resume;
    resume = null;
    waiting?.();
  }

  function whenNotified(run: () => void): void {
    if (closed) run();
    else resume = run;
  }

  return {
    // No getter: an object that is made with one has a shape of its own, 300 bytes for each subscriber.
    isClosed: () => closed,
    wait: () => new Promise(whenNotified),
    whenNotified,
    notify,
    close() {
      if (closed) return;
      closed = true;
      onClose();
      notify();
    },
  };
}
