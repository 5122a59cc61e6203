import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAlertTarget, maskAlertTarget } from '../../../src/domain/alert/alert-target.ts';

describe('an e-mail address', () => {
  it.each([
    'ops@example.com',
    'first.last+alerts@mail.example.co.uk',
    "o'brien@example.com",
    'root@localhost',
    'jürgen@müller.example',
    `${'a'.repeat(64)}@example.com`,
  ])('may be %s', (address) => {
    expect(checkAlertTarget('EMAIL', address)).toBeNull();
  });

  it.each([
    '',
    'ops',
    '@example.com',
    'ops@',
    'a@b@',
    'ops@example..com',
    'ops@-example.com',
    '.ops@example.com',
    'ops@example.com, other@example.com',
    'ops@example.com\nBcc: other@example.com',
    'Ops <ops@example.com>',
    '"quoted local"@example.com',
    'ops@[127.0.0.1]',
    `${'a'.repeat(65)}@example.com`,
    `ops@${'a.'.repeat(130)}com`,
    'ops\0@example.com',
    '\ud800@example.com',
  ])('may not be %j', (address) => {
    expect(checkAlertTarget('EMAIL', address)).toMatch(/^Must be one e-mail address/);
  });

  it('contains nothing that could end it in a header or an SMTP command', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const address = `${text}@example.com`;
        if (checkAlertTarget('EMAIL', address) === null)
          expect(address).not.toMatch(/[\s\p{Cc}<>,;:"\\()[\]]/u);
      }),
    );
  });
});

describe('a webhook', () => {
  it.each([
    'http://10.0.0.7:8080/alerts',
    'https://hooks.example.com/a?b=c',
    'https://user:key@example.com/',
  ])('may be %s', (url) => {
    expect(checkAlertTarget('WEBHOOK', url)).toBeNull();
    expect(checkAlertTarget('SLACK', url)).toBeNull();
  });

  it.each(['', 'ops@example.com', 'ftp://example.com/', 'https://', 'https://example.com/a b', '/alerts'])(
    'may not be %j',
    (url) => {
      expect(checkAlertTarget('WEBHOOK', url)).not.toBeNull();
      expect(checkAlertTarget('SLACK', url)).not.toBeNull();
    },
  );

  it('that is refused is not repeated in the error, because it may be a secret', () => {
    expect(checkAlertTarget('SLACK', 'hooks.slack.com/services/T0/B0/s3cret')).not.toContain('s3cret');
  });
});

describe('a target as it is shown', () => {
  it.each([
    ['EMAIL', 'ops@example.com', 'ops@example.com'],
    ['SLACK', 'https://hooks.slack.com/services/T01/B01/XyZ', 'https://hooks.slack.com/***'],
    ['SLACK', 'https://chat.example.com/hooks/abc?x=1', 'https://chat.example.com/***'],
    ['WEBHOOK', 'https://example.com/', 'https://example.com/'],
    ['WEBHOOK', 'https://example.com', 'https://example.com'],
    ['WEBHOOK', 'https://example.com/alerts/production', 'https://example.com/alerts/production'],
    ['WEBHOOK', 'https://discord.com/api/webhooks/11/a1B2c3D4', 'https://discord.com/api/webhooks/11/***'],
    ['WEBHOOK', 'https://example.com/h?token=abc&room=7', 'https://example.com/h?token=***&room=7'],
    ['WEBHOOK', 'https://user:secret@example.com/h#f', 'https://user:***@example.com/h#f'],
    ['WEBHOOK', 'https://example.com/onlylettersbutverylongindeed', 'https://example.com/***'],
  ] as const)('by %s is %s as %s', (channel, target, shown) => {
    expect(maskAlertTarget(channel, target)).toBe(shown);
  });

  it('is masked the same when it is masked again', () => {
    const url = fc.webUrl({ withQueryParameters: true, withFragments: true });
    fc.assert(
      fc.property(url, fc.constantFrom('WEBHOOK' as const, 'SLACK' as const), (target, channel) => {
        const once = maskAlertTarget(channel, target);
        expect(maskAlertTarget(channel, once)).toBe(once);
      }),
    );
  });
});
