/** The longest address that SMTP carries (RFC 5321, section 4.5.3.1.3, less the angle brackets). */
export const MAX_ADDRESS_LENGTH = 254;

/**
 * The part before the @, without quotes and comments (RFC 5322 `dot-atom`, and any letter). No such part can end the
 * address, add another one, or start a header.
 */
const LOCAL_PART = /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const DOMAIN_LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** Whether a text is one plain address. */
export function isEmailAddress(text: string): boolean {
  if (text.length > MAX_ADDRESS_LENGTH || !text.isWellFormed()) return false;
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  return (
    at > 0 &&
    local.length <= 64 &&
    LOCAL_PART.test(local) &&
    domain.split('.').every((label) => DOMAIN_LABEL.test(label))
  );
}
