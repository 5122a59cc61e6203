type Stop = () => Promise<unknown>;

/** Started parts, which stop in the opposite order. */
export interface StartedParts {
  add: (name: string, stop: Stop) => void;
  /** Stops all parts one by one, also after one fails. */
  stop: () => Promise<void>;
}

export function createStartedParts(onFailedStop: (part: string, error: unknown) => void): StartedParts {
  const parts: { name: string; stop: Stop }[] = [];
  return {
    add(name, stop) {
      parts.push({ name, stop });
    },
    async stop() {
      for (const { name, stop } of parts.splice(0).reverse()) {
        await stop().catch((error: unknown) => {
          onFailedStop(name, error);
        });
      }
    },
  };
}
