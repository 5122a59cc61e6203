import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { checkText, isStorable, type TextLimit, UNSTORABLE } from '../values/text.ts';
import { decodePublicId, encodePublicId } from '../values/public-id.ts';
import { RESERVED_NAMES } from './viewer.ts';

/** Bounds of API keys. Both ends are allowed. The database's CHECK constraints allow at least the same. */
export const API_KEY_LIMITS = {
  /** Characters of a name. */
  name: { min: 1, max: 100 },
  /** Keys that are not revoked. */
  keys: 1_000,
  /** How long the former text of a rotated key may stay valid, in milliseconds. */
  graceMs: { min: 0, max: 7 * 24 * 3_600_000 },
} as const satisfies { name: TextLimit; keys: number; graceMs: TextLimit };

/** How long the former text of a rotated key stays valid where nothing else is said, in milliseconds. */
export const DEFAULT_GRACE_MS = 24 * 3_600_000;

/** Bytes of a key's secret: 256 random bits. */
export const SECRET_BYTES = 32;

const PREFIX = 'sch_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62 to the power of 43 is more than 2 to the power of 256. */
const SECRET_LENGTH = 43;
/** 62 to the power of 6 is more than 2 to the power of 32. */
const CHECKSUM_LENGTH = 6;
const KEY_TEXT = new RegExp(
  `^${PREFIX}([0-9a-z]{26})_([0-9A-Za-z]{${SECRET_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`,
);

/** What the texts of keys look like, for a message. */
export const KEY_SHAPE = `${PREFIX}, 26 characters, _ and ${SECRET_LENGTH + CHECKSUM_LENGTH} characters`;

/** A key as its holder sends it. */
export interface KeyText {
  /** The row's UUID. */
  id: string;
  /** All of the key. */
  text: string;
}

/**
 * The text of a key: `sch_<id>_<secret><checksum>`. Id as in `key_<id>`, secret and checksum in base62. The checksum is the
 * CRC-32 of what stands before it, so that a scanner for leaked secrets tells a key from other text.
 *
 * @param secret {@link SECRET_BYTES} random bytes
 */
export function writeApiKey(id: string, secret: Uint8Array): string {
  const number = BigInt(`0x${Buffer.from(secret).toString('hex')}`);
  const unchecked = `${PREFIX}${idPartOf(id)}_${inBase62(number, SECRET_LENGTH)}`;
  return unchecked + checksumOf(unchecked);
}

/** Reads the text of a key; null for what {@link writeApiKey} could not have written. */
export function readApiKey(text: string): KeyText | null {
  const [, idPart] = KEY_TEXT.exec(text) ?? [];
  if (idPart === undefined) return null;
  const id = decodePublicId('ApiKey', `key_${idPart}`);
  const isWhole = checksumOf(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
  return id !== null && isWhole ? { id, text } : null;
}

/** What the database keeps of a key. The secret has 256 random bits, so one plain SHA-256 is enough. */
export function hashApiKey(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** What decides whether a key is valid. */
export interface KeyValidity {
  hash: Uint8Array;
  /** The hash of the text before the last rotation. */
  previousHash: Uint8Array | null;
  /** Until when that text is valid. */
  previousUntil: Date | null;
  expiresAt: Date | null;
  revokedAt: Date | null;
}

/** Whether a key with this hash is valid now. Compares in constant time. */
export function isKeyValid(key: KeyValidity, hash: Uint8Array, now: Date): boolean {
  const isCurrent = timingSafeEqual(key.hash, hash);
  const isPrevious = key.previousHash !== null && timingSafeEqual(key.previousHash, hash);
  const isInGrace = key.previousUntil !== null && now < key.previousUntil;
  return (
    (isCurrent || (isPrevious && isInGrace)) &&
    key.revokedAt === null &&
    (key.expiresAt === null || now < key.expiresAt)
  );
}

/** A sentence for every place where a user may write a key's name. */
export const KEY_NAME_RULE = `${API_KEY_LIMITS.name.min} to ${API_KEY_LIMITS.name.max} characters without white space at the ends, and not ${RESERVED_NAMES.join(', ')}`;

/** What is wrong with a name, or null. The audit log shows it as the actor, so nothing in it may be invisible. */
export function checkKeyName(name: string): string | null {
  if (!isStorable(name)) return UNSTORABLE;
  const problem = checkText(name, API_KEY_LIMITS.name);
  if (problem !== null) return problem;
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) return 'Holds a character that cannot be seen.';
  if (name !== name.trim()) return 'Has white space at an end.';
  return RESERVED_NAMES.includes(name.toLowerCase())
    ? 'The audit log uses this name for another actor.'
    : null;
}

function idPartOf(id: string): string {
  return encodePublicId('ApiKey', id).slice('key_'.length);
}

function checksumOf(text: string): string {
  return inBase62(BigInt(crc32(text)), CHECKSUM_LENGTH);
}

function inBase62(number: bigint, length: number): string {
  let digits = '';
  for (let rest = number; digits.length < length; rest /= 62n) {
    digits = (DIGITS[Number(rest % 62n)] ?? '') + digits;
  }
  return digits;
}
