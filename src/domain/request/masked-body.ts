import { isObject } from '../values/json-value.ts';
import { percentDecode } from '../values/percent-decode.ts';
import { MASK } from './secrets.ts';

/**
 * Fields of a body whose texts are taken to be credentials. A wide guess on purpose, as for headers. Only texts are
 * masked, so a number such as `max_tokens` is shown.
 */
const SECRET_FIELD =
  /token|secret|passw|api[-_]?key|access[-_]?key|private[-_]?key|credential|signature|authorization/i;

/** A string of a JSON text, with the colon behind it where it is a name. It also matches a string that is cut off. */
const STRING = /"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?$)(\s*:)?/gs;

/** How a body begins that a form has sent: the first name, without what begins JSON, XML or a sentence. */
const FORM = /^[^\s=&"'{[<]+=/;
const FORM_FIELD = /(^|&)([^=&]*)=([^&]*)/g;

/** Gets the text of a secret field as it is spelled. Returns what takes its place. */
type Replace = (secret: string) => string;

/**
 * A body with the texts of its secret fields replaced by {@link MASK}. A body that is a text is read as JSON or as a
 * form; text of another kind comes back as it is.
 */
export function maskBody(body: unknown): unknown {
  if (typeof body === 'string') return maskBodyText(body);
  if (typeof body !== 'object' || body === null) return body;
  const text = JSON.stringify(body);
  const masked = maskBodyText(text);
  return masked === text ? body : JSON.parse(masked);
}

/** The same for a body as it goes over the wire. The text may be cut off at its end. */
export function maskBodyText(text: string): string {
  return replaceSecrets(text, () => MASK);
}

/** Whether a secret field of the body holds the mask itself, so that the secret is not known. */
export function holdsMask(body: unknown): boolean {
  let isMasked = false;
  replaceSecrets(typeof body === 'string' ? body : JSON.stringify(body), (secret) => {
    isMasked ||= secret === MASK;
    return secret;
  });
  return isMasked;
}

/**
 * A body that a client has read masked, perhaps changed, and sent back. Each mask that stands where the current body
 * has a secret becomes that secret.
 */
export function unmaskBody(body: unknown, current: unknown): unknown {
  if (typeof body === 'string') return body === maskBody(current) ? current : body;
  return holdsMask(body) ? withSecretsOf(body, current, false) : body;
}

function withSecretsOf(given: unknown, current: unknown, isSecret: boolean): unknown {
  if (isSecret && given === MASK && typeof current === 'string') return current;
  if (Array.isArray(given) && Array.isArray(current))
    return given.map((item, index) => withSecretsOf(item, current[index], isSecret));
  if (!isObject(given) || !isObject(current)) return given;
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      Object.hasOwn(current, name)
        ? withSecretsOf(value, current[name], isSecret || SECRET_FIELD.test(name))
        : value,
    ]),
  );
}

function replaceSecrets(text: string, replace: Replace): string {
  if (!SECRET_FIELD.test(text) && !text.includes('\\u') && !text.includes('%')) return text;
  return FORM.test(text) ? replaceInForm(text, replace) : replaceInJson(text, replace);
}

function replaceInForm(text: string, replace: Replace): string {
  return text.replace(FORM_FIELD, (field, before: string, name: string, value: string) =>
    value !== '' && SECRET_FIELD.test(percentDecode(name)) ? `${before}${name}=${replace(value)}` : field,
  );
}

/** Works on the text and not on its value: a template may make it no JSON, and the rest is to stay as it was written. */
function replaceInJson(text: string, replace: Replace): string {
  const parts: string[] = [];
  let end = 0;
  let depth = 0;
  /** How deep the secret field stands whose value is being read; -1: none. */
  let secretDepth = -1;
  for (const match of text.matchAll(STRING)) {
    for (let index = end; index < match.index; index += 1) {
      const character = text[index];
      if (character === '{' || character === '[') depth += 1;
      if (character === '}' || character === ']') depth = Math.max(0, depth - 1);
      if (depth < secretDepth) secretDepth = -1;
    }
    const [string, content = '', colon] = match;
    const isName = colon !== undefined;
    if (isName && (secretDepth < 0 || depth <= secretDepth))
      secretDepth = SECRET_FIELD.test(unescape(content)) ? depth : -1;
    const isSecret = !isName && secretDepth >= 0;
    parts.push(text.slice(end, match.index), isSecret ? `"${replace(content)}"` : string);
    end = match.index + string.length;
  }
  return end === 0 ? text : parts.join('') + text.slice(end);
}

function unescape(name: string): string {
  return name.replace(/\\u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}
