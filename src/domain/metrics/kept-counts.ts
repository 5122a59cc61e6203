/** Counts of whole lists. The database stores them, so no query has to count a long list. */
export interface KeptCounts {
  /** Jobs that are not deleted. */
  jobs: () => Promise<number>;
  executions: () => Promise<number>;
  /** Dead letters that are neither redriven nor discarded. */
  openDeadLetters: () => Promise<number>;
}
