import { isIPv4 } from 'node:net';
import { GraphQLError } from 'graphql';
import { MAX_SUBSCRIPTION_BYTES_PER_ADDRESS, MAX_SUBSCRIPTION_BYTES_PER_SOCKET } from './limits.ts';

/** What one peer or one websocket has open. */
export interface Usage {
  websockets: number;
  subscriptions: number;
  /** Of the documents and variables of the subscriptions. */
  subscriptionBytes: number;
}

export type Leave = () => void;

/** Bounds what one peer has open: a peer is an IPv4 address or an IPv6 network of 64 bits, which is one subscriber's. */
export interface PeerLimits {
  /** Counts a websocket until it leaves; a string is the reason of a refusal. */
  enterWebsocket: (address: string | null) => Leave | string;
  /**
   * Counts a subscription, over a websocket or as an event stream, until it leaves.
   *
   * @param socket what its websocket has open, where there is one
   */
  enterSubscription: (
    from: { address: string | null; socket: Usage | undefined },
    bytes: number,
  ) => Leave | GraphQLError;
}

export interface PeerLimitOptions {
  maxWebsocketsPerAddress: number;
  maxSubscriptionsPerAddress: number;
}

export function createPeerLimits({
  maxWebsocketsPerAddress,
  maxSubscriptionsPerAddress,
}: PeerLimitOptions): PeerLimits {
  const peers = new Map<string, Usage>();

  function usageOf(key: string): Usage {
    const usage = peers.get(key) ?? noUsage();
    peers.set(key, usage);
    return usage;
  }

  function forgetIdle(key: string): void {
    const usage = peers.get(key);
    if (usage && usage.websockets + usage.subscriptions === 0) peers.delete(key);
  }

  function excess(peer: Usage, socket: Usage | undefined, bytes: number): string | null {
    if (peer.subscriptions >= maxSubscriptionsPerAddress)
      return `One address runs at most ${maxSubscriptionsPerAddress} subscriptions at once (MAX_SUBSCRIPTIONS_PER_ADDRESS).`;
    if (peer.subscriptionBytes + bytes > MAX_SUBSCRIPTION_BYTES_PER_ADDRESS)
      return `The documents and variables of one address's subscriptions have at most ${MAX_SUBSCRIPTION_BYTES_PER_ADDRESS} bytes.`;
    if ((socket?.subscriptionBytes ?? 0) + bytes > MAX_SUBSCRIPTION_BYTES_PER_SOCKET)
      return `The documents and variables of one websocket's subscriptions have at most ${MAX_SUBSCRIPTION_BYTES_PER_SOCKET} bytes.`;
    return null;
  }

  return {
    enterWebsocket(address) {
      const key = peerOf(address);
      const peer = usageOf(key);
      if (peer.websockets >= maxWebsocketsPerAddress)
        return `At most ${maxWebsocketsPerAddress} websockets of one address (MAX_WEBSOCKETS_PER_ADDRESS)`;
      peer.websockets += 1;
      return () => {
        peer.websockets -= 1;
        forgetIdle(key);
      };
    },
    enterSubscription({ address, socket }, bytes) {
      const key = peerOf(address);
      const peer = usageOf(key);
      const mistake = excess(peer, socket, bytes);
      if (mistake !== null) {
        forgetIdle(key);
        return new GraphQLError(mistake, { extensions: { code: 'TOO_MANY_OPERATIONS' } });
      }
      const both = socket ? [peer, socket] : [peer];
      for (const usage of both) add(usage, 1, bytes);
      return () => {
        for (const usage of both) add(usage, -1, -bytes);
        forgetIdle(key);
      };
    },
  };
}

export function noUsage(): Usage {
  return { websockets: 0, subscriptions: 0, subscriptionBytes: 0 };
}

function add(usage: Usage, subscriptions: number, bytes: number): void {
  usage.subscriptions += subscriptions;
  usage.subscriptionBytes += bytes;
}

const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i;
const GROUPS_OF_NETWORK = 4;

/** The peer behind an address; all whose address is unknown are one. */
function peerOf(address: string | null): string {
  const plain = (address ?? '').replace(MAPPED_IPV4, '');
  if (isIPv4(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length;
  return [...groups, ...Array.from({ length: missing }, () => '0'), ...(tail ?? '').split(':')]
    .slice(0, GROUPS_OF_NETWORK)
    .join(':');
}
