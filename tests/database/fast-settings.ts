/** As in the suite's own server: these databases need not survive a power cut. Durable ones are made by one test. */
export const FAST = { fsync: 'off', full_page_writes: 'off' };
