import { BlockList, isIP, isIPv4 } from 'node:net';
import { boundedMemo } from '../domain/values/bounded-memo.ts';

/** Addresses of which the answer is remembered: every call asks for that of its target. */
const KNOWN_LIMIT = 1_000;

/**
 * Reads one range: an address, or an address and a prefix length ("10.0.0.0/8", "fe80::/10").
 *
 * @returns null where it is neither
 */
export function parseCidr(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | null {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return null;

  const widest = version === 4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return null;
  const prefix = prefixText === undefined ? widest : Number(prefixText);
  if (prefix > widest) return null;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/**
 * Builds a check for addresses that lie in any of the ranges.
 *
 * An IPv6 address that stands for an IPv4 one is held against the IPv4 ranges as well, else a range would be walked
 * around by spelling. For the same reason ranges that hold loopback (127.0.0.1 or ::1) hold the unspecified addresses,
 * 0.0.0.0 and ::, too: who connects to them reaches this machine.
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
    // A zone (fe80::1%eth0) says which interface to use, not which address it is.
    const [bare = ''] = address.split('%');
    if (list.check(bare, 'ipv6')) return true;
    const embedded = embeddedIpv4(bare);
    return embedded !== null && list.check(embedded, 'ipv4');
  });
}

/**
 * The IPv4 address that an IPv6 address carries: mapped (::ffff:a.b.c.d), compatible (::a.b.c.d) or translated by a
 * NAT64 gateway (64:ff9b::a.b.c.d, RFC 6052).
 */
function embeddedIpv4(address: string): string | null {
  const groups = expandIpv6(address);
  if (groups === null) return null;
  const high = groups.slice(0, 6).join(':');
  if (high !== '0:0:0:0:0:ffff' && high !== '0:0:0:0:0:0' && high !== '64:ff9b:0:0:0:0') return null;
  const [upper = 0, lower = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [upper >> 8, upper & 0xff, lower >> 8, lower & 0xff].join('.');
}

/** The eight groups in lower-case hexadecimal without leading zeros, or null where the text is no IPv6 address. */
function expandIpv6(address: string): string[] | null {
  if (!URL.canParse(`http://[${address}]`)) return null;
  // The URL parser spells every address in one way: hexadecimal, longest run of zeros as ::.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = canonical.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
}
