import type { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import type { RenderedEvent } from '../../../src/server/websocket/shared-results.ts';
import { framesOf } from '../../../src/server/websocket/websocket-frames.ts';

/** The reading half of a websocket, which the types of ws do not name. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

const told = (text: string): RenderedEvent => {
  const result = { data: { text } };
  return { result, json: Buffer.from(JSON.stringify(result)) };
};
const idOf = (id: string) => Buffer.from(JSON.stringify(id));

/** What a websocket client reads. */
function read(frames: Buffer): unknown[] {
  const messages: unknown[] = [];
  const receiver = new Receiver({ isServer: false, allowSynchronousEvents: true });
  receiver.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString())));
  receiver.write(frames);
  return messages;
}

describe('results as frames', () => {
  // Lengths stand in 7, 16 or 64 bits.
  it.each([0, 50, 125, 126, 200, 65_400, 65_535, 70_000])(
    'are read as they were, with %i characters',
    (length) => {
      const one = told('x'.repeat(length));
      const two = told('ü'.repeat(length));
      expect(read(framesOf(idOf('1'), [one, two]))).toEqual([
        { id: '1', type: 'next', payload: one.result },
        { id: '1', type: 'next', payload: two.result },
      ]);
    },
  );

  it('have each operation’s own id, of whatever length and with whatever characters', () => {
    const shared = [told('shared'), told('too')];
    const ids = [
      '1',
      '2',
      '"quoted"',
      'ünïcode',
      '0b6f1f52-8d1c-4a4e-9c53-0a3f7a4f2d11',
      '1',
      'x'.repeat(70_000),
    ];
    for (const id of ids) {
      expect(read(framesOf(idOf(id), shared))).toEqual(
        shared.map(({ result }) => ({ id, type: 'next', payload: result })),
      );
    }
  });

  it('of one operation do not change with those of the next', () => {
    const shared = told('shared');
    const first = framesOf(idOf('1'), [shared]);
    framesOf(idOf('2'), [shared]);
    expect(read(first)).toMatchObject([{ id: '1' }]);
  });
});
