/** Lays the product's own defaults over the short intervals of tests: figures are promised for those. */
export const DEFAULTS: Readonly<Record<string, string>> = {
  LEASE_MS: '',
  DATABASE_CONNECT_TIMEOUT_MS: '',
  HEARTBEAT_INTERVAL_MS: '',
  POLL_INTERVAL_MS: '',
  DATABASE_POOL_MAX: '',
};

/** The defaults with another lease, which is what a test of a death waits for. */
export function withLease(leaseMs: number): Record<string, string> {
  return { ...DEFAULTS, LEASE_MS: `${leaseMs}` };
}
