import { GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createPeerLimits, noUsage, type Leave } from '../../../src/server/limits/peer-limits.ts';

function entered(result: Leave | string | GraphQLError): Leave {
  if (typeof result !== 'function') throw new Error(String(result));
  return result;
}

const NOWHERE = { address: null, socket: undefined };

describe('The limits of a peer', () => {
  it.each([
    ['203.0.113.7', '::ffff:203.0.113.7', '203.0.113.8'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:1:2:3', '2001:db8:1:3::1'],
    ['2001:db8::1', '2001:db8:0:0:5::', '2001:db8:0:1::1'],
    ['::1', '::2', 'fe80::1'],
  ])('count %s and %s as one, and %s as another', (one, same, other) => {
    const limits = createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1 });
    const leave = entered(limits.enterWebsocket(one));
    expect(limits.enterWebsocket(same)).toBe(
      'At most 1 websockets of one address (MAX_WEBSOCKETS_PER_ADDRESS)',
    );
    entered(limits.enterWebsocket(other));
    leave();
    entered(limits.enterWebsocket(same));
  });

  it('bound the bytes of one websocket’s subscriptions, whatever their number', () => {
    const limits = createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1_000 });
    const from = { address: null, socket: noUsage() };
    const leave = entered(limits.enterSubscription(from, 200_000));
    expect(limits.enterSubscription(from, 60_000)).toMatchObject({
      message: "The documents and variables of one websocket's subscriptions have at most 256000 bytes.",
      extensions: { code: 'TOO_MANY_OPERATIONS' },
    });
    entered(limits.enterSubscription({ address: null, socket: noUsage() }, 200_000));
    leave();
    entered(limits.enterSubscription(from, 256_000));
  });

  it('bound the bytes of one address’s subscriptions, over however many websockets', () => {
    const limits = createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1_000 });
    for (let i = 0; i < 320; i += 1) {
      entered(limits.enterSubscription({ address: null, socket: noUsage() }, 200_000));
    }
    expect(limits.enterSubscription({ address: null, socket: noUsage() }, 1)).toBeInstanceOf(GraphQLError);
    entered(limits.enterSubscription({ address: '10.0.0.1', socket: noUsage() }, 1));
  });

  it('bound the number of subscriptions, with a message that names the setting', () => {
    const limits = createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1 });
    const leave = entered(limits.enterSubscription(NOWHERE, 1));
    expect(limits.enterSubscription(NOWHERE, 1)).toMatchObject({
      message: 'One address runs at most 1 subscriptions at once (MAX_SUBSCRIPTIONS_PER_ADDRESS).',
    });
    leave();
    entered(limits.enterSubscription(NOWHERE, 1));
  });
});
