import { BlockList, isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import { boundedMemo } from '../domain/values/bounded-memo.ts';

/** Addresses of which the answer is remembered: every call asks for that of its target. */
const KNOWN_LIMIT = 1_000;

/**
 * Reads one range: an address, or an address and a prefix length ("10.0.0.0/8", "fe80::/10").
 *
 * @returns null where it is neither
 */
export function parseCidr(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', prefixText] = text.split('/');
  // ipaddr.js also reads short and octal forms, which every reader takes for another address.
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return null;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (prefixText === undefined) return { address, prefix: version === 4 ? 32 : 128, family };
  return ipaddr.isValidCIDR(text) ? { address, prefix: Number(prefixText), family } : null;
}

/**
 * Builds a check for addresses that lie in any of the ranges.
 *
 * An IPv6 address that stands for an IPv4 one is held against the IPv4 ranges as well, else another spelling would lead
 * around a range. For the same reason ranges that hold loopback (127.0.0.1 or ::1) hold the unspecified addresses, 0.0.0.0
 * and ::, too: who connects to them reaches this machine.
 *
 * @throws RangeError naming the first range that cannot be read
 */
export function createRangeCheck(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const parsed = parseCidr(range);
    if (!parsed)
      throw new RangeError(`"${range}" is no address range: use a form such as 10.0.0.0/8 or fe80::/10.`);
    list.addSubnet(parsed.address, parsed.prefix, parsed.family);
  }
  if (list.check('127.0.0.1', 'ipv4') || list.check('::1', 'ipv6')) {
    // Each with either family's loopback: a listener on :: mostly serves both.
    list.addAddress('0.0.0.0', 'ipv4');
    list.addAddress('::', 'ipv6');
  }
  return boundedMemo(KNOWN_LIMIT, (address) => {
    if (isIPv4(address)) return list.check(address, 'ipv4');
    const bare = withoutZone(address);
    if (list.check(bare, 'ipv6')) return true;
    return embeddedIpv4s(bare).some((embedded) => list.check(embedded, 'ipv4'));
  });
}

/**
 * Whether an address is one of the public network: not loopback, private, link-local or otherwise set apart. An IPv6 address
 * that stands for an IPv4 one is what that one is.
 */
export const isPublicAddress = boundedMemo(KNOWN_LIMIT, (address): boolean => {
  const bare = withoutZone(address);
  if (!ipaddr.isValid(bare)) return false;
  const embedded = isIPv4(bare) ? [] : embeddedIpv4s(bare);
  if (embedded.length > 0) return embedded.every(isPublicAddress);
  return ipaddr.parse(bare).range() === 'unicast';
});

/** A zone (fe80::1%eth0) says which interface to use, not which address it is. */
function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? '';
}

/** Prefixes of IPv6 addresses that carry an IPv4 address, and in which of their 16 bytes it may stand. */
const CARRIERS: readonly { prefix: ReturnType<typeof ipaddr.IPv6.parseCIDR>; places: readonly Place[] }[] = [
  carrier('::ffff:0:0/96', [12, 13, 14, 15]), // mapped
  carrier('::ffff:0:0:0/96', [12, 13, 14, 15]), // translated, RFC 2765
  carrier('::/96', [12, 13, 14, 15]), // compatible, RFC 4291
  carrier('64:ff9b::/96', [12, 13, 14, 15]), // NAT64, RFC 6052
  // NAT64 of one's own network, RFC 8215. How long its prefix is, and so where the address stands, nobody else can know.
  carrier('64:ff9b:1::/48', [6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]),
  carrier('2002::/16', [2, 3, 4, 5]), // 6to4, RFC 3056
  carrier('2001::/32', [4, 5, 6, 7], [12, 13, 14, 15]), // Teredo, RFC 4380: its server, and the client, inverted
];

type Place = readonly [number, number, number, number];

function carrier(prefix: string, ...places: Place[]) {
  return { prefix: ipaddr.IPv6.parseCIDR(prefix), places };
}

const TEREDO = ipaddr.IPv6.parseCIDR('2001::/32');

/** The IPv4 addresses that an IPv6 address may stand for; none for most. */
function embeddedIpv4s(address: string): string[] {
  if (!ipaddr.IPv6.isValid(address)) return [];
  const parsed = ipaddr.IPv6.parse(address);
  const bytes = parsed.toByteArray();
  return CARRIERS.filter(({ prefix }) => parsed.match(prefix)).flatMap(({ places }) =>
    places.map((place) => {
      const isInverted = place[0] === 12 && parsed.match(TEREDO);
      return place.map((index) => (bytes[index] ?? 0) ^ (isInverted ? 0xff : 0)).join('.');
    }),
  );
}
