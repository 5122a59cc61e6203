import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { complete, rawSocket, subscribe } from '../raw-websocket.ts';
import { startTestServer } from '../test-server.ts';

const TICKS = 'subscription { tick }';
const MOST = 200;

describe('The id of an operation on a websocket', () => {
  it('may be used anew in the same breath in which its subscription is completed', async () => {
    const { url, ticks } = await startTestServer();
    const { messages, send, sendTogether } = await rawSocket(url);
    send(subscribe('1', TICKS));
    await until(() => ticks.pulled === 1);
    sendTogether(complete('1'), subscribe('1', TICKS));
    await until(() => ticks.pulled === 2 && ticks.returned === 1);
    ticks.push('of the new one');
    expect(await messages.next()).toEqual({
      id: '1',
      type: 'next',
      payload: { data: { tick: 'of the new one' } },
    });
    send(complete('1'));
    await until(() => ticks.returned === 2);
    expect(messages.all).toHaveLength(2);
  });

  it('may be used anew while the operation that had it still runs, whose end is then told to nobody', async () => {
    const { url, ticks, slowAsked, openGate } = await startTestServer();
    const { socket, messages, send } = await rawSocket(url);
    send(subscribe('1', '{ slow }'));
    await slowAsked;
    send(complete('1'));
    send(subscribe('1', TICKS));
    await until(() => ticks.pulled === 1);
    openGate();
    send(subscribe('2', '{ hello }'));
    expect(await messages.next()).toMatchObject({ id: '2', type: 'next' });
    expect(await messages.next()).toEqual({ id: '2', type: 'complete' });
    ticks.push('still here');
    expect(await messages.next()).toMatchObject({ id: '1', payload: { data: { tick: 'still here' } } });
    send(complete('1'));
    await until(() => ticks.returned === 1);
    send(subscribe('1', TICKS));
    await until(() => ticks.subscribed === 2);
    socket.terminate();
    await until(() => ticks.returned === 2);
  });

  it('is taken as long as an operation has it that the client did not complete', async () => {
    const { url, slowAsked } = await startTestServer();
    for (const messages of [
      [subscribe('1', '{ slow }'), complete('2'), subscribe('1', TICKS)],
      [subscribe('1', '{ slow }'), complete('1'), subscribe('1', '{ slow }'), subscribe('1', TICKS)],
    ]) {
      const { socket, sendTogether } = await rawSocket(url);
      sendTogether(...messages);
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4409, 'Subscriber for 1 already exists']);
    }
    await slowAsked;
  });

  it('comes back as it was sent, whatever it looks like', async () => {
    const { url, ticks } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    const ids = ['a', '1:a', '2:1:a', ':', '"\\', '__proto__', '\u2028𝒶', '\ud800', '{"id":"1:'];
    for (const id of ids) send(subscribe(id, TICKS));
    await until(() => ticks.pulled === ids.length);
    ticks.push('x');
    for (const id of ids) expect(await messages.next()).toMatchObject({ id, type: 'next' });
    for (const [index, id] of ids.entries()) {
      send(complete(id));
      await until(() => ticks.returned === index + 1);
      send(subscribe(id, '{ hello }'));
      expect(await messages.next()).toMatchObject({ id, type: 'next' });
      expect(await messages.next()).toEqual({ id, type: 'complete' });
      send(subscribe(id, '{ nothing }'));
      expect(await messages.next()).toMatchObject({ id, type: 'error' });
    }
  });

  it('says nothing of how many operations run: those that a client completed count until they end', async () => {
    const { url, slowAsked, openGate } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    for (let i = 1; i <= MOST; i += 1) {
      send(subscribe('1', '{ slow }'));
      send(complete('1'));
    }
    await slowAsked;
    for (const id of ['1', '2']) {
      send(subscribe(id, '{ hello }'));
      expect(await messages.next()).toMatchObject({
        id,
        type: 'error',
        payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }],
      });
    }
    openGate();
    send(subscribe('1', '{ hello }'));
    expect(await messages.next()).toMatchObject({ id: '1', type: 'next' });
  });

  it('is free again after operations that were never started, however many', async () => {
    const { url } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    for (let i = 0; i <= MOST; i += 1) {
      send(subscribe('1', '{ nothing }'));
      expect(await messages.next()).toMatchObject({
        type: 'error',
        payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
      });
    }
    send(subscribe('1', 'subscription { faultAtStart }'));
    expect(await messages.next()).toMatchObject({ id: '1', type: 'next' });
    expect(await messages.next()).toEqual({ id: '1', type: 'complete' });
  });
});
