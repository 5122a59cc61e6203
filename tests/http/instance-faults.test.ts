import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeInstanceFault } from '../../src/http/failure.ts';
import type { ResolveAll } from '../../src/http/lookup.ts';
import { startTarget } from '../support/target-server.ts';
import type { TargetServer } from '../support/target-server.ts';
import { newSender, request, unhurried } from './sending.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target.close());

const run = promisify(execFile);

/** The form in which node reports it. */
function systemError(code: string, syscall: string, address?: string): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall, address });
}

/** A resolver that fails in this way. */
function failingResolver(error: Error): ResolveAll {
  return () => Promise.reject(error);
}

describe('a call for which this machine has no resources', () => {
  it('is a fault of the instance, and the target gets nothing of it', async () => {
    const script = fileURLToPath(new URL('without-descriptors.ts', import.meta.url));
    const command = `ulimit -n 100; exec ${process.execPath} --import tsx ${script} ${target.url}/called`;
    const { stdout } = await run('bash', ['-c', command]);
    expect(JSON.parse(stdout)).toEqual({
      kind: 'instanceFault',
      message: `This instance could not open a connection to ${new URL(target.url).host} (EMFILE); the target has seen nothing.`,
    });
    expect(target.callsTo('/called')).toEqual([]);
  });

  it('is a fault of the instance when the name lookup has no file descriptors', async () => {
    const sender = newSender({ resolveAll: failingResolver(systemError('EMFILE', 'getaddrinfo')) });
    const { outcome } = await sender.sendAttempt(request('http://target.test/'), unhurried());
    expect(outcome).toMatchObject({ kind: 'instanceFault' });
    sender.close();
  });

  it('is a failure of the call after a redirect: one target has received it', async () => {
    const sender = newSender({ resolveAll: failingResolver(systemError('EMFILE', 'getaddrinfo')) });
    target.script('/away', { status: 302, headers: { location: 'http://elsewhere.test/' } });
    const { outcome } = await sender.sendAttempt(request(`${target.url}/away`), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed' });
    sender.close();
  });
});

describe('describeInstanceFault', () => {
  it.each([
    ['EMFILE', 'connect'],
    ['ENFILE', 'connect'],
    ['ENOMEM', 'connect'],
    ['ENOBUFS', 'connect'],
    ['EAGAIN', 'connect'],
    ['EADDRNOTAVAIL', 'connect'],
    ['EAI_MEMORY', 'getaddrinfo'],
  ])('names %s of %s', (code, syscall) => {
    expect(describeInstanceFault(systemError(code, syscall, '127.0.0.1'), 'target.test')).toContain(code);
  });

  it('finds it among the addresses of one name', () => {
    const errors = [systemError('EMFILE', 'connect'), systemError('ECONNREFUSED', 'connect')];
    expect(describeInstanceFault(new AggregateError(errors), 'target.test')).toContain('EMFILE');
  });

  it.each([
    ['a refused connection', systemError('ECONNREFUSED', 'connect')],
    ['a failure behind the connect, when the target may have seen the call', systemError('ENOMEM', 'write')],
    ['an IPv6 address on a machine that has none', systemError('EADDRNOTAVAIL', 'connect', '::1')],
    ['what is no error', 'EMFILE'],
  ])('attributes %s to the target', (_what, error) => {
    expect(describeInstanceFault(error, 'target.test')).toBeNull();
  });
});
