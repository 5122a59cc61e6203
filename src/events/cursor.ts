/**
 * The public cursor of the feeds: opaque to clients, versioned for us. Format: base64url of `1.<epoch>.<position>`.
 */
export interface Cursor {
  epoch: string;
  position: bigint;
}

const VERSION = '1';
const MAX_LENGTH = 128;
const PATTERN = /^1\.([0-9a-z]{1,32})\.(0|[1-9][0-9]{0,18})$/;

/** The cursor's public spelling. */
export function encodeCursor({ epoch, position }: Cursor): string {
  return Buffer.from(`${VERSION}.${epoch}.${position}`).toString('base64url');
}

/** Null for anything this version did not write; never throws. */
export function decodeCursor(text: string): Cursor | null {
  if (text.length > MAX_LENGTH) return null;
  const match = PATTERN.exec(Buffer.from(text, 'base64url').toString('utf8'));
  if (!match?.[1] || !match[2]) return null;
  return { epoch: match[1], position: BigInt(match[2]) };
}
