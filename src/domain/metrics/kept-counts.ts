/** Counts of whole lists that are kept beside their rows, so that nobody has to count a long list. */
export interface KeptCounts {
  /** Jobs that are not deleted. */
  jobs: () => Promise<number>;
  executions: () => Promise<number>;
  /** Dead letters that are neither redriven nor discarded. */
  openDeadLetters: () => Promise<number>;
}
