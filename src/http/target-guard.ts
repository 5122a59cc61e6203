import dns from 'node:dns';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { createRangeCheck, isPublicAddress } from './ip-ranges.ts';
import { createLookup } from './lookup.ts';
import type { ResolveAll } from './lookup.ts';

/**
 * What no target may be where the operator says nothing else: link-local addresses, among them the metadata services
 * of most clouds, which hand out credentials to anyone who can make a server call them, and those services that have other
 * addresses: Amazon's by IPv6, for machines and for containers, Google's by IPv6, Alibaba's, Azure's, Oracle's older one.
 * Private networks stay open: calling them is what a self-hosted scheduler is for.
 */
export const DEFAULT_BLOCKED_RANGES: readonly string[] = [
  '169.254.0.0/16',
  'fe80::/10',
  'fd00:ec2::254/128',
  'fd00:ec2::23/128',
  'fd20:ce::254/128',
  '100.100.100.200/32',
  '168.63.129.16/32',
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

/** What checks the addresses of calls. */
export type AddressCheck = {
  /**
   * The address in the URL's host, where the host is an address and is blocked; null for every name, whose address
   * only {@link AddressCheck.lookup} can know. Call it for each URL before it is connected to, redirects included:
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

export type TargetGuard = AddressCheck & {
  /** Whether anybody on the public network may answer from this address. */
  isPublic: (address: string) => boolean;
  /**
   * For a call that a public target has redirected: what is not public is blocked as well. Whoever answers on the public
   * network could otherwise choose which machine of the inner network is called.
   */
  afterPublic: AddressCheck;
};

export type GuardOptions = {
  /** CIDR ranges or single addresses; an empty list blocks nothing. */
  blockedRanges: readonly string[];
  /** Addresses that are not public, and that public targets may redirect to. */
  redirectRanges?: readonly string[];
  /** How a name becomes addresses; the operating system's way where left out. */
  resolveAll?: ResolveAll;
  /** Which addresses are public; by their registered ranges where left out. */
  isPublic?: (address: string) => boolean;
};

/**
 * Makes the guard that every outgoing call passes.
 *
 * @throws RangeError naming the first range that cannot be read
 */
export function createTargetGuard(options: GuardOptions): TargetGuard {
  const { blockedRanges, redirectRanges = [], isPublic = isPublicAddress } = options;
  const resolveAll = options.resolveAll ?? dns.promises.lookup;
  const isBlocked = createRangeCheck(blockedRanges);
  const mayBeRedirectedTo = createRangeCheck(redirectRanges);
  const isInward = (address: string) => !isPublic(address) && !mayBeRedirectedTo(address);
  return {
    ...addressCheck(isBlocked, resolveAll),
    isPublic,
    afterPublic: addressCheck((address) => isBlocked(address) || isInward(address), resolveAll),
  };
}

function addressCheck(isBlocked: (address: string) => boolean, resolveAll: ResolveAll): AddressCheck {
  return {
    blockedAddressIn(url) {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      return isIP(host) !== 0 && isBlocked(host) ? host : null;
    },
    lookup: createLookup(resolveAll, (addresses) => {
      // One blocked address among good ones is reason enough: which of them is connected to is a matter of timing.
      const blocked = addresses.find(({ address }) => isBlocked(address));
      return blocked ? new BlockedTargetError(blocked.address) : null;
    }),
  };
}
