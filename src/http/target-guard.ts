import dns from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { createRangeCheck } from './ip-ranges.ts';
import { createLookup } from './lookup.ts';
import type { ResolveAll } from './lookup.ts';

/**
 * What no target may be where the operator says nothing else: link-local addresses, among them the metadata services
 * of most clouds, which hand out credentials to whoever can make a server call them, and those services that live
 * elsewhere: Amazon's by IPv6, Alibaba's, Oracle's older one. Private networks stay open: calling them is what a
 * self-hosted scheduler is for.
 */
export const DEFAULT_BLOCKED_RANGES: readonly string[] = [
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '192.0.0.192/32',
];

/** A name or URL led to a blocked address. */
export class BlockedTargetError extends Error {
  override readonly name = 'BlockedTargetError';
  readonly code = 'ERR_BLOCKED_TARGET';
  readonly address: string;

  constructor(address: string) {
    super(`The address ${address} is blocked.`);
    this.address = address;
  }
}

export type TargetGuard = {
  /**
   * The address in the URL's host, where the host is an address and is blocked; null for every name, whose address
   * only {@link TargetGuard.lookup} can know. Call it for each URL before it is connected to, redirects included:
   * Node looks up no address literal.
   */
  blockedAddressIn: (url: URL) => string | null;
  /**
   * For `net.connect`. Resolves a name and fails with {@link BlockedTargetError} if any of its addresses is blocked.
   * The addresses that were checked are the ones connected to, so a name server that answers differently the second
   * time gains nothing.
   */
  lookup: LookupFunction;
};

/**
 * Makes the guard that every outgoing call passes.
 *
 * @param options.blockedRanges CIDR ranges or single addresses; an empty list blocks nothing
 * @param options.resolveAll how a name becomes addresses; the operating system's way where left out
 * @throws RangeError naming the first range that cannot be read
 */
export function createTargetGuard(options: {
  blockedRanges: readonly string[];
  resolveAll?: ResolveAll;
}): TargetGuard {
  const isBlocked = createRangeCheck(options.blockedRanges);
  return {
    blockedAddressIn(url) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      return isIP(host) !== 0 && isBlocked(host) ? host : null;
    },
    lookup: createLookup(options.resolveAll ?? dns.promises.lookup, (addresses) => {
      // One blocked address among good ones is reason enough: which of them is connected to is a matter of timing.
      const blocked = addresses.find(({ address }) => isBlocked(address));
      return blocked ? new BlockedTargetError(blocked.address) : null;
    }),
  };
}
