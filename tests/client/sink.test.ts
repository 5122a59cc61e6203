import { expect, it, vi } from 'vitest';
import { guarded } from '../../client/src/sink.ts';

it('does not pass an exception of a receiver to the caller, and reports it', () => {
  const reported: (() => void)[] = [];
  const microtasks = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => reported.push(task));
  const fail = () => {
    throw new Error('The receiver’s own');
  };
  const sink = guarded({ next: fail, error: fail, complete: fail });
  sink.next({});
  sink.error(new Error());
  sink.complete();
  microtasks.mockRestore();
  expect(reported).toHaveLength(3);
  for (const task of reported) expect(task).toThrow('The receiver’s own');
});
