import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { mailText } from '../../src/alerts/mail-html.ts';
import { signatureHeaders } from '../../src/alerts/signature.ts';
import { ALERT_LIMITS } from '../../src/domain/alert/alert.ts';
import { wordNotice } from '../../src/domain/alert/alert-text.ts';
import { notice } from '../support/alerts.ts';

const page = await readFile(new URL('../../docs/alerts.md', import.meta.url), 'utf8');

function blockOf(language: string): string {
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';
}

describe('docs/alerts.md', () => {
  it('shows the webhook that the scheduler sends', () => {
    expect(JSON.parse(blockOf('json'))).toEqual({ ...notice(), text: wordNotice(notice()).title });
  });

  it('shows the mail that the scheduler sends', () => {
    expect(blockOf('text')).toBe(mailText(wordNotice(notice())));
  });

  it('checks the signatures that the scheduler makes', async () => {
    const sentAt = new Date('2030-01-07T09:00:00.000Z');
    vi.useFakeTimers({ now: sentAt, toFake: ['Date'] });
    const module: unknown = await import(`data:text/javascript,${encodeURIComponent(blockOf('js'))}`);
    const { isOurs } = module as { isOurs: (secret: string, headers: object, body: string) => boolean };
    const key = Buffer.alloc(32, 7);
    const secret = `whsec_${key.toString('base64')}`;
    const headers = signatureHeaders('delivery_1', '{}', sentAt, key);
    expect(isOurs(secret, headers, '{}')).toBe(true);
    expect(isOurs(secret, headers, '{ }')).toBe(false);
    expect(isOurs(`whsec_${Buffer.alloc(32, 8).toString('base64')}`, headers, '{}')).toBe(false);
    expect(isOurs(secret, {}, '{}')).toBe(false);
    vi.setSystemTime(sentAt.getTime() + 301_000);
    expect(isOurs(secret, headers, '{}')).toBe(false);
    vi.useRealTimers();
  });

  it('states the actual limit of alerts', () => {
    expect(page).toContain(`A job may have ${ALERT_LIMITS.perJob} alerts.`);
  });
});
