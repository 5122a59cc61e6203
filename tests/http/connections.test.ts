import http from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createConnections } from '../../src/http/connections.ts';
import * as bad from '../support/bad-targets.ts';
import { startTarget, type TargetServer } from '../support/target-server.ts';
import { newSender, request, unhurried } from './sending.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target.close());
afterEach(() => {
  target.calls.length = 0;
  vi.restoreAllMocks();
});

describe.each(['agents', 'singleUseAgents'] as const)('connections of the %s', (kind) => {
  it('are counted while they are in use, and closed with the others', async () => {
    const connections = createConnections();
    target.script('/hang', 'hang');
    http.get(`${target.url}/hang`, { agent: connections[kind].http }).on('error', () => undefined);
    await target.received('/hang');
    expect(connections.openCount()).toBe(1);
    connections.close();
    await target.allSocketsClosed();
    await expect.poll(() => connections.openCount()).toBe(0);
  });
});

describe('a new connection', () => {
  /** The options that node gets for each new connection. */
  function watchConnecting() {
    type Connecting = { createConnection: (options: object) => unknown };
    const connect = vi.spyOn(http.Agent.prototype as unknown as Connecting, 'createConnection');
    return () => connect.mock.calls.map(([options]) => options);
  }

  it('gives each address the same time, also for a call that must not be repeated', async () => {
    const made = watchConnecting();
    const sender = newSender();
    for (const atMostOnce of [false, true]) {
      await sender.sendAttempt(request(target.url, { atMostOnce }), unhurried());
    }
    expect(made()).toMatchObject([
      { autoSelectFamilyAttemptTimeout: 500, keepAlive: true },
      { autoSelectFamilyAttemptTimeout: 500, keepAlive: false },
    ]);
    sender.close();
  });

  it('does so also when it replaces a connection that was already closed', async () => {
    const closing = await bad.startBadTarget(bad.answersOncePerConnection());
    const made = watchConnecting();
    const sender = newSender();
    for (let count = 0; count < 2; count += 1) await sender.sendAttempt(request(closing.url), unhurried());
    expect(made()).toMatchObject([
      { autoSelectFamilyAttemptTimeout: 500 },
      { autoSelectFamilyAttemptTimeout: 500 },
    ]);
    sender.close();
    await closing.close();
  });

  it('that is used once is closed after its call', async () => {
    const sender = newSender();
    const gate = target.gate('/gate');
    const sent = sender.sendAttempt(request(`${target.url}/gate`, { atMostOnce: true }), unhurried());
    await target.received('/gate');
    expect(sender.openSockets()).toBe(1);
    gate.open();
    await sent;
    await expect.poll(() => sender.openSockets()).toBe(0);
    sender.close();
  });
});
