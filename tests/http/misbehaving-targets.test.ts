import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpMethod } from '../../src/domain/request/http-method.ts';
import type { CallFailureReason } from '../../src/domain/execution/outcome.ts';
import type { Sender } from '../../src/http/send-attempt.ts';
import { StopSignal } from '../../src/http/stop-signal.ts';
import * as bad from '../support/bad-targets.ts';
import type { Misbehaviour } from '../support/bad-targets.ts';
import { expectResponse, newSender, request, unhurried } from './sending.ts';

/**
 * The amount that the kernel buffers from a fast writer before the reader closes: far above it, far below the whole.
 */
const BYTES_IN_FLIGHT = 32 * 1024 * 1024;

let sender: Sender;

beforeEach(() => {
  sender = newSender();
});
afterEach(() => {
  sender.close();
});

async function callBadTarget(misbehave: Misbehaviour, timeoutMs = 10_000, method: HttpMethod = 'GET') {
  const target = await bad.startBadTarget(misbehave);
  try {
    const { outcome } = await sender.sendAttempt(request(target.url, { method }), unhurried({ timeoutMs }));
    await target.allSocketsClosed();
    await expect.poll(() => sender.openSockets()).toBe(0);
    return { outcome, connections: target.connections(), bytesSent: target.bytesSent() };
  } finally {
    await target.close();
  }
}

describe('a target that closes early', () => {
  it.each<[string, Misbehaviour]>([
    ['resets the connection', bad.reset],
    ['resets the connection in the body', bad.resetInBody],
    ['closes without an answer', bad.closeWithoutAnswer],
    ['closes its half before the announced end', bad.halfClose],
    ['closes between chunks', bad.cutChunks],
  ])('and %s ends the call with CONNECTION', async (_what, misbehave) => {
    const { outcome, connections } = await callBadTarget(misbehave);
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'CONNECTION' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('closed the connection'));
    expect(connections).toBe(1);
  });
});

describe('a target with an unreadable answer', () => {
  it.each<[string, Misbehaviour, CallFailureReason]>([
    ['a chunk whose size is no number', bad.badChunk, 'CONNECTION'],
    ['another protocol', bad.notHttp, 'CONNECTION'],
    ['a switch to another protocol', bad.unaskedUpgrade, 'CONNECTION'],
    ['text that it calls gzip', bad.badGzip, 'CONNECTION'],
    ['gzip that is spoilt', bad.spoiledGzip, 'CONNECTION'],
    ['headers without end', bad.endlessHeaders, 'CONNECTION'],
  ])('such as %s ends the call with the right reason', async (_what, misbehave, reason) => {
    expect((await callBadTarget(misbehave)).outcome).toMatchObject({ kind: 'failed', reason });
  });
});

describe('a target that sends informational answers', () => {
  it.each<[string, Misbehaviour]>([
    ['one after the other', bad.endlessInformation],
    ['as fast as it can', bad.floodOfInformation],
    ['that are long', bad.longInformation],
  ])('without end, %s, ends the call as a bad answer', async (_what, misbehave) => {
    const { outcome, connections } = await callBadTarget(misbehave, 5_000);
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'CONNECTION' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('informational answers'));
    expect(connections).toBe(1);
  });

  it('is accepted until its answer when there are at most 20', async () => {
    const target = await bad.startBadTarget(bad.someInformation);
    // The connection is kept. The count of one call does not affect the next.
    for (let call = 0; call < 2; call += 1) {
      const { outcome } = await sender.sendAttempt(request(target.url), unhurried());
      expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
    }
    expect(target.connections()).toBe(1);
    await target.close();
  });
});

describe('a slow target', () => {
  it.each<[string, Misbehaviour]>([
    ['says nothing', bad.silence],
    ['drips its head', bad.slowHead],
    ['drips its body', bad.slowBody],
    ['sends packed bytes that unpack to nothing', bad.emptyGzipMembers],
  ])('and %s ends the call with TIMEOUT', async (_what, misbehave) => {
    expect((await callBadTarget(misbehave, 100)).outcome).toMatchObject({
      kind: 'failed',
      reason: 'TIMEOUT',
    });
  });

  it('loses its socket when the call is aborted in the middle of the body', async () => {
    const target = await bad.startBadTarget(bad.slowBody);
    const signal = new StopSignal();
    const sent = sender.sendAttempt(request(target.url), unhurried({ signal }));
    await target.requested();
    signal.stop('abort');
    expect((await sent).outcome).toEqual({ kind: 'aborted' });
    await target.allSocketsClosed();
    await target.close();
  });
});

describe('a target that sends too much', () => {
  it.each<[string, Misbehaviour]>([
    ['a body without end', bad.endlessBody],
    ['a gigabyte', bad.gigabyteBody],
    ['a gzip bomb', bad.gzipBomb],
  ])('such as %s is read for 5,000 characters and then closed', async (_what, misbehave) => {
    const { outcome, bytesSent } = await callBadTarget(misbehave);
    const { status, body, bodyTruncated } = expectResponse(outcome);
    expect({ status, length: body.length, bodyTruncated }).toEqual({
      status: 200,
      length: 5_000,
      bodyTruncated: true,
    });
    expect(bytesSent).toBeLessThan(BYTES_IN_FLIGHT);
  });

  it('does not make the process grow after many calls', async () => {
    const target = await bad.startBadTarget(bad.gzipBomb);
    const call = () => sender.sendAttempt(request(target.url), unhurried());
    await Promise.all(Array.from({ length: 20 }, call));
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 5; round += 1) await Promise.all(Array.from({ length: 20 }, call));
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024);
    await target.allSocketsClosed();
    await target.close();
  });
});

describe('a kept connection that the target closes as it is used', () => {
  it.each<HttpMethod>(['GET', 'POST', 'DELETE'])(
    'costs a %s nothing: the call is repeated on a new connection',
    async (method) => {
      const target = await bad.startBadTarget(bad.answersOncePerConnection());
      for (let count = 0; count < 3; count += 1) {
        const { outcome } = await sender.sendAttempt(request(target.url, { method }), unhurried());
        expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
      }
      await target.close();
    },
  );

  it('is never used for a call that must not be repeated', async () => {
    const target = await bad.startBadTarget(bad.answersOncePerConnection());
    const connectionsBefore = target.connections();
    for (let count = 0; count < 3; count += 1) {
      const { outcome } = await sender.sendAttempt(request(target.url, { atMostOnce: true }), unhurried());
      expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
    }
    expect(target.connections() - connectionsBefore).toBe(3);
    await target.close();
  });

  it('is not confused with a target that resets every connection', async () => {
    const { outcome, connections } = await callBadTarget(bad.reset);
    expect(outcome).toMatchObject({ reason: 'CONNECTION' });
    expect(connections).toBe(1);
  });
});
