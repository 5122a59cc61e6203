import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { KEY_SHAPE, type KeyText, readApiKey } from '../domain/access/api-key.ts';
import { isEmailAddress } from '../domain/alert/email-address.ts';

/** What became of one variable's text: its value, or `null` where the text is not allowed. */
export type Parsed<T> = { readonly value: T } | null;

/** How one kind of variable is read: what it accepts, said in words, and the function that decides. */
export interface Kind<T> {
  readonly allowed: string;
  readonly parse: (text: string) => Parsed<T>;
  /** How a refused text may be shown; absent where it can hold no secret. */
  readonly show?: (text: string) => string;
}

/** The word that empties a list, since an empty variable counts as one that is not set. */
const NONE = 'none';

/**
 * A whole number in plain decimal digits. Looser spellings (`1e3`, `0x10`, ` 5 `, `5s`) are refused rather than
 * guessed at: a wrong guess about a unit would go unnoticed for long.
 */
export function integer(min: number, max: number, unit = ''): Kind<number> {
  return {
    allowed: `a whole number from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`,
    parse(text) {
      if (!/^\d+$/.test(text)) return null;
      const value = Number(text);
      return value >= min && value <= max ? { value } : null;
    },
  };
}

/** One of a few words, spelled exactly so. */
export function oneOf<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    allowed: `one of ${words.join(', ')}`,
    parse(text) {
      const value = words.find((word) => word === text);
      return value === undefined ? null : { value };
    },
  };
}

/** `true` or `false`, and no other spelling. */
export function trueOrFalse(): Kind<boolean> {
  return {
    allowed: 'true or false',
    parse: (text) => (text === 'true' ? { value: true } : text === 'false' ? { value: false } : null),
  };
}

/** A folder, made absolute against the working directory. */
export function folder(): Kind<string> {
  return {
    // The characters are those that the rotating log files refuse in a folder's name.
    allowed: 'the path of a folder, without control characters and without any of " < > |',
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    parse: (text) => (/["<>|\u0000-\u001f]/.test(text) ? null : { value: resolve(text) }),
  };
}

/** A file, made absolute against the working directory. */
export function filePath(): Kind<string> {
  return {
    allowed: 'the path of a file, without control characters',
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    parse: (text) => (/[\u0000-\u001f]/.test(text) ? null : { value: resolve(text) }),
  };
}

/** An address or host name to listen on. */
export function listenHost(): Kind<string> {
  return {
    allowed: 'an IP address or a host name, without port and brackets, such as 127.0.0.1, ::1 or 0.0.0.0',
    parse: (text) => (isIP(text) !== 0 || isHostName(text) ? { value: text } : null),
  };
}

/** A name that goes into ids, logs and URLs as it is. */
export function plainName(maxLength: number): Kind<string> {
  return {
    allowed: `1 to ${maxLength} letters, digits, dots, dashes or underscores`,
    parse: (text) => (text.length <= maxLength && /^[A-Za-z0-9._-]+$/.test(text) ? { value: text } : null),
  };
}

/** A PostgreSQL connection string. The password never appears in what is shown of a refused one. */
export function postgresUrl(): Kind<string> {
  return {
    allowed:
      'a connection string such as postgresql://user:password@host:5432/database, with any of : / ? # @ % in user name or password percent-encoded',
    parse: (text) => (isPostgresUrl(text) ? { value: text } : null),
    show: hidePassword,
  };
}

/** Address ranges in CIDR notation, separated by commas; a bare address stands for itself alone. */
export function addressRanges(): Kind<readonly string[]> {
  return {
    allowed: `IP ranges in CIDR notation separated by commas, such as 10.0.0.0/8,fd00::/8, or ${NONE}`,
    parse: (text) => parseList(text, parseAddressRange),
  };
}

/** Web origins separated by commas; `*` alone stands for every origin. */
export function webOrigins(): Kind<readonly string[]> {
  return {
    allowed: `origins separated by commas, such as https://app.example.com,http://localhost:5173, or * for any, or ${NONE}`,
    parse: (text) => (text === '*' ? { value: ['*'] } : parseList(text, parseOrigin)),
  };
}

/** Host names separated by commas, in lower case; `*` alone stands for every name. */
export function hostNames(): Kind<readonly string[]> {
  return {
    allowed: `host names without port separated by commas, such as scheduler.example.com, or * for any, or ${NONE}`,
    parse: (text) =>
      text === '*'
        ? { value: ['*'] }
        : parseList(text, (name) => (isIP(name) !== 0 || isHostName(name) ? name.toLowerCase() : null)),
  };
}

/** Where something is reached over HTTP; a path may follow the host. The value has no slash at its end. */
export function baseUrl(): Kind<string> {
  return {
    allowed:
      'an http or https URL without user, query and fragment, such as https://scheduler.example.com or https://example.com/scheduler',
    parse: parseBaseUrl,
    show: hidePassword,
  };
}

/** A mail server. Its password never appears in what is shown of a refused one. */
export function smtpUrl(): Kind<string> {
  return {
    allowed:
      'a URL such as smtps://user:password@smtp.example.com or smtp://localhost:25, with any of : / ? # @ % in user name or password percent-encoded',
    parse: (text) => (isSmtpUrl(text) ? { value: text } : null),
    show: hidePassword,
  };
}

/** Whom mail comes from: an address, or a name and an address in angle brackets. */
export function mailSender(): Kind<string> {
  return {
    allowed: 'an address such as scheduler@example.com, or Scheduler <scheduler@example.com>',
    parse(text) {
      const match = /^(?:([^<>"\r\n]{1,100}) )?<([^<>]+)>$/.exec(text);
      return isEmailAddress(match?.[2] ?? text) ? { value: text } : null;
    },
  };
}

/** A key that signs webhooks, as Standard Webhooks spells it. Never shown, whatever it is. */
export function signingSecret(): Kind<Buffer> {
  return {
    allowed: 'whsec_ and 24 to 64 bytes in base64, such as whsec_$(openssl rand -base64 32) gives',
    parse(text) {
      const match = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text);
      const key = Buffer.from(match?.[1] ?? '', 'base64');
      return key.length >= 24 && key.length <= 64 ? { value: key } : null;
    },
    show: () => '***',
  };
}

/** The text of an API key. Never shown, whatever it is. */
export function apiKey(): Kind<KeyText> {
  return {
    allowed: `a key as \`npm run keys -- generate\` prints it: ${KEY_SHAPE}`,
    parse(text) {
      const key = readApiKey(text);
      return key && { value: key };
    },
    show: () => '***',
  };
}

/** The text of a connection string with its password replaced, also where the text is no valid URL. */
export function hidePassword(text: string): string {
  return (
    text
      // Greedy up to the last @: an unescaped @ or / inside a password must not let the rest of it through.
      .replace(/^((?:[a-z][a-z0-9+.-]*:\/\/)?[^:@]*):(.*)@/is, '$1:***@')
      // Without any @, what follows user and colon is a password unless it reads like a port.
      .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:@/?#]*):(?!\*\*\*@)(?!\d{1,5}(?:[/?]|$)).*$/is, '$1:***')
      .replace(/([?&](?:password|sslpassword)=)[^&#]*/gi, '$1***')
      .replace(/(\bpassword\s*=\s*)('[^']*'|[^\s&]+)/gi, '$1***')
  );
}

function isSmtpUrl(text: string): boolean {
  if (!/^smtps?:\/\/[^/?#]/i.test(text) || /\s/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    return false;
  }
  // As with databases: an unescaped character of a password would leave a piece of it behind.
  return url.hostname !== '' && (url.pathname === '' || url.pathname === '/') && url.hash === '';
}

function parseList(text: string, parseItem: (item: string) => string | null): Parsed<readonly string[]> {
  if (text.trim() === NONE) return { value: [] };
  const items = text.split(',').map((item) => parseItem(item.trim()));
  return items.every((item) => item !== null) ? { value: [...new Set(items)] } : null;
}

function parseAddressRange(text: string): string | null {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return null;
  const bits = family === 4 ? 32 : 128;
  if (prefix === undefined) return `${address}/${bits}`;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits ? `${address}/${Number(prefix)}` : null;
}

function parseOrigin(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  // An origin has no path, no query and no user; browsers compare it letter by letter, so a slash would never match.
  const bare = url.href === `${url.origin}/` && !/[/?#]$/.test(text);
  return bare ? url.origin : null;
}

function parseBaseUrl(text: string): Parsed<string> {
  // A longer one would leave no room for what is put behind it, since targets bound the size of a header.
  if (!/^https?:\/\/[^\s?#@]+$/i.test(text) || text.length > 1_000 || !URL.canParse(text)) return null;
  return { value: new URL(text).href.replace(/\/+$/, '') };
}

function isHostName(text: string): boolean {
  const labels = text.split('.');
  // An all-digit last label is a mistyped IPv4 address, not a name.
  if (text.length > 253 || /^\d+$/.test(labels.at(-1) ?? '')) return false;
  return labels.every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
}

function isPostgresUrl(text: string): boolean {
  if (!/^postgres(ql)?:\/\//.test(text) || /\s/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
    decodeURIComponent(url.pathname);
  } catch {
    return false;
  }
  // An unescaped #, ? or / in a password ends up here: the "host" is then a piece of user or password.
  const leftovers = url.pathname.slice(1) + url.search;
  return url.hash === '' && !leftovers.includes('@') && !url.pathname.slice(1).includes('/');
}
