/** The same as in the suite's own server: these databases need not survive a power cut. One test makes durable ones. */
export const FAST = { fsync: 'off', full_page_writes: 'off' };
