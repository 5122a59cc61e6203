/** How many calls an instance may have under way at once, in all and at one host. */
export interface PlaceLimits {
  maxConcurrency: number;
  maxConcurrencyPerHost: number;
}

/** The share of all places that is kept for hosts at which nothing is under way. */
const RESERVED_SHARE = 1 / 5;
/** The share of all places that executions may hold which make up for missed slots. */
const BACKLOG_SHARE = 1 / 4;

/**
 * Places beyond which a host gets one only if it has none. Each host has a limit of its own, but with many that hang
 * these add up to all places there are, and calls with long timeouts keep them for long. With the reserve, it takes as
 * many hosts that hang at once as there are reserved places before any other has to wait.
 */
export function openPlaces(maxConcurrency: number): number {
  return maxConcurrency - Math.floor(maxConcurrency * RESERVED_SHARE);
}

/** Calls that may be under way at one host, with so many under way at all hosts. */
export function placesPerHost(
  { maxConcurrency, maxConcurrencyPerHost }: PlaceLimits,
  calling: number,
): number {
  return calling < openPlaces(maxConcurrency) ? maxConcurrencyPerHost : 1;
}

/**
 * Executions of a backlog that may be held at once. More of them would not be faster where this machine is what limits
 * them, and everything that is on time would stand in line behind them.
 */
export function backlogPlaces(maxConcurrency: number): number {
  return Math.max(1, Math.floor(maxConcurrency * BACKLOG_SHARE));
}

/** What may be had of places. */
export interface FreePlaces {
  /** In all; 0 or less where there are none. */
  executions: number;
  /** At each host, those of `load` included. */
  perHost: number;
  /** Places that are taken, per host that has any. */
  load: ReadonlyMap<string, number>;
}

/** Which of so many newcomers, named by their hosts, get a free place, the first ones first. */
export function givePlaces(hosts: readonly string[], { executions, perHost, load }: FreePlaces): boolean[] {
  const taken = new Map(load);
  let left = executions;
  return hosts.map((host) => {
    const atHost = taken.get(host) ?? 0;
    if (left <= 0 || atHost >= perHost) return false;
    left -= 1;
    taken.set(host, atHost + 1);
    return true;
  });
}

/** What is left of places when some are kept for others, named by their hosts. */
export function keepPlaces(free: FreePlaces, hosts: readonly string[]): FreePlaces {
  const load = new Map(free.load);
  for (const host of hosts) load.set(host, (load.get(host) ?? 0) + 1);
  return { executions: free.executions - hosts.length, perHost: free.perHost, load };
}
