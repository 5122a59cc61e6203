import { HEADER_LIMITS } from './header-rules.ts';
import { JOB_LIMITS } from '../job/job-limits.ts';
import { fillTemplate, hasTemplate, parseTemplate, type TemplateValues } from './template.ts';

/** The parts of a job's request that may hold templates. */
export interface TemplatedRequest {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}

/** Templates that one request may hold: with the longest value in each place, what is sent still fits into memory. */
export const MAX_TEMPLATES = 100;

/** Whether any part of a request holds a template; no other request needs to be filled. */
export function hasTemplates({ url, headers, body }: TemplatedRequest): boolean {
  return hasTemplate(url) || Object.values(headers).some(hasTemplate) || bodyHasTemplate(body);
}

/** Whether a body's texts, or the names of its fields, hold what looks like a template. */
export function bodyHasTemplate(body: unknown): boolean {
  if (typeof body === 'string') return hasTemplate(body);
  if (typeof body !== 'object' || body === null) return false;
  return Object.entries(body).some(([name, value]) => hasTemplate(name) || bodyHasTemplate(value));
}

/** A request cannot be filled: the template is not one, or what came of it cannot be sent. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/**
 * Fills the templates of a request, each value escaped for its place: percent-encoded in the URL, without a line break
 * or anything else that a header cannot carry in headers, and in a body as its content type asks.
 *
 * @throws TemplateError with a message for the user, where the result cannot be sent
 */
export function fillRequest(request: TemplatedRequest, values: TemplateValues): TemplatedRequest {
  const headers = fillHeaders(request.headers, values);
  return { url: fillUrl(request.url, values), headers, body: fillBody(request.body, headers, values) };
}

function fill(text: string, values: TemplateValues, escape: (value: string) => string): string {
  if (!hasTemplate(text)) return text;
  const template = parseTemplate(text);
  if (typeof template === 'string') throw new TemplateError(template);
  return fillTemplate(template, values, escape);
}

/**
 * A value of two dots would be a step up in the path, whatever it is encoded as: the rules of URLs take %2e for a dot.
 */
function fillUrl(url: string, values: TemplateValues): string {
  if (!hasTemplate(url)) return url;
  if (hasTemplate(authorityOf(url))) throw new TemplateError(BEHIND_THE_HOST);
  const filled = fill(url, values, encodeURIComponent);
  const plain = fill(url, values, () => 'x');
  if (dotSegments(filled) !== dotSegments(plain))
    throw new TemplateError('A value would change the path of the URL: it makes a segment of dots.');
  return filled;
}

/** Said where a template stands too early in a URL. */
export const BEHIND_THE_HOST =
  'Templates may stand behind the host only, in path and query: where a call goes is not up to its data.';

/** What of a URL decides where a call goes: all before the path, or the query where there is no path. */
export function authorityOf(url: string): string {
  return /^[^/]*\/\/[^/\\?#]*/.exec(url)?.[0] ?? url;
}

/** The URL as any value could leave it, for the checks of a URL that has no value yet. */
export function withSampleText(url: string): string {
  return url.replace(/\{\{[^{}]*\}\}/g, '1');
}

function dotSegments(url: string): number {
  const path = url.slice(authorityOf(url).length).replace(/[?#].*$/s, '');
  return path.split(/[/\\]/).filter((segment) => /^(?:\.|%2e){1,2}$/i.test(segment)).length;
}

function fillHeaders(
  headers: Readonly<Record<string, string>>,
  values: TemplateValues,
): Record<string, string> {
  const filled = Object.entries(headers).map(([name, value]) => {
    const text = fill(value, values, encodeForHeader);
    if (text.length > HEADER_LIMITS.valueLength) {
      throw new TemplateError(
        `The header ${name} has ${text.length} characters once it is filled; allowed are ${HEADER_LIMITS.valueLength}.`,
      );
    }
    return [name, text] as const;
  });
  const bytes = filled.reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value), 0);
  if (bytes > JOB_LIMITS.headersBytes) {
    throw new TemplateError(
      `The headers have ${bytes} bytes once they are filled; allowed are ${JOB_LIMITS.headersBytes}.`,
    );
  }
  return Object.fromEntries(filled);
}

/** Line breaks would begin a header of their own, and beyond ASCII a header has no agreed encoding. */
function encodeForHeader(value: string): string {
  return value.replace(/[^\t\x20-\x7e]/gu, encodeURIComponent);
}

function fillBody(body: unknown, headers: Readonly<Record<string, string>>, values: TemplateValues): unknown {
  if (typeof body === 'string') return fill(body, values, escapeForText(contentTypeOf(headers)));
  if (!bodyHasTemplate(body)) return body;
  return fillJson(body, values);
}

/** In a body that is JSON nothing has to be escaped: it is encoded as a whole after it was filled. */
function fillJson(value: unknown, values: TemplateValues): unknown {
  if (typeof value === 'string') return fill(value, values, (text) => text);
  if (Array.isArray(value)) return value.map((item) => fillJson(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fillJson(item, values)]));
}

function contentTypeOf(headers: Readonly<Record<string, string>>): string {
  const entry = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type');
  return (entry?.[1] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** A body that is a text is whatever its content type says; of the usual ones, values cannot break out. */
function escapeForText(contentType: string): (value: string) => string {
  if (/[/+]json$/.test(contentType)) return (value) => JSON.stringify(value).slice(1, -1);
  if (contentType === 'application/x-www-form-urlencoded') return encodeURIComponent;
  if (/[/+](?:xml|html)$/.test(contentType)) return escapeMarkup;
  return (value) => value;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeMarkup(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
