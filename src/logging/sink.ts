/** A place that takes finished lines. None of its methods ever throws. */
export interface LogSink {
  /** @returns whether the line was taken; `false` where it had to be dropped */
  write: (line: string) => boolean;
  /** Resolves when everything taken so far is written, or can no longer be. */
  flush: () => Promise<void>;
  /** Takes no more lines, and finishes those it has in the background. */
  close: () => void;
}
