import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { DEFAULT_BLOCKED_RANGES, createTargetGuard } from '../../src/http/target-guard.ts';
import type { TargetGuard } from '../../src/http/target-guard.ts';
import { startTarget } from '../support/target-server.ts';
import { everythingLocal, newSender, request, unhurried } from './sending.ts';

const standard = createTargetGuard({ blockedRanges: DEFAULT_BLOCKED_RANGES });

function lookUp(guard: TargetGuard, hostname: string, all: boolean): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    guard.lookup(hostname, { all }, (error, address) => {
      if (error) reject(error);
      else resolve(address);
    });
  });
}

describe('an address in a URL', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://169.254.0.1:8080/',
    'http://2852039166/',
    'http://0xa9.0xfe.0xa9.0xfe/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://[fe80::1]/',
    'http://[febf::1]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/latest/meta-data',
    'http://192.0.0.192/latest/meta-data',
    'http://[::ffff:100.100.100.200]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[::169.254.169.254]/',
    'http://[64:ff9b::169.254.169.254]/',
    'http://[::ffff:0:169.254.169.254]/',
    'http://[2002:a9fe:a9fe::1]/',
    'http://[64:ff9b:1::a9fe:a9fe]/',
    'http://[64:ff9b:1:a9fe:a9:fe00::]/',
    'http://[64:ff9b:1:0:a9:fea9:fe00:0]/',
    'http://[2001:0:a9fe:a9fe::1]/',
    'http://[2001:0:808:808::5601:5601]/',
    'http://169.254.170.23/v1/credentials',
    'http://169.254.170.2/v2/credentials',
    'http://[fd00:ec2::23]/v1/credentials',
    'http://168.63.129.16/machine',
    'http://[::ffff:168.63.129.16]/',
    'http://[fd20:ce::254]/computeMetadata/v1/',
  ])('is blocked by default in %s', (url) => {
    expect(standard.blockedAddressIn(new URL(url))).not.toBeNull();
  });

  it.each([
    'http://127.0.0.1/',
    'http://10.0.0.1/',
    'http://192.168.1.1/',
    'http://169.253.255.255/',
    'http://169.255.0.0/',
    'http://100.100.100.199/',
    'http://100.100.100.201/',
    'http://192.0.0.191/',
    'http://192.0.0.193/',
    'http://[::1]/',
    'http://[fec0::1]/',
    'http://[fd00:ec2::255]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[2002:808:808::1]/',
    'http://[64:ff9b::8.8.8.8]/',
    'http://[2001:0:808:808::f7f7:f7f7]/',
    'http://[2001:db8::a9fe:a9fe]/',
    'http://168.63.129.17/',
    'http://[fd20:ce::255]/',
    'http://metadata.test/',
    'http://169.254.169.254.test/',
  ])('is open by default in %s', (url) => {
    expect(standard.blockedAddressIn(new URL(url))).toBeNull();
  });

  it('is held against the ranges that the operator names, and only those', () => {
    const guard = createTargetGuard({ blockedRanges: ['10.0.0.0/8', '::1', '127.0.0.1'] });
    const blocked = [
      '10.9.8.7',
      '11.0.0.1',
      '[::1]',
      '[::2]',
      '127.0.0.1',
      '127.0.0.2',
      '[::ffff:10.1.1.1]',
      '169.254.169.254',
    ];
    expect(blocked.filter((host) => guard.blockedAddressIn(new URL(`http://${host}/`)))).toEqual([
      '10.9.8.7',
      '[::1]',
      '127.0.0.1',
      '[::ffff:10.1.1.1]',
    ]);
  });
});

describe('a public address', () => {
  it.each(['8.8.8.8', '::ffff:8.8.8.8', '2606:4700::1111', '64:ff9b::808:808', '2002:808:808::1'])(
    'is %s',
    (address) => {
      expect(standard.isPublic(address)).toBe(true);
    },
  );

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '169.254.1.1',
    '100.64.0.1',
    '::1',
    '::',
    'fe80::1%eth0',
    'fd00::1',
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:a00:1::1',
    '224.0.0.1',
    'no address',
  ])('is not %s', (address) => {
    expect(standard.isPublic(address)).toBe(false);
  });
});

describe('an unspecified address', () => {
  const spellings = ['0.0.0.0', '0', '0x0.0', '[::]', '[::0.0.0.0]', '[::ffff:0.0.0.0]', '[::ffff:0:0]'];
  const blocked = (blockedRanges: readonly string[]) => {
    const guard = createTargetGuard({ blockedRanges });
    return spellings.filter((host) => guard.blockedAddressIn(new URL(`http://${host}:5432/`)));
  };

  it.each([['127.0.0.0/8'], ['127.0.0.1'], ['::1'], ['::/64'], ['::ffff:127.0.0.0/104']])(
    'leads to loopback, and is blocked with %s',
    (range) => {
      expect(blocked([range])).toEqual(spellings);
    },
  );

  it('is open where loopback is', () => {
    expect(blocked([...DEFAULT_BLOCKED_RANGES, '10.0.0.0/8', '127.0.0.2', '::2'])).toEqual([]);
  });

  it.each([
    ['0.0.0.0', 4],
    ['::', 6],
  ])('is refused where a name resolves to %s', async (address, family) => {
    const resolveAll = () => Promise.resolve([{ address, family }]);
    const guard = createTargetGuard({ blockedRanges: ['127.0.0.0/8', '::1/128'], resolveAll });
    await expect(lookUp(guard, 'anywhere.test', true)).rejects.toMatchObject({ address });
  });

  it('is not where a redirect leads', async () => {
    const target = await startTarget();
    target.script('/', { status: 302, headers: { location: 'http://0.0.0.0:1/' } });
    const sender = newSender({ blockedRanges: ['::1'] });
    const { outcome } = await sender.sendAttempt(request(target.url), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
    sender.close();
    await target.close();
  });
});

describe('createTargetGuard', () => {
  it.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    'fe80::/129',
    'fe80::1%eth0',
    '10.0.0.0/',
  ])('refuses the range %j and names it', (range) => {
    expect(() => createTargetGuard({ blockedRanges: [range] })).toThrow(`"${range}" is no address range`);
  });
});

describe('a name', () => {
  it('is refused if any of its addresses is blocked', async () => {
    const resolveAll = () =>
      Promise.resolve([
        { address: '127.0.0.1', family: 4 },
        { address: 'fe80::1%2', family: 6 },
      ]);
    const guard = createTargetGuard({ blockedRanges: DEFAULT_BLOCKED_RANGES, resolveAll });
    await expect(lookUp(guard, 'mixed.test', true)).rejects.toMatchObject({
      code: 'ERR_BLOCKED_TARGET',
      address: 'fe80::1%2',
    });
  });

  it('gives all its addresses, or the first where one is asked for', async () => {
    const addresses = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ];
    const guard = createTargetGuard({ blockedRanges: [], resolveAll: () => Promise.resolve(addresses) });
    expect(await lookUp(guard, 'both.test', true)).toEqual(addresses);
    expect(await lookUp(guard, 'both.test', false)).toBe('::1');
  });

  it('without any address is not found', async () => {
    const guard = createTargetGuard({ blockedRanges: [], resolveAll: () => Promise.resolve([]) });
    await expect(lookUp(guard, 'empty.test', true)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it('is asked for once however many want it at the same time, and again afterwards', async () => {
    let asked = 0;
    const resolveAll = () => {
      asked += 1;
      return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    };
    const guard = createTargetGuard({ blockedRanges: [], resolveAll });
    await Promise.all([
      lookUp(guard, 'a.test', true),
      lookUp(guard, 'a.test', false),
      lookUp(guard, 'b.test', true),
    ]);
    expect(asked).toBe(2);
    await lookUp(guard, 'a.test', true);
    expect(asked).toBe(3);
  });

  it('that could not be resolved is asked for again by the next call', async () => {
    const answers = [() => Promise.reject(new Error('no')), everythingLocal] as const;
    let asked = 0;
    const guard = createTargetGuard({
      blockedRanges: [],
      resolveAll: (hostname, options) => (answers[asked++] ?? everythingLocal)(hostname, options),
    });
    await expect(lookUp(guard, 'a.test', true)).rejects.toThrow('no');
    expect(await lookUp(guard, 'a.test', false)).toBe('127.0.0.1');
  });
});

describe('a call', () => {
  it('to a blocked address ends before anything is connected', async () => {
    const target = await startTarget();
    const sender = newSender({ blockedRanges: ['127.0.0.0/8'] });
    const { outcome } = await sender.sendAttempt(request(target.url), unhurried());
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
    expect(target.openSockets()).toBe(0);
    sender.close();
    await target.close();
  });

  it('to a name with a blocked address ends before anything is connected, and says which address', async () => {
    const target = await startTarget();
    const sender = newSender({ blockedRanges: ['127.0.0.0/8'], resolveAll: everythingLocal });
    const { outcome } = await sender.sendAttempt(
      request(target.url.replace('127.0.0.1', 'inner.test')),
      unhurried(),
    );
    expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('(127.0.0.1)'));
    expect(target.calls).toEqual([]);
    sender.close();
    await target.close();
  });

  it('goes to the address that was checked, though the name server changes its mind at once', async () => {
    const target = await startTarget();
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolveAll = () => Promise.resolve([{ address: answers.shift() ?? '169.254.169.254', family: 4 }]);
    const sender = newSender({ resolveAll });
    const { outcome } = await sender.sendAttempt(
      request(target.url.replace('127.0.0.1', 'rebinding.test')),
      unhurried(),
    );
    expect(outcome).toMatchObject({ kind: 'responded', status: 200 });
    expect(answers).toEqual(['169.254.169.254']);
    sender.close();
    await target.close();
  });

  it.each(['http://169.254.169.254/latest', 'http://metadata.test/latest'])(
    'is not led to %s by a redirect',
    async (location) => {
      const target = await startTarget();
      target.script('/', { status: 302, headers: { location } });
      const resolveAll = () => Promise.resolve([{ address: '169.254.169.254', family: 4 }]);
      const sender = newSender({ resolveAll });
      const { outcome } = await sender.sendAttempt(request(target.url), unhurried());
      expect(outcome).toMatchObject({ kind: 'failed', reason: 'BLOCKED_TARGET' });
      sender.close();
      await target.close();
    },
  );
});
